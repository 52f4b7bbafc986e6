"""Lists of rooms, their members, and people."""

from hubbub.actions.access import get_access, require_on_server
from hubbub.actions.registry import answers
from hubbub.actions.views import to_my_room, to_person
from hubbub.model.accounts import Actor, Users, UsersPage
from hubbub.model.policy import Action, RoomRole
from hubbub.model.rooms import Members, Membership, MembersPage, Rooms, RoomsPage
from hubbub.store.statements.members import MemberRow
from hubbub.store.tx import Tx

_SEPARATOR = "\x1f"  # between title and id in a cursor; no title contains it


@answers(Rooms)
def rooms(tx: Tx, actor: Actor, query: Rooms) -> RoomsPage:
    require_on_server(actor, Action.LIST_ROOMS)
    title, _, room_id = query.after.partition(_SEPARATOR)
    found = tx.directory(actor.user_id, query.q, (title, room_id), query.limit + 1)
    page = found[: query.limit]
    cursor = None
    if len(found) > len(page):
        last = page[-1][0]
        cursor = f"{last.title.lower()}{_SEPARATOR}{last.id}"
    return RoomsPage(
        rooms=[
            to_my_room(room, MemberRow(role, 0, "all", 0) if role else None) for room, role in page
        ],
        cursor=cursor,
    )


@answers(Members)
def members(tx: Tx, actor: Actor, query: Members) -> MembersPage:
    room = get_access(tx, actor, query.room, Action.LIST_MEMBERS).room
    found = tx.members_page(room.pk, query.after, query.limit + 1)
    return MembersPage(
        members=[
            Membership(name=name, display_name=display_name, role=RoomRole(role))
            for name, display_name, role in found[: query.limit]
        ],
        mrev=room.mrev,
        more=len(found) > query.limit,
    )


@answers(Users)
def users(tx: Tx, actor: Actor, query: Users) -> UsersPage:
    """The people with the given names, which anybody may look up, or a page of all people."""
    if query.names:
        named = {name.casefold() for name in query.names}
        return UsersPage(users=[to_person(user) for user in tx.people(named)], more=False)
    require_on_server(actor, Action.LIST_USERS)
    found = tx.users_page(query.q, query.after, query.limit + 1)
    return UsersPage(
        users=[to_person(user) for user in found[: query.limit]],
        more=len(found) > query.limit,
    )
