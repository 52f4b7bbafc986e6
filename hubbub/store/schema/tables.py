"""The tables, from which all statements are built, for SQLite and PostgreSQL alike.

Values are plain integers and text in both, so that rows need no conversion: times are in
milliseconds, booleans are 0 or 1, and enumerations are text. If a column's values are restricted
beyond its SQL type, its ``info`` has their type (see
`hubbub.store.engines.row_checks`). Alembic's migrations create the tables; a test compares them
with this module.
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
from hubbub.store.engines.row_checks import JSON_TYPE, VALUE_TYPE

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# In SQLite only a column of exactly the type INTEGER is the rowid.
Id = BigInteger().with_variant(Integer, "sqlite")

# The server's own values: epoch, name, registration mode.
server = Table(
    "server",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

# Accounts, and guests who have posted. Several guests may have the same name, so only accounts have
# a skeleton, which makes names unique; guests have a key instead.
users = Table(
    "users",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("name", String(64), nullable=False, index=True),
    Column("skeleton", String(256), unique=True),
    Column("guest_key", String(64), unique=True),
    Column("display_name", String(128), nullable=False),
    Column("password_hash", String(256)),
    Column("role", String(16), nullable=False, info={VALUE_TYPE: ServerRole}),
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
    # 1 for bots, whose sessions do not expire.
    Column("lasting", SmallInteger, nullable=False, server_default=text("0")),
)

invites = Table(
    "invites",
    metadata,
    Column("code", String(64), primary_key=True),
    Column("role", String(16), nullable=False, info={VALUE_TYPE: ServerRole}),
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
    Column("kind", String(16), nullable=False, info={VALUE_TYPE: RoomKind}),
    Column("title", String(160), nullable=False),
    Column("topic", Text, nullable=False, server_default=text("''")),
    Column("archived", SmallInteger, nullable=False, server_default=text("0")),
    # The sorted user ids of a direct room; unique, as the same people have only one such room.
    Column("direct_key", String(256), unique=True),
    Column("seq", BigInteger, nullable=False, server_default=text("0")),
    Column("rev", BigInteger, nullable=False, server_default=text("0")),
    # The rev of the last change of title, topic or archived.
    Column("meta_rev", BigInteger, nullable=False, server_default=text("0")),
    # Clients with a lower rev must start over, as rows of those changes have been deleted.
    Column("floor", BigInteger, nullable=False, server_default=text("0")),
    Column("mrev", BigInteger, nullable=False, server_default=text("0")),
    Column("members", Integer, nullable=False, server_default=text("0")),
    Column("created_at", BigInteger, nullable=False),
    # The room and the message of a thread. The room is older, so it has the lower pk.
    Column("parent_pk", BigInteger, index=True),
    Column("parent_seq", BigInteger),
)

members = Table(
    "members",
    metadata,
    Column("room_pk", Id, ForeignKey("rooms.pk", ondelete="CASCADE"), primary_key=True),
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("role", String(16), nullable=False, info={VALUE_TYPE: RoomRole}),
    Column("read_seq", BigInteger, nullable=False, server_default=text("0")),
    Column(
        "notify",
        String(16),
        nullable=False,
        server_default=text("'all'"),
        info={VALUE_TYPE: Notify},
    ),
    Column("hidden", SmallInteger, nullable=False, server_default=text("0")),
    Column("joined_at", BigInteger, nullable=False),
    # Who added the member, until the member chooses to stay; null for those who joined.
    Column("added_by", BigInteger),
    sqlite_with_rowid=False,
)

# Clustered by room and seq, so that a page of history is stored contiguously.
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
    Column("kind", String(16), nullable=False, info={VALUE_TYPE: MessageKind}),
    Column("text", Text, nullable=False),
    Column("nonce", String(64)),
    Column("reply_to", BigInteger),
    Column("edited_at", BigInteger),
    Column("deleted", SmallInteger, nullable=False, server_default=text("0")),
    # Handles, separated by spaces.
    Column("mentions", Text, nullable=False, server_default=text("''")),
    # JSON: the original of a forwarded message.
    Column("origin", Text, nullable=False, server_default=text("''"), info={JSON_TYPE: Origin}),
    # JSON: the marks, a `MarkState`, and the room's rev of their last change.
    Column("marks_rev", BigInteger, nullable=False, server_default=text("0")),
    Column("marks", Text, nullable=False, server_default=text("''"), info={JSON_TYPE: MarkState}),
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

# Mentions of people by handle; unread ones are counted from these rows.
mentions = Table(
    "mentions",
    metadata,
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("room_pk", Id, ForeignKey("rooms.pk", ondelete="CASCADE"), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)
Index("ix_mentions_room_pk_seq", mentions.c.room_pk, mentions.c.seq)

# Messages that mention everybody in the room: one row each, for any number of members.
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
    # The room's rev at that time, by which reactions are ordered.
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
    # The message whose thread the draft is for, which may not exist yet; 0 for the room itself.
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

# A person's use of each daily quota on the latest day with any. Another day overwrites the row, so
# that old rows need no cleanup.
usage = Table(
    "usage",
    metadata,
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("quota", String(64), primary_key=True),
    # Days since 1970, in UTC.
    Column("day", Integer, nullable=False),
    Column("count", Integer, nullable=False),
    sqlite_with_rowid=False,
)

# Effects for all nodes, numbered consecutively in the order of commits; old entries are deleted.
journal = Table(
    "journal",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("node", String(32), nullable=False),
    Column("at", BigInteger, nullable=False),
    # JSON: a list of effects.
    Column("body", Text, nullable=False, info={JSON_TYPE: tuple[Journaled, ...]}),
)
