"""The checks of `hubbub doctor` one by one, without a server."""

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
ALL_ADDRESSES = "0.0.0.0"  # noqa: S104 - an operator's setting, never listened on here


@pytest.mark.parametrize(
    ("host", "networks", "state"),
    [
        (HOST, (), "warning"),
        (HOST, ("127.0.0.1", "::1"), "ok"),
        (HOST, ("127.0.0.0/8",), "ok"),
        (HOST, ("10.0.0.1",), "warning"),
        (ALL_ADDRESSES, ("10.0.0.1",), "ok"),
        (HOST, ("0.0.0.0/0",), "problem"),
        (HOST, ("127.0.0.1", "::/0"), "problem"),
    ],
)
def test_only_the_proxy_must_be_trusted(host: str, networks: tuple[str, ...], state: str) -> None:
    settings = Settings(host=host, public_url="https://a.example", trusted_proxies=networks)
    assert public_access.trusted_proxies(settings).state == state


@pytest.mark.parametrize(
    ("status", "body", "is_running", "state"),
    [
        (200, b"ok\n", True, "ok"),
        (200, b"<html>", True, "problem"),
        (404, b"", True, "problem"),
        (301, b"", True, "problem"),
        (502, b"", True, "problem"),
        (502, b"", False, "ok"),
    ],
)
def test_the_server_must_answer_at_the_public_address(
    status: int, body: bytes, is_running: bool, state: str
) -> None:
    reply = HttpReply(status, {"location": "https://b.example/"}, body)
    assert public_access.reachable("https://a.example", reply, is_running=is_running).state == state


def test_missing_proxy_headers_are_reported() -> None:
    assert public_access.host_header(HttpReply(421, {}, b"")).state == "problem"
    assert public_access.proxy_headers(HttpReply(403, {}, b"")).state == "ok"
    assert public_access.proxy_headers(HttpReply(404, {}, b"")).state == "warning"
    assert public_access.websockets(HttpReply(400, {}, b"")).state == "problem"


@pytest.mark.parametrize(
    ("host", "public", "registration", "guests", "says"),
    [
        (HOST, None, "open", True, ""),
        (ALL_ADDRESSES, None, "open", True, "make an account, and may write"),
        (ALL_ADDRESSES, None, "open", False, "make an account."),
        (ALL_ADDRESSES, None, "invite", True, "server may write"),
        (ALL_ADDRESSES, None, "invite", False, ""),
        (HOST, "https://a.example", "open", False, "make an account."),
    ],
)
def test_the_report_says_who_may_join(
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
def test_a_nearly_full_disk_is_reported(free: int, total: int, state: str) -> None:
    assert storage.free_space(free, total).state == state


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
    assert storage.file_system_type(Path(path), MOUNTS) == kind


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        *((kind, "ok") for kind in ("ext4", "xfs", "btrfs", "zfs", "apfs")),
        *((kind, "warning") for kind in ("nfs4", "cifs", "9p", "fuse.sshfs", "fuse", "tmpfs")),
    ],
)
def test_an_unsuitable_file_system_is_reported(kind: str, state: str, tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"22 27 0:21 / / rw - {kind} /dev/vda rw\n")
    assert storage.file_system(tmp_path / "none", mounts).state == state
    assert storage.file_system(tmp_path, tmp_path / "none").state == "ok", "the type is unknown"


@pytest.mark.parametrize(("year", "state"), [(1970, "problem"), (2030, "ok"), (2106, "problem")])
def test_a_clock_that_was_never_set_is_reported(year: int, state: str) -> None:
    assert machine.clock(datetime.datetime(year, 1, 1, tzinfo=datetime.UTC)).state == state


@pytest.mark.parametrize(
    ("limit", "state"),
    [(256, "warning"), (1024, "warning"), (65_536, "ok"), (float("inf"), "ok")],
)
def test_too_few_open_files_are_reported(limit: float, state: str) -> None:
    assert machine.open_files(Settings(), limit).state == state


def test_the_worker_with_the_fewest_files_left_is_reported() -> None:
    one = "process_open_fds 12.0\nprocess_max_fds 1.048576e+06\n"
    assert server_.parse_open_files(one) == server_.OpenFiles(12, 1_048_576)
    several = "".join(
        f'process_{name}_fds{{worker="{worker}"}} {value}\n'
        for name, values in (("open", (10, 90, 20)), ("max", (100, 100, 100)))
        for worker, value in enumerate(values, 1)
    )
    assert server_.parse_open_files(several) == server_.OpenFiles(90, 100)
    assert server_.parse_open_files("hubbub_connections 1\n") is None


def test_running_out_of_files_is_reported() -> None:
    assert server_.files_left(server_.OpenFiles(900, 1024)).state == "warning"
    assert server_.files_left(server_.OpenFiles(90, 1024)).state == "ok"


def test_a_missing_web_client_is_reported(tmp_path: Path) -> None:
    assert machine.client_built(tmp_path).state == "problem"
    (tmp_path / "index.html").touch()
    assert machine.client_built(tmp_path).state == "ok"


# A server, and its database


def test_a_long_log_is_reported() -> None:
    assert data.log(10 * MB, is_running=True).state == "ok"
    assert "another program keeps the server" in data.log(200 * MB, is_running=True).sentence
    assert "Leave it there" in data.log(200 * MB, is_running=False).do


def test_a_stopping_server_is_not_ready() -> None:
    assert server_.ready(HttpReply(503, {}, b"not ready\n")).state == "problem"


def test_a_server_of_another_version_or_with_another_clock_is_reported() -> None:
    info = ServerInfo(
        name="",
        version="0.0.1",
        registration="open",
        guests=False,
        needs_owner=False,
        limits=Limits(text=1, frame_bytes=1, page=1),
    )
    assert "0.0.1" in server_.version(info).sentence
    assert server_.version(None).state == "problem"

    reply = HttpReply(200, {"date": "Tue, 01 Jan 2030 00:00:00 GMT"}, b"")
    now = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC).timestamp()
    assert server_.server_clock(reply, now + 2).state == "ok"
    assert "90 s behind" in server_.server_clock(reply, now + 90).sentence
    assert "90 s ahead of" in server_.server_clock(reply, now - 90).sentence
    assert server_.server_clock(HttpReply(200, {}, b""), now).state == "warning"
