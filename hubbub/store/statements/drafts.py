"""Statements about drafts."""

from sqlalchemy import and_, bindparam, delete, func, insert, select

from hubbub.model.base import Millis
from hubbub.store.engines.database import Connection
from hubbub.store.engines.sql import Row, Sql
from hubbub.store.schema.tables import drafts, members, rooms

_of_draft = and_(
    drafts.c.user_id == bindparam("user_id_"),
    drafts.c.room_pk == bindparam("room_pk_"),
    drafts.c.thread == bindparam("thread_"),
)
_DRAFT = Sql(select(drafts.c.text, drafts.c.reply_to).where(_of_draft))
_DELETE_DRAFT = Sql(delete(drafts).where(_of_draft))
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


class Drafts:
    """Reads and changes of drafts."""

    db: Connection
    now: Millis

    def set_draft(
        self, user_id: int, room_pk: int, thread: int, text: str, reply_to: int | None
    ) -> None:
        """Replace the draft, or delete it if the text is empty.

        The old text stays in the log until the next checkpoint, as drafts change too often to erase
        it at once.
        """
        self.db.run(_DELETE_DRAFT, user_id_=user_id, room_pk_=room_pk, thread_=thread)
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
        """The text and ``reply_to`` of a draft, or None."""
        row = self.db.row(_DRAFT, user_id_=user_id, room_pk_=room_pk, thread_=thread)
        return (row[0], row[1]) if row else None

    def count_drafts(self, user_id: int) -> int:
        return self.db.count(_COUNT_DRAFTS, user_id=user_id)

    def drafts(self, user_id: int) -> list[Row]:
        """Rows of room id, thread, text, reply_to and time, in the person's rooms; newest first."""
        return self.db.rows(_DRAFTS, user_id=user_id)
