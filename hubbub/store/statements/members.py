"""Statements about members of rooms, and their read markers."""

from typing import NamedTuple

from sqlalchemy import (
    ColumnElement,
    and_,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    null,
    select,
    union_all,
    update,
)

from hubbub.model.policy import RoomRole
from hubbub.store.engines.sql import BatchSql, Sql
from hubbub.store.schema.tables import (
    members,
    mentions,
    messages,
    room_mentions,
    rooms,
    sessions,
    users,
)
from hubbub.store.statements.accounts import Accounts

_adder = users.alias("adder")
MEMBER_COLUMNS = (
    members.c.role,
    members.c.read_seq,
    members.c.notify,
    members.c.hidden,
    select(_adder.c.name)
    .where(_adder.c.id == members.c.added_by)
    .correlate(members)
    .scalar_subquery(),
)

_ZERO: ColumnElement[int] = literal_column("0")
_ANY_ROLE: ColumnElement[str] = literal_column(f"'{RoomRole.MEMBER}'")
_MEMBER = Sql(
    select(*MEMBER_COLUMNS).where(
        members.c.room_pk == bindparam("room_pk"), members.c.user_id == bindparam("user_id")
    )
)
# One SELECT for each pair: SQLite would scan the whole table for a list of row values.
_MEMBERSHIPS = BatchSql(
    lambda size: union_all(
        *(
            select(
                members.c.room_pk,
                members.c.user_id,
                members.c.role,
                members.c.read_seq,
                users.c.disabled,
            )
            .join_from(members, users)
            .where(
                members.c.room_pk == bindparam(f"room_pk{i}"),
                members.c.user_id == bindparam(f"user_id{i}"),
            )
            for i in range(size)
        )
    )
)
# The same for authors of posts, with their valid sessions in additional rows (room pk 0), which
# saves a statement.
_POSTERS = BatchSql(
    lambda size: union_all(
        *(
            select(
                members.c.room_pk,
                members.c.user_id,
                members.c.role,
                members.c.read_seq,
                users.c.disabled,
                users.c.role,
                literal_column("''"),
            )
            .join_from(members, users)
            .where(
                members.c.room_pk == bindparam(f"room_pk{i}"),
                members.c.user_id == bindparam(f"user_id{i}"),
            )
            for i in range(size)
        ),
        # Each constant is a valid value of its column, as rows are checked column by column.
        select(_ZERO, _ZERO, _ANY_ROLE, _ZERO, _ZERO, _ANY_ROLE, sessions.c.id).where(
            sessions.c.id.in_([bindparam(f"session{i}") for i in range(size)])
        ),
    )
)
_ADD_MEMBER = Sql(
    insert(members).values(
        {
            column: bindparam(column)
            for column in (
                "room_pk",
                "user_id",
                "role",
                "read_seq",
                "hidden",
                "joined_at",
                "added_by",
            )
        }
    )
)
_CHANGE_MEMBER_COUNT = Sql(
    update(rooms)
    .where(rooms.c.pk == bindparam("pk_"))
    .values(mrev=rooms.c.mrev + 1, members=rooms.c.members + bindparam("by"))
    .returning(rooms.c.mrev, rooms.c.members)
)
_of_member = and_(members.c.room_pk == bindparam("room"), members.c.user_id == bindparam("user"))
_REMOVE_MEMBER = Sql(delete(members).where(_of_member))
_SET_ROLE = Sql(update(members).where(_of_member).values(role=bindparam("to")))
_SET_READ = Sql(update(members).where(_of_member).values(read_seq=bindparam("to")))
_SET_PREFS = Sql(
    update(members).where(_of_member).values(notify=bindparam("to"), hidden=bindparam("hide"))
)
_CLEAR_ADDED_BY = Sql(update(members).where(_of_member).values(added_by=null()))
_COUNT_ROOMS = Sql(
    select(func.count())
    .select_from(members)
    .join(rooms, rooms.c.pk == members.c.room_pk)
    .where(
        members.c.user_id == bindparam("user_id"),
        rooms.c.parent_pk.is_(None),
        # Nobody can leave direct rooms; creating them has a quota of its own.
        rooms.c.kind != "direct",
    )
)
_UNHIDE = Sql(
    update(members)
    .where(members.c.room_pk == bindparam("room"), members.c.hidden == 1)
    .values(hidden=0)
    .returning(members.c.user_id)
)
_ROOM_OWNERS = Sql(
    select(members.c.user_id)
    .where(members.c.room_pk == bindparam("room_pk"), members.c.role == "owner")
    .limit(2)
)
_MEMBERS_PAGE = Sql(
    select(users.c.name, users.c.display_name, members.c.role)
    .join_from(members, users)
    .where(members.c.room_pk == bindparam("room_pk"), users.c.name > bindparam("after"))
    .order_by(users.c.name)
    .limit(bindparam("limit"))
)
_NEXT_MEMBER_REVS = Sql(
    update(users)
    .where(users.c.id.in_(select(members.c.user_id).where(members.c.room_pk == bindparam("room"))))
    .values(rev=users.c.rev + 1)
    .returning(users.c.name, users.c.rev)
)
_MEMBERS_NAMED = BatchSql(
    lambda size: (
        select(users.c.name, users.c.id)
        .join_from(members, users)
        .where(
            members.c.room_pk == bindparam("room"),
            users.c.name.in_([bindparam(f"name{i}") for i in range(size)]),
        )
    )
)

unread_mentions_of_member = (
    select(func.count())
    .select_from(mentions)
    .where(
        mentions.c.user_id == members.c.user_id,
        mentions.c.room_pk == members.c.room_pk,
        mentions.c.seq > members.c.read_seq,
    )
    .scalar_subquery()
) + (
    select(func.count())
    .select_from(room_mentions)
    .where(
        room_mentions.c.room_pk == members.c.room_pk,
        room_mentions.c.seq > members.c.read_seq,
        # Not a join, for which SQLite would start with all unread messages.
        select(messages.c.author_id)
        .where(
            messages.c.room_pk == room_mentions.c.room_pk,
            messages.c.seq == room_mentions.c.seq,
        )
        .scalar_subquery()
        != members.c.user_id,
    )
    .scalar_subquery()
)
_UNREAD_MENTIONS = BatchSql(
    lambda size: union_all(
        *(
            select(members.c.room_pk, members.c.user_id, unread_mentions_of_member).where(
                members.c.room_pk == bindparam(f"room_pk{i}"),
                members.c.user_id == bindparam(f"user_id{i}"),
            )
            for i in range(size)
        )
    )
)


class MemberRow(NamedTuple):
    role: str
    read_seq: int
    notify: str
    hidden: int
    added_by: str | None = None


class MembershipRow(NamedTuple):
    """A membership with the columns that queries need."""

    role: str
    read_seq: int
    disabled: int


class PosterRow(NamedTuple):
    """A membership with the columns that posts need; ``server_role`` is the account's role."""

    role: str
    read_seq: int
    disabled: int
    server_role: str


class Members(Accounts):
    """Reads and changes of memberships."""

    def member(self, room_pk: int, user_id: int) -> MemberRow | None:
        row = self.db.row(_MEMBER, room_pk=room_pk, user_id=user_id)
        return MemberRow(*row) if row else None

    def memberships(self, pairs: set[tuple[int, int]]) -> dict[tuple[int, int], MembershipRow]:
        """The memberships by (room pk, user id)."""
        keys = [{"room_pk": room, "user_id": user} for room, user in pairs]
        return {
            (row[0], row[1]): MembershipRow(*row[2:])
            for row in self.db.rows_for(_MEMBERSHIPS, keys)
        }

    def posters(
        self, keys: set[tuple[int, int, str]]
    ) -> tuple[dict[tuple[int, int], PosterRow], set[str]]:
        """The memberships of these (room pk, user id, session), and the valid sessions."""
        values = [{"room_pk": room, "user_id": user, "session": one} for room, user, one in keys]
        found: dict[tuple[int, int], PosterRow] = {}
        valid_sessions: set[str] = set()
        for row in self.db.rows_for(_POSTERS, values):
            if row[0]:
                found[row[0], row[1]] = PosterRow(*row[2:-1])
            else:
                valid_sessions.add(row[-1])
        return found, valid_sessions

    def add_member(
        self,
        room_pk: int,
        user_id: int,
        role: str,
        *,
        read_seq: int,
        hidden: bool = False,
        added_by: int | None = None,
    ) -> tuple[int, int]:
        """Add a member who has read up to ``read_seq``; returns the room's mrev and count."""
        self.db.run(
            _ADD_MEMBER,
            room_pk=room_pk,
            user_id=user_id,
            role=role,
            read_seq=read_seq,
            hidden=int(hidden),
            joined_at=self.now,
            added_by=added_by,
        )
        return self._change_member_count(room_pk, 1)

    def remove_member(self, room_pk: int, user_id: int) -> tuple[int, int]:
        self.db.run(_REMOVE_MEMBER, room=room_pk, user=user_id)
        return self._change_member_count(room_pk, -1)

    def set_room_role(self, room_pk: int, user_id: int, to: str) -> tuple[int, int]:
        self.db.run(_SET_ROLE, room=room_pk, user=user_id, to=to)
        return self._change_member_count(room_pk, 0)

    def _change_member_count(self, room_pk: int, by: int) -> tuple[int, int]:
        row = self.db.row(_CHANGE_MEMBER_COUNT, pk_=room_pk, by=by)
        assert row
        return int(row[0]), int(row[1])

    def set_all_read(self, to: dict[tuple[int, int], int]) -> None:
        """Set the read markers of these (room pk, user id)."""
        rows = [{"room": room, "user": user, "to": seq} for (room, user), seq in to.items()]
        self.db.run_many(_SET_READ, rows)

    def set_prefs(self, room_pk: int, user_id: int, notify: str, hidden: bool) -> None:
        self.db.run(_SET_PREFS, room=room_pk, user=user_id, to=notify, hide=int(hidden))

    def clear_added_by(self, room_pk: int, user_id: int) -> None:
        """Clear ``added_by`` of a member."""
        self.db.run(_CLEAR_ADDED_BY, room=room_pk, user=user_id)

    def count_rooms(self, user_id: int) -> int:
        """The number of a person's rooms, without direct rooms and threads."""
        return self.db.count(_COUNT_ROOMS, user_id=user_id)

    def unhide(self, room_pk: int) -> list[int]:
        """Show a direct room again to members who hid it, and return their ids."""
        return [row[0] for row in self.db.rows(_UNHIDE, room=room_pk)]

    def room_owners(self, room_pk: int) -> list[int]:
        """The ids of up to two owners."""
        return [row[0] for row in self.db.rows(_ROOM_OWNERS, room_pk=room_pk)]

    def members_page(self, room_pk: int, after: str, limit: int) -> list[tuple[str, str, str]]:
        """Rows of name, display name and role, by name."""
        return self.db.rows(_MEMBERS_PAGE, room_pk=room_pk, after=after, limit=limit)

    def next_member_revs(self, room_pk: int) -> dict[str, int]:
        """Increase the rev of each member; name → new rev."""
        return dict(self.db.rows(_NEXT_MEMBER_REVS, room=room_pk))

    def members_named(self, room_pk: int, names: list[str]) -> dict[str, int]:
        """The members with these names; name → user id."""
        keys = [{"name": name} for name in names]
        return dict(self.db.rows_for(_MEMBERS_NAMED, keys, room=room_pk))

    def unread_mentions(self, pairs: set[tuple[int, int]]) -> dict[tuple[int, int], int]:
        """The number of unread mentions by (room pk, user id)."""
        keys = [{"room_pk": room, "user_id": user} for room, user in pairs]
        return {(row[0], row[1]): int(row[2]) for row in self.db.rows_for(_UNREAD_MENTIONS, keys)}
