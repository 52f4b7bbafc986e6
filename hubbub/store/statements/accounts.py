"""Statements about server values, people, sessions and invites."""

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import bindparam, delete, func, insert, or_, select, update

from hubbub.model.base import Millis
from hubbub.store.engines.database import Connection
from hubbub.store.engines.sql import BatchSql, Sql
from hubbub.store.schema.migrations import WORKS_WITH
from hubbub.store.schema.tables import invites, server, sessions, users

# Not among the values that code outside the store can read.
SIGNING_KEY = "signing_key"
_SERVER = Sql(
    select(server.c.key, server.c.value).where(
        server.c.key != SIGNING_KEY, server.c.key != WORKS_WITH
    )
)
_SERVER_VALUE = Sql(select(server.c.value).where(server.c.key == bindparam("key")))
_CHANGE_SERVER = Sql(
    update(server).where(server.c.key == bindparam("key_")).values(value=bindparam("to"))
)
_ADD_SERVER = Sql(insert(server).values(key=bindparam("key"), value=bindparam("value")))

_USER_COLUMNS = (
    users.c.id,
    users.c.name,
    users.c.display_name,
    users.c.role,
    users.c.disabled,
    users.c.rev,
    users.c.password_hash,
)
# Rows of guests have no skeleton; guests are not found by name.
_is_account = users.c.skeleton.is_not(None)
_USER_BY_NAME = Sql(select(*_USER_COLUMNS).where(users.c.name == bindparam("name"), _is_account))
_USER_BY_ID = Sql(select(*_USER_COLUMNS).where(users.c.id == bindparam("id")))
_USERS_BY_NAME = BatchSql(
    lambda size: select(*_USER_COLUMNS).where(
        users.c.name.in_([bindparam(f"name{i}") for i in range(size)])
    )
)
_USERS_PAGE = Sql(
    select(*_USER_COLUMNS)
    .where(
        _is_account,
        users.c.name > bindparam("after"),
        users.c.name.like(bindparam("like"), escape="\\")
        | func.lower(users.c.display_name).like(bindparam("like"), escape="\\"),
    )
    .order_by(users.c.name)
    .limit(bindparam("limit"))
)
_SKELETON = Sql(select(users.c.id).where(users.c.skeleton == bindparam("skeleton")))
_OWNERS = Sql(
    select(users.c.id).where(_is_account, users.c.role == "owner", users.c.disabled == 0).limit(2)
)
_ADD_USER = Sql(
    insert(users)
    .values(
        {
            column: bindparam(column)
            for column in (
                "name",
                "skeleton",
                "guest_key",
                "display_name",
                "password_hash",
                "role",
                "created_at",
            )
        }
    )
    .returning(users.c.id)
)
_GUEST = Sql(select(users.c.id).where(users.c.guest_key == bindparam("guest_key")))
_NEXT_REV = Sql(
    update(users)
    .where(users.c.id == bindparam("id"))
    .values(rev=users.c.rev + 1)
    .returning(users.c.rev)
)
_NEXT_REVS = BatchSql(
    lambda size: (
        update(users)
        .where(users.c.id.in_([bindparam(f"id{i}") for i in range(size)]))
        .values(rev=users.c.rev + 1)
        .returning(users.c.id, users.c.rev)
    )
)
_SET_DISPLAY_NAME = Sql(
    update(users).where(users.c.id == bindparam("id_")).values(display_name=bindparam("to"))
)
_SET_PASSWORD = Sql(
    update(users).where(users.c.id == bindparam("id_")).values(password_hash=bindparam("to"))
)
_SET_ROLE = Sql(update(users).where(users.c.id == bindparam("id_")).values(role=bindparam("to")))
_SET_DISABLED = Sql(
    update(users).where(users.c.id == bindparam("id_")).values(disabled=bindparam("to"))
)

_ADD_SESSION = Sql(
    insert(sessions).values(
        {
            column: bindparam(column)
            for column in ("id", "user_id", "label", "created_at", "seen_at", "lasting")
        }
    )
)
_session = select(
    sessions.c.id,
    sessions.c.seen_at,
    sessions.c.lasting,
    users.c.id,
    users.c.name,
    users.c.role,
    users.c.disabled,
).join_from(sessions, users)
_SESSION = Sql(_session.where(sessions.c.id == bindparam("id")))
_SESSIONS = BatchSql(
    lambda size: _session.where(sessions.c.id.in_([bindparam(f"id{i}") for i in range(size)]))
)
_SESSIONS_OF = Sql(
    select(sessions.c.id, sessions.c.label, sessions.c.created_at, sessions.c.seen_at)
    .where(sessions.c.user_id == bindparam("user_id"))
    .order_by(sessions.c.seen_at.desc())
)
_TOUCH_SESSIONS = BatchSql(
    lambda size: (
        update(sessions)
        .where(sessions.c.id.in_([bindparam(f"id_{i}") for i in range(size)]))
        .values(seen_at=bindparam("at"))
        .returning(sessions.c.id)
    )
)
_END_SESSION = Sql(
    delete(sessions).where(
        sessions.c.id == bindparam("id"), sessions.c.user_id == bindparam("user_id")
    )
)
_END_OTHER_SESSIONS = Sql(
    delete(sessions)
    .where(sessions.c.user_id == bindparam("user_id"), sessions.c.id != bindparam("keep"))
    .returning(sessions.c.id)
)
_END_IDLE_SESSIONS = Sql(
    delete(sessions)
    .where(sessions.c.lasting == 0, sessions.c.seen_at < bindparam("before"))
    .returning(sessions.c.id)
)

_ADD_INVITE = Sql(
    insert(invites).values(
        {
            column: bindparam(column)
            for column in ("code", "role", "created_by", "created_at", "expires_at", "uses")
        }
    )
)
_is_valid = (
    invites.c.code == bindparam("key"),
    invites.c.uses > 0,
    invites.c.expires_at > bindparam("now"),
)
_INVITE_ROLE = Sql(select(invites.c.role).where(*_is_valid))
_USE_INVITE = Sql(update(invites).where(*_is_valid).values(uses=invites.c.uses - 1))
_INVITES = Sql(
    select(
        invites.c.code,
        users.c.name,
        invites.c.created_at,
        invites.c.expires_at,
        invites.c.uses,
    )
    .outerjoin_from(invites, users, invites.c.created_by == users.c.id)
    .where(invites.c.uses > 0, invites.c.expires_at > bindparam("now"), invites.c.role != "owner")
    .order_by(invites.c.created_at.desc())
    .limit(1000)
)
_COUNT_INVITES = Sql(
    select(func.count())
    .select_from(invites)
    .where(
        invites.c.created_by == bindparam("by"),
        invites.c.uses > 0,
        invites.c.expires_at > bindparam("now"),
    )
)
_DELETE_EXPIRED_INVITES = Sql(
    delete(invites).where(or_(invites.c.uses <= 0, invites.c.expires_at <= bindparam("now")))
)
_END_INVITE = Sql(delete(invites).where(invites.c.code == bindparam("key")))
_END_OWNER_INVITES = Sql(delete(invites).where(invites.c.role == "owner"))


class UserRow(NamedTuple):
    id: int
    name: str
    display_name: str
    role: str
    disabled: int
    rev: int
    password_hash: str | None


class SessionRow(NamedTuple):
    id: str
    seen_at: Millis
    lasting: int
    user_id: int
    name: str
    role: str
    disabled: int


class Accounts:
    """Reads and changes of server values, people, sessions and invites."""

    db: Connection
    now: Millis

    def server_values(self) -> dict[str, str]:
        return dict(self.db.rows(_SERVER))

    def server_value(self, key: str) -> str | None:
        row = self.db.row(_SERVER_VALUE, key=key)
        return str(row[0]) if row else None

    def set_server_value(self, key: str, value: str) -> None:
        if not self.db.run(_CHANGE_SERVER, key_=key, to=value):
            self.db.run(_ADD_SERVER, key=key, value=value)

    def secret(self) -> bytes | None:
        """The session signing key, if the database has one instead of the data folder."""
        found = self.server_value(SIGNING_KEY)
        return bytes.fromhex(found) if found else None

    def set_secret(self, key: bytes) -> None:
        self.set_server_value(SIGNING_KEY, key.hex())

    def user(self, name: str) -> UserRow | None:
        """The account with this handle."""
        row = self.db.row(_USER_BY_NAME, name=name)
        return UserRow(*row) if row else None

    def user_by_id(self, user_id: int) -> UserRow | None:
        row = self.db.row(_USER_BY_ID, id=user_id)
        return UserRow(*row) if row else None

    def people(self, names: set[str]) -> list[UserRow]:
        """The accounts and guests with these handles; several guests may have the same one."""
        keys = [{"name": name} for name in sorted(names)]
        return [UserRow(*row) for row in self.db.rows_for(_USERS_BY_NAME, keys)]

    def users_page(self, q: str, after: str, limit: int) -> list[UserRow]:
        rows = self.db.rows(_USERS_PAGE, like=contains(q), after=after, limit=limit)
        return [UserRow(*row) for row in rows]

    def is_skeleton_taken(self, skeleton: str) -> bool:
        return self.db.row(_SKELETON, skeleton=skeleton) is not None

    def count_owners(self) -> int:
        """The number of enabled owners: 0, 1, or 2 for two or more."""
        return len(self.db.rows(_OWNERS))

    def add_user(
        self,
        *,
        name: str,
        skeleton: str | None,
        display_name: str,
        password_hash: str | None,
        role: str,
        guest_key: str | None = None,
    ) -> int:
        """Add an account, or a guest who posts for the first time, and return the id."""
        row = self.db.row(
            _ADD_USER,
            name=name,
            skeleton=skeleton,
            guest_key=guest_key,
            display_name=display_name,
            password_hash=password_hash,
            role=role,
            created_at=self.now,
        )
        assert row
        return int(row[0])

    def guest(self, guest_key: str) -> int | None:
        row = self.db.row(_GUEST, guest_key=guest_key)
        return int(row[0]) if row else None

    def next_user_rev(self, user_id: int) -> int:
        row = self.db.row(_NEXT_REV, id=user_id)
        assert row
        return int(row[0])

    def next_user_revs(self, user_ids: set[int]) -> dict[int, int]:
        """Increase the revs of these people; user id → new rev."""
        return dict(self.db.rows_for(_NEXT_REVS, [{"id": user_id} for user_id in user_ids]))

    def set_display_name(self, user_id: int, to: str) -> None:
        self.db.run(_SET_DISPLAY_NAME, id_=user_id, to=to)

    def set_password(self, user_id: int, to: str) -> None:
        self.db.run(_SET_PASSWORD, id_=user_id, to=to)

    def set_server_role(self, user_id: int, to: str) -> None:
        self.db.run(_SET_ROLE, id_=user_id, to=to)

    def set_disabled(self, user_id: int, to: bool) -> None:
        self.db.run(_SET_DISABLED, id_=user_id, to=int(to))

    def add_session(self, session: str, user_id: int, label: str, *, lasting: bool = False) -> None:
        self.db.run(
            _ADD_SESSION,
            id=session,
            user_id=user_id,
            label=label[:128],
            created_at=self.now,
            seen_at=self.now,
            lasting=int(lasting),
        )

    def session(self, session: str) -> SessionRow | None:
        row = self.db.row(_SESSION, id=session)
        return SessionRow(*row) if row else None

    def sessions(self, ids: set[str]) -> dict[str, SessionRow]:
        """The sessions by id, without those that have ended."""
        rows = self.db.rows_for(_SESSIONS, [{"id": session_id} for session_id in sorted(ids)])
        return {row[0]: SessionRow(*row) for row in rows}

    def sessions_of(self, user_id: int) -> list[tuple[str, str, Millis, Millis]]:
        """Rows of id, label, created_at and seen_at, last seen first."""
        return self.db.rows(_SESSIONS_OF, user_id=user_id)

    def touch_sessions(self, ids: Iterable[str]) -> None:
        """Set seen_at of these sessions to now."""
        self.db.rows_for(_TOUCH_SESSIONS, [{"id_": session_id} for session_id in ids], at=self.now)

    def end_session(self, session: str, user_id: int) -> bool:
        return self.db.run(_END_SESSION, id=session, user_id=user_id) > 0

    def end_sessions(self, user_id: int, *, keep: str | None = None) -> list[str]:
        """End all of a person's sessions except one, and return the ids of the ended ones."""
        return [
            row[0] for row in self.db.rows(_END_OTHER_SESSIONS, user_id=user_id, keep=keep or "")
        ]

    def end_idle_sessions(self, before: Millis) -> list[str]:
        return [row[0] for row in self.db.rows(_END_IDLE_SESSIONS, before=before)]

    def add_invite(
        self, code: str, role: str, by: int | None, expires_at: Millis, uses: int
    ) -> None:
        self.db.run(
            _ADD_INVITE,
            code=code,
            role=role,
            created_by=by,
            created_at=self.now,
            expires_at=expires_at,
            uses=uses,
        )

    def count_invites(self, by: int) -> int:
        """Count the valid invites that this person has created."""
        return self.db.count(_COUNT_INVITES, by=by, now=self.now)

    def delete_expired_invites(self) -> None:
        """Delete invites that have expired or been used up."""
        self.db.run(_DELETE_EXPIRED_INVITES, now=self.now)

    def invite_role(self, code: str) -> str | None:
        """The role that an invite gives, or None if it is not valid."""
        row = self.db.row(_INVITE_ROLE, key=code, now=self.now)
        return str(row[0]) if row else None

    def use_invite(self, code: str) -> bool:
        """Use an invite once; False if it is not valid."""
        return self.db.run(_USE_INVITE, key=code, now=self.now) > 0

    def invites(self) -> list[tuple[str, str | None, Millis, Millis, int]]:
        """Rows of code, creator, created_at, expires_at and remaining uses of valid invites."""
        return self.db.rows(_INVITES, now=self.now)

    def end_invite(self, code: str) -> bool:
        return self.db.run(_END_INVITE, key=code) > 0

    def end_owner_invites(self) -> None:
        self.db.run(_END_OWNER_INVITES)


def contains(q: str) -> str:
    """A LIKE pattern for texts that contain ``q``, with ``\\`` as the escape character."""
    escaped = q.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
