"""After a restore from a copy, nobody keeps outdated state."""

import shutil
from pathlib import Path

from tests.support.chat import RestApi, Sockets
from tests.support.server import Server
from tests.support.sqlite import opened


def copy_as_the_docs_say(api: RestApi, to: Path) -> None:
    """Copy the database of a running server with ``VACUUM INTO``."""
    with opened(api.server.data / "hubbub.db") as driver:
        driver.execute("VACUUM INTO ?", (str(to),))


def restore(api: RestApi, copy: Path) -> None:
    """Restore a copy into the folder of a stopped server."""
    data = api.server.data
    for name in ("hubbub.db", "hubbub.db-wal", "hubbub.db-shm"):
        (data / name).unlink(missing_ok=True)
    shutil.copyfile(copy, data / "hubbub.db")


async def test_after_a_restore_everybody_starts_over_with_the_copys_content(
    server: Server, tmp_path: Path
) -> None:
    api = RestApi(server, "ana", "bo")
    api.post("lobby", "kept", by="ana")
    copy_as_the_docs_say(api, tmp_path / "copy.db")
    lost_room = api.room("bo")
    api.post("lobby", "lost", by="ana")
    api.ok("PATCH", "rooms/lobby/messages/1", {"text": "edited and lost"}, by="ana")
    async with Sockets.of(api) as sockets:
        bo = await sockets.json(None)
        await bo.do("auth", token=api.tokens["bo"])
        before = await bo.do("hello")
        have = {room["room"]: room.get("rev", 0) for room in before["rooms"]}
        server.stop()

        restore(api, tmp_path / "copy.db")
        server.start()
        # As many changes as were lost, so that the revs alone would not show the restore.
        api.post("lobby", "another", by="ana")
        api.ok("PATCH", "rooms/lobby/messages/1", {"text": "kept"}, by="ana")

        again = await sockets.json(None)
        await again.do("auth", token=api.tokens["bo"])
        after = await again.do("hello", epoch=before["epoch"], rooms=have)
        assert after["epoch"] != before["epoch"]
        assert after["gone"] == [lost_room]
        assert [room["room"] for room in after["rooms"]] == ["lobby"]
        await again.event("synced", room="lobby")
        names = [event["on"] for event in again.frames if event.get("room") == "lobby"]
        assert names[0] == "reset", "cached messages must be dropped first"
        assert again.messages("lobby") == [("ana", "kept"), ("ana", "another")]


async def test_after_a_restart_everybody_resumes(server: Server) -> None:
    api = RestApi(server, "ana")
    epochs = set()
    async with Sockets.of(api) as sockets:
        for stop in (Server.stop, Server.kill):
            api.post("lobby", "hello", by="ana")
            epochs.add((await (await sockets.json("ana")).do("hello"))["epoch"])
            stop(server)
            server.start()
        epochs.add((await (await sockets.json("ana")).do("hello"))["epoch"])
    assert len(epochs) == 1
