"""The words that others rely on have not changed; `surface` says which, and how they may."""

from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from hubbub.live.cluster.envelopes import Item, decode, encode
from hubbub.model.accounts import MeChanged
from hubbub.model.outcome import Journaled, ToPerson
from hubbub.store.schema.move_marker import MOVED
from hubbub.store.statements.accounts import SIGNING_KEY
from tests.golden import surface
from tests.support.chat import RestApi
from tests.support.nodes import FakeBus, FakeDatabase, Node

ENCODINGS = surface.golden("encodings")


@pytest.mark.parametrize("name", surface.FILES)
def test_the_words_outside_are_as_they_were(name: str) -> None:
    assert surface.as_stored(surface.FILES[name]()) == surface.golden(name)


def test_what_stands_in_the_journal_is_read_and_written_as_it_was() -> None:
    journal = ENCODINGS["journal"]
    entries = msgspec.convert(journal, tuple[Journaled, ...])
    assert surface.as_stored(msgspec.to_builtins(entries)) == journal
    assert {one["type"] for one in journal} == tags_of(Journaled)


def test_what_nodes_tell_each_other_is_read_and_written_as_it_was() -> None:
    envelope = ENCODINGS["envelope"]
    read = decode(msgspec.msgpack.encode(envelope))
    assert msgspec.msgpack.decode(encode(read)) == envelope
    assert {one["type"] for one in envelope["items"]} == tags_of(Item)


def tags_of(union: Any) -> set[object]:
    return {kind.__struct_config__.tag for kind in get_args(union)}


async def test_the_subjects_of_the_bus_are_as_they_were() -> None:
    fake_bus = FakeBus()
    node = await Node(FakeDatabase("ana"), fake_bus).start()
    published: set[str] = set()
    node.endpoint.publish = lambda subject, payload: published.add(subject)  # type: ignore[method-assign]
    client = await node.enter("ana")
    node.post("Hello")
    node.nodes.publish([ToPerson(client.key, MeChanged(rev=1))])
    await node.stop()
    assert sorted(published | node.endpoint.subscriptions) == ENCODINGS["subjects"]


def test_the_database_is_named_as_it_was(tmp_path: Path) -> None:
    api = RestApi.at(tmp_path, "ana")
    api.ok("PATCH", "server", {"name": "Ours", "registration": "open", "guests": True}, by="ana")
    api.ok("DELETE", f"rooms/{api.room()}", by="ana")
    files = {file.name: "" for file in tmp_path.iterdir()}
    api.server.stop()
    found = surface.database(tmp_path / "hubbub.db") | {"files": files}
    found["server"] |= {MOVED: "", SIGNING_KEY: ""}
    assert found == surface.golden("database")
