"""Several hubs on one database in memory, with a bus whose faults a test decides."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from random import Random

import msgspec

from hubbub.live.client import Client
from hubbub.live.cluster.bus import BusMetrics, MessageHandler
from hubbub.live.cluster.nodes import ClusterQueries, Nodes
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
from tests.support.hub import HubHarness, events

CopyCount = Callable[[], int]
"""Returns how many copies of a payload arrive; negative: that many, but later."""


class FakeBus:
    """The bus between the nodes. ``copies`` is called for each payload and each receiver."""

    def __init__(self, copies: CopyCount = lambda: 1) -> None:
        self.copies = copies
        self.is_up = True
        self.endpoints: list[BusEndpoint] = []
        self._late: list[tuple[BusEndpoint, str, bytes]] = []

    def send(self, sender: "BusEndpoint", subject: str, payload: bytes) -> None:
        if sender not in self.endpoints:
            return  # the node was killed
        for endpoint in self.endpoints:
            if endpoint is not sender and endpoint.is_subscribed(subject):
                count = self.copies()
                if count < 0:
                    self._late += [(endpoint, subject, payload)] * -count
                for _ in range(count):
                    self._deliver(endpoint, subject, payload)

    def _deliver(self, endpoint: "BusEndpoint", subject: str, payload: bytes) -> None:
        asyncio.get_running_loop().call_soon(endpoint.on_message, subject, payload)

    def deliver_late(self, random: Random) -> None:
        """Deliver the delayed payloads, in any order."""
        late, self._late = self._late, []
        random.shuffle(late)
        for endpoint, subject, payload in late:
            self._deliver(endpoint, subject, payload)

    def disconnect(self) -> None:
        self.is_up = False

    def reconnect(self) -> None:
        self.is_up = True
        for endpoint in self.endpoints:
            endpoint.on_connect()


class BusEndpoint:
    """A node's connection to the bus."""

    def __init__(self, fake_bus: FakeBus) -> None:
        self.metrics = BusMetrics()
        self.on_message: MessageHandler = lambda subject, payload: None
        self.on_connect: Callable[[], None] = lambda: None
        self.subscriptions: set[str] = set()
        self.sent_count = 0
        self._fake_bus = fake_bus
        fake_bus.endpoints.append(self)

    @property
    def is_connected(self) -> bool:
        return self._fake_bus.is_up

    async def start(self) -> None:
        self.on_connect()

    async def stop(self) -> None:
        self._fake_bus.endpoints.remove(self)

    def subscribe(self, subject: str) -> None:
        self.subscriptions.add(subject)

    def unsubscribe(self, subject: str) -> None:
        self.subscriptions.discard(subject)

    def is_subscribed(self, subject: str) -> bool:
        words = subject.split(".")
        return subject in self.subscriptions or f"hubbub.*.{words[-1]}" in self.subscriptions

    def publish(self, subject: str, payload: bytes) -> None:
        self.sent_count += 1
        if self._fake_bus.is_up:
            self._fake_bus.send(self, subject, payload)


class FakeDatabase:
    """The database of all nodes: one history for all rooms, the members, the journal, the revs."""

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


class Node(HubHarness):
    """A hub that is connected to the other nodes."""

    _names = (f"node-{number}" for number in count())

    def __init__(self, database: FakeDatabase, fake_bus: FakeBus) -> None:
        super().__init__()
        self.database = database
        self.endpoint = BusEndpoint(fake_bus)
        self.nodes = Nodes(
            self.hub,
            self.endpoint,
            ClusterQueries(self._heads, self._entries),
            node=next(self._names),
            version="1",
        )

    async def start(self) -> "Node":
        self.hub.start()
        await self.nodes.start(self.database.epoch)
        return self

    async def stop(self) -> None:
        await self.nodes.stop()
        await self.hub.stop()

    async def _heads(self, rooms: list[str], people: list[str]) -> Heads:
        await asyncio.sleep(0)
        return self.database.heads(rooms, people)

    async def _entries(self, after: int) -> list[Entry]:
        await asyncio.sleep(0)
        return self.database.entries(after)

    async def _read(self, room: str, after: int | None) -> RoomSnapshot:
        if self.database.is_down:
            raise Unavailable()
        self.stored[room] = self.database.changes
        state = await super()._read(room, after)
        return msgspec.structs.replace(
            state,
            mrev=self.database.mrev,
            members=len(self.database.members),
            rev=len(self.database.changes),
        )

    # Commands at this node: each is stored in the database, then published

    def post(self, text: str) -> None:
        seq = 1 + max(
            (one.seq for one in self.database.changes if isinstance(one, Message)), default=0
        )
        self._change(Message(room="lobby", seq=seq, rev=self._rev(), by="ana", at=0, text=text))

    def edit(self, seq: int, text: str) -> None:
        marks_rev, replies = stored_marks(self.database).get(seq, (0, 0))
        self._change(
            Message(
                room="lobby",
                seq=seq,
                rev=self._rev(),
                by="ana",
                at=0,
                text=text,
                marks_rev=marks_rev,
                replies=replies,
            )
        )

    def mark(self, seq: int, replies: int) -> None:
        """Set the number of answers in a message's thread."""
        self._change(Marks(room="lobby", seq=seq, rev=self._rev(), replies=replies))

    def _rev(self) -> int:
        return len(self.database.changes) + 1

    def _change(self, event: RoomEvent) -> None:
        self.database.changes.append(event)
        self.nodes.publish([ToRoom("lobby", event, self.database.mrev)])

    def set_member(self, name: str, *, joins: bool) -> None:
        """Add or remove a member."""
        (self.database.members.add if joins else self.database.members.discard)(name)
        self.database.mrev += 1
        event = MemberChanged(
            room="lobby",
            mrev=self.database.mrev,
            members=len(self.database.members),
            user=name,
            role=RoomRole.MEMBER if joins else None,
        )
        self.append_journal(MembershipChanged("lobby", event))

    def append_journal(self, *effects: Journaled) -> None:
        """Append an entry to the journal."""
        entry = Entry(len(self.database.journal) + 1, self.nodes.name, effects)
        self.database.journal.append(entry)
        self.nodes.publish_entry(entry)

    def change_profile(self, name: str) -> None:
        """Change something of a person's own."""
        self.database.revs[name] = self.database.revs.get(name, 0) + 1
        self.nodes.publish([ToPerson(name, MeChanged(rev=self.database.revs[name]))])


def shown_texts(client: Client) -> dict[int, str]:
    """Seq → text of the messages that a client was sent; the highest rev counts."""
    found: dict[int, tuple[int, str]] = {}
    for event in events(client, "message"):
        if event["rev"] > found.get(event["seq"], (0, ""))[0]:
            found[event["seq"]] = (event["rev"], event["text"])
    return {seq: text for seq, (_, text) in found.items()}


def shown_replies(client: Client) -> dict[int, int]:
    """Seq → the number of answers that a client was sent, by the same rule."""
    found: dict[int, tuple[int, int]] = {}
    for event in sorted(
        [*events(client, "message"), *events(client, "marks")], key=lambda event: int(event["rev"])
    ):
        rev = event["rev"] if event["on"] == "marks" else event.get("marks_rev", 0)
        if rev > found.get(event["seq"], (0, 0))[0]:
            found[event["seq"]] = (rev, event.get("replies", 0))
    return {seq: replies for seq, (_, replies) in found.items()}


def stored_marks(database: FakeDatabase) -> dict[int, tuple[int, int]]:
    """Seq → the rev of the marks and the number of answers, in the database."""
    return {
        change.seq: (change.rev, change.replies)
        for change in database.changes
        if isinstance(change, Marks)
    }


def stored_texts(database: FakeDatabase) -> dict[int, str]:
    """Seq → text of the messages in the database."""
    return {change.seq: change.text for change in database.changes if isinstance(change, Message)}


def own_rev(client: Client) -> int:
    """The highest personal rev that a client was sent, in an event or in `behind`."""
    sent = [*events(client, MeChanged.word()), *events(client, Behind.word())]
    return max((event.get("rev") or 0 for event in sent), default=0)


def random_copies(random: Random, *, lost: float, twice: float, late: float) -> CopyCount:
    """Lose, repeat and delay payloads with these probabilities."""

    def copies() -> int:
        number = random.random()
        for probability, result in ((lost, 0), (twice, 2), (late, -1)):
            if number < probability:
                return result
            number -= probability
        return 1

    return copies


@asynccontextmanager
async def cluster(
    database: FakeDatabase, fake_bus: FakeBus, size: int = 3
) -> AsyncIterator[list[Node]]:
    nodes = [await Node(database, fake_bus).start() for _ in range(size)]
    try:
        yield nodes
    finally:
        for node in nodes:
            await node.stop()
