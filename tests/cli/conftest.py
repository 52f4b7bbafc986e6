"""A stopped chat and its backup."""

from pathlib import Path

import pytest

from tests.support.command import hubbub


@pytest.fixture(scope="module")
def stopped_chat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a stopped chat with one account."""
    folder = tmp_path_factory.mktemp("stopped") / "data"
    assert hubbub("user", "add", "ana", "--bot", "--data", str(folder)).code == 0
    return folder


@pytest.fixture(scope="module")
def backup_file(stopped_chat: Path) -> Path:
    """A backup of `stopped_chat`."""
    file = stopped_chat.with_name("good.db")
    assert hubbub("backup", str(file), "--data", str(stopped_chat)).code == 0
    return file
