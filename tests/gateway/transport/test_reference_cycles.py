"""Refusals leave no reference cycle of an error and the frames that raised it.

Such a cycle would keep up to 256 KB of refused input until the garbage collector runs.
"""

import gc
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import aiohttp
import pytest

from hubbub.model.errors import HubbubError
from tests.support.chat import SUBPROTOCOL
from tests.support.server import HOST
from tests.support.site import TIMEOUT_S, Caller, Site

TIMES = 5


@contextmanager
def no_cycles() -> Iterator[None]:
    """Assert that all errors raised meanwhile are freed without the garbage collector."""
    gc.collect()
    gc.disable()
    try:
        yield
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        left = [repr(one) for one in gc.garbage if isinstance(one, BaseException)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert not left


REFUSED: dict[str, Callable[[Caller], object]] = {
    "no such room": lambda by: by.post("/api/rooms/none/messages", {"text": "a"}),
    "no such room to read": lambda by: by.get("/api/rooms/none/messages"),
    "no such path": lambda by: by.get("/api/none"),
    "no such method": lambda by: by.post("/api/about", {}),
    "a wrong type": lambda by: by.post("/api/rooms/lobby/messages", {"text": 1}),
    "a broken rule": lambda by: by.post("/api/rooms/lobby/messages", {"text": ""}),
    "no JSON": lambda by: by.call("POST", "/api/rooms/lobby/messages", content=b"{"),
    "nested JSON": lambda by: by.call("POST", "/api/rooms/lobby/messages", content=b"[" * 90_000),
    "too large": lambda by: by.call("POST", "/api/rooms/lobby/messages", content=b"x" * 300_000),
    "no token": lambda by: by.site.anyone.get("/api/me"),
    "a bad token": lambda by: by.site.anyone.get("/api/me", Authorization="Bearer x.y.z"),
    "a wrong password": lambda by: by.site.anyone.post(
        "/api/sign-in", {"name": by.name, "password": "not the one"}
    ),
    "a name that is taken": lambda by: by.site.anyone.post(
        "/api/sign-up", {"name": by.name, "password": "three words do"}
    ),
    "another host": lambda by: by.get("/api/about", Host="evil.example"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_refused_request_leaves_no_reference_cycle(site: Site, what: str) -> None:
    ana = site.person()
    REFUSED[what](ana)  # the first time fills caches
    with no_cycles():
        for _ in range(TIMES):
            REFUSED[what](ana)


BROKEN = {
    "an endless request line": b"GET /" + b"x" * 200_000,
    "an endless header": b"GET / HTTP/1.1\r\nX: " + b"x" * 200_000,
    "endless headers": b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 30_000,
    "no HTTP": b"\x16\x03\x01" * 10_000,
}


@pytest.mark.parametrize("what", BROKEN)
def test_invalid_http_leaves_no_reference_cycle(site: Site, what: str) -> None:
    def ask() -> None:
        with socket.create_connection((HOST, site.port), timeout=TIMEOUT_S) as opened:
            try:
                opened.sendall(BROKEN[what])
                while opened.recv(65_536):
                    pass
            except ConnectionError:
                pass  # the server has closed it, as expected

    ask()
    with no_cycles():
        for _ in range(TIMES):
            ask()
    site.clear_log()  # of refused connections


FRAMES = {
    "no JSON": "{",
    "nested JSON": "[" * 90_000,
    "an unknown command": '{"id":1,"do":"nothing"}',
    "a broken rule": '{"id":1,"do":"post","room":"lobby","text":""}',
    "no such room": '{"id":1,"do":"post","room":"none","text":"a"}',
    "no such room to read": '{"id":1,"do":"history","room":"none"}',
    "no such room to watch": '{"id":1,"do":"watch","room":"none"}',
}


@pytest.mark.parametrize("what", FRAMES)
def test_a_refused_frame_leaves_no_reference_cycle(site: Site, what: str) -> None:
    ana = site.person()

    async def ask() -> None:
        headers = {"Authorization": f"Bearer {ana.token}"}
        url = f"{site.url}/ws"
        async with (
            aiohttp.ClientSession(headers=headers) as http,
            http.ws_connect(url, protocols=[SUBPROTOCOL]) as opened,
        ):
            for _ in range(TIMES):
                await opened.send_str(FRAMES[what])
                await opened.receive(TIMEOUT_S)

    site.run(ask())
    with no_cycles():
        site.run(ask())


def test_the_check_finds_a_reference_cycle() -> None:
    def fall() -> None:
        error = HubbubError()
        try:
            raise error
        except HubbubError:
            pass

    with pytest.raises(AssertionError), no_cycles():
        fall()
