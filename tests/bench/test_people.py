"""Accounts for a benchmark are real accounts."""

from contextlib import closing
from pathlib import Path

import jwt
import pytest

from bench.errors import BenchError
from bench.people import settle
from hubbub.model.names import LOBBY
from hubbub.store.folder import DataFolder
from hubbub.store.sqlite import Database
from hubbub.store.tx import Tx


def test_everyone_is_in_the_lobby_and_has_a_token_of_their_own(tmp_path: Path) -> None:
    tokens = settle(tmp_path, 3)
    folder = DataFolder(tmp_path)
    with closing(Database(folder.database).reader()) as db:
        tx = Tx(db, 0)
        lobby = tx.room(LOBBY)
        assert lobby is not None
        names = set()
        for token in tokens:
            claims = jwt.decode(token, folder.secret(), ["HS256"])
            session = tx.session(claims["sid"])
            assert session is not None
            assert tx.member(lobby.pk, session.user_id) is not None
            names.add(session.name)
    assert len(names) == 3


def test_a_folder_with_a_running_server_is_left_alone(tmp_path: Path) -> None:
    running = DataFolder(tmp_path)
    running.prepare()
    assert running.lock()
    try:
        with pytest.raises(BenchError, match="running"):
            settle(tmp_path, 1)
    finally:
        running.release()
