"""Accounts and invites from the command line: the same with the server running and without."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.chat import PASSWORD, House, JsonClient, Visitors
from tests.support.command import Said, hubbub
from tests.support.server import Server

FAILED, MISUSED = 1, 2


class Chat:
    """A data folder, with its server running or not, and the commands on it."""

    def __init__(self, data: Path, *, runs: bool) -> None:
        self.server = Server(data, command="serve")
        self._runs = runs
        if runs:
            self.server.start()

    def run(self, command: str, stdin: str | bytes | None = None) -> Said:
        return hubbub(*command.split(), "--data", str(self.server.data), stdin=stdin)

    def done(self, command: str, stdin: str | bytes | None = None) -> Said:
        said = self.run(command, stdin)
        assert said.code == 0, said.err
        return said

    def refused(self, command: str, stdin: str | bytes | None = None, code: int = FAILED) -> str:
        """A command that must fail; what it says."""
        said = self.run(command, stdin)
        assert said.code == code
        return said.sentence

    def house(self) -> House:
        """The server as people see it; it is started if it does not run yet."""
        if not self._runs:
            self.server.start()
            self._runs = True
        return House(self.server)


@pytest.fixture(params=[True, False], ids=["running", "not running"])
def chat(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Chat]:
    made = Chat(tmp_path / "data", runs=request.param)
    yield made
    assert "Traceback" not in made.server.log
    made.server.kill()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Chat]:
    made = Chat(tmp_path / "data", runs=True)
    yield made
    made.server.kill()


def sign_in(house: House, name: str, password: str = PASSWORD) -> int:
    return house.api("POST", "sign-in", {"name": name, "password": password})[0]


def code_of(said: Said) -> str:
    """The code of the link that alone is on stdout."""
    [link] = said.out.splitlines()
    return link.rpartition("/join/")[2]


def test_accounts_are_made_listed_and_locked_and_get_new_passwords(chat: Chat) -> None:
    added = chat.done("user add ana --role owner --password-stdin", PASSWORD + "\n")
    assert added == (0, "ana has an account now, as an owner.\n", "")
    chat.done("user add Bo --display-name Bö --password-stdin", "  spaces count \r\n")
    chat.done("user add cy --role admin --password-stdin", PASSWORD)
    changed = chat.done("user password cy --password-stdin", "another one that lasts")
    assert changed.out == "cy has a new password and is signed out everywhere.\n"
    assert chat.done("user disable bo").out == "bo is locked out.\n"

    assert chat.done("user list").out.splitlines() == [
        "NAME  DISPLAY NAME  ROLE",
        "ana   ana           owner",
        "bo    Bö            member, locked out",
        "cy    cy            admin",
    ]
    house = chat.house()
    assert sign_in(house, "ana") == 200
    assert sign_in(house, "cy") == 401
    assert sign_in(house, "cy", "another one that lasts") == 200
    assert sign_in(house, "bo", "  spaces count ") == 403
    assert chat.done("user disable bo --enable").out == "bo may come in again.\n"
    assert sign_in(house, "bo", "  spaces count ") == 200


def test_a_bots_token_is_alone_on_stdout_and_works_until_it_is_disabled(chat: Chat) -> None:
    said = chat.done("user add robo --bot")
    [token] = said.out.splitlines()
    assert "robo" in said.err
    assert token not in said.err

    house = chat.house()
    assert house.ok("GET", "me", by=token)["me"]["name"] == "robo"
    house.post("lobby", "beep", by=token)
    assert sign_in(house, "robo") == 401
    chat.done("user disable robo")
    assert house.api("GET", "me", by=token)[0] in (401, 403)


def test_an_invite_lets_as_many_in_as_it_says(chat: Chat) -> None:
    said = chat.done("invite --uses 2 --days 30")
    assert said.err.startswith("Good for 2 people, until ")
    code = code_of(said)

    house = chat.house()
    for name, status in (("ana", 201), ("bo", 201), ("cy", 403)):
        body = {"name": name, "password": PASSWORD, "invite": code}
        assert house.api("POST", "sign-up", body)[0] == status


def test_a_link_for_an_owner_works_once_and_voids_the_one_before(chat: Chat) -> None:
    before = code_of(chat.done("invite --owner"))
    house = chat.house()
    said = chat.done("invite --owner")
    assert said.err.startswith("Good for one person, until ")
    for code, name, expected in (
        (before, "eve", "invite_invalid"),
        (code_of(said), "ana", None),
        (code_of(said), "bo", "invite_invalid"),
    ):
        body = {"name": name, "password": PASSWORD, "invite": code}
        answer = house.api("POST", "sign-up", body)[1]
        assert answer.get("code") == expected
        assert expected or answer["me"]["role"] == "owner"


def test_what_cannot_be_done_is_told_and_changes_nothing(chat: Chat) -> None:
    chat.done("user add ana --bot")

    assert "taken" in chat.refused("user add аna --bot"), "a Cyrillic а"
    assert "nobody" in chat.refused("user disable bo")
    assert "nobody" in chat.refused("user password bo --password-stdin", PASSWORD)
    assert chat.done("user list").out.splitlines()[1:] == ["ana   ana           member"]


@pytest.mark.parametrize(
    ("command", "stdin", "code", "told"),
    [
        ("user add ~ana --bot", "", FAILED, "name"),
        ("user add ana --password-stdin", "short", FAILED, "at least 8"),
        ("user password ana --password-stdin", "", FAILED, "at least 8"),
        ("user add ana --password-stdin", "x" * 5000, FAILED, "at most"),
        ("user add ana --password-stdin", b"\xff" * 12, FAILED, "UTF-8"),
        ("user add ana", "", FAILED, "--password-stdin"),  # there is no terminal to ask at
        ("user add ana --bot --password-stdin", "", MISUSED, "--password-stdin"),
        ("user add ana --bot --role guest", "", MISUSED, "--role"),
        ("invite --uses 0", "", MISUSED, "--uses"),
        ("invite --days 366", "", MISUSED, "--days"),
        ("invite --owner --days 3", "", MISUSED, "--owner"),
    ],
)
def test_what_makes_no_sense_is_told_before_anything_is_touched(
    command: str, stdin: str | bytes, code: int, told: str, tmp_path: Path
) -> None:
    said = hubbub(*command.split(), stdin=stdin, cwd=tmp_path)

    assert said.code == code
    assert told in said.sentence
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_a_chat_is_told_and_stays_as_it_is(tmp_path: Path) -> None:
    for command in ("user list", "user disable ana"):
        said = hubbub(*command.split(), "--data", str(tmp_path / "data"))
        assert said.code == FAILED
        assert said.sentence.startswith(f"There is no chat in {tmp_path / 'data'}.")
    assert list(tmp_path.iterdir()) == []


def test_a_new_server_says_how_to_let_people_in_at_its_own_address(running: Chat) -> None:
    said = running.done("user list")
    assert (said.out, "hubbub user add NAME" in said.err) == ("", True), "there is nobody yet"
    said = running.done("invite --port 1 --public-url https://elsewhere.example.org")
    assert said.out.startswith(f"http://localhost:{running.server.port}/join/")


@pytest.mark.parametrize("command", ["user disable ana", "user password ana --password-stdin"])
async def test_open_sockets_end_at_once(command: str, running: Chat) -> None:
    running.done("user add ana --password-stdin", PASSWORD)
    running.done("user add bo --password-stdin", PASSWORD)
    house = running.house()
    tokens = {name: house.sign_in(name) for name in ("ana", "bo")}
    async with Visitors.of(house) as visitors:
        ana = await visitors.json(tokens["ana"])
        bo: JsonClient = await visitors.json(tokens["bo"])
        running.done(command, "yet another password")

        assert await ana.close_code() in (1008, 4001)
        await bo.do("post", room="lobby", text="still here")
        assert house.api("GET", "me", by=tokens["ana"])[0] == 401
        assert house.history("lobby", by=tokens["bo"]) == [("bo", "still here")]
