"""Accounts and invites from the command line, with the server running and without."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.chat import PASSWORD, JsonClient, RestApi, Sockets
from tests.support.command import CommandResult, hubbub
from tests.support.server import Server

FAILED, MISUSED = 1, 2


class Chat:
    """A data folder, with its server running or not, and commands on it."""

    def __init__(self, data: Path, *, is_running: bool) -> None:
        self.server = Server(data, command="serve")
        self._is_running = is_running
        if is_running:
            self.server.start()

    def run(self, command: str, stdin: str | bytes | None = None) -> CommandResult:
        return hubbub(*command.split(), "--data", str(self.server.data), stdin=stdin)

    def ok(self, command: str, stdin: str | bytes | None = None) -> CommandResult:
        result = self.run(command, stdin)
        assert result.code == 0, result.err
        return result

    def refused(self, command: str, stdin: str | bytes | None = None, code: int = FAILED) -> str:
        """Run a command that must fail, and return its error."""
        result = self.run(command, stdin)
        assert result.code == code
        return result.sentence

    def api(self) -> RestApi:
        """The API of the server, which is started if it is not running."""
        if not self._is_running:
            self.server.start()
            self._is_running = True
        return RestApi(self.server)


@pytest.fixture(params=[True, False], ids=["running", "not running"])
def chat(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Chat]:
    made = Chat(tmp_path / "data", is_running=request.param)
    yield made
    assert "Traceback" not in made.server.log
    made.server.kill()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Chat]:
    made = Chat(tmp_path / "data", is_running=True)
    yield made
    made.server.kill()


def sign_in(api: RestApi, name: str, password: str = PASSWORD) -> int:
    return api.request("POST", "sign-in", {"name": name, "password": password})[0]


def code_of(result: CommandResult) -> str:
    """The code of the link, which must be all of stdout."""
    [link] = result.out.splitlines()
    return link.rpartition("/join/")[2]


def test_accounts_are_made_listed_and_locked_and_get_new_passwords(chat: Chat) -> None:
    added = chat.ok("user add ana --role owner --password-stdin", PASSWORD + "\n")
    assert added == (0, "ana has an account now, as an owner.\n", "")
    chat.ok("user add Bo --display-name Bö --password-stdin", "  spaces count \r\n")
    chat.ok("user add cy --role admin --password-stdin", PASSWORD)
    changed = chat.ok("user password cy --password-stdin", "another one that lasts")
    assert changed.out == "cy has a new password and is signed out everywhere.\n"
    assert chat.ok("user disable bo").out == "bo is locked out.\n"

    assert chat.ok("user list").out.splitlines() == [
        "NAME  DISPLAY NAME  ROLE",
        "ana   ana           owner",
        "bo    Bö            member, locked out",
        "cy    cy            admin",
    ]
    api = chat.api()
    assert sign_in(api, "ana") == 200
    assert sign_in(api, "cy") == 401
    assert sign_in(api, "cy", "another one that lasts") == 200
    assert sign_in(api, "bo", "  spaces count ") == 403
    assert chat.ok("user disable bo --enable").out == "bo can sign in again.\n"
    assert sign_in(api, "bo", "  spaces count ") == 200


def test_only_a_bots_token_is_on_stdout_and_it_works_until_the_bot_is_disabled(chat: Chat) -> None:
    result = chat.ok("user add robo --bot")
    [token] = result.out.splitlines()
    assert "robo" in result.err
    assert token not in result.err

    api = chat.api()
    assert api.ok("GET", "me", by=token)["me"]["name"] == "robo"
    api.post("lobby", "beep", by=token)
    assert sign_in(api, "robo") == 401
    chat.ok("user disable robo")
    assert api.request("GET", "me", by=token)[0] in (401, 403)


def test_an_invite_lets_in_the_given_number_of_people(chat: Chat) -> None:
    result = chat.ok("invite --uses 2 --days 30")
    assert result.err.startswith("Good for 2 people, until ")
    code = code_of(result)

    api = chat.api()
    for name, status in (("ana", 201), ("bo", 201), ("cy", 403)):
        body = {"name": name, "password": PASSWORD, "invite": code}
        assert api.request("POST", "sign-up", body)[0] == status


def test_an_owner_link_works_once_and_voids_the_previous_one(chat: Chat) -> None:
    before = code_of(chat.ok("invite --owner"))
    api = chat.api()
    result = chat.ok("invite --owner")
    assert result.err.startswith("Good for one person, until ")
    for code, name, expected in (
        (before, "eve", "invite_invalid"),
        (code_of(result), "ana", None),
        (code_of(result), "bo", "invite_invalid"),
    ):
        body = {"name": name, "password": PASSWORD, "invite": code}
        answer = api.request("POST", "sign-up", body)[1]
        assert answer.get("code") == expected
        assert expected or answer["me"]["role"] == "owner"


def test_impossible_commands_are_refused_and_change_nothing(chat: Chat) -> None:
    chat.ok("user add ana --bot")

    assert "taken" in chat.refused("user add аna --bot"), "a Cyrillic а"
    assert "no account" in chat.refused("user disable bo")
    assert "no account" in chat.refused("user password bo --password-stdin", PASSWORD)
    assert chat.ok("user list").out.splitlines()[1:] == ["ana   ana           member"]


@pytest.mark.parametrize(
    ("command", "stdin", "code", "expected"),
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
def test_invalid_arguments_are_refused_before_anything_is_created(
    command: str, stdin: str | bytes, code: int, expected: str, tmp_path: Path
) -> None:
    result = hubbub(*command.split(), stdin=stdin, cwd=tmp_path)

    assert result.code == code
    assert expected in result.sentence
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_a_chat_is_reported_and_not_changed(tmp_path: Path) -> None:
    for command in ("user list", "user disable ana"):
        result = hubbub(*command.split(), "--data", str(tmp_path / "data"))
        assert result.code == FAILED
        assert result.sentence.startswith(f"There is no chat in {tmp_path / 'data'}.")
    assert list(tmp_path.iterdir()) == []


def test_a_new_server_says_how_to_let_people_in_at_its_own_address(running: Chat) -> None:
    result = running.ok("user list")
    assert (result.out, "hubbub user add NAME" in result.err) == ("", True), "there is nobody yet"
    result = running.ok("invite --port 1 --public-url https://elsewhere.example.org")
    assert result.out.startswith(f"http://localhost:{running.server.port}/join/")


@pytest.mark.parametrize("command", ["user disable ana", "user password ana --password-stdin"])
async def test_open_sockets_end_at_once(command: str, running: Chat) -> None:
    running.ok("user add ana --password-stdin", PASSWORD)
    running.ok("user add bo --password-stdin", PASSWORD)
    api = running.api()
    tokens = {name: api.sign_in(name) for name in ("ana", "bo")}
    async with Sockets.of(api) as sockets:
        ana = await sockets.json(tokens["ana"])
        bo: JsonClient = await sockets.json(tokens["bo"])
        running.ok(command, "yet another password")

        assert await ana.close_code() in (1008, 4001)
        await bo.do("post", room="lobby", text="still here")
        assert api.request("GET", "me", by=tokens["ana"])[0] == 401
        assert api.history("lobby", by=tokens["bo"]) == [("bo", "still here")]
