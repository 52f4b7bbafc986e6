"""Daily quotas, who added whom to a room, and who blocks whom."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
works_with = "0003"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("members", sa.Column("added_by", sa.BigInteger(), nullable=True))
    op.create_table(
        "blocks",
        sa.Column("user_id", ID, nullable=False),
        sa.Column("blocked_id", ID, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        _of_user("blocks", "user_id"),
        _of_user("blocks", "blocked_id"),
        sa.PrimaryKeyConstraint("user_id", "blocked_id", name=op.f("pk_blocks")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_blocks_blocked_id"), "blocks", ["blocked_id"], unique=False)
    op.create_table(
        "usage",
        sa.Column("user_id", ID, nullable=False),
        sa.Column("quota", sa.String(length=64), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        _of_user("usage", "user_id"),
        sa.PrimaryKeyConstraint("user_id", "quota", name=op.f("pk_usage")),
        sqlite_with_rowid=False,
    )


def _of_user(table: str, column: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], ["users.id"], name=op.f(f"fk_{table}_{column}_users"), ondelete="CASCADE"
    )
