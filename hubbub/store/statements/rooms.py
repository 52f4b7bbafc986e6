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
from hubbub.store.engines.sql import BatchSql, Row, Sql
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


_ROOMS_BY_ID = BatchSql(_rooms_by_id)
# Ordered, so that two transactions that lock the same rooms cannot deadlock.
_LOCK_ROOMS = BatchSql(lambda size: _rooms_by_id(size).order_by(rooms.c.id).with_for_update())
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
# Bookmarks and drafts are deleted as well, except those of people who may not learn of this.
_DELETE_MEMBERS_ITEMS = tuple(
    Sql(
        delete(table).where(
            table.c.room_pk.in_(_room_and_threads), table.c.user_id.in_(_members_of_room)
        )
    )
    for table in (bookmarks, drafts)
)
_DELETE_ALL_ITEMS = tuple(
    Sql(delete(table).where(table.c.room_pk.in_(_room_and_threads)))
    for table in (bookmarks, drafts)
)
_DELETE_ROOM_PARTS = tuple(
    Sql(delete(table).where(table.c.room_pk.in_(_room_and_threads)))
    for table in (mentions, room_mentions, reactions, pins, messages, members)
)
_has_saved_items = or_(
    *(exists().where(table.c.room_pk == rooms.c.pk) for table in (bookmarks, drafts))
)
_HAS_SAVED_ITEMS = Sql(select(rooms.c.pk).where(_with_threads, _has_saved_items).limit(1))
_DELETE_THREADS = Sql(
    delete(rooms)
    .where(rooms.c.parent_pk == bindparam("pk"), not_(_has_saved_items))
    .returning(rooms.c.rev)
)
_CLEAR_ROOM = Sql(update(rooms).where(_with_threads).values(title="", topic="", members=0))
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
# Followers of a thread are members of its room. This is checked nevertheless: a server of the
# previous release, which may run beside this one, removes members without their threads.
_parents = members.alias("parents")
is_in_parent = exists().where(
    _parents.c.room_pk == rooms.c.parent_pk, _parents.c.user_id == members.c.user_id
)
# Only active threads, as the number of followed threads keeps growing.
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
                    messages.c.at > bindparam("active_since"),
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


_DELETED_REVS = "revs_of_deleted_rooms"


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
    revs_issued: int
    """How many revs this transaction has issued."""

    def room(self, room_id: str) -> RoomRow | None:
        row = self.db.row(_ROOM, id=room_id)
        return RoomRow(*row) if row else None

    def rooms_by_id(self, ids: set[str]) -> dict[str, RoomRow]:
        keys = [{"id": room_id} for room_id in sorted(ids)]
        return {row[1]: RoomRow(*row) for row in self.db.rows_for(_ROOMS_BY_ID, keys)}

    def lock_rooms(self, ids: set[str]) -> dict[str, RoomRow]:
        """The rooms by id, locked against other writers until this transaction ends."""
        keys = [{"id": room_id} for room_id in sorted(ids)]
        return {row[1]: RoomRow(*row) for row in self.db.rows_for(_LOCK_ROOMS, keys)}

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
        """Add a room. ``parent`` is the room pk and seq of a thread's root message."""
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
        counters = (0,) * 7
        return RoomRow(
            row[0], room_id, kind, title, topic, *counters, self.now, parent_pk, parent_seq
        )

    def save_room(self, room: RoomRow) -> None:
        """Store the title, topic, archived and meta_rev of a room."""
        self.db.run(
            _UPDATE_ROOM,
            pk_=room.pk,
            title_=room.title,
            topic_=room.topic,
            archived_=room.archived,
            rev_=room.meta_rev,
        )

    def delete_room(self, room: RoomRow) -> None:
        """Delete a room with its threads and messages; its revs still count in `total_rev`.

        Former members of a private room must not learn of its deletion. If they have bookmarks or
        drafts in it, an empty room without members remains.
        """
        saved_items = _DELETE_ALL_ITEMS if room.kind == "public" else _DELETE_MEMBERS_ITEMS
        # Table by table: the cascade of a large room would need too much memory.
        for statement in (*saved_items, *_DELETE_ROOM_PARTS):
            self.db.run(statement, pk=room.pk)
        if self.db.row(_HAS_SAVED_ITEMS, pk=room.pk):
            deleted = self.db.rows(_DELETE_THREADS, pk=room.pk)
            self.db.run(_CLEAR_ROOM, pk=room.pk)
        else:
            deleted = self.db.rows(_DELETE_ROOM, pk=room.pk)
        revs = sum(row[0] for row in deleted)
        self.erased = True
        revs += int(self.server_values().get(_DELETED_REVS, "0"))
        self.set_server_value(_DELETED_REVS, str(revs))

    def delete_room_if_unused(self, room: RoomRow) -> None:
        """Delete what remains of a deleted room (or a thread's room), if it is no longer needed."""
        top = room if room.parent_pk is None else self.room_by_pk(room.parent_pk)
        if top is not None and top.kind == "private" and top.members == 0:
            self.delete_room(top)

    def next_rev(self, room_pk: int) -> int:
        row = self.db.row(_NEXT_REV, pk_=room_pk)
        assert row
        self.revs_issued += 1
        return int(row[0])

    def raise_counters(self, room_pk: int, by: int) -> tuple[int, int]:
        """Reserve numbers for ``by`` posts; returns the seq and the rev of the last of them."""
        row = self.db.row(_RAISE_COUNTERS, pk_=room_pk, by=by)
        assert row
        self.revs_issued += by
        return int(row[0]), int(row[1])

    def total_rev(self) -> int:
        """How many revs this database has ever issued."""
        return self.db.count(_TOTAL_REV) + int(self.server_values().get(_DELETED_REVS, "0"))

    def room_ids_of(self, user_id: int) -> list[str]:
        """The ids of a person's rooms, without threads."""
        return [row[0] for row in self.db.rows(_ROOM_IDS_OF, user_id=user_id)]

    def my_rooms(self, user_id: int, active_since: Millis) -> list[MyRoomRow]:
        """A person's rooms, without threads that had no message since ``active_since``."""
        width = len(RoomRow._fields)
        return [
            MyRoomRow(RoomRow(*row[:width]), MemberRow(*row[width:-1]), row[-1])
            for row in self.db.rows(_MY_ROOMS, user_id=user_id, active_since=active_since)
        ]

    def direct_people(self, user_id: int) -> list[Row]:
        """Rows of room pk, name, display name, role and disabled of others in direct rooms."""
        return self.db.rows(_DIRECT_PEOPLE, user_id=user_id)

    def directory(
        self, user_id: int, q: str, after: tuple[str, str], limit: int
    ) -> list[tuple[RoomRow, str | None]]:
        """A page of the rooms that a person can find, with the person's role in each."""
        rows = self.db.rows(
            _DIRECTORY,
            user_id=user_id,
            like=contains(q),
            after_title=after[0],
            after_id=after[1],
            limit=limit,
        )
        return [(RoomRow(*row[:-1]), row[-1]) for row in rows]
