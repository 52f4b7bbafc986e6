"""Statements about threads and their followers."""

from typing import NamedTuple

from sqlalchemy import and_, bindparam, delete, or_, select, tuple_, update

from hubbub.model.base import Millis
from hubbub.store.engines.database import Connection
from hubbub.store.engines.sql import Sql
from hubbub.store.schema.tables import members, messages, rooms, users
from hubbub.store.statements.members import MEMBER_COLUMNS, MemberRow, unread_mentions_of_member
from hubbub.store.statements.rooms import ROOM_COLUMNS, MyRoomRow, RoomRow, is_in_parent

_last = messages.alias("last")
_FOLLOWED = Sql(
    select(
        *ROOM_COLUMNS,
        *MEMBER_COLUMNS,
        unread_mentions_of_member,
        _last.c.at,
    )
    .select_from(members)
    .join(rooms, rooms.c.pk == members.c.room_pk)
    .join(_last, and_(_last.c.room_pk == rooms.c.pk, _last.c.seq == rooms.c.seq))
    .where(
        members.c.user_id == bindparam("user_id"),
        rooms.c.parent_pk.is_not(None),
        is_in_parent,
        or_(bindparam("include_read") == 1, rooms.c.seq > members.c.read_seq),
        tuple_(_last.c.at, rooms.c.pk) < tuple_(bindparam("at"), bindparam("pk")),
    )
    .order_by(_last.c.at.desc(), rooms.c.pk.desc())
    .limit(bindparam("limit"))
)
_FOLLOWERS = Sql(
    select(users.c.id, users.c.name, users.c.display_name)
    .join_from(members, users)
    .where(members.c.room_pk == bindparam("room_pk"))
    .order_by(users.c.id)
)
_OLDEST_FOLLOWED = Sql(
    select(*ROOM_COLUMNS)
    .join_from(members, rooms)
    .where(members.c.user_id == bindparam("user_id"), rooms.c.parent_pk.is_not(None))
    .order_by(rooms.c.pk.desc())
    .limit(bindparam("limit"))
    .offset(bindparam("keep"))
)
_threads = select(rooms.c.pk).where(rooms.c.parent_pk == bindparam("parent"))
_DECREASE_MEMBER_COUNTS = Sql(
    update(rooms)
    .where(
        rooms.c.pk.in_(
            select(members.c.room_pk)
            .join_from(members, rooms)
            .where(members.c.user_id == bindparam("user"), rooms.c.parent_pk == bindparam("parent"))
        )
    )
    .values(members=rooms.c.members - 1)
)
_UNFOLLOW_ALL = Sql(
    delete(members).where(members.c.user_id == bindparam("user"), members.c.room_pk.in_(_threads))
)


class ThreadFollowRow(NamedTuple):
    mine: MyRoomRow
    last_at: Millis


class Threads:
    """Reads and changes of who follows which thread."""

    db: Connection

    def list_followed(
        self, user_id: int, after: tuple[int, int], limit: int, *, unread: bool
    ) -> list[ThreadFollowRow]:
        """A page of the threads that a person follows, by latest reply, newest first."""
        at, pk = after
        rows = self.db.rows(
            _FOLLOWED, user_id=user_id, at=at, pk=pk, include_read=int(not unread), limit=limit
        )
        width = len(RoomRow._fields)
        return [
            ThreadFollowRow(
                MyRoomRow(RoomRow(*row[:width]), MemberRow(*row[width:-2]), row[-2]), row[-1]
            )
            for row in rows
        ]

    def list_oldest_followed(self, user_id: int, keep: int, limit: int) -> list[RoomRow]:
        """The threads that a person follows, without the ``keep`` newest ones."""
        rows = self.db.rows(_OLDEST_FOLLOWED, user_id=user_id, keep=keep, limit=limit)
        return [RoomRow(*row) for row in rows]

    def followers(self, thread_pk: int) -> list[tuple[int, str, str]]:
        """Rows of id, name and display name of a thread's followers."""
        return self.db.rows(_FOLLOWERS, room_pk=thread_pk)

    def unfollow_all(self, parent_pk: int, user_id: int) -> None:
        """Unfollow all threads of a room for a person."""
        self.db.run(_DECREASE_MEMBER_COUNTS, user=user_id, parent=parent_pk)
        self.db.run(_UNFOLLOW_ALL, user=user_id, parent=parent_pk)
