"""Several hubs on one table, joined by a bus in memory that does whatever it is told to."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import count
from random import Random

import msgspec

from hubbub.live.client import Client
from hubbub.live.cluster.bus import BusMetrics, Received
from hubbub.live.cluster.nodes import Nodes, Reads
from hubbub.model.accounts import MeChanged
from hubbub.model.errors import Unavailable
from hubbub.model.events import RoomEvent
from hubbub.model.marks import Marks
from hubbub.model.messages import Message
from hubbub.model.outcome import (
    Entry,
    Head,
    Heads,
    Journaled,
    MembershipChanged,
    RoomSnapshot,
    ToPerson,
    ToRoom,
)
from hubbub.model.policy import RoomRole
from hubbub.model.reading import Behind
from hubbub.model.rooms import MemberChanged
from tests.support.hub import Hall, events

Fate = Callable[[], int]
"""How often something on the bus arrives; below zero: that often, but later."""


class Wire:
    """What joins the nodes. ``fate`` decides about each payload at each of its readers."""

    def __init__(self, fate: Fate = lambda: 1) -> None:
        self.fate = fate
        self.is_up = True
        self.ends: list[End] = []
        self._late: list[tuple[End, str, bytes]] = []

    def carry(self, sender: "End", subject: str, payload: bytes) -> None:
        if sender not in self.ends:
            return  # it was killed
        for end in self.ends:
            if end is not sender and end.hears(subject):
                times = self.fate()
                if times < 0:
                    self._late += [(end, subject, payload)] * -times
                for _ in range(times):
                    self._arrive(end, subject, payload)

    def _arrive(self, end: "End", subject: str, payload: bytes) -> None:
        asyncio.get_running_loop().call_soon(end.received, subject, payload)

    def deliver_late(self, chance: Random) -> None:
        """What was kept back arrives now, in any order."""
        late, self._late = self._late, []
        chance.shuffle(late)
        for end, subject, payload in late:
            self._arrive(end, subject, payload)

    def cut(self) -> None:
        self.is_up = False

    def mend(self) -> None:
        self.is_up = True
        for end in self.ends:
            end.connected()


class End:
    """The bus as one node has it."""

    def __init__(self, wire: Wire) -> None:
        self.metrics = BusMetrics()
        self.received: Received = lambda subject, payload: None
        self.connected: Callable[[], None] = lambda: None
        self.watched: set[str] = set()
        self.sent = 0
        self._wire = wire
        wire.ends.append(self)

    @property
    def is_connected(self) -> bool:
        return self._wire.is_up

    async def start(self) -> None:
        self.connected()

    async def stop(self) -> None:
        self._wire.ends.remove(self)

    def watch(self, subject: str) -> None:
        self.watched.add(subject)

    def unwatch(self, subject: str) -> None:
        self.watched.discard(subject)

    def hears(self, subject: str) -> bool:
        words = subject.split(".")
        return subject in self.watched or f"hubbub.*.{words[-1]}" in self.watched

    def publish(self, subject: str, payload: bytes) -> None:
        self.sent += 1
        if self._wire.is_up:
            self._wire.carry(self, subject, payload)


class Table:
    """What the database has: rooms with their changes, members, the journal, people's revs."""

    def __init__(self, *members: str) -> None:
        self.changes: list[RoomEvent] = []
        self.members = set(members)
        self.mrev = 0
        self.journal: list[Entry] = []
        self.floor = 0
        self.revs: dict[str, int] = {}
        self.is_down = False
        self.epoch = "epoch"
        self.rooms = {"lobby"}

    def heads(self, rooms: list[str], people: list[str]) -> Heads:
        if self.is_down:
            raise Unavailable()
        head = Head(
            seq=max((one.seq for one in self.changes if isinstance(one, Message)), default=0),
            rev=len(self.changes),
            mrev=self.mrev,
            members=len(self.members),
        )
        return Heads(
            rooms={room: head for room in rooms if room in self.rooms},
            people={name: self.revs.get(name, 0) for name in people},
            journal=len(self.journal),
            journal_floor=self.floor,
            epoch=self.epoch,
            now=0,
        )

    def entries(self, after: int) -> list[Entry]:
        if self.is_down:
            raise Unavailable()
        return [entry for entry in self.journal if entry.number > max(after, self.floor - 1)][:3]


class Node(Hall):
    """A hub with the other nodes around it."""

    _names = (f"node-{number}" for number in count())

    def __init__(self, table: Table, wire: Wire) -> None:
        super().__init__()
        self.table = table
        self.end = End(wire)
        self.nodes = Nodes(
            self.hub,
            self.end,
            Reads(self._heads, self._entries),
            node=next(self._names),
            version="1",
        )

    async def start(self) -> "Node":
        self.hub.start()
        await self.nodes.start(self.table.epoch)
        return self

    async def stop(self) -> None:
        await self.nodes.stop()
        await self.hub.stop()

    async def _heads(self, rooms: list[str], people: list[str]) -> Heads:
        await asyncio.sleep(0)
        return self.table.heads(rooms, people)

    async def _entries(self, after: int) -> list[Entry]:
        await asyncio.sleep(0)
        return self.table.entries(after)

    async def _read(self, room: str, after: int | None) -> RoomSnapshot:
        if self.table.is_down:
            raise Unavailable()
        self.stored[room] = self.table.changes
        state = await super()._read(room, after)
        return msgspec.structs.replace(
            state,
            mrev=self.table.mrev,
            members=len(self.table.members),
            rev=len(self.table.changes),
        )

    # What is done at this node: kept in the table, then told

    def post(self, text: str) -> None:
        seq = 1 + max(
            (one.seq for one in self.table.changes if isinstance(one, Message)), default=0
        )
        self._change(Message(room="lobby", seq=seq, rev=self._rev(), by="ana", at=0, text=text))

    def edit(self, seq: int, text: str) -> None:
        replies = marked(self.table).get(seq, (0, 0))
        self._change(
            Message(
                room="lobby",
                seq=seq,
                rev=self._rev(),
                by="ana",
                at=0,
                text=text,
                marks_rev=replies[0],
                replies=replies[1],
            )
        )

    def mark(self, seq: int, replies: int) -> None:
        """A message's thread has so many answers."""
        self._change(Marks(room="lobby", seq=seq, rev=self._rev(), replies=replies))

    def _rev(self) -> int:
        return len(self.table.changes) + 1

    def _change(self, event: RoomEvent) -> None:
        self.table.changes.append(event)
        self.nodes.show([ToRoom("lobby", event, self.table.mrev)])

    def member(self, name: str, *, joins: bool) -> None:
        """Somebody becomes a member, or is none any more."""
        (self.table.members.add if joins else self.table.members.discard)(name)
        self.table.mrev += 1
        event = MemberChanged(
            room="lobby",
            mrev=self.table.mrev,
            members=len(self.table.members),
            user=name,
            role=RoomRole.MEMBER if joins else None,
        )
        self.write(MembershipChanged("lobby", event))

    def write(self, *effects: Journaled) -> None:
        """Into the journal."""
        entry = Entry(len(self.table.journal) + 1, self.nodes.name, effects)
        self.table.journal.append(entry)
        self.nodes.journaled(entry)

    def renamed(self, name: str) -> None:
        """Something of a person's own has changed."""
        self.table.revs[name] = self.table.revs.get(name, 0) + 1
        self.nodes.show([ToPerson(name, MeChanged(rev=self.table.revs[name]))])


def known(client: Client) -> dict[int, str]:
    """Seq → text of what a client has been shown, by the rule: the newer rev counts."""
    found: dict[int, tuple[int, str]] = {}
    for event in events(client, "message"):
        if event["rev"] > found.get(event["seq"], (0, ""))[0]:
            found[event["seq"]] = (event["rev"], event["text"])
    return {seq: text for seq, (_, text) in found.items()}


def known_marks(client: Client) -> dict[int, int]:
    """Seq → how many answers a client was shown, by the same rule."""
    found: dict[int, tuple[int, int]] = {}
    for event in sorted(
        [*events(client, "message"), *events(client, "marks")], key=lambda event: int(event["rev"])
    ):
        rev = event["rev"] if event["on"] == "marks" else event.get("marks_rev", 0)
        if rev > found.get(event["seq"], (0, 0))[0]:
            found[event["seq"]] = (rev, event.get("replies", 0))
    return {seq: replies for seq, (_, replies) in found.items()}


def marked(table: Table) -> dict[int, tuple[int, int]]:
    """Seq → the rev at which it was last marked, and the number of answers, in the table."""
    return {one.seq: (one.rev, one.replies) for one in table.changes if isinstance(one, Marks)}


def kept(table: Table) -> dict[int, str]:
    """The same, as the table has it."""
    return {one.seq: one.text for one in table.changes if isinstance(one, Message)}


def own_rev(client: Client) -> int:
    """The highest rev of their own that a client was told, by an event or as a gap."""
    effects = [*events(client, MeChanged.word()), *events(client, Behind.word())]
    return max((event.get("rev") or 0 for event in effects), default=0)


def fates(chance: Random, *, lost: float, twice: float, late: float) -> Fate:
    def fate() -> int:
        drawn = chance.random()
        for limit, times in ((lost, 0), (twice, 2), (late, -1)):
            if drawn < limit:
                return times
            drawn -= limit
        return 1

    return fate


def numbered() -> Iterator[str]:
    return (f"message {number}" for number in count(1))


@asynccontextmanager
async def cluster(table: Table, wire: Wire, size: int = 3) -> AsyncIterator[list[Node]]:
    made = [await Node(table, wire).start() for _ in range(size)]
    try:
        yield made
    finally:
        for node in made:
            await node.stop()
