"""A chat that has been stopped, and a backup of it."""

from pathlib import Path

import pytest

from tests.support.command import hubbub


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a chat that has been stopped, with one account."""
    folder = tmp_path_factory.mktemp("left") / "data"
    assert hubbub("user", "add", "ana", "--bot", "--data", str(folder)).code == 0
    return folder


@pytest.fixture(scope="module")
def good(left: Path) -> Path:
    """A backup of it."""
    file = left.with_name("good.db")
    assert hubbub("backup", str(file), "--data", str(left)).code == 0
    return file
