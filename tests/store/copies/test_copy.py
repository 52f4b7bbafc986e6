"""Copies between databases of both engines have exactly the same content."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from hubbub.store.copies import copy
from hubbub.store.copies.copy import (
    TABLES,
    Digest,
    copy_rows,
    digests_of,
    is_empty,
    reset_sequences,
)
from hubbub.store.engines.database import Connection
from hubbub.store.engines.postgres import Database as Postgres
from hubbub.store.engines.sql import Row
from hubbub.store.engines.sqlite.database import Database as Sqlite
from hubbub.store.schema.tables import journal, metadata, server
from tests.support.world import schema

NewUrl = Callable[[], str]

ODD_TEXTS = (
    "",
    " ",
    "x" * 16_000,
    "😀" * 16_000,
    "e\u0301 and \u00e9, which look the same",
    "\u202eright to left\u202c, \u200bnothing\ufeff",
    "\\N \\. \\x00 \\\\ \t tab and\nline feed\r\n",  # some are special in COPY
    "'; DROP TABLE rooms; --",
    '%s %(text)s {"a": ":b"}',
    "\U0010ffff \ue000 \ud7ff",
)
# Their byte order differs from their order by locale and in UTF-16.
KEYS = ("a", "B", "_", "-", "é", "z", "\uff5e", "😀", "0", "aa", "a b")


class Databases:
    """A PostgreSQL and two SQLite databases, with the schema."""

    def __init__(self, folder: Path, url: str, stack: ExitStack) -> None:
        self.postgres = stack.enter_context(closing(Postgres(url).copier()))
        self.first = self._sqlite(folder / "first.db", stack)
        self.second = self._sqlite(folder / "second.db", stack)

    def _sqlite(self, path: Path, stack: ExitStack) -> Connection:
        path.write_bytes(schema())
        return stack.enter_context(closing(Sqlite(path).copier()))

    def clear(self) -> None:
        for db in (self.postgres, self.first, self.second):
            db.begin()
            for table in reversed(TABLES):
                db.execute(str(delete(table)))
            db.commit()


@pytest.fixture
def databases(tmp_path: Path, postgres_url: NewUrl) -> Iterator[Databases]:
    with ExitStack() as stack:
        yield Databases(tmp_path, postgres_url(), stack)


def fill(db: Connection, texts: list[str]) -> None:
    """Insert rows into all tables, with these texts wherever any text is allowed."""
    db.begin()
    users: list[Row] = [
        (n, f"p{n}", f"p{n}", None, text[:128], None) for n, text in enumerate(texts, 1)
    ]
    users += [(9_000, "~g", None, "key", "G", "$argon2id$")]
    columns = ["id", "name", "skeleton", "guest_key", "display_name", "password_hash"]
    db.bulk_insert(
        "users", [*columns, "role", "created_at"], [(*one, "member", 1) for one in users]
    )
    big = 2**62
    db.bulk_insert(
        "rooms",
        ["pk", "id", "kind", "title", "topic", "direct_key", "seq", "rev", "created_at"],
        [(7, "lobby", "public", "Lobby", texts[0], None, big, big, 0)],
    )
    db.bulk_insert(
        "sessions",
        ["id", "user_id", "label", "created_at", "seen_at"],
        [(key, 1, text[:128], 1, 2) for key, text in zip(KEYS, texts, strict=False)],
    )
    db.bulk_insert(
        "invites",
        ["code", "role", "created_by", "created_at", "expires_at", "uses"],
        [(key, "member", None if key == "a" else 1, 1, big, 3) for key in KEYS],
    )
    people = [(7, n, "member", 1) for n in range(1, len(texts) + 1)]
    db.bulk_insert("members", ["room_pk", "user_id", "role", "joined_at"], people)
    db.bulk_insert(
        "messages",
        ["room_pk", "seq", "rev", "author_id", "at", "kind", "text", "nonce", "mentions"],
        [
            (7, n, n, n, -n, "text", text, None if n % 2 else f"nonce {n}", text[:9])
            for n, text in enumerate(texts, 1)
        ],
    )
    mentioned = [(n, 7, n) for n in range(1, len(texts) + 1)]
    db.bulk_insert("mentions", ["user_id", "room_pk", "seq"], mentioned)
    db.bulk_insert("room_mentions", ["room_pk", "seq"], [(7, 1)])
    kept = [(n, 7, n, text) for n, text in enumerate(texts, 1)]
    db.bulk_insert(
        "bookmarks", ["user_id", "room_pk", "seq", "note", "at"], [(*one, 1) for one in kept]
    )
    db.bulk_insert(
        "drafts", ["user_id", "room_pk", "thread", "text", "at"], [(*one, 1) for one in kept]
    )
    emoji = [(7, n, "👍", n, n) for n in range(1, len(texts) + 1)]
    db.bulk_insert("reactions", ["room_pk", "seq", "emoji", "user_id", "rev"], emoji)
    db.bulk_insert("pins", ["room_pk", "seq", "at"], [(7, 1, 1)])
    used = [(n, text[:64], 1, n) for n, text in enumerate(texts, 1)]
    db.bulk_insert("usage", ["user_id", "quota", "day", "count"], used)
    db.bulk_insert("blocks", ["user_id", "blocked_id", "at"], [(1, 9_000, 1), (9_000, 1, 2)])
    db.commit()


def copy_all(source: Connection, target: Connection) -> None:
    source.begin_snapshot()
    target.begin()
    for table in TABLES:
        for _ in copy_rows(source, target, table):
            pass
    target.commit()
    source.rollback()


def digests(db: Connection) -> dict[str, Digest]:
    db.begin_snapshot()
    try:
        return digests_of(db, lambda rows: None)
    finally:
        db.rollback()


def test_every_table_is_copied_except_the_journal_and_the_server_values() -> None:
    assert set(metadata.tables) == {one.name for one in TABLES} | {journal.name, server.name}


def test_odd_texts_are_copied_to_postgresql_and_back(databases: Databases) -> None:
    fill(databases.first, list(ODD_TEXTS))
    before = digests(databases.first)
    assert all(digest.rows for digest in before.values()), "each table needs rows"
    copy_all(databases.first, databases.postgres)
    assert digests(databases.postgres) == before
    copy_all(databases.postgres, databases.second)
    assert digests(databases.second) == before
    texts = databases.second.execute("SELECT text FROM messages ORDER BY seq")
    assert [text for (text,) in texts] == list(ODD_TEXTS)


@pytest.mark.parametrize("backwards", [False, True], ids=["to PostgreSQL", "to SQLite"])
def test_an_interrupted_copy_continues_after_any_part(
    backwards: bool, databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copy, "BATCH_ROWS", 2)
    source, target = (
        (databases.postgres, databases.second)
        if backwards
        else (databases.first, databases.postgres)
    )
    fill(source, list(ODD_TEXTS))
    parts = 0
    for table in TABLES:
        is_complete = False
        while not is_complete:
            source.begin_snapshot()
            target.begin()
            is_complete = next(copy_rows(source, target, table), None) is None
            parts += not is_complete
            target.commit()
            source.rollback()
    assert parts > 30
    assert digests(target) == digests(source)


def test_digests_detect_differences(databases: Databases) -> None:
    fill(databases.first, list(ODD_TEXTS))
    copy_all(databases.first, databases.postgres)
    before = digests(databases.postgres)
    for change in (
        "UPDATE messages SET text = text || ' ' WHERE seq = 3",
        "UPDATE messages SET nonce = NULL WHERE seq = 2",
        "UPDATE messages SET nonce = '' WHERE seq = 2",
        "DELETE FROM messages WHERE seq = 5",
        "UPDATE messages SET at = at + 1 WHERE seq = 9",
    ):
        databases.postgres.begin()
        databases.postgres.execute(change)
        after = digests_of(databases.postgres, lambda rows: None)
        databases.postgres.rollback()
        assert {name for name in before if before[name] != after[name]} == {"messages"}, change


def test_a_nul_which_postgresql_cannot_store_becomes_a_replacement_character(
    databases: Databases,
) -> None:
    fill(databases.first, ["one", "two"])
    databases.first.begin()
    databases.first.execute(
        "UPDATE messages SET nonce = :odd WHERE seq = 1", {"odd": "a\0b\\u0000"}
    )
    databases.first.commit()
    copy_all(databases.first, databases.postgres)
    assert digests(databases.postgres) == digests(databases.first)
    [(nonce,)] = databases.postgres.execute("SELECT nonce FROM messages WHERE seq = 1")
    assert nonce == "a\ufffdb\\u0000"


def test_the_ids_of_new_rows_continue_above_the_copied_ones(databases: Databases) -> None:
    databases.postgres.begin()
    reset_sequences(databases.postgres)  # in an empty database
    databases.postgres.commit()
    fill(databases.first, ["one"])
    copy_all(databases.first, databases.postgres)
    copy_all(databases.first, databases.second)
    for db in (databases.postgres, databases.second):
        db.begin()
        reset_sequences(db)
        db.execute(
            "INSERT INTO users (name, display_name, role, created_at) VALUES ('x', 'x', 'x', 1)"
        )
        db.execute("INSERT INTO rooms (id, kind, title, created_at) VALUES ('x', 'x', 'x', 1)")
        db.commit()
        assert db.execute("SELECT max(id) FROM users") == [(9_001,)]
        assert db.execute("SELECT max(pk) FROM rooms") == [(8,)]


def test_a_database_without_rows_is_empty(databases: Databases) -> None:
    for db in (databases.postgres, databases.first):
        assert is_empty(db)
        fill(db, ["one"])
        assert not is_empty(db)


def test_any_text_is_copied_unchanged(databases: Databases) -> None:
    texts_without_nul = st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=200
    )

    @settings(max_examples=40, deadline=None)
    @given(st.lists(texts_without_nul, min_size=1, max_size=8))
    def check(texts: list[str]) -> None:
        databases.clear()
        fill(databases.first, texts)
        copy_all(databases.first, databases.postgres)
        copy_all(databases.postgres, databases.second)
        assert digests(databases.first) == digests(databases.postgres) == digests(databases.second)

    check()
