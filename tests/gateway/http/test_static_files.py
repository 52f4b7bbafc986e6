"""The web client's files: which are served, and how they are cached."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hubbub.gateway.http import static_files
from tests.support.site import Site

INDEX = b"<!doctype html><title>A client</title>"
SCRIPT = b"export const answer = 42;\n" * 100


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built client, with files beside it and in it that must not be served."""
    folder = tmp_path_factory.mktemp("client")
    (folder.parent / "secret.txt").write_bytes(b"secret")
    (folder / "assets").mkdir()
    (folder / "index.html").write_bytes(INDEX)
    (folder / "assets" / "app-1a2b.js").write_bytes(SCRIPT)
    (folder / "assets" / "app-1a2b.js.gz").write_bytes(b"compressed")
    (folder / "assets" / "app-1a2b.js.br").write_bytes(b"compressed better")
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
    made.assert_nothing_logged()


def _defaults() -> dict[str, object]:
    from hubbub.gateway.application import application

    defaults = application.__kwdefaults__
    assert defaults is not None
    return defaults


@pytest.mark.parametrize("path", ["/", "/rooms/lobby", "/rooms/x.y/41", "/join/abc", "/nowhere"])
def test_every_address_of_the_web_client_returns_its_page(site: Site, path: str) -> None:
    answer = site.anyone.get(path)
    assert (answer.status, answer.body) == (200, INDEX)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["ETag"]


def test_hashed_files_are_cached_for_ever(site: Site) -> None:
    for name, kind in {"js": "text/javascript", "css": "text/css"}.items():
        answer = site.anyone.get(f"/assets/app-1a2b.{name}")
        assert answer.status == 200
        assert answer.headers.get_content_type() == kind
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    worker = site.anyone.get("/worker.js")
    assert (worker.body, worker.headers["Cache-Control"]) == (b"work();", "no-cache")


def test_a_cached_file_is_answered_not_modified(site: Site) -> None:
    tag = site.anyone.get("/").headers["ETag"]
    again = site.anyone.get("/", If_None_Match=tag)
    assert (again.status, again.body) == (304, b"")
    assert again.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("accepted", "encoding", "body"),
    [
        ("gzip", "gzip", b"compressed"),
        ("gzip, deflate", "gzip", b"compressed"),
        ("br", "br", b"compressed better"),
        ("gzip, deflate, br, zstd", "br", b"compressed better"),
        ("identity", None, SCRIPT),
    ],
)
def test_a_compressed_file_is_served_to_clients_that_accept_it(
    site: Site, accepted: str, encoding: str | None, body: bytes
) -> None:
    answer = site.anyone.get("/assets/app-1a2b.js", Accept_Encoding=accepted)
    assert (answer.status, answer.body) == (200, body)
    assert answer.headers["Content-Encoding"] == encoding
    assert answer.headers.get_content_type() == "text/javascript"
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    if encoding:
        assert "Accept-Encoding" in answer.headers["Vary"]


def test_a_compressed_file_has_its_own_etag(site: Site) -> None:
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
def test_a_missing_file_is_not_answered_with_the_page(site: Site, path: str) -> None:
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


def test_a_folder_is_not_served(site: Site, client: Path) -> None:
    (client / "folder.js").mkdir(exist_ok=True)
    site.anyone.get("/folder.js").refused(404, "not_found")


def test_without_a_built_client_the_page_explains_how_to_build_it(tmp_path: Path) -> None:
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


def test_every_built_file_has_a_known_type() -> None:
    suffixes = {file.suffix for file in static_files.BUILT_CLIENT.rglob("*") if file.is_file()}
    assert suffixes <= {*static_files.TYPES, ".gz", ".br"}
