"""Statements about messages."""

from typing import NamedTuple

from sqlalchemy import Select, bindparam, delete, insert, select, union_all, update

from hubbub.model.base import Millis
from hubbub.store.engines.database import Connection
from hubbub.store.engines.sql import BatchSql, Sql, Values
from hubbub.store.schema.tables import mentions, messages, room_mentions, users

MESSAGE_COLUMNS = (
    messages.c.seq,
    messages.c.rev,
    messages.c.author_id,
    users.c.name,
    messages.c.at,
    messages.c.kind,
    messages.c.text,
    messages.c.nonce,
    messages.c.reply_to,
    messages.c.edited_at,
    messages.c.deleted,
    messages.c.mentions,
    messages.c.origin,
    messages.c.marks_rev,
    messages.c.marks,
)


def _messages() -> Select[tuple[object, ...]]:
    return (
        select(*MESSAGE_COLUMNS)
        .join_from(messages, users, messages.c.author_id == users.c.id)
        .where(messages.c.room_pk == bindparam("room_pk"))
    )


_MESSAGE = Sql(_messages().where(messages.c.seq == bindparam("seq")))
_BEFORE = Sql(
    _messages()
    .where(messages.c.seq < bindparam("seq"))
    .order_by(messages.c.seq.desc())
    .limit(bindparam("limit"))
)
_AFTER = Sql(
    _messages()
    .where(messages.c.seq > bindparam("seq"))
    .order_by(messages.c.seq)
    .limit(bindparam("limit"))
)
_CHANGES = Sql(
    _messages()
    .where(messages.c.rev > bindparam("rev"))
    .order_by(messages.c.rev)
    .limit(bindparam("limit"))
)
# One SELECT for each key: SQLite would scan the whole table for a list of row values.
_NONCES = BatchSql(
    lambda size: union_all(
        *(
            select(
                messages.c.room_pk,
                messages.c.author_id,
                messages.c.nonce,
                messages.c.seq,
                messages.c.rev,
                messages.c.at,
                messages.c.text,
                messages.c.edited_at,
                messages.c.deleted,
            ).where(
                messages.c.room_pk == bindparam(f"room_pk{i}"),
                messages.c.author_id == bindparam(f"author_id{i}"),
                messages.c.nonce == bindparam(f"nonce{i}"),
            )
            for i in range(size)
        )
    )
)
_INSERTED = (
    "room_pk",
    "seq",
    "rev",
    "author_id",
    "at",
    "kind",
    "text",
    "nonce",
    "reply_to",
    "mentions",
    "origin",
)
_INSERT = BatchSql(
    lambda size: insert(messages).values(
        [{column: bindparam(f"{column}{i}") for column in _INSERTED} for i in range(size)]
    )
)
_SAVE = Sql(
    update(messages)
    .where(messages.c.room_pk == bindparam("room"), messages.c.seq == bindparam("number"))
    .values(
        rev=bindparam("rev_"),
        text=bindparam("text_"),
        edited_at=bindparam("edited_at_"),
        deleted=bindparam("deleted_"),
        mentions=bindparam("mentions_"),
        origin=bindparam("origin_"),
    )
)
_MENTION = BatchSql(
    lambda size: insert(mentions).values(
        [
            {column: bindparam(f"{column}{i}") for column in ("user_id", "room_pk", "seq")}
            for i in range(size)
        ]
    )
)
_MENTION_ALL = BatchSql(
    lambda size: insert(room_mentions).values(
        [{column: bindparam(f"{column}{i}") for column in ("room_pk", "seq")} for i in range(size)]
    )
)
_DELETE_MENTIONS = tuple(
    Sql(
        delete(table).where(
            table.c.room_pk == bindparam("room_pk"), table.c.seq == bindparam("seq")
        )
    )
    for table in (mentions, room_mentions)
)


class MessageRow(NamedTuple):
    seq: int
    rev: int
    author_id: int
    by: str
    at: Millis
    kind: str
    text: str
    nonce: str | None
    reply_to: int | None
    edited_at: Millis | None
    deleted: int
    mentions: str
    origin: str
    marks_rev: int
    marks: str


class NonceRow(NamedTuple):
    seq: int
    rev: int
    at: Millis
    text: str
    edited_at: Millis | None
    deleted: int


class Messages:
    """Reads and changes of messages."""

    db: Connection
    now: Millis
    erased: bool
    """Whether texts were deleted or replaced, which must then be erased from the log as well."""

    def message(self, room_pk: int, seq: int) -> MessageRow | None:
        row = self.db.row(_MESSAGE, room_pk=room_pk, seq=seq)
        return MessageRow(*row) if row else None

    def messages_before(self, room_pk: int, seq: int, limit: int) -> list[MessageRow]:
        """The last messages before ``seq``, oldest first."""
        rows = self.db.rows(_BEFORE, room_pk=room_pk, seq=seq, limit=limit)
        return [MessageRow(*row) for row in reversed(rows)]

    def messages_after(self, room_pk: int, seq: int, limit: int) -> list[MessageRow]:
        rows = self.db.rows(_AFTER, room_pk=room_pk, seq=seq, limit=limit)
        return [MessageRow(*row) for row in rows]

    def changes(self, room_pk: int, rev: int, limit: int) -> list[MessageRow]:
        """The messages that changed after ``rev``, in order of their last change."""
        rows = self.db.rows(_CHANGES, room_pk=room_pk, rev=rev, limit=limit)
        return [MessageRow(*row) for row in rows]

    def posts_by_nonce(
        self, nonces: set[tuple[int, int, str]]
    ) -> dict[tuple[int, int, str], NonceRow]:
        """The posts with these nonces, by (room pk, author id, nonce)."""
        keys = [
            {"room_pk": room, "author_id": author, "nonce": nonce} for room, author, nonce in nonces
        ]
        return {
            (row[0], row[1], row[2]): NonceRow(*row[3:]) for row in self.db.rows_for(_NONCES, keys)
        }

    def insert_messages(self, rows: list[Values]) -> None:
        """Insert messages; each row has the columns `_INSERTED`."""
        self.db.insert(_INSERT, rows)

    def save_message(self, room_pk: int, message: MessageRow) -> None:
        """Store the rev, text, edited_at, deleted, mentions and origin of a message."""
        self.db.run(
            _SAVE,
            room=room_pk,
            number=message.seq,
            rev_=message.rev,
            text_=message.text,
            edited_at_=message.edited_at,
            deleted_=message.deleted,
            mentions_=message.mentions,
            origin_=message.origin,
        )
        self.erased = True

    def add_mentions(self, rows: list[Values]) -> None:
        """Insert mentions; each row has user_id, room_pk and seq."""
        self.db.insert(_MENTION, rows)

    def add_room_mentions(self, rows: list[Values]) -> None:
        """Insert mentions of everybody in the room; each row has room_pk and seq."""
        self.db.insert(_MENTION_ALL, rows)

    def delete_mentions(self, room_pk: int, seq: int) -> None:
        for delete_rows in _DELETE_MENTIONS:
            self.db.run(delete_rows, room_pk=room_pk, seq=seq)
