"""A damaged database is named: never a traceback, never a new chat in its place."""

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
from tests.support.chat import House, Visitors
from tests.support.command import Said, hubbub
from tests.support.damage import PAGE_BYTES, REFUSED, Harm
from tests.support.doctor import doctor, problems
from tests.support.server import HOST, Server
from tests.support.soak import tries
from tests.support.sqlite import opened
from tests.support.waiting import until

FAILED = 1
MESSAGES = 120  # in a room: some ten pages of texts
LEAF = 10  # of a table without rowids: https://www.sqlite.org/fileformat2.html, section 1.6
MEND = "hubbub restore"
NAMED = "the database is damaged"


class Chat:
    """The folder of a chat that has been stopped, a backup of it, and what was said there."""

    def __init__(self, folder: Path) -> None:
        self.data, self.backup = folder / "data", folder / "backup.db"
        house = House.at(self.data, "ana", "bo")
        try:
            self.tokens = house.tokens
            self.sound, self.harmed = house.room("bo"), house.room("bo")
            for room in (self.sound, self.harmed):
                for number in range(1, MESSAGES + 1):
                    house.post(room, text_of(room, number), by="ana")
        finally:
            house.server.stop()
        assert hubbub("backup", str(self.backup), "--data", str(self.data)).code == 0
        for end in ("-wal", "-shm"):  # empty, of the backup
            self.data.joinpath(f"hubbub.db{end}").unlink(missing_ok=True)

    def at(self, server: Server) -> House:
        """The same people at a server of a copy."""
        house = House(server)
        house.tokens = self.tokens
        return house

    def leaf_with(self, room: str, number: int) -> tuple[int, int]:
        """A message of this number or before, and its page, below which there are no others."""
        image = (self.data / "hubbub.db").read_bytes()
        for seq in range(number, 0, -1):
            page = image.index(text_of(room, seq).encode()) // PAGE_BYTES
            if image[page * PAGE_BYTES] == LEAF:
                return seq, page + 1
        raise AssertionError("no leaf")


def text_of(room: str, number: int) -> str:
    return f"{room} said {number:03} " + "many words " * 25


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Chat:
    return Chat(tmp_path_factory.mktemp("chat"))


@pytest.fixture
def data(chat: Chat, tmp_path: Path) -> Path:
    """A copy of its folder."""
    return damage.copy(chat.data, tmp_path / "data")


def serve(data: Path) -> Said:
    return hubbub("serve", "--port", "1", "--data", str(data))


# Starts


@pytest.mark.parametrize("harm", REFUSED.values(), ids=REFUSED)
def test_a_start_is_refused_with_what_to_do_and_that_mends_it(
    harm: Harm, chat: Chat, data: Path
) -> None:
    harm(data)
    before = damage.contents(data)
    said = serve(data)

    assert said.code == FAILED
    assert MEND in said.sentence
    assert str(data) in said.sentence
    assert damage.contents(data) == before

    restored = hubbub("restore", str(chat.backup), "--data", str(data))
    assert restored.code == 0, restored.err
    assert "2 accounts, 3 rooms" in restored.out
    people = hubbub("user", "list", "--data", str(data))
    assert [line.split()[0] for line in people.out.splitlines()] == ["NAME", "ana", "bo"]
    # What was there is kept, for whoever can still read something in it.
    kept = damage.contents(data / "damaged-1") if (data / "damaged-1").exists() else {}
    assert kept.get("hubbub.db") == (before.get("hubbub.db") or None)


def test_after_a_restore_people_go_on_as_they_were(
    chat: Chat, data: Path, make_server: MakeServer
) -> None:
    damage.overwrite(data, damage.roots(data)["rooms"], damage.noise())
    assert MEND in serve(data).sentence
    assert hubbub("restore", str(chat.backup), "--data", str(data)).code == 0
    house = chat.at(make_server(data=data).start())
    assert len(house.history(chat.harmed, by="bo")) == MESSAGES, "with the token of before"


@pytest.mark.parametrize("content", [bytes(PAGE_BYTES), damage.noise()], ids=["zeros", "noise"])
def test_every_table_and_index_that_is_damaged_where_it_begins_is_named(
    content: bytes, chat: Chat, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = damage.roots(data)
    assert len(found) > 30
    for name, page in found.items():
        shutil.copy(chat.data / "hubbub.db", data)
        damage.overwrite(data, page, content)
        before = damage.contents(data)
        assert run(["user", "list", "--data", str(data)]) == FAILED, name
        [sentence] = capsys.readouterr().err.splitlines()
        assert f"{data / 'hubbub.db'} is damaged" in sentence, name
        assert MEND in sentence
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


@pytest.mark.parametrize("kind", ["missing", "cut in half", "nothing in it", "a lobby of no kind"])
def test_every_command_refuses_it(kind: str, data: Path, tmp_path: Path) -> None:
    REFUSED[kind](data)
    before = damage.contents(data)
    for command in COMMANDS:
        arguments = [one.format(here=tmp_path, data=data) for one in command]
        where = () if command[0] == "move" else ("--data", str(data))
        said = hubbub(*arguments, *where)

        assert said.code == FAILED, command
        assert said.out == ""
        assert "Traceback" not in said.err
        assert MEND in said.err.splitlines()[-1], command
        after = damage.contents(data)
        # A reader of SQLite's makes them beside a database that no server has open.
        new = {"hubbub.db-wal", "hubbub.db-shm"} - set(before)
        assert {name: after[name] for name in after if name not in new} == before
        for name in new:
            (data / name).unlink(missing_ok=True)
    assert not (tmp_path / "new.db").exists()
    assert not (tmp_path / "other" / "hubbub.db").exists()
    found = doctor(data)
    assert problems(found)
    assert any(MEND in found[name]["do"] for name in problems(found))


@pytest.mark.parametrize("harm", [damage.songs, damage.folder])
def test_what_is_another_ones_is_neither_served_nor_replaced(
    harm: Harm, chat: Chat, data: Path
) -> None:
    harm(data)
    before = damage.contents(data)
    for said in (serve(data), hubbub("restore", str(chat.backup), "--data", str(data))):
        assert said.code == FAILED
        assert str(data / "hubbub.db") in said.err.splitlines()[-1]
        assert "Traceback" not in said.err
        assert damage.contents(data) == before


def test_a_database_that_may_not_be_read_is_told(data: Path) -> None:
    (data / "hubbub.db").unlink()
    (data / "hubbub.db").symlink_to("/proc/self/mem")
    said = serve(data)
    assert said.code == FAILED
    assert str(data / "hubbub.db") in said.sentence


@pytest.mark.parametrize("name", ["secret.key", "shown", "hubbub.lock"])
def test_a_folder_in_the_place_of_a_file_is_told(name: str, data: Path) -> None:
    (data / name).unlink(missing_ok=True)
    (data / name).mkdir()
    said = serve(data)
    assert said.code == FAILED
    assert said.sentence == f"{data / name} is a folder, and has to be a file. Move it away."


def test_a_log_that_is_lost_or_garbage_has_everybody_start_over(
    chat: Chat, data: Path, make_server: MakeServer
) -> None:
    """What was moved into the database is there; that more was shown is logged."""
    server = make_server(data=data).start()
    house = chat.at(server)
    for content in (b"", damage.noise(100_000)):
        house.post(chat.sound, "only in the log", by="ana")
        server.kill()
        (data / "hubbub.db-wal").write_bytes(content)
        (data / "hubbub.db-shm").unlink()
        server.start()
        assert ("ana", text_of(chat.sound, MESSAGES)) in house.history(chat.sound, by="bo")
        house.post(chat.sound, "and it goes on", by="ana")
    assert "Traceback" not in server.log


def test_a_log_that_had_everything_is_not_replaced_by_a_new_chat(
    tmp_path: Path, make_server: MakeServer
) -> None:
    server = make_server().start()
    House(server, "ana")
    server.kill()
    # An empty database: whether the log has been moved into it already is a matter of time.
    (server.data / "hubbub.db").unlink()
    with opened(server.data / "hubbub.db") as database:
        database.execute("PRAGMA journal_mode=WAL").fetchall()
    (server.data / "hubbub.db-wal").write_bytes(damage.noise(100_000))
    (server.data / "hubbub.db-shm").unlink(missing_ok=True)
    said = serve(server.data)
    assert said.code == FAILED
    assert MEND in said.sentence


# New chats


def test_a_new_chat_begins_where_there_was_none(data: Path, make_server: MakeServer) -> None:
    """A folder that is not there, is empty, or was left by a first start that was killed."""
    folders = [data.with_name(name) for name in ("none", "empty", "killed", "journal")]
    for folder in folders[1:]:
        folder.mkdir()
    for folder in folders[2:]:
        (folder / "hubbub.lock").touch()
        (folder / "hubbub.db").touch()
    (folders[3] / "hubbub.db-journal").touch()
    for folder in folders:
        server = make_server(data=folder).start()
        House(server, "ana")
        assert server.stop() == 0


def test_whoever_wants_a_new_chat_does_as_the_sentence_says(
    data: Path, make_server: MakeServer
) -> None:
    (data / "hubbub.db").unlink()
    assert f"for a new chat, move {data} away" in serve(data).sentence
    data.rename(data.with_name("old"))
    House(make_server(data=data).start(), "ana")


def test_a_server_of_a_postgresql_is_not_mistaken_for_one_of_a_file(data: Path) -> None:
    """Who forgets --database finds out, instead of a chat with nobody in it."""
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
    assert MEND in str(problem["detail"])
    assert problem["retry_after"]


async def test_what_meets_a_damaged_page_is_unavailable_and_all_else_goes_on(
    chat: Chat, data: Path, make_server: MakeServer
) -> None:
    seq, page = chat.leaf_with(chat.harmed, MESSAGES // 2)
    damage.overwrite(data, page, bytes(PAGE_BYTES))
    server = make_server(data=data).start()
    house = chat.at(server)
    harmed = f"rooms/{chat.harmed}/messages"
    async with Visitors.of(house) as visitors:
        for _ in range(20):
            assert_damaged(house.api("GET", f"{harmed}?limit=200", by="ana"))
        bo = await visitors.json("bo")
        ana = await visitors.json("ana")
        assert await bo.refused("history", room=chat.harmed, limit=200) == "unavailable"
        assert await bo.refused("sync", room=chat.harmed, after=1) == "unavailable"
        line = await visitors.text(f"?room={chat.sound}", by="ana")
        await line.say(f"/join {chat.harmed}")
        await line.say("/history 200")
        await line.line("* The server's database is damaged.")

        # The newest of the same room, and the other room.
        assert house.ok("GET", f"{harmed}?limit=5", by="ana")["messages"][-1]["seq"] == MESSAGES
        assert len(house.history(chat.sound, by="bo")) == MESSAGES
        posted = await ana.do("post", room=chat.sound, text="it goes on")
        await bo.event("message", room=chat.sound, seq=posted["seq"])
        assert_damaged(house.api("PATCH", f"{harmed}/{seq}", {"text": "no"}, by="ana"))
        assert_damaged(house.api("DELETE", f"{harmed}/{seq}", by="ana"))
        assert server.is_ready(), "a restart would not mend it, and the others are served"
        assert metric(server, "hubbub_ledger_failures_total") > 20

    assert server.stop() == 0
    assert server.log.count(NAMED) == 1, "once, and not for each request"
    assert MEND in server.log
    assert "Traceback" not in server.log


async def test_nothing_is_acknowledged_that_a_damaged_page_did_not_take(
    chat: Chat, data: Path, make_server: MakeServer
) -> None:
    """Nor does anybody else's message suffer that is written at the same time."""
    _, page = chat.leaf_with(chat.harmed, MESSAGES)
    damage.overwrite(data, page, damage.noise())
    server = make_server(data=data).start()
    house = chat.at(server)
    async with Visitors.of(house) as visitors:
        ana = await visitors.json("ana")
        bo = await visitors.json("bo")
        # One after the other without waiting, so that they share transactions.
        told = [
            (room, await ana.tell("post", room=room, text=f"{number}", nonce=f"{number}"))
            for number in range(50)
            for room in (chat.sound, chat.harmed)
        ]
        answers = [(room, await ana.reply(number)) for room, number in told]
        taken = [answer["ok"]["seq"] for room, answer in answers if room == chat.sound]
        refused = {answer["error"]["code"] for room, answer in answers if room == chat.harmed}
        assert taken == list(range(MESSAGES + 1, MESSAGES + 51))
        assert refused == {"unavailable"}
        await bo.event("message", room=chat.sound, seq=taken[-1])
        seen = [event["room"] for event in bo.of("message") if event["seq"] > MESSAGES]
        assert seen == [chat.sound] * 50
    assert server.stop() == 0
    assert server.log.count(NAMED) == 1
    assert "Traceback" not in server.log
    server.start()
    latest = house.ok("GET", f"rooms/{chat.sound}/messages?limit=50", by="bo")["messages"]
    assert [one["seq"] for one in latest] == taken


# What a page may hold that SQLite itself finds nothing wrong with.
WRONG_VALUES = {
    "a kind that there is not": "UPDATE messages SET kind = 'texx' WHERE seq = {seq}",
    "half a document": "UPDATE messages SET marks = '{{\"pinned\": tru' WHERE seq = {seq}",
    "a document of another kind": "UPDATE messages SET origin = '[1]' WHERE seq = {seq}",
    "bytes for a text": "UPDATE messages SET text = x'00ff' WHERE seq = {seq}",
    "no UTF-8": "UPDATE messages SET text = CAST(x'736563726574ff' AS TEXT) WHERE seq = {seq}",
    "a word for a number": "UPDATE messages SET at = 'noon' WHERE seq = {seq}",
    "nothing for a text": "UPDATE messages SET mentions = x'' WHERE seq = {seq}",
    "a role that there is not": "UPDATE members SET role = 'kinq'",
}


@pytest.mark.parametrize("statement", WRONG_VALUES.values(), ids=WRONG_VALUES)
def test_what_hubbub_never_wrote_is_damage_and_not_a_fault_of_the_server(
    statement: str, chat: Chat, data: Path, make_server: MakeServer, tmp_path: Path
) -> None:
    damage.change(data, statement.format(seq=7))
    server = make_server(data=data).start()
    house = chat.at(server)
    for path in (
        f"rooms/{chat.harmed}/messages?after=0&limit=20",
        f"rooms/{chat.harmed}/members",
        "me",
    ):
        for _ in range(3):
            status, answer = house.api("GET", path, by="ana")
            assert status == 200 or answer["code"] == "unavailable", answer
    posted, answer = house.api("POST", f"rooms/{chat.harmed}/messages", {"text": "x"}, by="bo")
    assert posted == 201 or answer["code"] == "unavailable", answer
    house.ok("GET", "rooms", by=house.guest("cy"))
    assert server.stop() == 0
    assert "Traceback" not in server.log
    assert server.log.count(NAMED) <= 2
    assert "secret" not in server.log, "nobody's words go into the log"

    found = doctor(data, "--full")
    assert problems(found) == ["rows"]
    assert MEND in found["rows"]["do"]
    said = hubbub("backup", str(tmp_path / "new.db"), "--data", str(data))
    assert said.code == FAILED
    assert "is damaged" in said.err.splitlines()[-1]
    assert MEND in said.err.splitlines()[-1]
    assert not (tmp_path / "new.db").exists()


async def test_a_file_that_comes_to_harm_under_a_running_server_does_not_end_it(
    chat: Chat, data: Path, make_server: MakeServer
) -> None:
    server = make_server(data=data).start()
    house = chat.at(server)
    last = house.post(chat.sound, "before", by="ana")["seq"]
    for number in range(2, damage.pages(data) + 1):
        damage.overwrite(data, number, damage.noise(seed=number))
    async with Visitors.of(house) as visitors:
        for _ in range(10):
            for path in (f"rooms/{chat.harmed}/messages", "rooms", "users", "me"):
                status, answer = house.api("GET", path, by="bo")
                assert status == 200 or answer["code"] == "unavailable", answer
            status, answer = house.api(
                "POST", f"rooms/{chat.sound}/messages", {"text": "?"}, by="ana"
            )
            assert status == 201 or answer["code"] == "unavailable", answer
        assert visitors.house is house
    assert last
    assert server.is_ready()
    assert server.stop() == 0
    assert 1 <= server.log.count(NAMED) <= 5, "once for each kind"
    assert "Traceback" not in server.log


# Whatever happens to it


def harm_at_random(data: Path, seed: int) -> str:
    """One or two pages: overwritten, emptied, exchanged for others, or with wrong bits."""
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
async def test_harm_anywhere_is_refused_answered_or_not_noticed(
    seed: int, chat: Chat, data: Path, make_server: MakeServer
) -> None:
    what = harm_at_random(data, seed)
    server = make_server(data=data)
    process = server.launch()
    await until(lambda: process.poll() is not None or server.is_ready())
    if process.poll() is not None:
        assert server.wait() == FAILED, what
        [sentence] = server.log.splitlines()
        assert sentence.startswith("hubbub: "), what
        assert MEND in sentence, what
        return

    house = chat.at(server)
    found = 0
    for room in ("lobby", chat.sound, chat.harmed):
        said = {"text": f"after {what}", "nonce": "once"}
        answered = [
            house.api("GET", f"rooms/{room}/messages?limit=200", by="bo"),
            house.api("GET", f"rooms/{room}/members", by="bo"),
            house.api("PATCH", f"rooms/{room}/messages/2", {"text": "new"}, by="ana"),
            posted := house.api("POST", f"rooms/{room}/messages", said, by="ana"),
        ]
        found += len(answered[0][1].get("messages", ()))
        for status, answer in answered:
            assert status < 500 or answer["code"] == "unavailable", (what, answer)
            found += status == 503
        if posted[0] == 201:
            seq = posted[1]["seq"]
            kept = house.api("GET", f"rooms/{room}/messages?after={seq - 1}&limit=1", by="bo")
            assert kept[0] == 503 or [one["text"] for one in kept[1]["messages"]] == [
                said["text"]
            ], what
    for path, body in (
        ("sign-in", {"name": "bo", "password": "three words do well"}),
        ("sign-up", {"name": "cy", "password": "three words do well"}),
    ):
        status, answer = house.api("POST", path, body)
        assert status < 500 or answer["code"] == "unavailable", (what, answer)
    assert found, f"{what}: a chat with nothing in it"
    assert server.is_ready(), what
    assert await asyncio.to_thread(server.stop) == 0, what
    assert "Traceback" not in server.log, what
    assert server.log.count(NAMED) <= 4, (what, server.log)
    assert json.dumps(server.log)
