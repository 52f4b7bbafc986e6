"""The web client's files, as `make web` built them into this package."""

import re
from pathlib import Path, PurePosixPath

from aiohttp import web

from hubbub.gateway.http.headers import PAGE_POLICY, POLICY
from hubbub.model.errors import NotFound

BUILT_CLIENT = Path(__file__).parents[1] / "static"
FOLDER = web.AppKey("client_folder", Path)

# Fixed, as the system's tables differ, and with nosniff a wrong type breaks the page.
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
HASHED_PREFIX = "/assets/"  # files whose names contain a hash of their contents
IMMUTABLE = "public, max-age=31536000, immutable"
REVALIDATE = "no-cache"  # may be cached, but must be revalidated (ETag) before each use

# No segment begins with a dot, so no path leads out of the folder or to a hidden file.
_NAME = re.compile(r"(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)+")

_NOT_BUILT = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Hubbub: the web client is not built</title>
<link rel="stylesheet" href="/api/docs.css">
<main>
<h1>The web client is not built yet</h1>
<p>The server itself is running. Run <code>make web</code> in its folder and reload this page.</p>
<p>Meanwhile you can use <a href="/api/docs">the HTTP API</a> and, in a terminal,
<code>websocat ws://…/ws</code>.</p>
</main>
</html>
"""


async def serve(request: web.Request) -> web.StreamResponse:
    """A file of the web client; for its own addresses (`/rooms/lobby`) the index page."""
    folder = request.app[FOLDER]
    path = request.path
    suffix = PurePosixPath(path).suffix
    if suffix in TYPES:
        file = folder / path[1:]
        if not (_NAME.fullmatch(path) and file.is_file()):
            raise NotFound("There is no such file.")
        return _file(file, suffix, IMMUTABLE if path.startswith(HASHED_PREFIX) else REVALIDATE)
    if path.startswith(HASHED_PREFIX):
        raise NotFound("There is no such file.")
    index = folder / "index.html"
    if index.is_file():
        return _file(index, ".html", REVALIDATE)
    headers = {"Content-Type": TYPES[".html"], "Cache-Control": "no-store", POLICY: PAGE_POLICY}
    return web.Response(text=_NOT_BUILT, headers=headers, status=503)


def _file(file: Path, suffix: str, cache: str) -> web.FileResponse:
    """A file, or its compressed sibling (.br, .gz) if the client accepts that."""
    # Scripts get the page's policy as well, as a worker is bound by that of its own response.
    headers = {"Content-Type": TYPES[suffix], "Cache-Control": cache, POLICY: PAGE_POLICY}
    return web.FileResponse(file, headers=headers)
