"""The tables. Every statement is built from these, once for SQLite and PostgreSQL.

Values are plain integers and text on both, so that rows need no conversion: times are
milliseconds, truths 0 or 1, enumerations their words. What a column's type does not say of its
values stands in its ``info`` (see `hubbub.store.engines.row_checks`). Alembic's migrations make the
tables; a test compares them with this module.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    text,
)

from hubbub.model.marks import MarkState
from hubbub.model.messages import MessageKind, Origin
from hubbub.model.outcome import Journaled
from hubbub.model.policy import RoomKind, RoomRole, ServerRole
from hubbub.model.rooms import Notify
from hubbub.store.engines.row_checks import HOLDS, JSON

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite gives rowids only to a column of exactly INTEGER.
Id = BigInteger().with_variant(Integer, "sqlite")

# What the server knows of itself: epoch, name, registration.
server = Table(
    "server",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

# Accounts, and guests who have posted. A guest's name may come back with another guest, so
# only accounts have a skeleton, by which names are unique; guests have a key instead.
users = Table(
    "users",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("name", String(64), nullable=False, index=True),
    Column("skeleton", String(256), unique=True),
    Column("guest_key", String(64), unique=True),
    Column("display_name", String(128), nullable=False),
    Column("password_hash", String(256)),
    Column("role", String(16), nullable=False, info={HOLDS: ServerRole}),
    Column("disabled", SmallInteger, nullable=False, server_default=text("0")),
    Column("rev", BigInteger, nullable=False, server_default=text("0")),
    Column("created_at", BigInteger, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("label", String(128), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    # 1 for a bot's: it does not end by itself.
    Column("lasting", SmallInteger, nullable=False, server_default=text("0")),
)

invites = Table(
    "invites",
    metadata,
    Column("code", String(64), primary_key=True),
    Column("role", String(16), nullable=False, info={HOLDS: ServerRole}),
    Column("created_by", Id, ForeignKey("users.id", ondelete="CASCADE")),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("uses", Integer, nullable=False),
)

rooms = Table(
    "rooms",
    metadata,
    Column("pk", Id, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("kind", String(16), nullable=False, info={HOLDS: RoomKind}),
    Column("title", String(160), nullable=False),
    Column("topic", Text, nullable=False, server_default=text("''")),
    Column("archived", SmallInteger, nullable=False, server_default=text("0")),
    # The sorted user ids of a direct room: one room for the same people.
    Column("direct_key", String(256), unique=True),
    Column("seq", BigInteger, nullable=False, server_default=text("0")),
    Column("rev", BigInteger, nullable=False, server_default=text("0")),
    # The rev of the last change of title, topic or archive.
    Column("meta_rev", BigInteger, nullable=False, server_default=text("0")),
    # Changes up to here can no longer be told by state: rows were really removed.
    Column("floor", BigInteger, nullable=False, server_default=text("0")),
    Column("mrev", BigInteger, nullable=False, server_default=text("0")),
    Column("members", Integer, nullable=False, server_default=text("0")),
    Column("created_at", BigInteger, nullable=False),
    # A thread stands under a message of another room, which is made before it.
    Column("parent_pk", BigInteger, index=True),
    Column("parent_seq", BigInteger),
)

members = Table(
    "members",
    metadata,
    Column("room_pk", Id, ForeignKey("rooms.pk", ondelete="CASCADE"), primary_key=True),
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("role", String(16), nullable=False, info={HOLDS: RoomRole}),
    Column("read_seq", BigInteger, nullable=False, server_default=text("0")),
    Column(
        "notify",
        String(16),
        nullable=False,
        server_default=text("'all'"),
        info={HOLDS: Notify},
    ),
    Column("hidden", SmallInteger, nullable=False, server_default=text("0")),
    Column("joined_at", BigInteger, nullable=False),
    # Who put them there, until they say that they stay; null for who came by themselves.
    Column("added_by", BigInteger),
    sqlite_with_rowid=False,
)

# Clustered by address, so that a page of history is one run of pages on disk.
messages = Table(
    "messages",
    metadata,
    Column(
        "room_pk",
        Id,
        ForeignKey("rooms.pk", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("rev", BigInteger, nullable=False),
    Column("author_id", Id, ForeignKey("users.id"), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False, info={HOLDS: MessageKind}),
    Column("text", Text, nullable=False),
    Column("nonce", String(64)),
    Column("reply_to", BigInteger),
    Column("edited_at", BigInteger),
    Column("deleted", SmallInteger, nullable=False, server_default=text("0")),
    # Space-separated handles, which have no spaces.
    Column("mentions", Text, nullable=False, server_default=text("''")),
    # JSON: where a forwarded message was said.
    Column("origin", Text, nullable=False, server_default=text("''"), info={JSON: Origin}),
    # What was added to it, and the room's rev when that last changed: JSON, a `MarkState`.
    Column("marks_rev", BigInteger, nullable=False, server_default=text("0")),
    Column("marks", Text, nullable=False, server_default=text("''"), info={JSON: MarkState}),
    sqlite_with_rowid=False,
)
Index("ix_messages_room_pk_rev", messages.c.room_pk, messages.c.rev, unique=True)
Index(
    "ix_messages_room_pk_marks_rev",
    messages.c.room_pk,
    messages.c.marks_rev,
    unique=True,
    sqlite_where=messages.c.marks_rev > 0,
    postgresql_where=messages.c.marks_rev > 0,
)
Index(
    "ix_messages_room_pk_author_id_nonce",
    messages.c.room_pk,
    messages.c.author_id,
    messages.c.nonce,
    unique=True,
    sqlite_where=messages.c.nonce.is_not(None),
    postgresql_where=messages.c.nonce.is_not(None),
)

# Who is mentioned where: unread mentions are a count over this.
mentions = Table(
    "mentions",
    metadata,
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("room_pk", Id, ForeignKey("rooms.pk", ondelete="CASCADE"), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)
Index("ix_mentions_room_pk_seq", mentions.c.room_pk, mentions.c.seq)

# Messages that mention everybody in the room, however many these are.
room_mentions = Table(
    "room_mentions",
    metadata,
    Column("room_pk", Id, ForeignKey("rooms.pk", ondelete="CASCADE"), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

reactions = Table(
    "reactions",
    metadata,
    Column("room_pk", Id, ForeignKey("rooms.pk", ondelete="CASCADE"), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("emoji", String(64), primary_key=True),
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    # The room's rev of the time: who came first.
    Column("rev", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

pins = Table(
    "pins",
    metadata,
    Column("room_pk", Id, ForeignKey("rooms.pk", ondelete="CASCADE"), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

bookmarks = Table(
    "bookmarks",
    metadata,
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("room_pk", Id, ForeignKey("rooms.pk", ondelete="CASCADE"), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("note", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
Index("ix_bookmarks_room_pk", bookmarks.c.room_pk)

drafts = Table(
    "drafts",
    metadata,
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("room_pk", Id, ForeignKey("rooms.pk", ondelete="CASCADE"), primary_key=True),
    # The message in whose thread it is to be said, which may not be there yet; 0 for none.
    Column("thread", BigInteger, primary_key=True, autoincrement=False),
    Column("text", Text, nullable=False),
    Column("reply_to", BigInteger),
    Column("at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
Index("ix_drafts_room_pk", drafts.c.room_pk)

blocks = Table(
    "blocks",
    metadata,
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column(
        "blocked_id", Id, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True
    ),
    Column("at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# What a person has used of each daily quota on the latest day on which they used any; counting
# begins anew on another day, so old rows need not be swept.
usage = Table(
    "usage",
    metadata,
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("quota", String(64), primary_key=True),
    # Since 1970, in UTC.
    Column("day", Integer, nullable=False),
    Column("count", Integer, nullable=False),
    sqlite_with_rowid=False,
)

# What all nodes must hear of, in the order of commits and without a hole; kept for a while only.
journal = Table(
    "journal",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("node", String(32), nullable=False),
    Column("at", BigInteger, nullable=False),
    # JSON: a list of what is told.
    Column("body", Text, nullable=False, info={JSON: tuple[Journaled, ...]}),
)
