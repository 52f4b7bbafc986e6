"""The web client's files, as `make web` built them into this package."""

import re
from pathlib import Path, PurePosixPath

from aiohttp import web

from hubbub.gateway.http.headers import PAGE_POLICY, POLICY
from hubbub.model.errors import NotFound

BUILT = Path(__file__).parents[1] / "static"
FOLDER = web.AppKey("client_folder", Path)

# Not from the system's tables, which differ: with nosniff a wrong type is a broken page.
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/vnd.microsoft.icon",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
HASHED = "/assets/"  # names in here change with what is in them
FOR_EVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"  # may be kept, but is compared (ETag) before each use

# No part begins with a dot, so none leads out of the folder or to a hidden file.
_NAME = re.compile(r"(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)+")

_NOT_BUILT = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Hubbub: the web client is not built</title>
<link rel="stylesheet" href="/api/docs.css">
<main>
<h1>The web client is not built yet</h1>
<p>The server itself is up. Run <code>make web</code> in its folder and reload this page.</p>
<p>Meanwhile there are <a href="/api/docs">the HTTP API</a> and, for a terminal,
<code>websocat ws://…/ws</code>.</p>
</main>
</html>
"""


async def serve(request: web.Request) -> web.StreamResponse:
    """A file of the client, or for an address of its own (`/rooms/lobby`) its page."""
    folder = request.app[FOLDER]
    path = request.path
    suffix = PurePosixPath(path).suffix
    if suffix in TYPES:
        file = folder / path[1:]
        if not (_NAME.fullmatch(path) and file.is_file()):
            raise NotFound("There is no such file here.")
        return _file(file, suffix, FOR_EVER if path.startswith(HASHED) else ASK_AGAIN)
    if path.startswith(HASHED):
        raise NotFound("There is no such file here.")
    index = folder / "index.html"
    if index.is_file():
        return _file(index, ".html", ASK_AGAIN)
    headers = {"Content-Type": TYPES[".html"], "Cache-Control": "no-store", POLICY: PAGE_POLICY}
    return web.Response(text=_NOT_BUILT, headers=headers, status=503)


def _file(file: Path, suffix: str, cache: str) -> web.FileResponse:
    """Its compressed sibling (.br, .gz) goes out instead where the client takes that."""
    # Scripts get the page's policy too: a worker's own answer says what the worker may do.
    headers = {"Content-Type": TYPES[suffix], "Cache-Control": cache, POLICY: PAGE_POLICY}
    return web.FileResponse(file, headers=headers)
