"""Statements about rooms."""

from typing import NamedTuple

from sqlalchemy import (
    Select,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    not_,
    or_,
    select,
    tuple_,
    update,
)

from hubbub.model.base import Millis
from hubbub.store.engines.sql import Row, Sized, Sql
from hubbub.store.schema.tables import (
    bookmarks,
    drafts,
    members,
    mentions,
    messages,
    pins,
    reactions,
    room_mentions,
    rooms,
    users,
)
from hubbub.store.statements.accounts import contains
from hubbub.store.statements.members import (
    MEMBER_COLUMNS,
    MemberRow,
    Members,
    unread_mentions_of_member,
)

ROOM_COLUMNS = (
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
    rooms.c.parent_pk,
    rooms.c.parent_seq,
)
_ROOM = Sql(select(*ROOM_COLUMNS).where(rooms.c.id == bindparam("id")))


def _rooms_by_id(size: int) -> Select[tuple[object, ...]]:
    return select(*ROOM_COLUMNS).where(rooms.c.id.in_([bindparam(f"id{i}") for i in range(size)]))


_ROOMS_BY_ID = Sized(_rooms_by_id)
# In order, so that two who lock the same rooms cannot each wait for the other.
_LOCK_ROOMS = Sized(lambda size: _rooms_by_id(size).order_by(rooms.c.id).with_for_update())
_DIRECT = Sql(select(*ROOM_COLUMNS).where(rooms.c.direct_key == bindparam("key")))
_ADD_ROOM = Sql(
    insert(rooms)
    .values(
        {
            column: bindparam(column)
            for column in (
                "id",
                "kind",
                "title",
                "topic",
                "direct_key",
                "created_at",
                "parent_pk",
                "parent_seq",
            )
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
_with_threads = or_(rooms.c.pk == bindparam("pk"), rooms.c.parent_pk == bindparam("pk"))
_room_and_threads = select(rooms.c.pk).where(_with_threads)
_members_of_room = select(members.c.user_id).where(members.c.room_pk == bindparam("pk"))
# What people keep goes as well, but not that of those who may not know that the room is deleted.
_DELETE_KEPT_BY_MEMBERS = tuple(
    Sql(
        delete(table).where(
            table.c.room_pk.in_(_room_and_threads), table.c.user_id.in_(_members_of_room)
        )
    )
    for table in (bookmarks, drafts)
)
_DELETE_KEPT = tuple(
    Sql(delete(table).where(table.c.room_pk.in_(_room_and_threads)))
    for table in (bookmarks, drafts)
)
_DELETE_ROOM_PARTS = tuple(
    Sql(delete(table).where(table.c.room_pk.in_(_room_and_threads)))
    for table in (mentions, room_mentions, reactions, pins, messages, members)
)
_something_is_kept = or_(
    *(exists().where(table.c.room_pk == rooms.c.pk) for table in (bookmarks, drafts))
)
_IS_KEPT = Sql(select(rooms.c.pk).where(_with_threads, _something_is_kept).limit(1))
_DELETE_THREADS = Sql(
    delete(rooms)
    .where(rooms.c.parent_pk == bindparam("pk"), not_(_something_is_kept))
    .returning(rooms.c.rev)
)
_EMPTY_ROOM = Sql(update(rooms).where(_with_threads).values(title="", topic="", members=0))
_DELETE_ROOM = Sql(delete(rooms).where(_with_threads).returning(rooms.c.rev))
_ROOM_BY_PK = Sql(select(*ROOM_COLUMNS).where(rooms.c.pk == bindparam("pk")))
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
_TOTAL_REV = Sql(select(func.coalesce(func.sum(rooms.c.rev), 0)))

_ROOM_IDS_OF = Sql(
    select(rooms.c.id)
    .join_from(members, rooms)
    .where(members.c.user_id == bindparam("user_id"), rooms.c.parent_pk.is_(None))
)
# Whoever follows a thread is in its room, too. It is asked for all the same: a server of the
# release before, which may run beside this one, knows no threads when it puts somebody out.
_parents = members.alias("parents")
is_in_parent = exists().where(
    _parents.c.room_pk == rooms.c.parent_pk, _parents.c.user_id == members.c.user_id
)
# Threads only as long as something is said in them: one follows more and more of them.
_MY_ROOMS = Sql(
    select(*ROOM_COLUMNS, *MEMBER_COLUMNS, unread_mentions_of_member)
    .join_from(members, rooms)
    .where(
        members.c.user_id == bindparam("user_id"),
        or_(
            rooms.c.parent_pk.is_(None),
            and_(
                exists().where(
                    messages.c.room_pk == rooms.c.pk,
                    messages.c.seq == rooms.c.seq,
                    messages.c.at > bindparam("awake_since"),
                ),
                is_in_parent,
            ),
        ),
    )
    .order_by(rooms.c.pk)
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
    .join(
        rooms,
        and_(
            rooms.c.pk == members.c.room_pk,
            rooms.c.kind == "direct",
            rooms.c.parent_pk.is_(None),
        ),
    )
    .join(_other, _other.c.room_pk == members.c.room_pk)
    .join(users, users.c.id == _other.c.user_id)
    .where(members.c.user_id == bindparam("user_id"), _other.c.user_id != bindparam("user_id"))
    .order_by(users.c.name)
)
_DIRECTORY = Sql(
    select(*ROOM_COLUMNS, members.c.role)
    .outerjoin_from(
        rooms,
        members,
        and_(members.c.room_pk == rooms.c.pk, members.c.user_id == bindparam("user_id")),
    )
    .where(
        rooms.c.kind != "direct",
        rooms.c.parent_pk.is_(None),
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
    parent_pk: int | None = None
    parent_seq: int | None = None


class MyRoomRow(NamedTuple):
    room: RoomRow
    member: MemberRow
    mentions: int


class Rooms(Members):
    """Reads and changes of rooms."""

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

    def room_by_pk(self, pk: int) -> RoomRow | None:
        row = self.db.row(_ROOM_BY_PK, pk=pk)
        return RoomRow(*row) if row else None

    def add_room(
        self,
        *,
        room_id: str,
        kind: str,
        title: str,
        topic: str = "",
        direct_key: str | None = None,
        parent: tuple[int, int] | None = None,
    ) -> RoomRow:
        """``parent``: the room pk and seq of the message that a thread is about."""
        parent_pk, parent_seq = parent or (None, None)
        row = self.db.row(
            _ADD_ROOM,
            id=room_id,
            kind=kind,
            title=title,
            topic=topic,
            direct_key=direct_key,
            created_at=self.now,
            parent_pk=parent_pk,
            parent_seq=parent_seq,
        )
        assert row
        counts = (0,) * 7
        return RoomRow(
            row[0], room_id, kind, title, topic, *counts, self.now, parent_pk, parent_seq
        )

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
        """Delete it with its threads and messages; its revs still count in `total_rev`.

        Whoever was put out of a private room is not to learn that it is deleted. If such people
        keep bookmarks or drafts there, an empty row is left of it, which nobody is a member of.
        """
        kept = _DELETE_KEPT if room.kind == "public" else _DELETE_KEPT_BY_MEMBERS
        # Part by part: a cascade over a large room would hold all of it in memory.
        for part in (*kept, *_DELETE_ROOM_PARTS):
            self.db.run(part, pk=room.pk)
        if self.db.row(_IS_KEPT, pk=room.pk):
            gone_rows = self.db.rows(_DELETE_THREADS, pk=room.pk)
            self.db.run(_EMPTY_ROOM, pk=room.pk)
        else:
            gone_rows = self.db.rows(_DELETE_ROOM, pk=room.pk)
        revs = sum(row[0] for row in gone_rows)
        self.erased = True
        gone = int(self.server_values().get(_GONE_REVS, "0"))
        self.set_server_value(_GONE_REVS, str(gone + revs))

    def delete_empty_room(self, room: RoomRow) -> None:
        """Delete what was left of a room, or of a thread's, if nothing is kept there any more."""
        home = room if room.parent_pk is None else self.room_by_pk(room.parent_pk)
        if home is not None and home.kind == "private" and home.members == 0:
            self.delete_room(home)

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

    def room_ids_of(self, user_id: int) -> list[str]:
        """The rooms that this person is in, without threads."""
        return [row[0] for row in self.db.rows(_ROOM_IDS_OF, user_id=user_id)]

    def my_rooms(self, user_id: int, awake_since: Millis) -> list[MyRoomRow]:
        """Without the threads in which nothing was said since then."""
        width = len(RoomRow._fields)
        return [
            MyRoomRow(RoomRow(*row[:width]), MemberRow(*row[width:-1]), row[-1])
            for row in self.db.rows(_MY_ROOMS, user_id=user_id, awake_since=awake_since)
        ]

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
