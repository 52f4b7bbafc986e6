"""The same with a PostgreSQL: what is damaged there is named, and nothing new put in its place."""

from pathlib import Path

import pytest

from tests.conftest import MakeServer
from tests.support.chat import House
from tests.support.command import hubbub
from tests.support.doctor import examined, problems
from tests.support.postgres import Postgres
from tests.support.server import Server

FAILED = 1
MEND = "hubbub restore"
NAMED = "the database is damaged"

# PostgreSQL's own words for a page that is not what it should be (XX001).
CORRUPTED = """
    CREATE FUNCTION corrupted() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'invalid page in block 7' USING ERRCODE = 'XX001'; END $$;
    CREATE TRIGGER corrupted BEFORE INSERT ON messages FOR EACH ROW
    WHEN (NEW.text LIKE 'harm%') EXECUTE FUNCTION corrupted()
"""


@pytest.fixture
def name(postgres: Postgres) -> str:
    return postgres.database()


@pytest.fixture
def server(make_server: MakeServer, postgres: Postgres, name: str) -> Server:
    """A running server with a PostgreSQL."""
    return make_server("--database", postgres.url(name)).start()


def test_an_empty_database_where_there_was_a_chat_is_refused_until_one_is_put_back(
    server: Server, make_server: MakeServer, postgres: Postgres, name: str, tmp_path: Path
) -> None:
    house = House(server, "ana")
    house.post("lobby", "kept", by="ana")
    backup = str(tmp_path / "backup.db")
    assert hubbub("backup", backup, "--database", postgres.url(name)).code == 0
    server.stop()
    other = postgres.url(postgres.database())
    where = ("--data", str(server.data), "--database", other)
    for command in (("serve", "--port", "1"), ("invite",)):
        said = hubbub(*command, *where)
        assert said.code == FAILED
        assert MEND in said.sentence
        assert "a pass" not in said.sentence, "nor the password"
    found = {one["name"]: one for one in examined(*where)}
    assert "database" in problems(found)  # the tests' PostgreSQL is not durable, either
    assert MEND in found["database"]["do"]

    assert hubbub("restore", backup, "--database", other).code == 0
    again = make_server("--database", other, data=server.data).start()
    house.server = again
    assert house.history("lobby", by="ana") == [("ana", "kept")]


def test_a_folder_of_a_chat_in_a_file_does_not_keep_a_new_one_from_a_postgresql(
    make_server: MakeServer, postgres: Postgres, name: str
) -> None:
    server = make_server().start()
    House(server, "ana")
    server.stop()
    House(make_server("--database", postgres.url(name), data=server.data).start(), "ana")


def test_what_it_says_of_a_damaged_page_is_unavailable_and_logged_once(
    server: Server, postgres: Postgres, name: str
) -> None:
    house = House(server, "ana")
    postgres.execute(CORRUPTED, name)
    for number in range(5):
        status, answer = house.api(
            "POST", "rooms/lobby/messages", {"text": f"harm {number}"}, by="ana"
        )
        assert (status, answer["code"]) == (503, "unavailable")
        assert MEND in answer["detail"]
    house.post("lobby", "goes on", by="ana")
    assert server.stop() == 0
    assert server.log.count(NAMED) == 1
    assert "Traceback" not in server.log


def test_a_row_that_hubbub_never_wrote_is_unavailable_and_logged_once(
    server: Server, postgres: Postgres, name: str
) -> None:
    house = House(server, "ana")
    house.post("lobby", "hello", by="ana")
    postgres.execute("UPDATE messages SET marks = '{\"pinned\": tru'", name)
    for _ in range(5):
        status, answer = house.api("GET", "rooms/lobby/messages", by="ana")
        assert (status, answer["code"]) == (503, "unavailable")
    assert server.stop() == 0
    assert server.log.count(NAMED) == 1
    assert "messages.marks" in server.log
    assert "Traceback" not in server.log
