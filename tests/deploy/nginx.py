"""The real nginx with deploy/nginx.conf, changed only in ports and paths."""

import contextlib
import grp
import itertools
import os
import pwd
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from tests.support.server import HOST, free_port
from tests.support.waiting import until

SHIPPED = Path(__file__).resolve().parents[2] / "deploy" / "nginx.conf"
NAME = "chat.example.org"
START_TIMEOUT_S = 20
STOP_TIMEOUT_S = 10

# The main nginx.conf, like that of distributions. All files are below the test's own folder.
MAIN_CONFIG = """
{user}
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log warn;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/hubbub.conf;
}}
"""


def skip_reason() -> str | None:
    """Why nginx cannot be tested here, None if it can. `make test` sets the path of nginx."""
    if not program():
        return "there is no nginx, and scripts/find-nginx could not fetch one"
    if not shutil.which("openssl"):
        return "there is no openssl to create a certificate"
    try:
        with socket.socket() as probe:
            probe.bind(("127.0.0.2", 0))
    except OSError:
        return "this system has no address 127.0.0.2 for another client"
    return None


def program() -> str | None:
    return shutil.which(os.environ.get("HUBBUB_NGINX") or "nginx")


_addresses = (f"127.0.0.{n}" for n in itertools.count(2))


def new_address() -> str:
    """A loopback address that no client has used yet."""
    return next(_addresses)


class Nginx:
    """An nginx in front of these servers; clients use the host name of the configuration."""

    def __init__(self, folder: Path, *hubbub_ports: int) -> None:
        self._folder = folder
        self.port, self.plain_port = free_port(), free_port()
        self.certificate, key = folder / "fullchain.pem", folder / "privkey.pem"
        make_certificate(self.certificate, key)
        (folder / "hubbub.conf").write_text(
            adapted(
                {
                    _server("127.0.0.1:8080"): "\n".join(
                        _server(f"{HOST}:{port}") for port in hubbub_ports
                    ),
                    "listen 80;": f"listen {HOST}:{self.plain_port};",
                    "listen 443 ssl": f"listen {HOST}:{self.port} ssl",
                    f"/etc/letsencrypt/live/{NAME}": str(folder),
                    "/var/www/html": str(folder / "www"),
                }
            )
        )
        (folder / "nginx.conf").write_text(MAIN_CONFIG.format(folder=folder, user=_user()))

    @property
    def log(self) -> str:
        return (self._folder / "error.log").read_text()

    @contextlib.contextmanager
    def running(self) -> Iterator["Nginx"]:
        found = program()
        assert found
        command = [found, "-p", str(self._folder), "-c", str(self._folder / "nginx.conf")]
        # Errors before it has read the path of its log go to stderr.
        with (self._folder / "stderr").open("w") as stderr:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=stderr)
        try:
            self._wait(process)
            yield self
        finally:
            process.terminate()
            process.wait(STOP_TIMEOUT_S)

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            assert process.poll() is None, (self._folder / "stderr").read_text()
            with contextlib.suppress(ConnectionRefusedError):
                socket.create_connection((HOST, self.port), 1).close()
                return
            assert time.monotonic() < deadline, "nginx does not listen"
            time.sleep(0.01)

    @asynccontextmanager
    async def client(self) -> AsyncIterator["Client"]:
        """A client with its own address."""
        address, sockets = new_address(), list[socket.socket]()

        def make(_info: object) -> socket.socket:
            sockets.append(socket.socket())
            sockets[-1].setblocking(False)
            sockets[-1].bind((address, 0))
            return sockets[-1]

        trust = ssl.create_default_context(cafile=self.certificate)
        connector = aiohttp.TCPConnector(resolver=LocalResolver(), ssl=trust, socket_factory=make)
        async with aiohttp.ClientSession(connector=connector) as session:
            yield Client(session, f"https://{NAME}:{self.port}")
        # The session does not wait for the TLS shutdown.
        await until(lambda: all(one.fileno() == -1 for one in sockets))


class Client:
    """Sends requests to nginx under its host name, over TLS."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self.url = url

    async def call(
        self, method: str, path: str, *, token: str | None = None, **more: Any
    ) -> tuple[aiohttp.ClientResponse, bytes]:
        """Send a request; return the response and its body. Redirects are not followed."""
        headers = {**more.pop("headers", {}), **_bearer(token)}
        url = path if "://" in path else self.url + path
        async with self._session.request(
            method, url, headers=headers, allow_redirects=False, **more
        ) as response:
            return response, await response.read()

    async def socket(
        self, path: str = "/ws", *protocols: str, token: str | None = None, **headers: str
    ) -> aiohttp.ClientWebSocketResponse:
        """Open a WebSocket. Raises aiohttp.WSServerHandshakeError if it is refused."""
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        return await self._session.ws_connect(
            self.url + path,
            protocols=protocols,
            headers={**named, **_bearer(token)},
            # Otherwise it answers a close frame at once, and if nginx has closed the connection by
            # then, the close code is lost.
            autoclose=False,
        )


class LocalResolver(AbstractResolver):
    """Resolves every name to this machine."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host, host=HOST, port=port, family=socket.AF_INET, proto=0, flags=0
            )
        ]

    async def close(self) -> None: ...


def adapted(changes: dict[str, str]) -> str:
    """The shipped file with these replacements, each of which must match.

    It listens only on IPv4, as not every machine has IPv6.
    """
    text = re.sub(r"(?m)^\s*listen \[::\].*\n", "", SHIPPED.read_text())
    for shipped, ours in changes.items():
        assert shipped in text, f"deploy/nginx.conf no longer has {shipped}"
        text = text.replace(shipped, ours)
    return text


def _server(address: str) -> str:
    return f"server {address} fail_timeout=5s;"


def make_certificate(certificate: Path, key: Path) -> None:
    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    name = ("-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}")
    arguments = ("-keyout", str(key), "-out", str(certificate))
    subprocess.run(
        ["openssl", "req", "-x509", *new_key, "-days", "2", *name, *arguments],
        check=True,
        capture_output=True,
    )


def _user() -> str:
    """The `user` directive: for root, nginx would run as a user without access to the folder."""
    if os.geteuid() != 0:
        return ""
    return f"user {pwd.getpwuid(0).pw_name} {grp.getgrgid(0).gr_name};"


def _bearer(token: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}
