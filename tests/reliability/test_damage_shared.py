"""A damaged PostgreSQL is reported, and never replaced by a new chat."""

from pathlib import Path

import pytest

from tests.conftest import MakeServer
from tests.support.chat import RestApi
from tests.support.command import hubbub
from tests.support.doctor import problems, run_doctor
from tests.support.postgres import Postgres
from tests.support.server import Server

FAILED = 1
RESTORE_COMMAND = "hubbub restore"
LOGGED = "the database is damaged"

# Raises PostgreSQL's error for a damaged page (XX001).
CORRUPTED = """
    CREATE FUNCTION corrupted() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'invalid page in block 7' USING ERRCODE = 'XX001'; END $$;
    CREATE TRIGGER corrupted BEFORE INSERT ON messages FOR EACH ROW
    WHEN (NEW.text LIKE 'damage%') EXECUTE FUNCTION corrupted()
"""


@pytest.fixture
def name(postgres: Postgres) -> str:
    return postgres.database()


@pytest.fixture
def server(make_server: MakeServer, postgres: Postgres, name: str) -> Server:
    """A running server that uses a PostgreSQL."""
    return make_server("--database", postgres.url(name)).start()


def test_a_lost_database_is_refused_until_a_backup_is_restored(
    server: Server, make_server: MakeServer, postgres: Postgres, name: str, tmp_path: Path
) -> None:
    api = RestApi(server, "ana")
    api.post("lobby", "kept", by="ana")
    backup = str(tmp_path / "backup.db")
    assert hubbub("backup", backup, "--database", postgres.url(name)).code == 0
    server.stop()
    other = postgres.url(postgres.database())
    options = ("--data", str(server.data), "--database", other)
    for command in (("serve", "--port", "1"), ("invite",)):
        result = hubbub(*command, *options)
        assert result.code == FAILED
        assert RESTORE_COMMAND in result.sentence
        assert "a pass" not in result.sentence, "the error must not contain the password"
    found = {one["name"]: one for one in run_doctor(*options)}
    assert "database" in problems(
        found
    )  # beside the warning that the tests' PostgreSQL is not durable
    assert RESTORE_COMMAND in found["database"]["do"]

    assert hubbub("restore", backup, "--database", other).code == 0
    again = make_server("--database", other, data=server.data).start()
    api.server = again
    assert api.history("lobby", by="ana") == [("ana", "kept")]


def test_a_folder_with_sqlite_can_be_used_with_a_new_postgresql(
    make_server: MakeServer, postgres: Postgres, name: str
) -> None:
    server = make_server().start()
    RestApi(server, "ana")
    server.stop()
    RestApi(make_server("--database", postgres.url(name), data=server.data).start(), "ana")


def test_a_damaged_page_is_unavailable_and_logged_once(
    server: Server, postgres: Postgres, name: str
) -> None:
    api = RestApi(server, "ana")
    postgres.execute(CORRUPTED, name)
    for number in range(5):
        status, answer = api.request(
            "POST", "rooms/lobby/messages", {"text": f"damage {number}"}, by="ana"
        )
        assert (status, answer["code"]) == (503, "unavailable")
        assert RESTORE_COMMAND in answer["detail"]
    api.post("lobby", "posting works", by="ana")
    assert server.stop() == 0
    assert server.log.count(LOGGED) == 1
    assert "Traceback" not in server.log


def test_an_invalid_row_is_unavailable_and_logged_once(
    server: Server, postgres: Postgres, name: str
) -> None:
    api = RestApi(server, "ana")
    api.post("lobby", "hello", by="ana")
    postgres.execute("UPDATE messages SET marks = '{\"pinned\": tru'", name)
    for _ in range(5):
        status, answer = api.request("GET", "rooms/lobby/messages", by="ana")
        assert (status, answer["code"]) == (503, "unavailable")
    assert server.stop() == 0
    assert server.log.count(LOGGED) == 1
    assert "messages.marks" in server.log
    assert "Traceback" not in server.log
