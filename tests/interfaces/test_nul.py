"""U+0000, which PostgreSQL cannot keep nor look for: refused at every door, and in no log."""

from collections.abc import Callable

import pytest

from tests.support.chat import House, Visitors


@pytest.fixture(scope="module")
def store(postgres_url: Callable[[], str]) -> tuple[str, ...]:
    return ("--database", postgres_url())


async def test_json_frames(visitors: Visitors) -> None:
    ana = await visitors.json("ana")
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
    text = r"A \u0000 that is only written about, and \\u0000 as well."
    seq = (await ana.do("post", room="lobby", text=text))["seq"]
    assert (await ana.event("message", seq=seq))["text"] == text


def test_http(house: House) -> None:
    where = "rooms/lobby/messages"
    for method, path, body in (
        ("POST", where, {"text": "hi", "nonce": "a\0b"}),
        ("POST", "rooms/lob%00by/messages", {"text": "hi"}),
        ("GET", "rooms/%00", None),
        ("GET", "rooms?q=%00", None),
        ("POST", "sign-in", {"name": "a\0", "password": "three words do"}),
    ):
        status, answer = house.api(method, path, body, by="ana")
        assert (status, answer["code"]) == (422, "invalid"), (method, path, answer)


async def test_plain_text(visitors: Visitors) -> None:
    bo = await visitors.text(by="bo")
    for line in ("hi\0", "/join lob\0by", "/msg a\0 hi", "/nick a\0"):
        await bo.say(line)
        await bo.line("* No text may have the character U+0000.")
