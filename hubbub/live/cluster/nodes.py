"""The other nodes on the same database: what they did is shown here, and what we did there.

The bus carries it at once and promises nothing. What is lost, doubled or out of order is healed:
room events by their rev, what stands in the journal by its number, a person's own events by that
person's rev; and as the last of them may be lost, all three are compared with the database about
once a second. Presence and typing are told only over the bus, and go with the node that told them.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeVar, assert_never

import msgspec
import structlog

from hubbub.live.cluster.bus import Bus
from hubbub.live.cluster.envelopes import (
    Heartbeat,
    Item,
    Outbox,
    PresenceQuery,
    PresenceUpdate,
    TypingNotice,
    decode,
)
from hubbub.live.cluster.peers import ClusterPeers
from hubbub.live.hub import Hub
from hubbub.live.room import Room
from hubbub.model.errors import HubbubError
from hubbub.model.outcome import Effect, Entry, Heads, RoomGone, ToPerson, ToRoom, ToRooms

COMPARE_EVERY_S = 1.0
COMPARE_ALONE_EVERY_S = 0.25  # while there is no bus
COMPARE_MAX = 1_000  # rooms, and people, in one comparison; the rest have their turn next
ON_ITS_WAY_S = 0.1  # what is newer in the database than here gets so long to come by itself
HELD_MAX = 1_000  # events of a room that wait for news of its members
EMPTY_ROOMS_MAX = 50  # rooms that are still listened to after the last one has left

log = structlog.get_logger()
T = TypeVar("T")


class Reads(NamedTuple):
    """What is read from the database; each raises HubbubError."""

    heads: Callable[[list[str], list[str]], Awaitable[Heads]]
    """Of these rooms and people."""
    entries: Callable[[int], Awaitable[list[Entry]]]
    """The journal's next entries after a number; none if there are none."""


class Nodes:
    """This node among the others."""

    def __init__(
        self,
        hub: Hub,
        bus: Bus,
        reads: Reads,
        *,
        node: str,
        version: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = node
        self.bus = bus
        self._outbox = Outbox(bus, node)
        self.peers = ClusterPeers(hub, self._outbox, version, clock)
        self._hub = hub
        self._reads = reads
        self._loop: asyncio.AbstractEventLoop
        self._journal = 0  # the entry that was carried out last
        self._catching_up: asyncio.Task[None] | None = None
        self._held: dict[str, list[ToRoom]] = {}
        self._people: dict[str, None] = {}  # in order, as they are compared by turns
        self._turn = 0
        self._compare_soon = asyncio.Event()
        self._is_failing = False
        self._warned: set[str] = set()
        self._tasks: list[asyncio.Task[None]] = []
        # The database is another one than before: whoever runs this node must start it anew.
        self.on_other_database: Callable[[], None] = lambda: None
        # So much was missed that nothing that is remembered of anyone is sure.
        self.on_start_over: Callable[[], None] = lambda: None

    async def start(self, epoch: str) -> None:
        """Listen, and know where the journal is, before anybody is let in.

        Raises BusError, Unavailable.
        """
        self._loop = asyncio.get_running_loop()
        self._outbox.epoch = epoch
        self.bus.received = self._received
        self.bus.connected = self._connected
        self._hub.on_room, self._hub.on_person = self._on_room, self._on_person
        self._hub.sequencer.know_members = self._catch_up
        self.peers.start()
        self.bus.watch(self._outbox.subject("journal"))
        self.bus.watch("hubbub.*.nodes")
        await self.bus.start()
        self._journal = (await self._reads.heads([], [])).journal
        self._tasks = [
            self._loop.create_task(self._compare_for_ever()),
            self._loop.create_task(self.peers.live()),
        ]

    async def stop(self) -> None:
        tasks = [*self._tasks, *([self._catching_up] if self._catching_up else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.peers.say_goodbye()
        self._outbox.flush()
        await self.bus.stop()

    # What was done here

    def show(self, told: list[Effect]) -> None:
        """What a command of ours means, but for the journal: for those here, and elsewhere."""
        for one in told:
            match one:
                case ToRoom():
                    # Another node may have put somebody out just before, whom we still have here.
                    self._show_event(one)
                    self._outbox.publish(f"room.{one.room}", one)
                case ToPerson():
                    self._hub.tell([one])
                    self._outbox.publish(_person(one.user), one)
                case ToRooms():
                    self._hub.tell([one])
                    for room in one.rooms:
                        self._outbox.publish(f"room.{room}", ToRooms((room,), one.event))
                case _:
                    raise AssertionError(one)  # stands in the journal

    def journaled(self, entry: Entry) -> None:
        """What a batch of ours means for all nodes; carried out here in its turn, too."""
        self._outbox.publish("journal", entry)
        self._take_entry(entry)

    # Over the bus

    def _received(self, subject: str, payload: bytes) -> None:
        try:
            envelope = decode(payload)
        except msgspec.MsgspecError:
            self._warn("what came over the bus is not a parcel: a newer version?", subject=subject)
            return
        if envelope.node == self._outbox.node:
            return
        for item in envelope.items:
            self._receive(envelope.node, item)

    def _receive(self, node: str, item: Item) -> None:
        match item:
            case ToRoom():
                self._show_event(item)
            case ToPerson() | ToRooms():
                self._hub.tell([item])
            case Entry():
                self._take_entry(item)
            case PresenceUpdate():
                self.peers.on_presence_update(node, item)
            case PresenceQuery():
                self.peers.tell_who_is_here(item.room)
            case TypingNotice():
                self.peers.on_typing_notice(item)
            case Heartbeat():
                self.peers.on_heartbeat(node, item)
            case _:
                assert_never(item)

    def _connected(self) -> None:
        """Whatever was told meanwhile was lost: compare at once, and ask who is where."""
        self._compare_soon.set()
        self.peers.introduce()

    # Room events

    def _show_event(self, told: ToRoom) -> None:
        room = self._hub.rooms.get(told.room)
        if room is None:
            return
        if self._know_members(room, told):
            self._hub.sequencer.publish(told.event)
            return
        # Somebody came or went, whom we have not heard of yet; who went must not be told this.
        held = self._held.setdefault(told.room, [])
        if len(held) < HELD_MAX:
            held.append(told)
        self._begin_to_catch_up()

    def _know_members(self, room: Room, told: ToRoom) -> bool:
        """Whether we have heard of all who came and went before this."""
        if parent := self._hub.rooms.get(room.parent) if room.parent else None:
            # Not `mrev`: what the room was filled with may be newer than what has been heard.
            room.parent_mrev = max(room.parent_mrev, parent.heard_mrev)
        return told.mrev <= room.mrev and told.parent_mrev <= room.parent_mrev

    def _on_room(self, room: str, is_here: bool) -> None:
        words = f"room.{room}"
        if is_here:
            self.bus.watch(self._outbox.subject(words))
            self.peers.ask(room)
            # What was said between our reading the room and our hearing of it.
            self._compare_soon.set()
        else:
            self.bus.unwatch(self._outbox.subject(words))
            self._hub.presence.remote.forget_room(room)
            self._held.pop(room, None)

    def _on_person(self, key: str, is_here: bool) -> None:
        if is_here:
            self._people[key] = None
            self.bus.watch(self._outbox.subject(_person(key)))
        else:
            self._people.pop(key, None)
            self.bus.unwatch(self._outbox.subject(_person(key)))

    # The journal

    def _take_entry(self, entry: Entry) -> None:
        if entry.number <= self._journal:
            return
        if entry.number == self._journal + 1:
            self._execute(entry)
        else:
            # What gives may wait for its turn. What takes does not: ours is acknowledged already.
            self._hub.revoke(entry.effects)
            self._begin_to_catch_up()

    def _execute(self, entry: Entry) -> None:
        self._journal = entry.number
        try:
            self._hub.tell(entry.effects)
        except Exception:
            log.exception("a journal entry was not carried out", number=entry.number)

    def _begin_to_catch_up(self) -> "asyncio.Task[None]":
        if self._catching_up is None:
            self._catching_up = self._loop.create_task(self._read_journal())
            self._catching_up.add_done_callback(_noted)
        return self._catching_up

    async def _catch_up(self) -> None:
        """Carry out all that stands in the journal by now. Raises HubbubError."""
        if self._catching_up is not None:
            await asyncio.shield(self._catching_up)  # may have begun too early
        await asyncio.shield(self._begin_to_catch_up())

    async def _read_journal(self) -> None:
        waiting: list[ToRoom] = []
        try:
            while True:
                # A read tells of all who had gone before it began. What is held from now on may
                # come after somebody who has gone since: that waits for the next read.
                waiting += [one for events in self._held.values() for one in events]
                self._held = {}
                entries = await self._reads.entries(self._journal)
                for entry in entries:
                    self._apply_read(entry)
                if not entries:
                    self._release(waiting)
                    waiting = []
                    if not self._held:
                        break
        finally:
            self._catching_up = None
            for told in waiting:
                self._held.setdefault(told.room, []).append(told)

    def _apply_read(self, entry: Entry) -> None:
        if entry.number == self._journal + 1:
            self._execute(entry)
        elif entry.number > self._journal:
            self._start_over(entry.number - 1)
            self._execute(entry)

    def _release(self, held: list[ToRoom]) -> None:
        for told in held:
            if room := self._hub.rooms.get(told.room):
                room.parent_mrev = max(room.parent_mrev, told.parent_mrev)
            self._hub.sequencer.publish(told.event)

    def _start_over(self, number: int) -> None:
        """The journal does not reach back to where we were: we slept for too long."""
        log.warning("this node was away for too long: everyone here comes back")
        self._journal = number
        self.on_start_over()
        self._hub.start_over("The server was away. Come back.")

    # Comparing with the database

    async def _compare_for_ever(self) -> None:
        while True:
            pause = COMPARE_EVERY_S if self.bus.is_connected else COMPARE_ALONE_EVERY_S
            try:
                # Not `wait_for`: until Python 3.12 it forgets that it was cancelled if what it
                # waits for has just come.
                async with asyncio.timeout(pause):
                    await self._compare_soon.wait()
                self._compare_soon.clear()
                await asyncio.sleep(ON_ITS_WAY_S / 2)  # often several rooms at once
            except TimeoutError:
                pass
            try:
                await self.compare()
                self._is_failing = False
            except HubbubError as error:
                if not self._is_failing:
                    log.warning("nothing can be compared with the database", error=error.code)
                self._is_failing = True
            except Exception:
                # Without this loop nothing that the bus loses would ever be made up for.
                log.exception("comparing with the database failed")

    async def compare(self) -> None:
        """Have what is older here than in the database brought up to it. Raises HubbubError."""
        self._hub.forget_empty(EMPTY_ROOMS_MAX)
        rooms = self._some([room for room in self._hub.rooms.values() if room.recent_changes])
        people = self._some(list(self._people))
        self._turn += 1
        names = [room.id for room in rooms]
        heads = await self._reads.heads(names, people)
        if heads.epoch != self._outbox.epoch:
            self.on_other_database()
            return
        if heads.journal > self._journal:
            self._loop.call_later(ON_ITS_WAY_S, self._expect_entry, heads.journal)
        for room in rooms:
            head = heads.rooms.get(room.id)
            if head is None:
                self._hub.tell([RoomGone(room.id)])
            elif head.rev > room.rev:
                self._loop.call_later(ON_ITS_WAY_S, self._expect_rev, room.id, head.rev)
        for key, rev in heads.people.items():
            if rev > self._hub.people_revs.get(key, rev):
                self._loop.call_later(ON_ITS_WAY_S, self._expect_own, key, rev)

    def _some(self, things: list[T]) -> list[T]:
        """As many as may be compared at once, others each time."""
        if len(things) <= COMPARE_MAX:
            return things
        start = self._turn * COMPARE_MAX % len(things)
        return (things + things)[start : start + COMPARE_MAX]

    def _expect_entry(self, number: int) -> None:
        if number > self._journal:
            self._begin_to_catch_up()

    def _expect_rev(self, room_id: str, rev: int) -> None:
        self._hub.sequencer.catch_up(room_id, rev)

    def _expect_own(self, key: str, rev: int) -> None:
        if rev > self._hub.people_revs.get(key, rev):
            self._hub.tell_rev(key, rev)

    def _warn(self, what: str, **more: object) -> None:
        """Once: it would come again with each message."""
        if what not in self._warned:
            self._warned.add(what)
            log.warning(what, **more)


def _person(key: str) -> str:
    """A handle may hold what a subject may not."""
    return f"user.{key.encode().hex()}"


def _noted(task: "asyncio.Task[None]") -> None:
    """Whoever waits for it gets the error as well; the next comparison tries again."""
    if not task.cancelled() and (error := task.exception()):
        log.warning("the journal could not be read", error=repr(error))
