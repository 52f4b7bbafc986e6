"""The doctor's checks one by one, where a whole server would show no more."""

import datetime
from pathlib import Path

import pytest

from hubbub.cli.checks import data, machine, public_access, storage
from hubbub.cli.checks import server as server_
from hubbub.cli.checks.fetch import HttpReply
from hubbub.model.accounts import Limits, ServerInfo
from hubbub.model.settings import Settings
from tests.support.server import HOST

GB, MB = 10**9, 10**6
EVERYWHERE = "0.0.0.0"  # noqa: S104 - an operator's setting, never listened on here


@pytest.mark.parametrize(
    ("host", "networks", "state"),
    [
        (HOST, (), "warning"),
        (HOST, ("127.0.0.1", "::1"), "ok"),
        (HOST, ("127.0.0.0/8",), "ok"),
        (HOST, ("10.0.0.1",), "warning"),
        (EVERYWHERE, ("10.0.0.1",), "ok"),
        (HOST, ("0.0.0.0/0",), "problem"),
        (HOST, ("127.0.0.1", "::/0"), "problem"),
    ],
)
def test_who_is_trusted_must_be_the_proxy_and_nobody_else(
    host: str, networks: tuple[str, ...], state: str
) -> None:
    settings = Settings(host=host, public_url="https://a.example", trusted_proxies=networks)
    assert public_access.trusted(settings).state == state


@pytest.mark.parametrize(
    ("status", "body", "runs", "state"),
    [
        (200, b"ok\n", True, "ok"),
        (200, b"<html>", True, "problem"),
        (404, b"", True, "problem"),
        (301, b"", True, "problem"),
        (502, b"", True, "problem"),
        (502, b"", False, "ok"),
    ],
)
def test_what_answers_at_the_public_address_must_be_the_server(
    status: int, body: bytes, runs: bool, state: str
) -> None:
    heard = HttpReply(status, {"location": "https://b.example/"}, body)
    assert public_access.answered("https://a.example", heard, runs=runs).state == state


def test_what_a_proxy_must_pass_on_is_told() -> None:
    assert public_access.named(HttpReply(421, {}, b"")).state == "problem"
    assert public_access.forwarded(HttpReply(403, {}, b"")).state == "ok"
    assert public_access.forwarded(HttpReply(404, {}, b"")).state == "warning"
    assert public_access.sockets(HttpReply(400, {}, b"")).state == "problem"


@pytest.mark.parametrize(
    ("host", "public", "registration", "guests", "says"),
    [
        (HOST, None, "open", True, ""),
        (EVERYWHERE, None, "open", True, "make an account, and may write"),
        (EVERYWHERE, None, "open", False, "make an account."),
        (EVERYWHERE, None, "invite", True, "server may write"),
        (EVERYWHERE, None, "invite", False, ""),
        (HOST, "https://a.example", "open", False, "make an account."),
    ],
)
def test_who_may_join_is_said_in_words(
    host: str, public: str | None, registration: str, guests: bool, says: str
) -> None:
    found = public_access.joining(Settings(host=host, public_url=public), registration, guests)
    assert (found.state, says in found.sentence) == ("warning" if says else "ok", True)


# The machine


@pytest.mark.parametrize(
    ("free", "total", "state"),
    [
        (50 * GB, 100 * GB, "ok"),
        (9 * GB, 100 * GB, "warning"),
        (900 * MB, 2 * GB, "warning"),
        (99 * MB, 200 * MB, "problem"),
        (0, 0, "problem"),
    ],
)
def test_a_disk_that_is_nearly_full_is_told(free: int, total: int, state: str) -> None:
    assert storage.room_on_disk(free, total).state == state


MOUNTS = r"""
22 27 0:21 / / rw,relatime - ext4 /dev/vda rw
23 22 0:40 / /srv rw,relatime shared:1 master:2 - nfs4 files:/srv rw
24 23 0:41 / /srv/local rw - xfs /dev/vdb rw
25 22 0:42 / /with\040space rw - fuse.sshfs there: rw
26 22 0:43 / /twice rw - xfs /dev/vdc rw
27 22 0:44 / /twice rw - tmpfs tmpfs rw
28 22 0:45 / /srvother rw - cifs //a/b rw
broken
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home", "ext4"),
        ("/srv/chat", "nfs4"),
        ("/srv/local/chat", "xfs"),
        ("/with space/chat", "fuse.sshfs"),
        ("/twice", "tmpfs"),
        ("/srvother/x", "cifs"),
    ],
)
def test_the_kind_of_file_system_is_that_of_the_nearest_mount(path: str, kind: str) -> None:
    assert storage.kind_of(Path(path), MOUNTS) == kind


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        *((kind, "ok") for kind in ("ext4", "xfs", "btrfs", "zfs", "apfs")),
        *((kind, "warning") for kind in ("nfs4", "cifs", "9p", "fuse.sshfs", "fuse", "tmpfs")),
    ],
)
def test_a_file_system_that_does_not_suit_is_told(kind: str, state: str, tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"22 27 0:21 / / rw - {kind} /dev/vda rw\n")
    assert storage.file_system(tmp_path / "none", mounts).state == state
    assert storage.file_system(tmp_path, tmp_path / "none").state == "ok", "it cannot be told"


@pytest.mark.parametrize(("year", "state"), [(1970, "problem"), (2030, "ok"), (2106, "problem")])
def test_a_clock_that_was_never_set_is_told(year: int, state: str) -> None:
    assert machine.clock(datetime.datetime(year, 1, 1, tzinfo=datetime.UTC)).state == state


@pytest.mark.parametrize(
    ("most", "state"),
    [(256, "warning"), (1024, "warning"), (65_536, "ok"), (float("inf"), "ok")],
)
def test_too_few_open_files_are_told(most: float, state: str) -> None:
    assert machine.open_files(Settings(), most).state == state


def test_of_several_workers_the_one_with_the_fewest_files_left_is_told_of() -> None:
    one = "process_open_fds 12.0\nprocess_max_fds 1.048576e+06\n"
    assert server_.files_in(one) == server_.Files(12, 1_048_576)
    several = "".join(
        f'process_{name}_fds{{worker="{worker}"}} {value}\n'
        for name, values in (("open", (10, 90, 20)), ("max", (100, 100, 100)))
        for worker, value in enumerate(values, 1)
    )
    assert server_.files_in(several) == server_.Files(90, 100)
    assert server_.files_in("hubbub_connections 1\n") is None


def test_files_that_run_out_are_told() -> None:
    assert server_.files_left(server_.Files(900, 1024)).state == "warning"
    assert server_.files_left(server_.Files(90, 1024)).state == "ok"


def test_a_client_that_is_not_built_is_told(tmp_path: Path) -> None:
    assert machine.client_built(tmp_path).state == "problem"
    (tmp_path / "index.html").touch()
    assert machine.client_built(tmp_path).state == "ok"


# A server, and its database


def test_a_long_log_is_told() -> None:
    assert data.log(10 * MB, runs=True).state == "ok"
    assert "something keeps the server" in data.log(200 * MB, runs=True).sentence
    assert "Leave it there" in data.log(200 * MB, runs=False).do


def test_a_server_that_stops_is_not_ready() -> None:
    assert server_.ready(HttpReply(503, {}, b"not ready\n")).state == "problem"


def test_a_server_of_another_version_or_with_another_clock_is_told() -> None:
    said = ServerInfo(
        name="",
        version="0.0.1",
        registration="open",
        guests=False,
        needs_owner=False,
        limits=Limits(text=1, frame_bytes=1, page=1),
    )
    assert "0.0.1" in server_.version(said).sentence
    assert server_.version(None).state == "problem"

    heard = HttpReply(200, {"date": "Tue, 01 Jan 2030 00:00:00 GMT"}, b"")
    now = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC).timestamp()
    assert server_.server_clock(heard, now + 2).state == "ok"
    assert "90 s behind" in server_.server_clock(heard, now + 90).sentence
    assert "90 s ahead of" in server_.server_clock(heard, now - 90).sentence
    assert server_.server_clock(HttpReply(200, {}, b""), now).state == "warning"
