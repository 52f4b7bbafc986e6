"""A damaged database is reported, without a traceback, and never replaced by a new chat."""

import asyncio
import json
import random
import shutil
from http.client import HTTPConnection
from pathlib import Path

import pytest

from hubbub.cli import run
from tests.conftest import MakeServer
from tests.support import damage
from tests.support.chat import RestApi, Sockets
from tests.support.command import CommandResult, hubbub
from tests.support.damage import PAGE_BYTES, REFUSED, Damage
from tests.support.doctor import doctor, problems
from tests.support.server import HOST, Server
from tests.support.soak import tries
from tests.support.sqlite import opened
from tests.support.waiting import until

FAILED = 1
MESSAGES = 120  # in each room: about ten pages of texts
LEAF_PAGE = 10  # page type, see https://www.sqlite.org/fileformat2.html, section 1.6
RESTORE_COMMAND = "hubbub restore"
LOGGED = "the database is damaged"


class Chat:
    """A data folder whose server has stopped, with a backup and two rooms of messages."""

    def __init__(self, folder: Path) -> None:
        self.data, self.backup = folder / "data", folder / "backup.db"
        api = RestApi.at(self.data, "ana", "bo")
        try:
            self.tokens = api.tokens
            self.intact, self.damaged = api.room("bo"), api.room("bo")
            for room in (self.intact, self.damaged):
                for number in range(1, MESSAGES + 1):
                    api.post(room, text_of(room, number), by="ana")
        finally:
            api.server.stop()
        assert hubbub("backup", str(self.backup), "--data", str(self.data)).code == 0
        for end in ("-wal", "-shm"):  # empty files that the backup left
            self.data.joinpath(f"hubbub.db{end}").unlink(missing_ok=True)

    def api_at(self, server: Server) -> RestApi:
        """The API of a server of a copy, for the same accounts."""
        api = RestApi(server)
        api.tokens = self.tokens
        return api

    def leaf_with(self, room: str, number: int) -> tuple[int, int]:
        """The seq and the page of a message that is in a leaf page, at this seq or below."""
        image = (self.data / "hubbub.db").read_bytes()
        for seq in range(number, 0, -1):
            page = image.index(text_of(room, seq).encode()) // PAGE_BYTES
            if image[page * PAGE_BYTES] == LEAF_PAGE:
                return seq, page + 1
        raise AssertionError("no leaf page")


def text_of(room: str, number: int) -> str:
    return f"{room} said {number:03} " + "many words " * 25


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Chat:
    return Chat(tmp_path_factory.mktemp("chat"))


@pytest.fixture
def data(chat: Chat, tmp_path: Path) -> Path:
    """A copy of the chat's data folder."""
    return damage.copy(chat.data, tmp_path / "data")


def serve(data: Path) -> CommandResult:
    return hubbub("serve", "--port", "1", "--data", str(data))


# Starts


@pytest.mark.parametrize("do_damage", REFUSED.values(), ids=REFUSED)
def test_a_start_is_refused_until_the_backup_is_restored(
    do_damage: Damage, chat: Chat, data: Path
) -> None:
    do_damage(data)
    before = damage.contents(data)
    result = serve(data)

    assert result.code == FAILED
    assert RESTORE_COMMAND in result.sentence
    assert str(data) in result.sentence
    assert damage.contents(data) == before

    restored = hubbub("restore", str(chat.backup), "--data", str(data))
    assert restored.code == 0, restored.err
    assert "2 accounts, 3 rooms" in restored.out
    people = hubbub("user", "list", "--data", str(data))
    assert [line.split()[0] for line in people.out.splitlines()] == ["NAME", "ana", "bo"]
    # The damaged database is kept, as somebody may still be able to read a part of it.
    kept = damage.contents(data / "damaged-1") if (data / "damaged-1").exists() else {}
    assert kept.get("hubbub.db") == (before.get("hubbub.db") or None)


def test_after_a_restore_old_tokens_stay_valid(
    chat: Chat, data: Path, make_server: MakeServer
) -> None:
    damage.overwrite(data, damage.root_pages(data)["rooms"], damage.noise())
    assert RESTORE_COMMAND in serve(data).sentence
    assert hubbub("restore", str(chat.backup), "--data", str(data)).code == 0
    api = chat.api_at(make_server(data=data).start())
    assert len(api.history(chat.damaged, by="bo")) == MESSAGES, "with the old token"


@pytest.mark.parametrize("content", [bytes(PAGE_BYTES), damage.noise()], ids=["zeros", "noise"])
def test_every_damaged_root_page_is_reported(
    content: bytes, chat: Chat, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = damage.root_pages(data)
    assert len(found) > 30
    for name, page in found.items():
        shutil.copy(chat.data / "hubbub.db", data)
        damage.overwrite(data, page, content)
        before = damage.contents(data)
        assert run(["user", "list", "--data", str(data)]) == FAILED, name
        [sentence] = capsys.readouterr().err.splitlines()
        assert f"{data / 'hubbub.db'} is damaged" in sentence, name
        assert RESTORE_COMMAND in sentence
        assert damage.contents(data) == before


COMMANDS = (
    ("try",),
    ("user", "list"),
    ("user", "add", "cy", "--bot"),
    ("user", "disable", "bo"),
    ("invite",),
    ("invite", "--owner"),
    ("backup", "{here}/new.db"),
    ("move", "--from", "{data}", "--to", "{here}/other"),
)


@pytest.mark.parametrize(
    "kind", ["missing", "cut in half", "no rows", "a lobby of an invalid kind"]
)
def test_every_command_refuses_a_damaged_database(kind: str, data: Path, tmp_path: Path) -> None:
    REFUSED[kind](data)
    before = damage.contents(data)
    for command in COMMANDS:
        arguments = [one.format(here=tmp_path, data=data) for one in command]
        option = () if command[0] == "move" else ("--data", str(data))
        result = hubbub(*arguments, *option)

        assert result.code == FAILED, command
        assert result.out == ""
        assert "Traceback" not in result.err
        assert RESTORE_COMMAND in result.err.splitlines()[-1], command
        after = damage.contents(data)
        # SQLite creates these files for a reader if no server has the database open.
        new = {"hubbub.db-wal", "hubbub.db-shm"} - set(before)
        assert {name: after[name] for name in after if name not in new} == before
        for name in new:
            (data / name).unlink(missing_ok=True)
    assert not (tmp_path / "new.db").exists()
    assert not (tmp_path / "other" / "hubbub.db").exists()
    found = doctor(data)
    assert problems(found)
    assert any(RESTORE_COMMAND in found[name]["do"] for name in problems(found))


@pytest.mark.parametrize(
    "do_damage", [damage.other_programs_database, damage.folder_instead_of_file]
)
def test_another_programs_database_is_neither_served_nor_replaced(
    do_damage: Damage, chat: Chat, data: Path
) -> None:
    do_damage(data)
    before = damage.contents(data)
    for result in (serve(data), hubbub("restore", str(chat.backup), "--data", str(data))):
        assert result.code == FAILED
        assert str(data / "hubbub.db") in result.err.splitlines()[-1]
        assert "Traceback" not in result.err
        assert damage.contents(data) == before


def test_an_unreadable_database_is_reported(data: Path) -> None:
    (data / "hubbub.db").unlink()
    (data / "hubbub.db").symlink_to("/proc/self/mem")
    result = serve(data)
    assert result.code == FAILED
    assert str(data / "hubbub.db") in result.sentence


@pytest.mark.parametrize("name", ["secret.key", "shown", "hubbub.lock"])
def test_a_folder_instead_of_a_file_is_reported(name: str, data: Path) -> None:
    (data / name).unlink(missing_ok=True)
    (data / name).mkdir()
    result = serve(data)
    assert result.code == FAILED
    assert result.sentence == f"{data / name} is a folder, but must be a file. Move it away."


def test_after_the_loss_of_the_log_the_server_starts_with_the_rest(
    chat: Chat, data: Path, make_server: MakeServer
) -> None:
    """The messages that were moved from the log into the database are still there."""
    server = make_server(data=data).start()
    api = chat.api_at(server)
    for content in (b"", damage.noise(100_000)):
        api.post(chat.intact, "only in the log", by="ana")
        server.kill()
        (data / "hubbub.db-wal").write_bytes(content)
        (data / "hubbub.db-shm").unlink()
        server.start()
        assert ("ana", text_of(chat.intact, MESSAGES)) in api.history(chat.intact, by="bo")
        api.post(chat.intact, "posting works", by="ana")
    assert "Traceback" not in server.log


def test_an_empty_database_with_a_damaged_log_is_refused(
    tmp_path: Path, make_server: MakeServer
) -> None:
    server = make_server().start()
    RestApi(server, "ana")
    server.kill()
    # An empty database, as the log may have been moved into the real one already.
    (server.data / "hubbub.db").unlink()
    with opened(server.data / "hubbub.db") as database:
        database.execute("PRAGMA journal_mode=WAL").fetchall()
    (server.data / "hubbub.db-wal").write_bytes(damage.noise(100_000))
    (server.data / "hubbub.db-shm").unlink(missing_ok=True)
    result = serve(server.data)
    assert result.code == FAILED
    assert RESTORE_COMMAND in result.sentence


# New chats


def test_a_folder_without_a_chat_gets_a_new_one(data: Path, make_server: MakeServer) -> None:
    """A folder that does not exist, is empty, or was left by a killed first start."""
    folders = [data.with_name(name) for name in ("none", "empty", "killed", "journal")]
    for folder in folders[1:]:
        folder.mkdir()
    for folder in folders[2:]:
        (folder / "hubbub.lock").touch()
        (folder / "hubbub.db").touch()
    (folders[3] / "hubbub.db-journal").touch()
    for folder in folders:
        server = make_server(data=folder).start()
        RestApi(server, "ana")
        assert server.stop() == 0


def test_the_error_says_how_to_start_a_new_chat(data: Path, make_server: MakeServer) -> None:
    (data / "hubbub.db").unlink()
    assert f"for a new chat, move {data} away" in serve(data).sentence
    data.rename(data.with_name("old"))
    RestApi(make_server(data=data).start(), "ana")


def test_a_server_with_postgresql_that_is_started_without_the_option_is_refused(data: Path) -> None:
    for name in ("hubbub.db", "secret.key"):
        (data / name).unlink()
    assert "give --database" in serve(data).sentence


# Running servers


def metric(server: Server, name: str) -> float:
    connection = HTTPConnection(HOST, server.port, timeout=20)
    try:
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
    finally:
        connection.close()
    [value] = [line.split()[1] for line in lines if line.startswith(f"{name} ")]
    return float(value)


def assert_damaged(answer: tuple[int, dict[str, object]]) -> None:
    status, problem = answer
    assert status == 503, problem
    assert problem["code"] == "unavailable"
    assert RESTORE_COMMAND in str(problem["detail"])
    assert problem["retry_after"]


async def test_requests_that_read_a_damaged_page_are_unavailable_and_others_work(
    chat: Chat, data: Path, make_server: MakeServer
) -> None:
    seq, page = chat.leaf_with(chat.damaged, MESSAGES // 2)
    damage.overwrite(data, page, bytes(PAGE_BYTES))
    server = make_server(data=data).start()
    api = chat.api_at(server)
    messages_path = f"rooms/{chat.damaged}/messages"
    async with Sockets.of(api) as sockets:
        for _ in range(20):
            assert_damaged(api.request("GET", f"{messages_path}?limit=200", by="ana"))
        bo = await sockets.json("bo")
        ana = await sockets.json("ana")
        assert await bo.refused("history", room=chat.damaged, limit=200) == "unavailable"
        assert await bo.refused("sync", room=chat.damaged, after=1) == "unavailable"
        line = await sockets.text(f"?room={chat.intact}", by="ana")
        await line.say(f"/join {chat.damaged}")
        await line.say("/history 200")
        await line.line("* The server's database is damaged.")

        # The latest page of the same room, and the other room, are readable.
        assert (
            api.ok("GET", f"{messages_path}?limit=5", by="ana")["messages"][-1]["seq"] == MESSAGES
        )
        assert len(api.history(chat.intact, by="bo")) == MESSAGES
        posted = await ana.do("post", room=chat.intact, text="posting works")
        await bo.event("message", room=chat.intact, seq=posted["seq"])
        assert_damaged(api.request("PATCH", f"{messages_path}/{seq}", {"text": "no"}, by="ana"))
        assert_damaged(api.request("DELETE", f"{messages_path}/{seq}", by="ana"))
        assert server.is_ready(), "a restart would not repair it, and other requests work"
        assert metric(server, "hubbub_executor_failures_total") > 20

    assert server.stop() == 0
    assert server.log.count(LOGGED) == 1, "once, not for each request"
    assert RESTORE_COMMAND in server.log
    assert "Traceback" not in server.log


async def test_no_post_to_a_damaged_page_is_acknowledged(
    chat: Chat, data: Path, make_server: MakeServer
) -> None:
    """Other posts in the same batch are not affected."""
    _, page = chat.leaf_with(chat.damaged, MESSAGES)
    damage.overwrite(data, page, damage.noise())
    server = make_server(data=data).start()
    api = chat.api_at(server)
    async with Sockets.of(api) as sockets:
        ana = await sockets.json("ana")
        bo = await sockets.json("bo")
        # All of them are sent before the first reply, so that they share transactions.
        sent = [
            (room, await ana.send("post", room=room, text=f"{number}", nonce=f"{number}"))
            for number in range(50)
            for room in (chat.intact, chat.damaged)
        ]
        answers = [(room, await ana.reply(number)) for room, number in sent]
        acknowledged = [answer["ok"]["seq"] for room, answer in answers if room == chat.intact]
        refused = {answer["error"]["code"] for room, answer in answers if room == chat.damaged}
        assert acknowledged == list(range(MESSAGES + 1, MESSAGES + 51))
        assert refused == {"unavailable"}
        await bo.event("message", room=chat.intact, seq=acknowledged[-1])
        seen = [event["room"] for event in bo.of("message") if event["seq"] > MESSAGES]
        assert seen == [chat.intact] * 50
    assert server.stop() == 0
    assert server.log.count(LOGGED) == 1
    assert "Traceback" not in server.log
    server.start()
    latest = api.ok("GET", f"rooms/{chat.intact}/messages?limit=50", by="bo")["messages"]
    assert [one["seq"] for one in latest] == acknowledged


# Values in a page that SQLite does not check.
INVALID_VALUES = {
    "an unknown kind": "UPDATE messages SET kind = 'texx' WHERE seq = {seq}",
    "truncated JSON": "UPDATE messages SET marks = '{{\"pinned\": tru' WHERE seq = {seq}",
    "JSON of another type": "UPDATE messages SET origin = '[1]' WHERE seq = {seq}",
    "a blob for a text": "UPDATE messages SET text = x'00ff' WHERE seq = {seq}",
    "invalid UTF-8": "UPDATE messages SET text = CAST(x'736563726574ff' AS TEXT) WHERE seq = {seq}",
    "a text for a number": "UPDATE messages SET at = 'noon' WHERE seq = {seq}",
    "an empty blob for a text": "UPDATE messages SET mentions = x'' WHERE seq = {seq}",
    "an unknown role": "UPDATE members SET role = 'kinq'",
}


@pytest.mark.parametrize("statement", INVALID_VALUES.values(), ids=INVALID_VALUES)
def test_an_invalid_value_is_reported_as_damage_and_not_as_a_bug(
    statement: str, chat: Chat, data: Path, make_server: MakeServer, tmp_path: Path
) -> None:
    damage.run_sql(data, statement.format(seq=7))
    server = make_server(data=data).start()
    api = chat.api_at(server)
    for path in (
        f"rooms/{chat.damaged}/messages?after=0&limit=20",
        f"rooms/{chat.damaged}/members",
        "me",
    ):
        for _ in range(3):
            status, answer = api.request("GET", path, by="ana")
            assert status == 200 or answer["code"] == "unavailable", answer
    posted, answer = api.request("POST", f"rooms/{chat.damaged}/messages", {"text": "x"}, by="bo")
    assert posted == 201 or answer["code"] == "unavailable", answer
    api.ok("GET", "rooms", by=api.guest("cy"))
    assert server.stop() == 0
    assert "Traceback" not in server.log
    assert server.log.count(LOGGED) <= 2
    assert "secret" not in server.log, "the log must not contain texts of people"

    found = doctor(data, "--full")
    assert problems(found) == ["rows"]
    assert RESTORE_COMMAND in found["rows"]["do"]
    result = hubbub("backup", str(tmp_path / "new.db"), "--data", str(data))
    assert result.code == FAILED
    assert "is damaged" in result.err.splitlines()[-1]
    assert RESTORE_COMMAND in result.err.splitlines()[-1]
    assert not (tmp_path / "new.db").exists()


async def test_damage_while_the_server_runs_does_not_stop_it(
    chat: Chat, data: Path, make_server: MakeServer
) -> None:
    server = make_server(data=data).start()
    api = chat.api_at(server)
    last = api.post(chat.intact, "before", by="ana")["seq"]
    for number in range(2, damage.page_count(data) + 1):
        damage.overwrite(data, number, damage.noise(seed=number))
    async with Sockets.of(api) as sockets:
        for _ in range(10):
            for path in (f"rooms/{chat.damaged}/messages", "rooms", "users", "me"):
                status, answer = api.request("GET", path, by="bo")
                assert status == 200 or answer["code"] == "unavailable", answer
            status, answer = api.request(
                "POST", f"rooms/{chat.intact}/messages", {"text": "?"}, by="ana"
            )
            assert status == 201 or answer["code"] == "unavailable", answer
        assert sockets.api is api
    assert last
    assert server.is_ready()
    assert server.stop() == 0
    assert 1 <= server.log.count(LOGGED) <= 5, "once for each kind of damage"
    assert "Traceback" not in server.log


# Random damage


def damage_at_random(data: Path, seed: int) -> str:
    """Damage one or two pages, and return a description."""
    chance = random.Random(seed)
    image = bytearray((data / "hubbub.db").read_bytes())
    count = len(image) // PAGE_BYTES
    how = chance.choice(("noise", "zeros", "other page", "some bytes", "bits"))
    numbers = [chance.randrange(count) for _ in range(chance.choice((1, 1, 2)))]
    for number in numbers:
        start = number * PAGE_BYTES
        page = image[start : start + PAGE_BYTES]
        match how:
            case "noise":
                page[:] = chance.randbytes(PAGE_BYTES)
            case "zeros":
                page[:] = bytes(PAGE_BYTES)
            case "other page":
                other = chance.randrange(count) * PAGE_BYTES
                page[:] = image[other : other + PAGE_BYTES]
            case "some bytes":
                at = chance.randrange(PAGE_BYTES - 32)
                page[at : at + 32] = chance.randbytes(32)
            case _:
                for _ in range(chance.choice((1, 8, 64))):
                    page[chance.randrange(PAGE_BYTES)] ^= 1 << chance.randrange(8)
        image[start : start + PAGE_BYTES] = page
    (data / "hubbub.db").write_bytes(image)
    return f"seed {seed}: {how} in {[number + 1 for number in numbers]}"


@pytest.mark.parametrize("seed", range(tries(4, many=60)))
async def test_random_damage_is_refused_or_answered_with_errors(
    seed: int, chat: Chat, data: Path, make_server: MakeServer
) -> None:
    description = damage_at_random(data, seed)
    server = make_server(data=data)
    process = server.launch()
    await until(lambda: process.poll() is not None or server.is_ready())
    if process.poll() is not None:
        assert server.wait() == FAILED, description
        [sentence] = server.log.splitlines()
        assert sentence.startswith("hubbub: "), description
        assert RESTORE_COMMAND in sentence, description
        return

    api = chat.api_at(server)
    found = 0
    for room in ("lobby", chat.intact, chat.damaged):
        message = {"text": f"after {description}", "nonce": "once"}
        answered = [
            api.request("GET", f"rooms/{room}/messages?limit=200", by="bo"),
            api.request("GET", f"rooms/{room}/members", by="bo"),
            api.request("PATCH", f"rooms/{room}/messages/2", {"text": "new"}, by="ana"),
            posted := api.request("POST", f"rooms/{room}/messages", message, by="ana"),
        ]
        found += len(answered[0][1].get("messages", ()))
        for status, answer in answered:
            assert status < 500 or answer["code"] == "unavailable", (description, answer)
            found += status == 503
        if posted[0] == 201:
            seq = posted[1]["seq"]
            kept = api.request("GET", f"rooms/{room}/messages?after={seq - 1}&limit=1", by="bo")
            assert kept[0] == 503 or [one["text"] for one in kept[1]["messages"]] == [
                message["text"]
            ], description
    for path, body in (
        ("sign-in", {"name": "bo", "password": "three words do well"}),
        ("sign-up", {"name": "cy", "password": "three words do well"}),
    ):
        status, answer = api.request("POST", path, body)
        assert status < 500 or answer["code"] == "unavailable", (description, answer)
    assert found, f"{description}: the chat is empty"
    assert server.is_ready(), description
    assert await asyncio.to_thread(server.stop) == 0, description
    assert "Traceback" not in server.log, description
    assert server.log.count(LOGGED) <= 4, (description, server.log)
    assert json.dumps(server.log)
