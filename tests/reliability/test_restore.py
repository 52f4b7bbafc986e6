"""A database put back from a copy: nobody goes on seeing what is no longer true."""

import shutil
from pathlib import Path

from tests.support.chat import House, Visitors
from tests.support.server import Server
from tests.support.sqlite import opened


def copy_as_the_docs_say(house: House, to: Path) -> None:
    """While the server runs: ``VACUUM INTO``."""
    with opened(house.server.data / "hubbub.db") as driver:
        driver.execute("VACUUM INTO ?", (str(to),))


def put_back(house: House, copy: Path) -> None:
    """Into the folder of a server that has stopped."""
    data = house.server.data
    for name in ("hubbub.db", "hubbub.db-wal", "hubbub.db-shm"):
        (data / name).unlink(missing_ok=True)
    shutil.copyfile(copy, data / "hubbub.db")


async def test_after_a_restore_everyone_starts_over_and_sees_what_the_copy_holds(
    server: Server, tmp_path: Path
) -> None:
    house = House(server, "ana", "bo")
    house.post("lobby", "kept", by="ana")
    copy_as_the_docs_say(house, tmp_path / "copy.db")
    lost_room = house.room("bo")
    house.post("lobby", "lost", by="ana")
    house.ok("PATCH", "rooms/lobby/messages/1", {"text": "edited and lost"}, by="ana")
    async with Visitors.of(house) as visitors:
        bo = await visitors.json(None)
        await bo.do("auth", token=house.tokens["bo"])
        before = await bo.do("hello")
        have = {room["room"]: room.get("rev", 0) for room in before["rooms"]}
        server.stop()

        put_back(house, tmp_path / "copy.db")
        server.start()
        # As many changes as were lost: by its numbers alone the past would look the same.
        house.post("lobby", "another", by="ana")
        house.ok("PATCH", "rooms/lobby/messages/1", {"text": "kept"}, by="ana")

        again = await visitors.json(None)
        await again.do("auth", token=house.tokens["bo"])
        after = await again.do("hello", epoch=before["epoch"], rooms=have)
        assert after["epoch"] != before["epoch"]
        assert after["gone"] == [lost_room]
        assert [room["room"] for room in after["rooms"]] == ["lobby"]
        await again.event("synced", room="lobby")
        told = [event["on"] for event in again.heard if event.get("room") == "lobby"]
        assert told[0] == "reset", "what was known is dropped before anything comes"
        assert again.messages("lobby") == [("ana", "kept"), ("ana", "another")]


async def test_a_restart_alone_lets_everyone_go_on(server: Server) -> None:
    house = House(server, "ana")
    epochs = set()
    async with Visitors.of(house) as visitors:
        for end in (Server.stop, Server.kill):
            house.post("lobby", "hello", by="ana")
            epochs.add((await (await visitors.json("ana")).do("hello"))["epoch"])
            end(server)
            server.start()
        epochs.add((await (await visitors.json("ana")).do("hello"))["epoch"])
    assert len(epochs) == 1
