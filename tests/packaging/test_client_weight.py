"""The size of the built client until a signed-in person sees a room, and its requests.

`web/e2e/first-load.spec.ts` counts what a browser really fetches; this names the parts, and needs
no browser.
"""

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

STATIC = Path(__file__).resolve().parents[2] / "hubbub" / "gateway" / "static"
LIMIT_BYTES = 60 * 1024
# Chunks that are loaded separately and at once: the frame and the chat in it.
LOADED_AT_ONCE = re.compile(r"/(?:Shell|chat)-[\w-]+\.(?:js|css)$")

ADDRESS = re.compile(r"""https?://[\w-]+\.[^\s"'`)<>\\]+""")
# Names that look like URLs, links for people, and links in errors; nothing is loaded from them.
NEVER_LOADED = re.compile(
    r"https?://(?:www\.w3\.org/|svelte\.dev/e/|github\.com/(?:highlightjs|markedjs)/)"
)


def read(address: str) -> str:
    return (STATIC / address.lstrip("/")).read_text()


def imports(script: str) -> set[str]:
    """The scripts that a built script imports before it runs."""
    return {
        f"/assets/{name}" for name in re.findall(r"""(?:from|import)\s*"\./([^"]+)\"""", script)
    }


def first_load() -> set[str]:
    assert STATIC.is_dir(), "build the client first: make web"
    page = read("/index.html")
    wanted = set(re.findall(r'(?:src|href)="([^"]+\.(?:js|css))"', page))
    built = {f"/assets/{file.name}" for file in (STATIC / "assets").iterdir()}
    wanted |= {address for address in built if LOADED_AT_ONCE.search(address)}
    found: set[str] = set()
    while wanted:
        address = wanted.pop()
        found.add(address)
        if address.endswith(".js"):
            wanted |= imports(read(address)) - found
    return found


def test_the_first_load_is_small() -> None:
    sizes = {address: len(gzip.compress(read(address).encode(), 9)) for address in first_load()}
    assert sum(sizes.values()) <= LIMIT_BYTES, sizes


def texts() -> Iterator[Path]:
    for file in STATIC.rglob("*"):
        if file.suffix in {".js", ".css", ".html", ".svg", ".webmanifest"}:
            yield file


def test_no_file_loads_from_another_host() -> None:
    named = {
        f"{file.name}: {address}"
        for file in texts()
        for address in ADDRESS.findall(file.read_text())
        if not NEVER_LOADED.match(address)
    }
    assert named == set()


@pytest.mark.parametrize("suffix", [".br", ".gz"])
def test_every_large_text_file_has_a_compressed_copy(suffix: str) -> None:
    plain = [file for file in texts() if file.stat().st_size >= 4096]
    assert plain
    missing = [file.name for file in plain if not Path(f"{file}{suffix}").is_file()]
    assert missing == []


def test_the_app_icons_are_small() -> None:
    pictures = [*STATIC.glob("*.png"), *STATIC.glob("*.svg")]
    assert {"icon-192.png", "icon-512.png", "favicon.svg"} <= {file.name for file in pictures}
    assert all(file.stat().st_size <= 20 * 1024 for file in pictures)
