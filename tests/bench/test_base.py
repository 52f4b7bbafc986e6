"""Another commit is served from its own files, with accounts that its own code makes."""

from pathlib import Path

import pytest

from bench import base
from bench.errors import BenchError
from bench.server import Hubbub

#: Answers as the `bench.people` of another commit might.
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


def test_accounts_are_made_by_the_code_that_will_serve_them(other: Hubbub, tmp_path: Path) -> None:
    assert base.accounts(other, "settle", tmp_path, 2) == ["token-0", "token-1"]
    assert (tmp_path / "made").read_text() == "2"


def test_what_another_commit_cannot_do_is_an_error_that_says_so(
    other: Hubbub, tmp_path: Path
) -> None:
    with pytest.raises(BenchError, match="has no attribute 'gather'"):
        base.accounts(other, "gather", tmp_path, 2)


def test_this_commit_makes_its_own(tmp_path: Path) -> None:
    assert len(base.accounts(Hubbub(["hubbub"]), "settle", tmp_path, 2)) == 2


def test_a_commit_that_is_none_is_an_error_that_names_it() -> None:
    with pytest.raises(BenchError, match="git failed"):
        base.unpacked("no-such-commit")
