"""`hubbub doctor` reports problems, says what to do, and changes nothing."""

import os
import re
import shutil
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hubbub import __version__
from hubbub.cli.checks import data, public_access
from hubbub.store.engines.sqlite import connection
from tests.conftest import MakeServer
from tests.support.chat import RestApi
from tests.support.command import hubbub
from tests.support.doctor import doctor, problems, run_doctor
from tests.support.server import HOST, Server, free_port
from tests.support.sqlite import opened

GB, MB = 10**9, 10**6
ALL_ADDRESSES = "0.0.0.0"  # noqa: S104 - an operator's setting, never listened on here


@pytest.fixture(scope="module")
def stopped_chat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a stopped chat with a few hundred messages."""
    folder = tmp_path_factory.mktemp("stopped") / "data"
    running = Server(folder).start()
    try:
        api = RestApi(running, "ana")
        room = api.room()
        for number in range(300):
            api.post(room, f"Message {number}: " + "many words " * 20, by="ana")
    finally:
        running.stop()
    return folder


@pytest.fixture
def chat(stopped_chat: Path, tmp_path: Path) -> Path:
    """A copy of that folder."""
    return shutil.copytree(stopped_chat, tmp_path / "data")


def change(chat: Path, statement: str, *values: Any) -> None:
    with opened(chat / "hubbub.db") as driver:
        driver.execute("PRAGMA foreign_keys=OFF")
        driver.execute(statement, values)
        assert driver.changes()


# Healthy


def test_a_healthy_folder_has_no_problem_and_is_not_changed(chat: Path) -> None:
    before = {path.name: path.read_bytes() for path in chat.iterdir() if path.is_file()}
    found = doctor(chat)

    assert problems(found) == []
    for name in (
        *("settings", "program", "uvloop", "clock", "data folder", "permissions", "key"),
        *("database", "integrity", "references", "counters", "log", "shown", "newest message"),
        *("port", "joining", "trusted proxies"),
    ):
        assert found[name]["state"] == "ok", found[name]
    assert "quick_check" in found["integrity"]["sentence"]
    after = {path.name: path.read_bytes() for path in chat.iterdir() if path.is_file()}
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) <= {"hubbub.db-wal", "hubbub.db-shm"}


def test_json_is_a_list_of_objects_with_a_state_and_what_to_do(tmp_path: Path) -> None:
    for one in run_doctor("--data", str(tmp_path / "none"), "--port", "http"):
        assert set(one) == {"name", "state", "sentence", "do"}
        assert one["state"] in ("ok", "warning", "problem")
        assert one["sentence"].endswith("."), one
        assert bool(one["do"]) == (one["state"] != "ok"), one


def test_as_text_each_check_is_a_line_that_begins_with_its_state(chat: Path) -> None:
    result = hubbub("doctor", "--data", str(chat), "--port", "http")

    assert (result.code, result.err) == (1, "")
    *lines, blank, summary = result.out.splitlines()
    assert blank == ""
    checks = [line for line in lines if not line.startswith(" ")]
    assert {line.split()[0] for line in checks} <= {"ok", "warning", "problem"}
    [wrong] = [line for line in checks if line.startswith("problem  settings")]
    assert "--port: “http” is not a port" in wrong
    assert lines[lines.index(wrong) + 1].strip().startswith("→ ")
    assert re.search(r"\d+ ok, .*\d+ problems?\.$", summary)
    assert "\x1b" not in result.out


def test_the_full_check_compares_the_indexes(chat: Path) -> None:
    assert "integrity_check" in doctor(chat, "--full")["integrity"]["sentence"]


# Settings


def test_every_invalid_setting_is_reported_and_the_other_checks_run(chat: Path) -> None:
    found = run_doctor(
        *("--data", str(chat), "--port", "http", "--trusted-proxies", "proxy.lan"),
        environment={"HUBBUB_GUESTS": "perhaps", "HUBBUB_LOG_FORMAT": "xml"},
    )
    wrong = [one["sentence"] for one in found if one["name"] == "settings"]

    assert sorted(sentence.partition(":")[0] for sentence in wrong) == [
        *("--port", "--trusted-proxies", "HUBBUB_GUESTS", "HUBBUB_LOG_FORMAT")
    ]
    assert "integrity" in {one["name"] for one in found}


def test_conflicting_settings_are_reported(tmp_path: Path) -> None:
    found = doctor(tmp_path, "--no-limits", "--host", ALL_ADDRESSES)
    assert found["settings"]["sentence"].startswith("--no-limits: ")


def test_settings_that_need_postgresql_are_reported_without_it(chat: Path) -> None:
    found = run_doctor("--data", str(chat), "--workers", "2", "--bus", "nats://127.0.0.1:1")
    wrong = [one["sentence"] for one in found if one["name"] == "settings"]
    assert [sentence.partition(":")[0] for sentence in wrong] == ["--workers", "--bus"]
    assert "integrity" in {one["name"] for one in found}

    found = run_doctor("--database", "mysql://h/x", "--workers", "2", "--bus", "nats://127.0.0.1:1")
    wrong = [one["sentence"] for one in found if one["name"] == "settings"]
    assert [sentence.partition(":")[0] for sentence in wrong] == ["--database"]


def test_an_unknown_option_is_refused() -> None:
    assert "--bogus" in hubbub("doctor", "--bogus").sentence


# The folder


def test_a_missing_folder_is_reported_and_not_created(tmp_path: Path) -> None:
    found = doctor(tmp_path / "none")

    assert found["data folder"]["state"] == "warning"
    assert "--data" in found["data folder"]["do"]
    assert "database" not in found
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["file", "file/below", "x" * 300])
def test_a_path_that_cannot_be_a_folder_is_a_problem(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert problems(doctor(tmp_path / name)) == ["data folder"]


def test_files_that_others_can_read_are_reported_with_the_command_that_fixes_it(chat: Path) -> None:
    chat.chmod(0o755)
    found = doctor(chat)
    assert found["permissions"]["state"] == "warning"
    assert f"chmod 700 {chat}" in found["permissions"]["do"]

    (chat / "secret.key").chmod(0o644)
    found = doctor(chat)
    assert problems(found) == ["permissions"]
    assert "secret.key" in found["permissions"]["sentence"]
    assert f"chmod 600 {chat / 'secret.key'}" in found["permissions"]["do"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_another_user_is_a_problem(chat: Path) -> None:
    os.chown(chat / "secret.key", 12_345, 12_345)
    found = doctor(chat)
    assert problems(found) == ["permissions"]
    assert "chown" in found["permissions"]["do"]


def test_a_short_or_missing_key_is_reported(chat: Path) -> None:
    key = chat / "secret.key"
    key.write_bytes(b"short")
    assert problems(doctor(chat)) == ["key"]
    key.unlink()
    assert doctor(chat)["key"]["state"] == "warning"
    assert not key.exists()


# The database


def test_a_damaged_page_is_a_problem(chat: Path) -> None:
    database = chat / "hubbub.db"
    with opened(database) as driver:
        # Not a page of the schema: without it nothing could be read.
        [(page,)] = driver.execute("SELECT rootpage FROM sqlite_master WHERE name = 'reactions'")
        [(size,)] = driver.execute("PRAGMA page_size")
    image = bytearray(database.read_bytes())
    image[(page - 1) * size : page * size] = b"\xa5" * size
    database.write_bytes(image)
    found = doctor(chat)

    assert problems(found) == ["integrity"]
    assert "copy" in found["integrity"]["do"]


def test_a_file_that_is_not_a_database_or_not_ours_is_a_problem(chat: Path) -> None:
    database = chat / "hubbub.db"
    database.write_text("These are my notes. " * 400)
    found = doctor(chat)
    assert problems(found) == ["database"]
    assert "not a database" in found["database"]["sentence"]

    database.unlink()
    with opened(database) as driver:
        driver.execute("CREATE TABLE songs (title)")
    assert "not a Hubbub database" in doctor(chat)["database"]["sentence"]


def test_a_newer_schema_is_a_problem_unless_this_version_can_use_it(chat: Path) -> None:
    change(chat, "UPDATE alembic_version SET version_num = '9999'")
    found = doctor(chat)
    assert problems(found) == []
    assert "schema of a newer Hubbub (9999)" in found["database"]["sentence"]
    assert "newest message" in found

    change(chat, "UPDATE server SET value = '9999' WHERE key = 'works_with'")
    found = doctor(chat)
    assert problems(found) == ["database"]
    assert "newer Hubbub (schema 9999" in found["database"]["sentence"]
    assert found["database"]["do"] == "Install that version or a later one."


def test_an_older_schema_is_a_warning(chat: Path) -> None:

    change(chat, "UPDATE alembic_version SET version_num = '0000'")
    found = doctor(chat)
    assert found["database"]["state"] == "warning"
    assert "older schema 0000" in found["database"]["sentence"]


def test_a_chat_that_was_moved_away_is_a_problem(chat: Path) -> None:
    mark = '{"move": "1", "to": "postgresql://db.example.org/hubbub", "done": true}'
    change(chat, "INSERT INTO server VALUES ('moved', ?)", mark)
    found = doctor(chat)
    assert problems(found) == ["database"]
    assert "was moved to postgresql://db.example.org/hubbub." in found["database"]["sentence"]
    assert "hubbub move --undo" in found["database"]["do"]


@pytest.mark.parametrize(
    "changed", ["seq = seq - 1", "rev = rev - 1", "members = members + 1", "members = 0"]
)
def test_wrong_counters_of_a_room_are_a_problem(chat: Path, changed: str) -> None:
    change(chat, f"UPDATE rooms SET {changed} WHERE seq > 0")  # noqa: S608 - our own words
    found = doctor(chat)
    assert problems(found) == ["counters"]
    assert "counters of 1 rooms disagree" in found["counters"]["sentence"]


def test_a_reference_to_a_missing_row_is_a_problem(chat: Path) -> None:
    change(chat, "DELETE FROM users")
    found = doctor(chat)
    assert problems(found) == ["references"]
    assert "messages" in found["references"]["sentence"]


def test_a_database_that_lacks_shown_changes_is_reported(chat: Path) -> None:
    change(chat, "UPDATE rooms SET rev = rev / 2")
    assert "lacks changes that people were shown" in doctor(chat)["shown"]["sentence"]
    (chat / "shown").unlink()
    found = doctor(chat)
    assert found["shown"]["state"] == "warning"
    assert "has no file “shown”" in found["shown"]["sentence"]


def test_a_message_from_the_future_is_reported_with_the_difference(chat: Path) -> None:
    ahead = int(time.time() * 1000) + 3 * 3_600_000
    change(chat, "UPDATE messages SET at = ? WHERE seq = (SELECT max(seq) FROM messages)", ahead)
    found = doctor(chat)
    assert found["newest message"]["state"] == "warning"
    assert "3.0 hours ahead of this machine's clock" in found["newest message"]["sentence"]


def test_a_locked_database_is_a_problem(chat: Path) -> None:
    with opened(chat / "hubbub.db") as driver:
        driver.execute("PRAGMA locking_mode=EXCLUSIVE")
        driver.execute("BEGIN EXCLUSIVE")
        found = doctor(chat)
    assert "locked by another program" in found["database"]["sentence"]


def test_the_quick_check_has_a_time_limit(chat: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "PROGRESS_STEPS", 1)
    with closing(connection.connect(chat / "hubbub.db")) as db:
        assert data.integrity(db, full=False, limit_s=-1).state == "warning"
        assert data.integrity(db, full=True, limit_s=-1).state == "ok"


# The port, and a server that runs


@pytest.fixture
def occupied() -> Iterator[int]:
    """A port on which another program listens that does not speak HTTP."""
    with socket.create_server((HOST, 0)) as listening:
        yield listening.getsockname()[1]


def test_a_port_that_another_program_uses_is_a_problem(chat: Path, occupied: int) -> None:
    found = doctor(chat, port=occupied)
    assert problems(found) == ["port"]
    assert found["port"]["sentence"] == f"Port {occupied} is in use by another program."


def test_an_address_of_another_machine_is_a_problem(chat: Path) -> None:
    found = doctor(chat, "--host", "192.0.2.1")  # a documentation address (RFC 5737)
    assert problems(found) == ["port"]
    assert "--host" in found["port"]["do"]


def test_a_running_server_is_checked_and_not_disturbed(server: Server) -> None:
    RestApi(server, "ana")
    found = doctor(server.data, port=server.port)

    assert problems(found) == []
    for name in ("port", "server", "version", "server clock", "shown", "database", "permissions"):
        assert found[name]["state"] == "ok", found[name]
    assert __version__ in found["version"]["sentence"]
    assert server.is_ready()
    assert server.log == ""


def test_a_server_with_different_settings_is_reported(server: Server, tmp_path: Path) -> None:
    found = doctor(server.data)
    assert found["port"]["state"] == "warning"
    assert "options and variables of the server" in found["port"]["do"]

    found = doctor(tmp_path / "other", port=server.port)
    assert problems(found) == ["port"]
    assert "Another Hubbub" in found["port"]["sentence"]


# The public address


def test_the_public_address_is_checked_with_requests(make_server: MakeServer) -> None:
    running = make_server(command="serve")
    public = f"http://{HOST}:{running.port}"
    running.start()
    arguments = ("--public-url", public, "--trusted-proxies", HOST)
    found = doctor(running.data, *arguments, port=running.port)

    for name in ("public address", "host header", "sockets"):
        assert found[name]["state"] == "ok", found[name]
    assert found["https"]["state"] == "warning"
    # There is no proxy that would set X-Forwarded-For.
    assert problems(found) == ["proxy headers"]
    assert "X-Forwarded-For" in found["proxy headers"]["do"]


def test_an_unreachable_or_unknown_public_address_is_reported(chat: Path) -> None:
    nowhere = f"http://{HOST}:{free_port()}"
    assert doctor(chat, "--public-url", nowhere)["public address"]["state"] == "warning"

    found = doctor(chat, "--public-url", "http://no-such-name.invalid")
    assert problems(found) == ["public address"]


def test_an_invalid_certificate_is_reported() -> None:
    error = ssl.SSLCertVerificationError(1, "certificate has expired")
    found = public_access.unreachable("https://a.example", error)
    assert found.state == "problem"
    assert "certificate has expired" in found.sentence


def test_https_without_trusted_proxies_is_reported(chat: Path) -> None:
    found = doctor(chat, "--public-url", f"https://{HOST}:{free_port()}")
    assert found["trusted proxies"]["state"] == "warning"
    assert "share its limits" in found["trusted proxies"]["sentence"]
    assert "--trusted-proxies 127.0.0.1,::1" in found["trusted proxies"]["do"]
