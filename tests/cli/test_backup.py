"""`hubbub backup` and `hubbub restore`: everything is restored, or nothing is changed."""

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
from tests.support.chat import RestApi, Sockets
from tests.support.command import CommandResult, clean_environment, hubbub
from tests.support.forks import command_line
from tests.support.people import QUICK, WAIT_S, assert_caught_up, history
from tests.support.server import Server
from tests.support.sqlite import opened
from tests.support.waiting import until

FAILED, INTERRUPTED = 1, 130
LONG = 16_000  # characters; a few hundred such messages need more pages than one copy step
POSTING_LIMIT_S = 30


def backup(server: Server, file: Path, *options: str) -> CommandResult:
    return hubbub("backup", str(file), "--data", str(server.data), *options)


def restore(file: Path, data: Path) -> CommandResult:
    return hubbub("restore", str(file), "--data", str(data))


def ok(result: CommandResult) -> str:
    """Check that the command succeeded, and return its stdout."""
    assert result.code == 0, result.err
    return result.out


def move_away(server: Server) -> None:
    for file in server.data.glob("hubbub.db*"):
        file.rename(file.with_name(f"away-{file.name}"))


def assert_no_partial_file(file: Path) -> None:
    """Check that no partial file lies beside it."""
    assert [one.name for one in file.parent.iterdir() if file.name in one.name] == [file.name]


# There and back


async def test_a_backup_of_a_busy_server_has_all_that_was_acknowledged_before(
    server: Server, make_server: MakeServer, tmp_path: Path
) -> None:
    api = RestApi(server, "ana", "bo")
    for number in range(400):
        api.post("lobby", f"{number} ".ljust(LONG, "x"), by="ana")
    is_over = False
    acknowledged: dict[int, str] = {}

    def keep_posting(who: str) -> None:
        number = 0
        deadline = time.monotonic() + POSTING_LIMIT_S
        while not is_over and time.monotonic() < deadline:
            number += 1
            text = f"{who} {number}"
            acknowledged[api.post("lobby", text, by=who)["seq"]] = text

    async with asyncio.TaskGroup() as tasks:
        for who in ("ana", "bo"):
            tasks.create_task(asyncio.to_thread(keep_posting, who))
        await until(lambda: len(acknowledged) >= 20)
        before = dict(acknowledged)
        result = await asyncio.to_thread(backup, server, tmp_path / "chat.db")
        during = len(acknowledged) - len(before)
        is_over = True
    assert during, "messages were written during the backup"
    found = re.fullmatch(
        r".*/chat\.db has 2 accounts, 1 room and ([0-9,]+) messages, schema \d+ \(.* MB, checked\)",
        ok(result).rstrip(".\n"),
    )
    assert found, result.out
    assert_no_partial_file(tmp_path / "chat.db")

    other = make_server()
    summary = ok(restore(tmp_path / "chat.db", other.data))
    assert f"{found[1]} messages" in summary
    other.start()
    kept = await history(other, api.tokens["ana"], "lobby")  # she is still signed in
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
    api = RestApi(server, "ana")
    api.post("lobby", "one", by="ana")
    server.kill()  # the message is only in the write-ahead log
    before = {one: one.read_bytes() for one in server.data.glob("hubbub.db")}
    assert "1 account, 1 room and 1 message," in ok(backup(server, tmp_path / "chat.db"))
    assert {one: one.read_bytes() for one in before} == before, "it only reads"

    ok(restore(tmp_path / "chat.db", other.data))
    other.start()
    api.server = other
    assert api.history("lobby", by="ana") == [("ana", "one")]
    api.post("lobby", "two", by="ana")


async def test_after_a_restore_clients_discard_lost_messages(
    server: Server, tmp_path: Path
) -> None:
    api = RestApi(server, "ana", "bo")
    api.post("lobby", "one", by="ana")
    async with client.connect(server.url, api.tokens["bo"], backoff=QUICK) as bo:
        ok(backup(server, tmp_path / "chat.db"))
        api.post("lobby", "lost", by="ana")
        api.ok("PATCH", "rooms/lobby/messages/1", {"text": "edited and lost"}, by="ana")
        await assert_caught_up(bo, "lobby", await history(server, api.tokens["ana"], "lobby"))
        epoch = bo.state.epoch

        server.kill()
        move_away(server)
        ok(restore(tmp_path / "chat.db", server.data))
        await asyncio.to_thread(server.start)
        # As many changes as were lost, so that the revs are the same as before.
        api.post("lobby", "another", by="ana")
        api.ok("PATCH", "rooms/lobby/messages/1", {"text": "edited anew"}, by="ana")
        async with asyncio.timeout(WAIT_S):
            await bo.history("lobby")  # any answer comes after the welcome
        assert bo.state.epoch != epoch
        truth = await history(server, api.tokens["ana"], "lobby")
        assert [one["text"] for one in truth] == ["edited anew", "another"]
        await assert_caught_up(bo, "lobby", truth)


@pytest.mark.parametrize("way", ["by restore", "by hand"])
async def test_clients_start_over_even_if_no_message_was_lost(
    way: str, server: Server, tmp_path: Path
) -> None:
    """A change to a person or a membership does not change a room's numbers."""
    api = RestApi(server, "ana", "bo")
    api.post("lobby", "one", by="ana")
    ok(backup(server, tmp_path / "chat.db"))
    async with Sockets.of(api) as sockets:
        bo = await sockets.json(None)
        await bo.do("auth", token=api.tokens["bo"])
        epoch = (await bo.do("hello"))["epoch"]
        api.ok("PATCH", "me", {"display_name": "Bo, for a while"}, by="bo")
        server.stop()
        move_away(server)
        if way == "by restore":
            ok(restore(tmp_path / "chat.db", server.data))
        else:
            shutil.copy(tmp_path / "chat.db", server.data / "hubbub.db")
        server.start()
        again = await sockets.json(None)
        await again.do("auth", token=api.tokens["bo"])
        welcome = await again.do("hello", epoch=epoch, rooms={"lobby": 1})
        assert welcome["epoch"] != epoch
        assert welcome["me"]["display_name"] == "bo"


def test_a_copy_made_by_sqlite_can_be_restored_and_everybody_signs_in_again(
    server: Server, make_server: MakeServer, tmp_path: Path
) -> None:
    api = RestApi(server, "ana")
    api.post("lobby", "one", by="ana")
    with opened(server.data / "hubbub.db") as driver:
        driver.execute("VACUUM INTO ?", (str(tmp_path / "copy.db"),))
    api.server = make_server()
    result = restore(tmp_path / "copy.db", api.server.data)
    assert result.code == 0
    assert "everybody must sign in again" in result.err.splitlines()[-1]
    api.server.start()
    assert api.request("GET", "me", by="ana")[0] == 401
    assert api.history("lobby", by=api.sign_in("ana")) == [("ana", "one")]


# Secrets


def test_a_backup_has_no_deleted_texts_and_only_its_owner_can_read_it(
    server: Server, tmp_path: Path
) -> None:
    api = RestApi(server, "ana")
    for number in range(300):
        api.post("lobby", f"<secret> {number}" * 20, by="ana")
    for number in range(1, 301, 2):
        api.ok("DELETE", f"rooms/lobby/messages/{number}", by="ana")
    ok(backup(server, tmp_path / "half.db"))
    image = (tmp_path / "half.db").read_bytes()
    for number in range(300):
        assert (f"<secret> {number}<".encode() in image) == bool(number % 2)
    assert (tmp_path / "half.db").stat().st_mode & 0o777 == 0o600

    key = (server.data / "secret.key").read_bytes()
    assert key in image
    ok(restore(tmp_path / "half.db", tmp_path / "new"))
    assert (tmp_path / "new/secret.key").read_bytes() == key
    assert key not in (tmp_path / "new/hubbub.db").read_bytes(), "the key is only in secret.key"
    assert {one.stat().st_mode & 0o077 for one in (tmp_path / "new").iterdir()} == {0}


def test_a_restore_keeps_an_existing_key(backup_file: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "secret.key").write_bytes(b"k" * 32)
    result = restore(backup_file, data)
    assert result.code == 0
    assert "key differs from the backup's" in result.err.splitlines()[-1]
    assert (data / "secret.key").read_bytes() == b"k" * 32


# Bad moments


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with disk.mount_small(tmp_path / "small", 64 * 1024) as folder:
        yield folder


@pytest.mark.parametrize("direction", ["backup", "restore"])
def test_a_full_disk_leaves_no_partial_file(
    direction: str, stopped_chat: Path, backup_file: Path, small_disk: Path
) -> None:
    if direction == "backup":
        result = hubbub("backup", str(small_disk / "chat.db"), "--data", str(stopped_chat))
    else:
        result = restore(backup_file, small_disk)
    assert result.code == FAILED
    assert result.err.splitlines()[-1] == f"hubbub: The disk of {small_disk} is full."
    assert {one.name for one in small_disk.iterdir()} <= {"hubbub.lock"}


def test_an_interrupted_backup_leaves_no_file(server: Server, tmp_path: Path) -> None:
    api = RestApi(server, "ana")
    for number in range(600):
        api.post("lobby", f"{number} ".ljust(LONG, "x"), by="ana")
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
        result = process.stderr.read()
    # On a fast machine it may have finished by then.
    assert process.returncode in (0, INTERRUPTED)
    assert [one.name for one in file.parent.iterdir()] == ["chat.db"] * (not process.returncode)
    assert b"Traceback" not in result


# Progress


def test_without_a_terminal_progress_is_printed_as_lines(
    stopped_chat: Path, tmp_path: Path
) -> None:
    result = hubbub("backup", str(tmp_path / "chat.db"), "--data", str(stopped_chat))
    assert result.err.splitlines() == ["Copying: 100 %", "Checking …"]


def test_on_a_terminal_progress_is_shown_as_a_bar(stopped_chat: Path, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    result = subprocess.run(
        command_line("backup", str(tmp_path / "chat.db"), "--data", str(stopped_chat)),
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
    assert b"checked" in result.stdout


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_help_fits_80_columns(command: str) -> None:
    result = hubbub(command, "--help")
    assert (result.code, result.err) == (0, "")
    assert max(map(len, result.out.splitlines())) <= 80
    assert "FILE" in result.out
    assert "--data" in result.out
