"""Statements about rooms and their members."""

from typing import NamedTuple

from sqlalchemy import (
    Select,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    tuple_,
    union_all,
    update,
)

from hubbub.model.base import Millis
from hubbub.store.accounts import Accounts, contains
from hubbub.store.sql import Row, Sized, Sql
from hubbub.store.tables import members, mentions, messages, rooms, users

_ROOM_COLUMNS = (
    rooms.c.pk,
    rooms.c.id,
    rooms.c.kind,
    rooms.c.title,
    rooms.c.topic,
    rooms.c.archived,
    rooms.c.seq,
    rooms.c.rev,
    rooms.c.meta_rev,
    rooms.c.floor,
    rooms.c.mrev,
    rooms.c.members,
    rooms.c.created_at,
)
_MEMBER_COLUMNS = (members.c.role, members.c.read_seq, members.c.notify, members.c.hidden)

_ROOM = Sql(select(*_ROOM_COLUMNS).where(rooms.c.id == bindparam("id")))


def _rooms_by_id(size: int) -> Select[tuple[object, ...]]:
    return select(*_ROOM_COLUMNS).where(rooms.c.id.in_([bindparam(f"id{i}") for i in range(size)]))


_ROOMS_BY_ID = Sized(_rooms_by_id)
# In order, so that two who lock the same rooms cannot each wait for the other.
_LOCK_ROOMS = Sized(lambda size: _rooms_by_id(size).order_by(rooms.c.id).with_for_update())
_DIRECT = Sql(select(*_ROOM_COLUMNS).where(rooms.c.direct_key == bindparam("key")))
_ADD_ROOM = Sql(
    insert(rooms)
    .values(
        {
            column: bindparam(column)
            for column in ("id", "kind", "title", "topic", "direct_key", "created_at")
        }
    )
    .returning(rooms.c.pk)
)
_UPDATE_ROOM = Sql(
    update(rooms)
    .where(rooms.c.pk == bindparam("pk_"))
    .values(
        title=bindparam("title_"),
        topic=bindparam("topic_"),
        archived=bindparam("archived_"),
        meta_rev=bindparam("rev_"),
    )
)
_DELETE_ROOM_PARTS = tuple(
    Sql(delete(table).where(table.c.room_pk == bindparam("pk")))
    for table in (mentions, messages, members)
)
_DELETE_ROOM = Sql(delete(rooms).where(rooms.c.pk == bindparam("pk")))
_NEXT_REV = Sql(
    update(rooms)
    .where(rooms.c.pk == bindparam("pk_"))
    .values(rev=rooms.c.rev + 1)
    .returning(rooms.c.rev)
)
_RAISE_COUNTERS = Sql(
    update(rooms)
    .where(rooms.c.pk == bindparam("pk_"))
    .values(seq=rooms.c.seq + bindparam("by"), rev=rooms.c.rev + bindparam("by"))
    .returning(rooms.c.seq, rooms.c.rev)
)
_COUNT_MEMBERS = Sql(
    update(rooms)
    .where(rooms.c.pk == bindparam("pk_"))
    .values(mrev=rooms.c.mrev + 1, members=rooms.c.members + bindparam("by"))
    .returning(rooms.c.mrev, rooms.c.members)
)
_TOTAL_REV = Sql(select(func.coalesce(func.sum(rooms.c.rev), 0)))

_MEMBER = Sql(
    select(*_MEMBER_COLUMNS).where(
        members.c.room_pk == bindparam("room_pk"), members.c.user_id == bindparam("user_id")
    )
)
# A select for each pair, as a list of row values would be looked up by reading the whole table.
_MEMBERSHIPS = Sized(
    lambda size: union_all(
        *(
            select(
                members.c.room_pk,
                members.c.user_id,
                members.c.role,
                members.c.read_seq,
                users.c.disabled,
            )
            .join_from(members, users)
            .where(
                members.c.room_pk == bindparam(f"room_pk{i}"),
                members.c.user_id == bindparam(f"user_id{i}"),
            )
            for i in range(size)
        )
    )
)
_ADD_MEMBER = Sql(
    insert(members).values(
        {
            column: bindparam(column)
            for column in ("room_pk", "user_id", "role", "read_seq", "hidden", "joined_at")
        }
    )
)
_of_member = and_(members.c.room_pk == bindparam("room"), members.c.user_id == bindparam("user"))
_REMOVE_MEMBER = Sql(delete(members).where(_of_member))
_SET_ROLE = Sql(update(members).where(_of_member).values(role=bindparam("to")))
_SET_READ = Sql(update(members).where(_of_member).values(read_seq=bindparam("to")))
_SET_PREFS = Sql(
    update(members).where(_of_member).values(notify=bindparam("to"), hidden=bindparam("hide"))
)
_UNHIDE = Sql(
    update(members)
    .where(members.c.room_pk == bindparam("room"), members.c.hidden == 1)
    .values(hidden=0)
    .returning(members.c.user_id)
)
_ROOM_OWNERS = Sql(
    select(members.c.user_id)
    .where(members.c.room_pk == bindparam("room_pk"), members.c.role == "owner")
    .limit(2)
)
_MEMBERS_PAGE = Sql(
    select(users.c.name, users.c.display_name, members.c.role)
    .join_from(members, users)
    .where(members.c.room_pk == bindparam("room_pk"), users.c.name > bindparam("after"))
    .order_by(users.c.name)
    .limit(bindparam("limit"))
)
_RAISE_MEMBERS_REVS = Sql(
    update(users)
    .where(users.c.id.in_(select(members.c.user_id).where(members.c.room_pk == bindparam("room"))))
    .values(rev=users.c.rev + 1)
    .returning(users.c.name, users.c.rev)
)
_ROOM_IDS_OF = Sql(
    select(rooms.c.id).join_from(members, rooms).where(members.c.user_id == bindparam("user_id"))
)
_MEMBERS_NAMED = Sized(
    lambda size: (
        select(users.c.name, users.c.id)
        .join_from(members, users)
        .where(
            members.c.room_pk == bindparam("room"),
            users.c.name.in_([bindparam(f"name{i}") for i in range(size)]),
        )
    )
)

_unread_mentions = (
    select(func.count())
    .select_from(mentions)
    .where(
        mentions.c.user_id == members.c.user_id,
        mentions.c.room_pk == members.c.room_pk,
        mentions.c.seq > members.c.read_seq,
    )
    .scalar_subquery()
)
_MY_ROOMS = Sql(
    select(*_ROOM_COLUMNS, *_MEMBER_COLUMNS, _unread_mentions)
    .join_from(members, rooms)
    .where(members.c.user_id == bindparam("user_id"))
    .order_by(rooms.c.pk)
)
_UNREAD_MENTIONS = Sized(
    lambda size: union_all(
        *(
            select(members.c.room_pk, members.c.user_id, _unread_mentions).where(
                members.c.room_pk == bindparam(f"room_pk{i}"),
                members.c.user_id == bindparam(f"user_id{i}"),
            )
            for i in range(size)
        )
    )
)
_other = members.alias("other")
_DIRECT_PEOPLE = Sql(
    select(
        _other.c.room_pk,
        users.c.name,
        users.c.display_name,
        users.c.role,
        users.c.disabled,
    )
    .select_from(members)
    .join(rooms, and_(rooms.c.pk == members.c.room_pk, rooms.c.kind == "direct"))
    .join(_other, _other.c.room_pk == members.c.room_pk)
    .join(users, users.c.id == _other.c.user_id)
    .where(members.c.user_id == bindparam("user_id"), _other.c.user_id != bindparam("user_id"))
    .order_by(users.c.name)
)
_DIRECTORY = Sql(
    select(*_ROOM_COLUMNS, members.c.role)
    .outerjoin_from(
        rooms,
        members,
        and_(members.c.room_pk == rooms.c.pk, members.c.user_id == bindparam("user_id")),
    )
    .where(
        rooms.c.kind != "direct",
        or_(rooms.c.kind == "public", members.c.role.is_not(None)),
        or_(
            func.lower(rooms.c.title).like(bindparam("like"), escape="\\"),
            rooms.c.id.like(bindparam("like"), escape="\\"),
        ),
        tuple_(func.lower(rooms.c.title), rooms.c.id)
        > tuple_(bindparam("after_title"), bindparam("after_id")),
    )
    .order_by(func.lower(rooms.c.title), rooms.c.id)
    .limit(bindparam("limit"))
)


_GONE_REVS = "revs_of_deleted_rooms"


class RoomRow(NamedTuple):
    pk: int
    id: str
    kind: str
    title: str
    topic: str
    archived: int
    seq: int
    rev: int
    meta_rev: int
    floor: int
    mrev: int
    members: int
    created_at: Millis


class MemberRow(NamedTuple):
    role: str
    read_seq: int
    notify: str
    hidden: int


class MembershipRow(NamedTuple):
    """A membership, as those who post or read need it."""

    role: str
    read_seq: int
    disabled: int


class MyRoomRow(NamedTuple):
    room: RoomRow
    member: MemberRow
    mentions: int


class Rooms(Accounts):
    """Reads and changes of rooms and their members."""

    erased: bool
    raised: int
    """How many revs this transaction has given out."""

    def room(self, room_id: str) -> RoomRow | None:
        row = self.db.row(_ROOM, id=room_id)
        return RoomRow(*row) if row else None

    def rooms_by_id(self, ids: set[str]) -> dict[str, RoomRow]:
        keys = [{"id": room_id} for room_id in sorted(ids)]
        return {row[1]: RoomRow(*row) for row in self.db.look_up(_ROOMS_BY_ID, keys)}

    def lock_rooms(self, ids: set[str]) -> dict[str, RoomRow]:
        """The same, and nobody else numbers anything there until this transaction ends."""
        keys = [{"id": room_id} for room_id in sorted(ids)]
        return {row[1]: RoomRow(*row) for row in self.db.look_up(_LOCK_ROOMS, keys)}

    def direct_room(self, key: str) -> RoomRow | None:
        row = self.db.row(_DIRECT, key=key)
        return RoomRow(*row) if row else None

    def add_room(
        self, *, room_id: str, kind: str, title: str, topic: str = "", direct_key: str | None = None
    ) -> RoomRow:
        row = self.db.row(
            _ADD_ROOM,
            id=room_id,
            kind=kind,
            title=title,
            topic=topic,
            direct_key=direct_key,
            created_at=self.now,
        )
        assert row
        return RoomRow(row[0], room_id, kind, title, topic, 0, 0, 0, 0, 0, 0, 0, self.now)

    def save_room(self, room: RoomRow) -> None:
        """Keep its title, topic, archive and meta_rev."""
        self.db.run(
            _UPDATE_ROOM,
            pk_=room.pk,
            title_=room.title,
            topic_=room.topic,
            archived_=room.archived,
            rev_=room.meta_rev,
        )

    def delete_room(self, room: RoomRow) -> None:
        """Delete it with its messages; its revs still count in `total_rev`."""
        # Part by part: a cascade over a large room would hold all of it in memory.
        for part in _DELETE_ROOM_PARTS:
            self.db.run(part, pk=room.pk)
        self.db.run(_DELETE_ROOM, pk=room.pk)
        self.erased = True
        gone = int(self.server_values().get(_GONE_REVS, "0"))
        self.set_server_value(_GONE_REVS, str(gone + room.rev))

    def next_rev(self, room_pk: int) -> int:
        row = self.db.row(_NEXT_REV, pk_=room_pk)
        assert row
        self.raised += 1
        return int(row[0])

    def raise_counters(self, room_pk: int, by: int) -> tuple[int, int]:
        """Room for ``by`` posts; seq and rev of the last of them."""
        row = self.db.row(_RAISE_COUNTERS, pk_=room_pk, by=by)
        assert row
        self.raised += by
        return int(row[0]), int(row[1])

    def total_rev(self) -> int:
        """How many revs this database has ever given out."""
        row = self.db.row(_TOTAL_REV)
        return (int(row[0]) if row else 0) + int(self.server_values().get(_GONE_REVS, "0"))

    def member(self, room_pk: int, user_id: int) -> MemberRow | None:
        row = self.db.row(_MEMBER, room_pk=room_pk, user_id=user_id)
        return MemberRow(*row) if row else None

    def memberships(self, pairs: set[tuple[int, int]]) -> dict[tuple[int, int], MembershipRow]:
        """The memberships of these (room pk, user id)."""
        keys = [{"room_pk": room, "user_id": user} for room, user in pairs]
        return {
            (row[0], row[1]): MembershipRow(*row[2:]) for row in self.db.look_up(_MEMBERSHIPS, keys)
        }

    def add_member(
        self, room: RoomRow, user_id: int, role: str, *, hidden: bool = False
    ) -> tuple[int, int]:
        """Make somebody a member who has read everything so far; the room's mrev and count."""
        self.db.run(
            _ADD_MEMBER,
            room_pk=room.pk,
            user_id=user_id,
            role=role,
            read_seq=room.seq,
            hidden=int(hidden),
            joined_at=self.now,
        )
        return self._count_members(room.pk, 1)

    def remove_member(self, room_pk: int, user_id: int) -> tuple[int, int]:
        self.db.run(_REMOVE_MEMBER, room=room_pk, user=user_id)
        return self._count_members(room_pk, -1)

    def set_room_role(self, room_pk: int, user_id: int, to: str) -> tuple[int, int]:
        self.db.run(_SET_ROLE, room=room_pk, user=user_id, to=to)
        return self._count_members(room_pk, 0)

    def _count_members(self, room_pk: int, by: int) -> tuple[int, int]:
        row = self.db.row(_COUNT_MEMBERS, pk_=room_pk, by=by)
        assert row
        return int(row[0]), int(row[1])

    def set_all_read(self, to: dict[tuple[int, int], int]) -> None:
        """The markers of these (room pk, user id)."""
        rows = [{"room": room, "user": user, "to": seq} for (room, user), seq in to.items()]
        self.db.run_many(_SET_READ, rows)

    def set_prefs(self, room_pk: int, user_id: int, notify: str, hidden: bool) -> None:
        self.db.run(_SET_PREFS, room=room_pk, user=user_id, to=notify, hide=int(hidden))

    def unhide(self, room_pk: int) -> list[int]:
        """Show a direct room again to those who hid it; their ids."""
        return [row[0] for row in self.db.rows(_UNHIDE, room=room_pk)]

    def room_owners(self, room_pk: int) -> list[int]:
        """Up to two of its owners."""
        return [row[0] for row in self.db.rows(_ROOM_OWNERS, room_pk=room_pk)]

    def members_page(self, room_pk: int, after: str, limit: int) -> list[tuple[str, str, str]]:
        """Name, display name and role, by name."""
        return self.db.rows(_MEMBERS_PAGE, room_pk=room_pk, after=after, limit=limit)

    def raise_members_revs(self, room_pk: int) -> dict[str, int]:
        """Count a change for each member; name → their new rev."""
        return dict(self.db.rows(_RAISE_MEMBERS_REVS, room=room_pk))

    def members_named(self, room_pk: int, names: list[str]) -> dict[str, int]:
        """Those of the names who are members, with their ids."""
        keys = [{"name": name} for name in names]
        return dict(self.db.look_up(_MEMBERS_NAMED, keys, room=room_pk))

    def room_ids_of(self, user_id: int) -> list[str]:
        return [row[0] for row in self.db.rows(_ROOM_IDS_OF, user_id=user_id)]

    def my_rooms(self, user_id: int) -> list[MyRoomRow]:
        width = len(RoomRow._fields)
        return [
            MyRoomRow(RoomRow(*row[:width]), MemberRow(*row[width:-1]), row[-1])
            for row in self.db.rows(_MY_ROOMS, user_id=user_id)
        ]

    def unread_mentions(self, pairs: set[tuple[int, int]]) -> dict[tuple[int, int], int]:
        """How many there are for each of these (room pk, user id)."""
        keys = [{"room_pk": room, "user_id": user} for room, user in pairs]
        return {(row[0], row[1]): int(row[2]) for row in self.db.look_up(_UNREAD_MENTIONS, keys)}

    def direct_people(self, user_id: int) -> list[Row]:
        """Room pk, name, display name, role, disabled of the others in my direct rooms."""
        return self.db.rows(_DIRECT_PEOPLE, user_id=user_id)

    def directory(
        self, user_id: int, q: str, after: tuple[str, str], limit: int
    ) -> list[tuple[RoomRow, str | None]]:
        """Rooms that this person may know of and has not as direct ones, with their role."""
        rows = self.db.rows(
            _DIRECTORY,
            user_id=user_id,
            like=contains(q),
            after_title=after[0],
            after_id=after[1],
            limit=limit,
        )
        return [(RoomRow(*row[:-1]), row[-1]) for row in rows]
