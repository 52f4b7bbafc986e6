"""Statements about the marks of messages: reactions, pins, reply counts."""

from typing import NamedTuple

from sqlalchemy import and_, bindparam, delete, func, insert, or_, select, update

from hubbub.model.base import Millis
from hubbub.store.engines.database import Connection
from hubbub.store.engines.sql import Sql
from hubbub.store.schema.tables import messages, pins, reactions, rooms, users
from hubbub.store.statements.messages import MESSAGE_COLUMNS, MessageRow

_of_message = and_(
    messages.c.room_pk == bindparam("room_pk"),
    messages.c.seq == bindparam("seq"),
)
# Without the text, which may be long.
_MARKS = Sql(
    select(messages.c.seq, messages.c.deleted, messages.c.marks_rev, messages.c.marks).where(
        _of_message
    )
)
_SAVE_MARKS = Sql(
    update(messages)
    .where(messages.c.room_pk == bindparam("room"), messages.c.seq == bindparam("number"))
    .values(marks_rev=bindparam("rev"), marks=bindparam("to"))
)
_MARKS_CHANGES = Sql(
    select(messages.c.seq, messages.c.deleted, messages.c.marks_rev, messages.c.marks)
    .where(
        messages.c.room_pk == bindparam("room_pk"),
        messages.c.marks_rev > bindparam("rev"),
        messages.c.marks_rev > 0,  # lets the partial index be used
        # Otherwise the message itself has changed since, and is sent with its marks.
        messages.c.marks_rev > messages.c.rev,
    )
    .order_by(messages.c.marks_rev)
    .limit(bindparam("limit"))
)
_KEY = ("room_pk", "seq", "emoji", "user_id")
_of_reaction = and_(*(reactions.c[name] == bindparam(name) for name in _KEY))
_HAS_REACTED = Sql(select(reactions.c.rev).where(_of_reaction))
_REACT = Sql(insert(reactions).values({name: bindparam(name) for name in (*_KEY, "rev")}))
_UNREACT = Sql(delete(reactions).where(_of_reaction))
_of_reactions = and_(
    reactions.c.room_pk == bindparam("room_pk"), reactions.c.seq == bindparam("seq")
)
_DELETE_REACTIONS = Sql(delete(reactions).where(_of_reactions))
_REACTORS = Sql(
    select(users.c.name)
    .join_from(reactions, users)
    .where(_of_reactions, reactions.c.emoji == bindparam("emoji"))
    .order_by(reactions.c.rev)
    .limit(bindparam("limit"))
)
_MY_REACTIONS = Sql(
    select(reactions.c.emoji).where(_of_reactions, reactions.c.user_id == bindparam("user_id"))
)
_PIN = Sql(insert(pins).values({name: bindparam(name) for name in ("room_pk", "seq", "at")}))
_UNPIN = Sql(
    delete(pins).where(pins.c.room_pk == bindparam("room_pk"), pins.c.seq == bindparam("seq"))
)
_COUNT_PINS = Sql(
    select(func.count()).select_from(pins).where(pins.c.room_pk == bindparam("room_pk"))
)
_PINNED = Sql(
    select(rooms.c.id, *MESSAGE_COLUMNS)
    .select_from(rooms)
    .join(pins, pins.c.room_pk == rooms.c.pk)
    .join(messages, and_(messages.c.room_pk == pins.c.room_pk, messages.c.seq == pins.c.seq))
    .join(users, users.c.id == messages.c.author_id)
    .where(or_(rooms.c.pk == bindparam("room_pk"), rooms.c.parent_pk == bindparam("room_pk")))
    .order_by(pins.c.at.desc(), pins.c.seq.desc())
    .limit(bindparam("limit"))
)


class MarksRow(NamedTuple):
    """The marks of a message, without its text."""

    seq: int
    deleted: int
    marks_rev: int
    marks: str


class MessageMarks:
    """Reads and changes of marks."""

    db: Connection
    now: Millis

    def find_marks(self, room_pk: int, seq: int) -> MarksRow | None:
        row = self.db.row(_MARKS, room_pk=room_pk, seq=seq)
        return MarksRow(*row) if row else None

    def marks_changes(self, room_pk: int, rev: int, limit: int) -> list[MarksRow]:
        """The messages of which only the marks changed after ``rev``, in order of that change."""
        rows = self.db.rows(_MARKS_CHANGES, room_pk=room_pk, rev=rev, limit=limit)
        return [MarksRow(*row) for row in rows]

    def save_marks(self, room_pk: int, seq: int, rev: int, marks: str) -> None:
        self.db.run(_SAVE_MARKS, room=room_pk, number=seq, rev=rev, to=marks)

    def has_reacted(self, room_pk: int, seq: int, emoji: str, user_id: int) -> bool:
        key = {"room_pk": room_pk, "seq": seq, "emoji": emoji, "user_id": user_id}
        return self.db.row(_HAS_REACTED, **key) is not None

    def add_reaction(self, room_pk: int, seq: int, emoji: str, user_id: int, rev: int) -> None:
        self.db.run(_REACT, room_pk=room_pk, seq=seq, emoji=emoji, user_id=user_id, rev=rev)

    def remove_reaction(self, room_pk: int, seq: int, emoji: str, user_id: int) -> None:
        self.db.run(_UNREACT, room_pk=room_pk, seq=seq, emoji=emoji, user_id=user_id)

    def delete_reactions(self, room_pk: int, seq: int) -> None:
        self.db.run(_DELETE_REACTIONS, room_pk=room_pk, seq=seq)

    def list_reactors(self, room_pk: int, seq: int, emoji: str, limit: int) -> list[str]:
        """The handles of the first people who reacted with this emoji."""
        rows = self.db.rows(_REACTORS, room_pk=room_pk, seq=seq, emoji=emoji, limit=limit)
        return [row[0] for row in rows]

    def list_emoji_of(self, room_pk: int, seq: int, user_id: int) -> set[str]:
        """The emoji with which a person has reacted to a message."""
        rows = self.db.rows(_MY_REACTIONS, room_pk=room_pk, seq=seq, user_id=user_id)
        return {row[0] for row in rows}

    def add_pin(self, room_pk: int, seq: int) -> None:
        self.db.run(_PIN, room_pk=room_pk, seq=seq, at=self.now)

    def remove_pin(self, room_pk: int, seq: int) -> None:
        self.db.run(_UNPIN, room_pk=room_pk, seq=seq)

    def count_pins(self, room_pk: int) -> int:
        """The number of pinned messages in a room."""
        return self.db.count(_COUNT_PINS, room_pk=room_pk)

    def list_pinned(self, room_pk: int, limit: int) -> list[tuple[str, MessageRow]]:
        """Pairs of room id and pinned message, in a room and its threads."""
        rows = self.db.rows(_PINNED, room_pk=room_pk, limit=limit)
        return [(row[0], MessageRow(*row[1:])) for row in rows]
