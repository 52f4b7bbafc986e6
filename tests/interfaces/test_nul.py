"""U+0000, which PostgreSQL cannot store or compare, is refused by every interface."""

from collections.abc import Callable

import pytest

from tests.support.chat import RestApi, Sockets


@pytest.fixture(scope="module")
def store(postgres_url: Callable[[], str]) -> tuple[str, ...]:
    return ("--database", postgres_url())


async def test_json_frames(sockets: Sockets) -> None:
    ana = await sockets.json("ana")
    for command, fields in (
        ("post", {"room": "lobby", "text": "hi", "nonce": "a\0b"}),
        ("post", {"room": "lobby", "text": "h\0i"}),
        ("post", {"room": "lob\0by", "text": "hi"}),
        ("history", {"room": "lob\0by"}),
        ("create_room", {"title": "T\0"}),
        ("create_room", {"title": "T", "members": ["b\0"]}),
        ("rooms", {"q": "\0"}),
        ("users", {"after": "\0"}),
        ("update_me", {"display_name": "A\0"}),
        ("hello", {"rooms": {"lob\0by": 0}}),
    ):
        assert await ana.refused(command, **fields) == "invalid", (command, fields)
    text = r"A literal \u0000 in a text, and \\u0000 as well."
    seq = (await ana.do("post", room="lobby", text=text))["seq"]
    assert (await ana.event("message", seq=seq))["text"] == text


def test_http(api: RestApi) -> None:
    where = "rooms/lobby/messages"
    for method, path, body in (
        ("POST", where, {"text": "hi", "nonce": "a\0b"}),
        ("POST", "rooms/lob%00by/messages", {"text": "hi"}),
        ("GET", "rooms/%00", None),
        ("GET", "rooms?q=%00", None),
        ("POST", "sign-in", {"name": "a\0", "password": "three words do"}),
    ):
        status, answer = api.request(method, path, body, by="ana")
        assert (status, answer["code"]) == (422, "invalid"), (method, path, answer)


async def test_plain_text(sockets: Sockets) -> None:
    bo = await sockets.text(by="bo")
    for line in ("hi\0", "/join lob\0by", "/msg a\0 hi", "/nick a\0"):
        await bo.say(line)
        await bo.line("* A text must not contain the character U+0000.")
