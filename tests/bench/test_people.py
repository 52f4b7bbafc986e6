"""The accounts of a benchmark are real accounts."""

from contextlib import closing
from pathlib import Path

import jwt
import pytest

from bench.errors import BenchError
from bench.people import gather, guests, settle
from hubbub.model.names import LOBBY
from hubbub.store.data_folder import DataFolder
from hubbub.store.engines.sqlite.database import Database
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


def test_everyone_is_in_as_many_rooms_and_each_room_has_a_message(tmp_path: Path) -> None:
    settle(tmp_path, 8)
    ids = gather(tmp_path, 8, rooms=4, each=2, messages=3)
    with closing(Database(DataFolder(tmp_path).database).reader()) as db:
        tx = Tx(db, 0)
        rooms = tx.rooms_by_id({*ids, LOBBY})
        assert [rooms[room].members for room in ids] == [4, 4, 4, 4]
        assert {room.seq for room in rooms.values()} == {3}


def test_guests_have_tokens_and_no_accounts(tmp_path: Path) -> None:
    tokens = guests(tmp_path, 2)
    claims = [jwt.decode(token, DataFolder(tmp_path).secret(), ["HS256"]) for token in tokens]
    assert [each["name"] for each in claims] == ["~guest-0", "~guest-1"]
    assert claims[0]["guest"] != claims[1]["guest"]


def test_a_folder_with_a_running_server_is_refused(tmp_path: Path) -> None:
    running = DataFolder(tmp_path)
    running.prepare()
    assert running.lock()
    try:
        with pytest.raises(BenchError, match="running"):
            settle(tmp_path, 1)
    finally:
        running.release()
