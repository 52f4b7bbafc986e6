"""The web client's files: which are served, for how long they may be kept, and none besides."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hubbub.gateway.http import static_files
from tests.support.site import Site

INDEX = b"<!doctype html><title>A client</title>"
SCRIPT = b"export const answer = 42;\n" * 100


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built client, with things beside it and in it that are nobody's business."""
    folder = tmp_path_factory.mktemp("client")
    (folder.parent / "secret.txt").write_bytes(b"secret")
    (folder / "assets").mkdir()
    (folder / "index.html").write_bytes(INDEX)
    (folder / "assets" / "app-1a2b.js").write_bytes(SCRIPT)
    (folder / "assets" / "app-1a2b.js.gz").write_bytes(b"packed")
    (folder / "assets" / "app-1a2b.js.br").write_bytes(b"packed better")
    (folder / "assets" / "app-1a2b.css").write_bytes(b"body{}")
    (folder / "worker.js").write_bytes(b"work();")
    (folder / "manifest.webmanifest").write_bytes(b"{}")
    (folder / ".hidden.txt").write_bytes(b"secret")
    (folder / "notes.py").write_bytes(b"secret")
    return folder


@pytest.fixture(scope="module")
def site(client: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server with that client; its folder is the default of a parameter."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(_defaults(), "client", client)
        made = Site(tmp_path_factory.mktemp("site") / "data").start()
    yield made
    made.stop()
    made.assert_silent()


def _defaults() -> dict[str, object]:
    from hubbub.gateway.application import application

    defaults = application.__kwdefaults__
    assert defaults is not None
    return defaults


@pytest.mark.parametrize("path", ["/", "/rooms/lobby", "/rooms/x.y/41", "/join/abc", "/nowhere"])
def test_every_address_of_the_clients_own_is_its_page(site: Site, path: str) -> None:
    answer = site.anyone.get(path)
    assert (answer.status, answer.body) == (200, INDEX)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["ETag"]


def test_what_is_named_by_its_content_is_kept_for_ever(site: Site) -> None:
    for name, kind in {"js": "text/javascript", "css": "text/css"}.items():
        answer = site.anyone.get(f"/assets/app-1a2b.{name}")
        assert answer.status == 200
        assert answer.headers.get_content_type() == kind
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    worker = site.anyone.get("/worker.js")
    assert (worker.body, worker.headers["Cache-Control"]) == (b"work();", "no-cache")


def test_who_has_a_file_already_is_told_so(site: Site) -> None:
    tag = site.anyone.get("/").headers["ETag"]
    again = site.anyone.get("/", If_None_Match=tag)
    assert (again.status, again.body) == (304, b"")
    assert again.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("accepted", "encoding", "body"),
    [
        ("gzip", "gzip", b"packed"),
        ("gzip, deflate", "gzip", b"packed"),
        ("br", "br", b"packed better"),
        ("gzip, deflate, br, zstd", "br", b"packed better"),
        ("identity", None, SCRIPT),
    ],
)
def test_a_packed_file_goes_to_those_who_can_unpack_it(
    site: Site, accepted: str, encoding: str | None, body: bytes
) -> None:
    answer = site.anyone.get("/assets/app-1a2b.js", Accept_Encoding=accepted)
    assert (answer.status, answer.body) == (200, body)
    assert answer.headers["Content-Encoding"] == encoding
    assert answer.headers.get_content_type() == "text/javascript"
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    if encoding:
        assert "Accept-Encoding" in answer.headers["Vary"]


def test_a_packed_file_is_known_by_its_own_tag(site: Site) -> None:
    tags = {
        site.anyone.get("/assets/app-1a2b.js", Accept_Encoding=accepted).headers["ETag"]
        for accepted in ("br", "gzip", "identity")
    }
    assert len(tags) == 3


@pytest.mark.parametrize(
    "path",
    [
        "/assets/app-old.js",
        "/assets/nothing",
        "/assets/",
        "/nothing.css",
        "/favicon.ico",
        "/rooms/lobby/app.js",
    ],
)
def test_a_file_that_is_not_there_is_not_the_page(site: Site, path: str) -> None:
    site.anyone.get(path).refused(404, "not_found")


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/..%2fsecret.txt",
        "/%2e%2e/secret.txt",
        "/%2e%2e%2fsecret.txt",
        "/assets/../../secret.txt",
        "/assets/..%2f..%2fsecret.txt",
        "/assets/%2e%2e/%2e%2e/secret.txt",
        "/..%5csecret.txt",
        "/..%252fsecret.txt",
        "//secret.txt",
        "//etc/hostname.txt",
        "/%2fetc/passwd",
        "/.hidden.txt",
        "/%2ehidden.txt",
        "/assets/.%2e/.hidden.txt",
        "/secret.txt%00.html",
        "/notes.py",
        "/assets%00.js",
    ],
)
def test_nothing_outside_the_client_or_hidden_in_it_is_served(site: Site, path: str) -> None:
    answer = site.anyone.get(path)
    assert b"secret" not in answer.body
    assert answer.status in (400, 404) or answer.body == INDEX, answer


def test_a_folder_is_no_file(site: Site, client: Path) -> None:
    (client / "folder.js").mkdir(exist_ok=True)
    site.anyone.get("/folder.js").refused(404, "not_found")


def test_before_the_client_is_built_the_page_says_how(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(_defaults(), "client", tmp_path / "not-built")
        site = Site(tmp_path / "data").start()
    try:
        answer = site.anyone.get("/")
        assert answer.status == 503
        assert b"make web" in answer.body
        assert answer.headers["Cache-Control"] == "no-store"
    finally:
        site.stop()


def test_every_type_that_is_built_is_known() -> None:
    suffixes = {file.suffix for file in static_files.BUILT.rglob("*") if file.is_file()}
    assert suffixes <= {*static_files.TYPES, ".gz", ".br"}
