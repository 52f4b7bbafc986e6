"""Statements about the list of a person's mentions."""

from typing import NamedTuple

from sqlalchemy import Select, and_, bindparam, or_, select, tuple_, union

from hubbub.store.engines.database import Connection
from hubbub.store.engines.sql import Sql
from hubbub.store.schema.tables import members, mentions, messages, room_mentions, rooms, users
from hubbub.store.statements.messages import MESSAGE_COLUMNS, MessageRow
from hubbub.store.statements.paging import Cursor
from hubbub.store.statements.rooms import is_in_parent


def _mentions_query() -> Select[tuple[object, ...]]:
    """The messages that mention a person, by name or with everybody, in the person's rooms."""
    by_name = select(mentions.c.room_pk, mentions.c.seq).where(
        mentions.c.user_id == bindparam("user_id")
    )
    with_everybody = (
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
            # Messages from before the person joined do not mention them.
            messages.c.at >= members.c.joined_at,
        )
    )
    found = union(by_name, with_everybody).subquery("found")
    position = (messages.c.at, messages.c.room_pk, messages.c.seq)
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
            or_(bindparam("include_read") == 1, messages.c.seq > members.c.read_seq),
            tuple_(*position) < tuple_(bindparam("at"), bindparam("room_pk"), bindparam("seq")),
        )
        .order_by(*(column.desc() for column in position))
        .limit(bindparam("limit"))
    )


_MENTIONS = Sql(_mentions_query())


class MentionRow(NamedTuple):
    room_pk: int
    room: str
    read_seq: int
    message: MessageRow


class Mentions:
    """Reads of mentions."""

    db: Connection

    def list_mentions(
        self, user_id: int, after: Cursor, limit: int, *, unread: bool
    ) -> list[MentionRow]:
        """A page of messages that mention a person, newest first."""
        at, room_pk, seq = after
        rows = self.db.rows(
            _MENTIONS,
            user_id=user_id,
            at=at,
            room_pk=room_pk,
            seq=seq,
            include_read=int(not unread),
            limit=limit,
        )
        return [
            MentionRow(room_pk, room, read_seq, MessageRow(*message))
            for room_pk, room, read_seq, *message in rows
        ]
