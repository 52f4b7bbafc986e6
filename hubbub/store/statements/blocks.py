"""Statements about blocks."""

from sqlalchemy import and_, bindparam, delete, func, insert, or_, select, union_all

from hubbub.model.base import Millis
from hubbub.store.engines.database import Connection
from hubbub.store.engines.sql import BatchSql, Row, Sql
from hubbub.store.schema.tables import blocks, members, users

_of_block = and_(
    blocks.c.user_id == bindparam("user_id_"), blocks.c.blocked_id == bindparam("blocked_id_")
)
_HAS_BLOCKED = Sql(select(blocks.c.at).where(_of_block))
_UNBLOCK = Sql(delete(blocks).where(_of_block))
_BLOCK = Sql(
    insert(blocks).values({name: bindparam(name) for name in ("user_id", "blocked_id", "at")})
)
_COUNT = Sql(
    select(func.count()).select_from(blocks).where(blocks.c.user_id == bindparam("user_id"))
)
_BLOCKED = Sql(
    select(users.c.name)
    .join(blocks, blocks.c.blocked_id == users.c.id)
    .where(blocks.c.user_id == bindparam("user_id"))
    .order_by(users.c.name)
)
_mine = members.alias("mine")
_other = members.alias("other")
_BLOCKERS = BatchSql(
    lambda size: union_all(
        *(
            select(_mine.c.room_pk, _mine.c.user_id, blocks.c.user_id)
            .select_from(_mine)
            .join(
                _other,
                and_(
                    _other.c.room_pk == _mine.c.room_pk,
                    _other.c.user_id != _mine.c.user_id,
                ),
            )
            .join(
                blocks,
                or_(
                    and_(
                        blocks.c.user_id == _mine.c.user_id,
                        blocks.c.blocked_id == _other.c.user_id,
                    ),
                    and_(
                        blocks.c.user_id == _other.c.user_id,
                        blocks.c.blocked_id == _mine.c.user_id,
                    ),
                ),
            )
            .where(
                _mine.c.room_pk == bindparam(f"room_pk{i}"),
                _mine.c.user_id == bindparam(f"user_id{i}"),
            )
            for i in range(size)
        )
    )
)


class Blocks:
    """Reads and changes of blocks."""

    db: Connection
    now: Millis

    def has_blocked(self, user_id: int, other_id: int) -> bool:
        return self.db.row(_HAS_BLOCKED, user_id_=user_id, blocked_id_=other_id) is not None

    def add_block(self, user_id: int, other_id: int) -> None:
        self.db.run(_BLOCK, user_id=user_id, blocked_id=other_id, at=self.now)

    def remove_block(self, user_id: int, other_id: int) -> None:
        self.db.run(_UNBLOCK, user_id_=user_id, blocked_id_=other_id)

    def count_blocks(self, user_id: int) -> int:
        return self.db.count(_COUNT, user_id=user_id)

    def list_blocked(self, user_id: int) -> list[str]:
        """The handles of the people whom this person has blocked, by name."""
        return [name for (name,) in self.db.rows(_BLOCKED, user_id=user_id)]

    def blockers(self, pairs: set[tuple[int, int]]) -> dict[tuple[int, int], set[int]]:
        """(room pk, user id) → the ids of the blockers, in rooms of two people.

        A blocker is one of the two who has blocked the other.
        """
        keys = [{"room_pk": room, "user_id": user} for room, user in pairs]
        found: dict[tuple[int, int], set[int]] = {}
        rows: list[Row] = self.db.rows_for(_BLOCKERS, keys)
        for room_pk, user_id, blocker in rows:
            found.setdefault((room_pk, user_id), set()).add(blocker)
        return found
