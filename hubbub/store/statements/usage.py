"""Statements about the use of daily quotas."""

from sqlalchemy import and_, bindparam, insert, select, update

from hubbub.store.engines.database import Connection
from hubbub.store.engines.sql import Sql
from hubbub.store.schema.tables import usage

_of_usage = and_(usage.c.user_id == bindparam("user_id_"), usage.c.quota == bindparam("quota_"))
_USED = Sql(select(usage.c.day, usage.c.count).where(_of_usage))
_USE = Sql(
    update(usage).where(_of_usage).values(day=bindparam("on_day"), count=bindparam("to_count"))
)
_FIRST_USE = Sql(
    insert(usage).values({name: bindparam(name) for name in ("user_id", "quota", "day", "count")})
)


class Usage:
    """Reads and changes of quota usage; needs an exclusive transaction."""

    db: Connection

    def find_usage(self, user_id: int, quota: str) -> tuple[int, int]:
        """The latest day of use, and the count on that day; 0 and 0 without any use."""
        row = self.db.row(_USED, user_id_=user_id, quota_=quota)
        return (int(row[0]), int(row[1])) if row else (0, 0)

    def set_usage(self, user_id: int, quota: str, day: int, count: int) -> None:
        changed = self.db.run(_USE, user_id_=user_id, quota_=quota, on_day=day, to_count=count)
        if not changed:
            self.db.run(_FIRST_USE, user_id=user_id, quota=quota, day=day, count=count)
