"""`hubbub backup` and `hubbub restore`: what comes back is what was there, or nothing happens."""

import asyncio
import os
import pty
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hubbub import client
from tests.conftest import MakeServer
from tests.support import disk
from tests.support.chat import House, Visitors
from tests.support.command import Said, clean_environment, hubbub
from tests.support.forks import command_line
from tests.support.people import QUICK, WAIT_S, equals, history
from tests.support.server import Server
from tests.support.sqlite import opened
from tests.support.waiting import until

FAILED, INTERRUPTED = 1, 130
LONG = 16_000  # characters: a few hundred of them are more pages than are copied at a time
PRESSES_ON_S = 30


def backup(server: Server, file: Path, *options: str) -> Said:
    return hubbub("backup", str(file), "--data", str(server.data), *options)


def restore(file: Path, data: Path) -> Said:
    return hubbub("restore", str(file), "--data", str(data))


def done(said: Said) -> str:
    """A command that must have worked; what it says on stdout."""
    assert said.code == 0, said.err
    return said.out


def move_away(server: Server) -> None:
    for file in server.data.glob("hubbub.db*"):
        file.rename(file.with_name(f"away-{file.name}"))


def only(file: Path) -> None:
    """Nothing that was half done lies beside it."""
    assert [one.name for one in file.parent.iterdir() if file.name in one.name] == [file.name]


# There and back


async def test_a_backup_of_a_busy_server_has_all_that_was_acknowledged_before(
    server: Server, make_server: MakeServer, tmp_path: Path
) -> None:
    house = House(server, "ana", "bo")
    for number in range(400):
        house.post("lobby", f"{number} ".ljust(LONG, "x"), by="ana")
    is_over = False
    acknowledged: dict[int, str] = {}

    def press_on(who: str) -> None:
        number = 0
        deadline = time.monotonic() + PRESSES_ON_S
        while not is_over and time.monotonic() < deadline:
            number += 1
            text = f"{who} {number}"
            acknowledged[house.post("lobby", text, by=who)["seq"]] = text

    async with asyncio.TaskGroup() as tasks:
        for who in ("ana", "bo"):
            tasks.create_task(asyncio.to_thread(press_on, who))
        await until(lambda: len(acknowledged) >= 20)
        before = dict(acknowledged)
        said = await asyncio.to_thread(backup, server, tmp_path / "chat.db")
        during = len(acknowledged) - len(before)
        is_over = True
    assert during, "it was written to all the while"
    found = re.fullmatch(
        r".*/chat\.db has 2 accounts, 1 room and ([0-9,]+) messages, schema \d+ \(.* MB, checked\)",
        done(said).rstrip(".\n"),
    )
    assert found, said.out
    only(tmp_path / "chat.db")

    other = make_server()
    told = done(restore(tmp_path / "chat.db", other.data))
    assert f"{found[1]} messages" in told
    other.start()
    kept = await history(other, house.tokens["ana"], "lobby")  # she is still signed in
    texts = {one["seq"]: one["text"] for one in kept}
    assert list(texts) == list(range(1, len(texts) + 1))
    assert len(texts) == int(found[1].replace(",", ""))
    assert before.items() <= texts.items()
    later = {seq: text for seq, text in texts.items() if seq > 400}
    assert later.items() <= acknowledged.items()


async def test_a_backup_of_a_stopped_or_killed_server_has_everything(
    make_server: MakeServer, tmp_path: Path
) -> None:
    server, other = make_server().start(), make_server()
    house = House(server, "ana")
    house.post("lobby", "one", by="ana")
    server.kill()  # what was written is in the log alone
    before = {one: one.read_bytes() for one in server.data.glob("hubbub.db")}
    assert "1 account, 1 room and 1 message," in done(backup(server, tmp_path / "chat.db"))
    assert {one: one.read_bytes() for one in before} == before, "it only reads"

    done(restore(tmp_path / "chat.db", other.data))
    other.start()
    house.server = other
    assert house.history("lobby", by="ana") == [("ana", "one")]
    house.post("lobby", "two", by="ana")


async def test_after_a_restore_no_client_keeps_what_is_no_longer_true(
    server: Server, tmp_path: Path
) -> None:
    house = House(server, "ana", "bo")
    house.post("lobby", "one", by="ana")
    async with client.connect(server.url, house.tokens["bo"], backoff=QUICK) as bo:
        done(backup(server, tmp_path / "chat.db"))
        house.post("lobby", "lost", by="ana")
        house.ok("PATCH", "rooms/lobby/messages/1", {"text": "edited and lost"}, by="ana")
        await equals(bo, "lobby", await history(server, house.tokens["ana"], "lobby"))
        epoch = bo.state.epoch

        server.kill()
        move_away(server)
        done(restore(tmp_path / "chat.db", server.data))
        await asyncio.to_thread(server.start)
        # As many changes as were lost: by its numbers alone the past would look the same.
        house.post("lobby", "another", by="ana")
        house.ok("PATCH", "rooms/lobby/messages/1", {"text": "edited anew"}, by="ana")
        async with asyncio.timeout(WAIT_S):
            await bo.history("lobby")  # any answer comes after the welcome
        assert bo.state.epoch != epoch
        truth = await history(server, house.tokens["ana"], "lobby")
        assert [one["text"] for one in truth] == ["edited anew", "another"]
        await equals(bo, "lobby", truth)


@pytest.mark.parametrize("way", ["by restore", "by hand"])
async def test_clients_start_over_even_if_no_message_was_lost(
    way: str, server: Server, tmp_path: Path
) -> None:
    """What is changed of a person or a membership raises no number of a room."""
    house = House(server, "ana", "bo")
    house.post("lobby", "one", by="ana")
    done(backup(server, tmp_path / "chat.db"))
    async with Visitors.of(house) as visitors:
        bo = await visitors.json(None)
        await bo.do("auth", token=house.tokens["bo"])
        epoch = (await bo.do("hello"))["epoch"]
        house.ok("PATCH", "me", {"display_name": "Bo, for a while"}, by="bo")
        server.stop()
        move_away(server)
        if way == "by restore":
            done(restore(tmp_path / "chat.db", server.data))
        else:
            shutil.copy(tmp_path / "chat.db", server.data / "hubbub.db")
        server.start()
        again = await visitors.json(None)
        await again.do("auth", token=house.tokens["bo"])
        welcome = await again.do("hello", epoch=epoch, rooms={"lobby": 1})
        assert welcome["epoch"] != epoch
        assert welcome["me"]["display_name"] == "bo"


def test_a_copy_made_by_other_means_is_restored_too_and_everybody_signs_in_again(
    server: Server, make_server: MakeServer, tmp_path: Path
) -> None:
    house = House(server, "ana")
    house.post("lobby", "one", by="ana")
    with opened(server.data / "hubbub.db") as driver:
        driver.execute("VACUUM INTO ?", (str(tmp_path / "copy.db"),))
    house.server = make_server()
    said = restore(tmp_path / "copy.db", house.server.data)
    assert said.code == 0
    assert "everybody signs in again" in said.err.splitlines()[-1]
    house.server.start()
    assert house.api("GET", "me", by="ana")[0] == 401
    assert house.history("lobby", by=house.sign_in("ana")) == [("ana", "one")]


# Secrets


def test_what_was_deleted_is_not_in_it_and_nobody_else_can_read_it(
    server: Server, tmp_path: Path
) -> None:
    house = House(server, "ana")
    for number in range(300):
        house.post("lobby", f"<secret> {number}" * 20, by="ana")
    for number in range(1, 301, 2):
        house.ok("DELETE", f"rooms/lobby/messages/{number}", by="ana")
    done(backup(server, tmp_path / "half.db"))
    image = (tmp_path / "half.db").read_bytes()
    for number in range(300):
        assert (f"<secret> {number}<".encode() in image) == bool(number % 2)
    assert (tmp_path / "half.db").stat().st_mode & 0o777 == 0o600

    key = (server.data / "secret.key").read_bytes()
    assert key in image
    done(restore(tmp_path / "half.db", tmp_path / "new"))
    assert (tmp_path / "new/secret.key").read_bytes() == key
    assert key not in (tmp_path / "new/hubbub.db").read_bytes(), "it has one place only"
    assert {one.stat().st_mode & 0o077 for one in (tmp_path / "new").iterdir()} == {0}


def test_a_key_that_was_made_since_stays(good: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "secret.key").write_bytes(b"k" * 32)
    said = restore(good, data)
    assert said.code == 0
    assert "another key than the backup" in said.err.splitlines()[-1]
    assert (data / "secret.key").read_bytes() == b"k" * 32


# Bad moments


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with disk.small(tmp_path / "small", 64 * 1024) as folder:
        yield folder


@pytest.mark.parametrize("direction", ["backup", "restore"])
def test_a_full_disk_leaves_no_half_file(
    direction: str, left: Path, good: Path, small_disk: Path
) -> None:
    if direction == "backup":
        said = hubbub("backup", str(small_disk / "chat.db"), "--data", str(left))
    else:
        said = restore(good, small_disk)
    assert said.code == FAILED
    assert said.err.splitlines()[-1] == f"hubbub: There is no room left in {small_disk}."
    assert {one.name for one in small_disk.iterdir()} <= {"hubbub.lock"}


def test_one_that_is_stopped_leaves_nothing(server: Server, tmp_path: Path) -> None:
    house = House(server, "ana")
    for number in range(600):
        house.post("lobby", f"{number} ".ljust(LONG, "x"), by="ana")
    file = tmp_path / "backups" / "chat.db"
    file.parent.mkdir()
    with subprocess.Popen(
        command_line("backup", str(file), "--data", str(server.data)),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env=clean_environment(),
    ) as process:
        assert process.stderr
        assert process.stderr.readline().startswith(b"Copying: ")
        process.terminate()
        told = process.stderr.read()
    # On a fast machine it may have been done by then.
    assert process.returncode in (0, INTERRUPTED)
    assert [one.name for one in file.parent.iterdir()] == ["chat.db"] * (not process.returncode)
    assert b"Traceback" not in told


# What is seen of it


def test_without_a_terminal_plain_lines_tell_how_far_it_is(left: Path, tmp_path: Path) -> None:
    said = hubbub("backup", str(tmp_path / "chat.db"), "--data", str(left))
    assert said.err.splitlines() == ["Copying: 100 %", "Checking …"]


def test_on_a_terminal_there_is_a_bar(left: Path, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    done = subprocess.run(
        command_line("backup", str(tmp_path / "chat.db"), "--data", str(left)),
        stderr=theirs,
        stdout=subprocess.PIPE,
        env=clean_environment({"TERM": "xterm"}),
        check=True,
    )
    os.close(theirs)
    shown = os.read(ours, 65_536)
    os.close(ours)
    assert b"Copying" in shown
    assert "━".encode() in shown
    assert b"checked" in done.stdout


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_help_fits_80_columns(command: str) -> None:
    told = hubbub(command, "--help")
    assert (told.code, told.err) == (0, "")
    assert max(map(len, told.out.splitlines())) <= 80
    assert "FILE" in told.out
    assert "--data" in told.out
