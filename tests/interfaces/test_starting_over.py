"""What a client is told that has to start over with a room."""

from tests.support.chat import Visitors


async def test_starting_over_is_told_once_and_before_the_page(visitors: Visitors) -> None:
    room = visitors.house.room("bo")
    for text in ("one", "two"):
        visitors.house.post(room, text, by="bo")
    bo = await visitors.json("bo")
    before = len(bo.heard)
    reply = await bo.do("sync", room=room, after=99)  # a rev that this room never had
    assert reply["reset"]
    told = [(frame["on"], frame.get("text")) for frame in bo.heard[before:] if _is_of(frame, room)]
    assert told == [("reset", None), ("message", "one"), ("message", "two")]


def _is_of(frame: dict[str, object], room: str) -> bool:
    return frame.get("room") == room and frame.get("on") in ("reset", "message")
