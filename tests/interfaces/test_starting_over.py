"""A client that must start over with a room gets a reset."""

from tests.support.chat import Sockets


async def test_a_reset_is_sent_once_and_before_the_page(sockets: Sockets) -> None:
    room = sockets.api.room("bo")
    for text in ("one", "two"):
        sockets.api.post(room, text, by="bo")
    bo = await sockets.json("bo")
    before = len(bo.frames)
    reply = await bo.do("sync", room=room, after=99)  # a rev that this room never had
    assert reply["reset"]
    received = [
        (frame["on"], frame.get("text")) for frame in bo.frames[before:] if _is_of(frame, room)
    ]
    assert received == [("reset", None), ("message", "one"), ("message", "two")]


def _is_of(frame: dict[str, object], room: str) -> bool:
    return frame.get("room") == room and frame.get("on") in ("reset", "message")
