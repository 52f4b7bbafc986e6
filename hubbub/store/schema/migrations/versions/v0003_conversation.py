"""Reactions, threads, pins, bookmarks, drafts, mentions of everybody, forwarded messages."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
works_with = "0002"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("rooms", sa.Column("parent_pk", sa.BigInteger(), nullable=True))
    op.add_column("rooms", sa.Column("parent_seq", sa.BigInteger(), nullable=True))
    op.create_index(op.f("ix_rooms_parent_pk"), "rooms", ["parent_pk"], unique=False)
    for column in (
        sa.Column("origin", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("marks_rev", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("marks", sa.Text(), server_default=sa.text("''"), nullable=False),
    ):
        op.add_column("messages", column)
    op.create_index(
        "ix_messages_room_pk_marks_rev",
        "messages",
        ["room_pk", "marks_rev"],
        unique=True,
        sqlite_where=sa.text("marks_rev > 0"),
        postgresql_where=sa.text("marks_rev > 0"),
    )
    _create("room_mentions", _room("room_mentions"), _key("seq"), key=("room_pk", "seq"))
    _create(
        "reactions",
        _room("reactions"),
        _key("seq"),
        [sa.Column("emoji", sa.String(length=64), nullable=False)],
        _user("reactions"),
        [sa.Column("rev", sa.BigInteger(), nullable=False)],
        key=("room_pk", "seq", "emoji", "user_id"),
    )
    _create(
        "pins",
        _room("pins"),
        _key("seq"),
        [sa.Column("at", sa.BigInteger(), nullable=False)],
        key=("room_pk", "seq"),
    )
    _create(
        "bookmarks",
        _user("bookmarks"),
        _room("bookmarks"),
        _key("seq"),
        [
            sa.Column("note", sa.Text(), nullable=False),
            sa.Column("at", sa.BigInteger(), nullable=False),
        ],
        key=("user_id", "room_pk", "seq"),
    )
    op.create_index("ix_bookmarks_room_pk", "bookmarks", ["room_pk"], unique=False)
    _create(
        "drafts",
        _user("drafts"),
        _room("drafts"),
        _key("thread"),
        [
            sa.Column("text", sa.Text(), nullable=False),
            sa.Column("reply_to", sa.BigInteger(), nullable=True),
            sa.Column("at", sa.BigInteger(), nullable=False),
        ],
        key=("user_id", "room_pk", "thread"),
    )
    op.create_index("ix_drafts_room_pk", "drafts", ["room_pk"], unique=False)


def _create(table: str, *parts: list[sa.schema.SchemaItem], key: tuple[str, ...]) -> None:
    op.create_table(
        table,
        *(item for part in parts for item in part),
        sa.PrimaryKeyConstraint(*key, name=op.f(f"pk_{table}")),
        sqlite_with_rowid=False,
    )


def _key(name: str) -> list[sa.schema.SchemaItem]:
    return [sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=False)]


def _room(table: str) -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("room_pk", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["room_pk"],
            ["rooms.pk"],
            name=op.f(f"fk_{table}_room_pk_rooms"),
            ondelete="CASCADE",
        ),
    ]


def _user(table: str) -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("user_id", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
            name=op.f(f"fk_{table}_user_id_users"),
            ondelete="CASCADE",
        ),
    ]
