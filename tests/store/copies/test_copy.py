"""Copies between databases of both engines: nothing is added, lost, or written in another way."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from hubbub.store.copies import copy
from hubbub.store.copies.copy import TABLES, Digest, copy_rows, digests_of, is_empty, settle
from hubbub.store.engines.database import Connection
from hubbub.store.engines.postgres import Database as Postgres
from hubbub.store.engines.sql import Row
from hubbub.store.engines.sqlite.database import Database as Sqlite
from hubbub.store.schema.tables import journal, metadata, server
from tests.support.world import schema

NewUrl = Callable[[], str]

ODD = (
    "",
    " ",
    "x" * 16_000,
    "😀" * 16_000,
    "e\u0301 and \u00e9, which look the same",
    "\u202eright to left\u202c, \u200bnothing\ufeff",
    "\\N \\. \\x00 \\\\ \t tab and\nline feed\r\n",  # COPY has its own meaning for some
    "'; DROP TABLE rooms; --",
    '%s %(text)s {"a": ":b"}',
    "\U0010ffff \ue000 \ud7ff",
)
# In the order of their bytes they are another way round than in that of words, or of UTF-16.
KEYS = ("a", "B", "_", "-", "é", "z", "\uff5e", "😀", "0", "aa", "a b")


class Two:
    """A database of each engine, with the schema."""

    def __init__(self, folder: Path, url: str, stack: ExitStack) -> None:
        self.postgres = stack.enter_context(closing(Postgres(url).copier()))
        self.first = self._file(folder / "first.db", stack)
        self.second = self._file(folder / "second.db", stack)

    def _file(self, path: Path, stack: ExitStack) -> Connection:
        path.write_bytes(schema())
        return stack.enter_context(closing(Sqlite(path).copier()))

    def clear(self) -> None:
        for db in (self.postgres, self.first, self.second):
            db.begin()
            for table in reversed(TABLES):
                db.execute(str(delete(table)))
            db.commit()


@pytest.fixture
def two(tmp_path: Path, postgres_url: NewUrl) -> Iterator[Two]:
    with ExitStack() as stack:
        yield Two(tmp_path, postgres_url(), stack)


def fill(db: Connection, texts: list[str]) -> None:
    """People, a room and its messages, each with one of these texts wherever it may stand."""
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


def look(db: Connection) -> dict[str, Digest]:
    db.begin_snapshot()
    try:
        return digests_of(db, lambda rows: None)
    finally:
        db.rollback()


def test_every_table_is_copied_or_known_not_to_be() -> None:
    assert set(metadata.tables) == {one.name for one in TABLES} | {journal.name, server.name}


def test_odd_contents_come_through_there_and_back(two: Two) -> None:
    fill(two.first, list(ODD))
    before = look(two.first)
    assert all(digest.rows for digest in before.values()), "no table is empty"
    copy_all(two.first, two.postgres)
    assert look(two.postgres) == before
    copy_all(two.postgres, two.second)
    assert look(two.second) == before
    texts = two.second.execute("SELECT text FROM messages ORDER BY seq")
    assert [text for (text,) in texts] == list(ODD)


@pytest.mark.parametrize("backwards", [False, True], ids=["to PostgreSQL", "to SQLite"])
def test_a_copy_goes_on_after_whatever_part_was_its_last(
    backwards: bool, two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copy, "ROWS_AT_ONCE", 2)
    source, target = (two.postgres, two.second) if backwards else (two.first, two.postgres)
    fill(source, list(ODD))
    parts = 0
    for table in TABLES:
        is_whole = False
        while not is_whole:
            source.begin_snapshot()
            target.begin()
            is_whole = next(copy_rows(source, target, table), None) is None
            parts += not is_whole
            target.commit()
            source.rollback()
    assert parts > 30
    assert look(target) == look(source)


def test_what_differs_is_found(two: Two) -> None:
    fill(two.first, list(ODD))
    copy_all(two.first, two.postgres)
    before = look(two.postgres)
    for change in (
        "UPDATE messages SET text = text || ' ' WHERE seq = 3",
        "UPDATE messages SET nonce = NULL WHERE seq = 2",
        "UPDATE messages SET nonce = '' WHERE seq = 2",
        "DELETE FROM messages WHERE seq = 5",
        "UPDATE messages SET at = at + 1 WHERE seq = 9",
    ):
        two.postgres.begin()
        two.postgres.execute(change)
        after = digests_of(two.postgres, lambda rows: None)
        two.postgres.rollback()
        assert {name for name in before if before[name] != after[name]} == {"messages"}, change


def test_a_nul_which_postgresql_cannot_keep_becomes_a_replacement_character(two: Two) -> None:
    fill(two.first, ["one", "two"])
    two.first.begin()
    two.first.execute("UPDATE messages SET nonce = :odd WHERE seq = 1", {"odd": "a\0b\\u0000"})
    two.first.commit()
    copy_all(two.first, two.postgres)
    assert look(two.postgres) == look(two.first)
    [(nonce,)] = two.postgres.execute("SELECT nonce FROM messages WHERE seq = 1")
    assert nonce == "a\ufffdb\\u0000"


def test_new_rows_are_numbered_above_those_that_were_copied(two: Two) -> None:
    two.postgres.begin()
    settle(two.postgres)  # of an empty database
    two.postgres.commit()
    fill(two.first, ["one"])
    copy_all(two.first, two.postgres)
    copy_all(two.first, two.second)
    for db in (two.postgres, two.second):
        db.begin()
        settle(db)
        db.execute(
            "INSERT INTO users (name, display_name, role, created_at) VALUES ('x', 'x', 'x', 1)"
        )
        db.execute("INSERT INTO rooms (id, kind, title, created_at) VALUES ('x', 'x', 'x', 1)")
        db.commit()
        assert db.execute("SELECT max(id) FROM users") == [(9_001,)]
        assert db.execute("SELECT max(pk) FROM rooms") == [(8,)]


def test_a_database_with_the_schema_alone_is_empty(two: Two) -> None:
    for db in (two.postgres, two.first):
        assert is_empty(db)
        fill(db, ["one"])
        assert not is_empty(db)


def test_whatever_texts_there_are_come_through(two: Two) -> None:
    whole = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=200)

    @settings(max_examples=40, deadline=None)
    @given(st.lists(whole, min_size=1, max_size=8))
    def comes_through(texts: list[str]) -> None:
        two.clear()
        fill(two.first, texts)
        copy_all(two.first, two.postgres)
        copy_all(two.postgres, two.second)
        assert look(two.first) == look(two.postgres) == look(two.second)

    comes_through()
