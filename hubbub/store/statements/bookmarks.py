"""Statements about what people keep: bookmarks, drafts, mentions, the threads that they follow."""

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
    union,
    update,
)

from hubbub.model.base import Millis
from hubbub.store.engines.database import Connection
from hubbub.store.engines.sql import Row, Sql
from hubbub.store.schema.tables import (
    bookmarks,
    drafts,
    members,
    mentions,
    messages,
    room_mentions,
    rooms,
    users,
)
from hubbub.store.statements.members import MEMBER_COLUMNS, MemberRow, unread_mentions_of_member
from hubbub.store.statements.messages import MESSAGE_COLUMNS, MessageRow
from hubbub.store.statements.rooms import ROOM_COLUMNS, MyRoomRow, RoomRow, is_in_parent

_of_bookmark = and_(
    bookmarks.c.user_id == bindparam("user_id_"),
    bookmarks.c.room_pk == bindparam("room_pk_"),
    bookmarks.c.seq == bindparam("seq_"),
)
_CHANGE_BOOKMARK = Sql(update(bookmarks).where(_of_bookmark).values(note=bindparam("to")))
_FORGET_BOOKMARK = Sql(delete(bookmarks).where(_of_bookmark))
_BOOKMARK = Sql(select(bookmarks.c.note, bookmarks.c.at).where(_of_bookmark))
_ADD_BOOKMARK = Sql(
    insert(bookmarks).values(
        {name: bindparam(name) for name in ("user_id", "room_pk", "seq", "note", "at")}
    )
)
_COUNT_BOOKMARKS = Sql(
    select(func.count()).select_from(bookmarks).where(bookmarks.c.user_id == bindparam("user_id"))
)
_position = (bookmarks.c.at, bookmarks.c.room_pk, bookmarks.c.seq)
_BOOKMARKS = Sql(
    select(*_position, bookmarks.c.note, *ROOM_COLUMNS)
    .join_from(bookmarks, rooms)
    .where(
        bookmarks.c.user_id == bindparam("user_id"),
        tuple_(*_position) < tuple_(bindparam("at"), bindparam("room_pk"), bindparam("seq")),
    )
    .order_by(*(column.desc() for column in _position))
    .limit(bindparam("limit"))
)

_of_draft = and_(
    drafts.c.user_id == bindparam("user_id_"),
    drafts.c.room_pk == bindparam("room_pk_"),
    drafts.c.thread == bindparam("thread_"),
)
_DRAFT = Sql(select(drafts.c.text, drafts.c.reply_to).where(_of_draft))
_FORGET_DRAFT = Sql(delete(drafts).where(_of_draft))
_ADD_DRAFT = Sql(
    insert(drafts).values(
        {
            name: bindparam(name)
            for name in ("user_id", "room_pk", "thread", "text", "reply_to", "at")
        }
    )
)
_COUNT_DRAFTS = Sql(
    select(func.count()).select_from(drafts).where(drafts.c.user_id == bindparam("user_id"))
)
_DRAFTS = Sql(
    select(rooms.c.id, drafts.c.thread, drafts.c.text, drafts.c.reply_to, drafts.c.at)
    .select_from(drafts)
    .join(rooms, rooms.c.pk == drafts.c.room_pk)
    .join(
        members,
        and_(members.c.room_pk == drafts.c.room_pk, members.c.user_id == drafts.c.user_id),
    )
    .where(drafts.c.user_id == bindparam("user_id"))
    .order_by(drafts.c.at.desc(), drafts.c.room_pk, drafts.c.thread)
)


def _mentioned() -> Select[tuple[object, ...]]:
    """Room and seq of what mentions somebody, by name or with everybody, in rooms of theirs."""
    by_name = select(mentions.c.room_pk, mentions.c.seq).where(
        mentions.c.user_id == bindparam("user_id")
    )
    as_all = (
        select(room_mentions.c.room_pk, room_mentions.c.seq)
        .select_from(room_mentions)
        .join(members, members.c.room_pk == room_mentions.c.room_pk)
        .join(
            messages,
            and_(
                messages.c.room_pk == room_mentions.c.room_pk,
                messages.c.seq == room_mentions.c.seq,
            ),
        )
        .where(
            members.c.user_id == bindparam("user_id"),
            # What was said to everybody before they came was not said to them.
            messages.c.at >= members.c.joined_at,
        )
    )
    found = union(by_name, as_all).subquery("found")
    place = (messages.c.at, messages.c.room_pk, messages.c.seq)
    return (
        select(
            messages.c.room_pk, rooms.c.id, members.c.read_seq.label("read_seq"), *MESSAGE_COLUMNS
        )
        .select_from(found)
        .join(members, members.c.room_pk == found.c.room_pk)
        .join(rooms, rooms.c.pk == found.c.room_pk)
        .join(
            messages,
            and_(messages.c.room_pk == found.c.room_pk, messages.c.seq == found.c.seq),
        )
        .join(users, users.c.id == messages.c.author_id)
        .where(
            members.c.user_id == bindparam("user_id"),
            messages.c.author_id != bindparam("user_id"),
            or_(rooms.c.parent_pk.is_(None), is_in_parent),
            or_(bindparam("all_of_them") == 1, messages.c.seq > members.c.read_seq),
            tuple_(*place) < tuple_(bindparam("at"), bindparam("room_pk"), bindparam("seq")),
        )
        .order_by(*(column.desc() for column in place))
        .limit(bindparam("limit"))
    )


_MENTIONED = Sql(_mentioned())

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
        or_(bindparam("all_of_them") == 1, rooms.c.seq > members.c.read_seq),
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
_FOLLOWED_LONGEST = Sql(
    select(*ROOM_COLUMNS)
    .join_from(members, rooms)
    .where(members.c.user_id == bindparam("user_id"), rooms.c.parent_pk.is_not(None))
    .order_by(rooms.c.pk.desc())
    .limit(bindparam("limit"))
    .offset(bindparam("but"))
)
_threads = select(rooms.c.pk).where(rooms.c.parent_pk == bindparam("parent"))
_COUNT_LESS = Sql(
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
_FOLLOW_NONE = Sql(
    delete(members).where(members.c.user_id == bindparam("user"), members.c.room_pk.in_(_threads))
)


class BookmarkRow(NamedTuple):
    at: Millis
    room_pk: int
    seq: int
    note: str
    room: RoomRow


class MentionRow(NamedTuple):
    room_pk: int
    room: str
    read_seq: int
    message: MessageRow


class ThreadFollowRow(NamedTuple):
    mine: MyRoomRow
    last_at: Millis


Cursor = tuple[int, int, int]
"""Time, room pk and seq of a page's last row; the next page has what is older."""


class BookmarkStatements:
    """Reads and changes of what people keep for themselves."""

    db: Connection
    now: Millis
    erased: bool

    def bookmark(self, user_id: int, room_pk: int, seq: int) -> tuple[str, Millis] | None:
        """Its note, and since when there is one."""
        row = self.db.row(_BOOKMARK, user_id_=user_id, room_pk_=room_pk, seq_=seq)
        return (row[0], row[1]) if row else None

    def add_bookmark(self, user_id: int, room_pk: int, seq: int, note: str) -> None:
        self.db.run(
            _ADD_BOOKMARK, user_id=user_id, room_pk=room_pk, seq=seq, note=note, at=self.now
        )

    def change_bookmark(self, user_id: int, room_pk: int, seq: int, note: str) -> None:
        self.db.run(_CHANGE_BOOKMARK, user_id_=user_id, room_pk_=room_pk, seq_=seq, to=note)
        self.erased = True

    def forget_bookmark(self, user_id: int, room_pk: int, seq: int) -> bool:
        is_gone = self.db.run(_FORGET_BOOKMARK, user_id_=user_id, room_pk_=room_pk, seq_=seq) > 0
        self.erased |= is_gone
        return is_gone

    def count_bookmarks(self, user_id: int) -> int:
        return _number(self.db.row(_COUNT_BOOKMARKS, user_id=user_id))

    def bookmarks(self, user_id: int, after: Cursor, limit: int) -> list[BookmarkRow]:
        """The latest first."""
        at, room_pk, seq = after
        rows = self.db.rows(
            _BOOKMARKS, user_id=user_id, at=at, room_pk=room_pk, seq=seq, limit=limit
        )
        return [
            BookmarkRow(at, room_pk, seq, note, RoomRow(*room))
            for at, room_pk, seq, note, *room in rows
        ]

    def set_draft(
        self, user_id: int, room_pk: int, thread: int, text: str, reply_to: int | None
    ) -> None:
        """Keep it in place of the one before; without a text there is none.

        What is left of that in the log goes with the next checkpoint: drafts change all the time.
        """
        self.db.run(_FORGET_DRAFT, user_id_=user_id, room_pk_=room_pk, thread_=thread)
        if text:
            self.db.run(
                _ADD_DRAFT,
                user_id=user_id,
                room_pk=room_pk,
                thread=thread,
                text=text,
                reply_to=reply_to,
                at=self.now,
            )

    def draft(self, user_id: int, room_pk: int, thread: int) -> tuple[str, int | None] | None:
        """Its text, and the message that it is to answer."""
        row = self.db.row(_DRAFT, user_id_=user_id, room_pk_=room_pk, thread_=thread)
        return (row[0], row[1]) if row else None

    def count_drafts(self, user_id: int) -> int:
        return _number(self.db.row(_COUNT_DRAFTS, user_id=user_id))

    def drafts(self, user_id: int) -> list[Row]:
        """Room id, thread, text, reply_to and time, in rooms that they are in; the latest first."""
        return self.db.rows(_DRAFTS, user_id=user_id)

    def mentioned(
        self, user_id: int, after: Cursor, limit: int, *, unread: bool
    ) -> list[MentionRow]:
        """The latest first."""
        at, room_pk, seq = after
        rows = self.db.rows(
            _MENTIONED,
            user_id=user_id,
            at=at,
            room_pk=room_pk,
            seq=seq,
            all_of_them=int(not unread),
            limit=limit,
        )
        return [
            MentionRow(room_pk, room, read_seq, MessageRow(*message))
            for room_pk, room, read_seq, *message in rows
        ]

    def followed(
        self, user_id: int, after: tuple[int, int], limit: int, *, unread: bool
    ) -> list[ThreadFollowRow]:
        """Threads, that with the latest answer first."""
        at, pk = after
        rows = self.db.rows(
            _FOLLOWED, user_id=user_id, at=at, pk=pk, all_of_them=int(not unread), limit=limit
        )
        width = len(RoomRow._fields)
        return [
            ThreadFollowRow(
                MyRoomRow(RoomRow(*row[:width]), MemberRow(*row[width:-2]), row[-2]), row[-1]
            )
            for row in rows
        ]

    def followed_beyond(self, user_id: int, but: int, limit: int) -> list[RoomRow]:
        """Threads that somebody follows beside the ``but`` newest ones."""
        rows = self.db.rows(_FOLLOWED_LONGEST, user_id=user_id, but=but, limit=limit)
        return [RoomRow(*row) for row in rows]

    def followers(self, thread_pk: int) -> list[tuple[int, str, str]]:
        """Id, name and display name of those who follow a thread."""
        return self.db.rows(_FOLLOWERS, room_pk=thread_pk)

    def follow_none(self, parent_pk: int, user_id: int) -> None:
        """Follow no thread of this room any more."""
        self.db.run(_COUNT_LESS, user=user_id, parent=parent_pk)
        self.db.run(_FOLLOW_NONE, user=user_id, parent=parent_pk)


def _number(row: Row | None) -> int:
    return int(row[0]) if row else 0
