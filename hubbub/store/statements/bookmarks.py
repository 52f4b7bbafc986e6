"""Statements about bookmarks."""

from typing import NamedTuple

from sqlalchemy import and_, bindparam, delete, func, insert, select, tuple_, update

from hubbub.model.base import Millis
from hubbub.store.engines.database import Connection
from hubbub.store.engines.sql import Sql
from hubbub.store.schema.tables import bookmarks, rooms
from hubbub.store.statements.paging import Cursor
from hubbub.store.statements.rooms import ROOM_COLUMNS, RoomRow

_of_bookmark = and_(
    bookmarks.c.user_id == bindparam("user_id_"),
    bookmarks.c.room_pk == bindparam("room_pk_"),
    bookmarks.c.seq == bindparam("seq_"),
)
_CHANGE_BOOKMARK = Sql(update(bookmarks).where(_of_bookmark).values(note=bindparam("to")))
_DELETE_BOOKMARK = Sql(delete(bookmarks).where(_of_bookmark))
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


class BookmarkRow(NamedTuple):
    at: Millis
    room_pk: int
    seq: int
    note: str
    room: RoomRow


class Bookmarks:
    """Reads and changes of bookmarks."""

    db: Connection
    now: Millis
    erased: bool

    def bookmark(self, user_id: int, room_pk: int, seq: int) -> tuple[str, Millis] | None:
        """The note and the time of a bookmark, or None."""
        row = self.db.row(_BOOKMARK, user_id_=user_id, room_pk_=room_pk, seq_=seq)
        return (row[0], row[1]) if row else None

    def add_bookmark(self, user_id: int, room_pk: int, seq: int, note: str) -> None:
        self.db.run(
            _ADD_BOOKMARK, user_id=user_id, room_pk=room_pk, seq=seq, note=note, at=self.now
        )

    def change_bookmark(self, user_id: int, room_pk: int, seq: int, note: str) -> None:
        self.db.run(_CHANGE_BOOKMARK, user_id_=user_id, room_pk_=room_pk, seq_=seq, to=note)
        self.erased = True

    def delete_bookmark(self, user_id: int, room_pk: int, seq: int) -> bool:
        is_deleted = self.db.run(_DELETE_BOOKMARK, user_id_=user_id, room_pk_=room_pk, seq_=seq) > 0
        self.erased |= is_deleted
        return is_deleted

    def count_bookmarks(self, user_id: int) -> int:
        return self.db.count(_COUNT_BOOKMARKS, user_id=user_id)

    def bookmarks(self, user_id: int, after: Cursor, limit: int) -> list[BookmarkRow]:
        """A page of bookmarks, newest first."""
        at, room_pk, seq = after
        rows = self.db.rows(
            _BOOKMARKS, user_id=user_id, at=at, room_pk=room_pk, seq=seq, limit=limit
        )
        return [
            BookmarkRow(at, room_pk, seq, note, RoomRow(*room))
            for at, room_pk, seq, note, *room in rows
        ]
