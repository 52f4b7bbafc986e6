"""Another commit runs from its own files, with accounts created by its own code."""

from pathlib import Path

import pytest

from bench import base
from bench.errors import BenchError
from bench.server import Hubbub

#: A stand-in for `bench.people` of another commit.
PEOPLE = """
from pathlib import Path
def settle(data, count):
    (data / "made").write_text(str(count))
    return [f"token-{n}" for n in range(count)]
"""


@pytest.fixture
def other(tmp_path: Path) -> Hubbub:
    root = tmp_path / "root"
    (root / "bench").mkdir(parents=True)
    (root / "bench" / "__init__.py").touch()
    (root / "bench" / "people.py").write_text(PEOPLE)
    return Hubbub(["python3"], name="base", root=root)


def test_accounts_are_created_by_the_code_that_serves_them(other: Hubbub, tmp_path: Path) -> None:
    assert base.call_people(other, "settle", tmp_path, 2) == ["token-0", "token-1"]
    assert (tmp_path / "made").read_text() == "2"


def test_an_error_of_another_commit_is_reported(other: Hubbub, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="has no attribute 'gather'"):
        base.call_people(other, "gather", tmp_path, 2)


def test_this_commit_creates_its_own_accounts(tmp_path: Path) -> None:
    assert len(base.call_people(Hubbub(["hubbub"]), "settle", tmp_path, 2)) == 2


def test_an_unknown_commit_is_reported_by_name() -> None:
    with pytest.raises(BenchError, match="git failed"):
        base.checkout("no-such-commit")
