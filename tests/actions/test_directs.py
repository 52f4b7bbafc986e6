"""Direct rooms that exist already."""

from hubbub.model.rooms import Direct, Prefs
from tests.support.world import World


def test_an_existing_direct_room_is_returned_with_its_latest_messages(world: World) -> None:
    ana, bo = world.people("ana bo")
    room = world.do(ana, Direct(users=("bo",))).room.room
    world.post(ana, "psst", room=room)
    world.do(bo, Prefs(room=room, hidden=True))
    found = world.do(bo, Direct(users=("ana",)))
    assert [message.text for message in found.messages] == ["psst"]
    assert [person.name for person in found.people] == ["ana"]
    assert (found.room.rev, found.room.hidden) == (1, False)
