"""Exchanges effects with the other nodes on the same database.

The bus carries them at once but without any guarantee. What it loses, repeats or reorders is
repaired: room events by their rev, journal entries by their number, a person's own events by that
person's rev. As the last of them may be lost, all three are compared with the database about once
a second. Presence and typing are sent over the bus only, and dropped with the node they came from.
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
COMPARE_MAX = 1_000  # rooms, and people, in one comparison; the others follow in the next ones
IN_TRANSIT_S = 0.1  # how long an event that is in the database may take to arrive over the bus
HELD_EVENTS_MAX = 1_000  # events of a room that wait for membership changes; others are read later
EMPTY_ROOMS_MAX = 50  # rooms that stay subscribed after their last client has left

log = structlog.get_logger()
T = TypeVar("T")


class ClusterQueries(NamedTuple):
    """The database queries of a node; each raises HubbubError."""

    heads: Callable[[list[str], list[str]], Awaitable[Heads]]
    """The heads of these rooms and people."""
    entries: Callable[[int], Awaitable[list[Entry]]]
    """The journal's next entries after a number; empty if there are none."""


class Nodes:
    """This node's connection to the other nodes."""

    def __init__(
        self,
        hub: Hub,
        bus: Bus,
        queries: ClusterQueries,
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
        self._queries = queries
        self._loop: asyncio.AbstractEventLoop
        self._last_entry = 0  # the number of the entry that was applied last
        self._journal_task: asyncio.Task[None] | None = None
        self._held_events: dict[str, list[ToRoom]] = {}
        self._people: dict[str, None] = {}  # in order, as they are compared in turns
        self._comparison_count = 0
        self._compare_soon = asyncio.Event()
        self._is_failing = False
        self._warned: set[str] = set()
        self._tasks: list[asyncio.Task[None]] = []
        # Called when the database has been replaced; this node must be restarted.
        self.on_database_replaced: Callable[[], None] = lambda: None
        # Called when so much was missed that no cached session or account is reliable.
        self.on_reset: Callable[[], None] = lambda: None

    async def start(self, epoch: str) -> None:
        """Connect to the bus and read the journal's number, before any client connects.

        Raises BusError, Unavailable.
        """
        self._loop = asyncio.get_running_loop()
        self._outbox.epoch = epoch
        self.bus.on_message = self._on_message
        self.bus.on_connect = self._on_connect
        self._hub.on_room, self._hub.on_person = self._on_room, self._on_person
        self._hub.sequencer.apply_journal = self._apply_journal
        self.peers.start()
        self.bus.subscribe(self._outbox.subject("journal"))
        self.bus.subscribe("hubbub.*.nodes")
        await self.bus.start()
        self._last_entry = (await self._queries.heads([], [])).journal
        self._tasks = [
            self._loop.create_task(self._run_comparisons()),
            self._loop.create_task(self.peers.run()),
        ]

    async def stop(self) -> None:
        tasks = [*self._tasks, *([self._journal_task] if self._journal_task else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.peers.say_goodbye()
        self._outbox.flush()
        await self.bus.stop()

    # Effects of this node's commands

    def publish(self, effects: list[Effect]) -> None:
        """Publish a command's effects to this node's clients and to the other nodes.

        Those that belong in the journal go through `publish_entry`.
        """
        for effect in effects:
            match effect:
                case ToRoom():
                    # Another node may have just removed a member who is still attached at this one.
                    self._publish_event(effect)
                    self._outbox.publish(f"room.{effect.room}", effect)
                case ToPerson():
                    self._hub.publish([effect])
                    self._outbox.publish(_person_subject(effect.user), effect)
                case ToRooms():
                    self._hub.publish([effect])
                    for room in effect.rooms:
                        self._outbox.publish(f"room.{room}", ToRooms((room,), effect.event))
                case _:
                    raise AssertionError(effect)  # belongs in the journal

    def publish_entry(self, entry: Entry) -> None:
        """Publish a journal entry of this node, which also applies it when its turn comes."""
        self._outbox.publish("journal", entry)
        self._on_entry(entry)

    # Messages from the bus

    def _on_message(self, subject: str, payload: bytes) -> None:
        try:
            envelope = decode(payload)
        except msgspec.MsgspecError:
            self._warn_once(
                "unreadable message on the bus; does a node run a newer version?", subject=subject
            )
            return
        if envelope.node == self._outbox.node:
            return
        for item in envelope.items:
            self._on_item(envelope.node, item)

    def _on_item(self, node: str, item: Item) -> None:
        match item:
            case ToRoom():
                self._publish_event(item)
            case ToPerson() | ToRooms():
                self._hub.publish([item])
            case Entry():
                self._on_entry(item)
            case PresenceUpdate():
                self.peers.on_presence_update(node, item)
            case PresenceQuery():
                self.peers.publish_presence(item.room)
            case TypingNotice():
                self.peers.on_typing_notice(item)
            case Heartbeat():
                self.peers.on_heartbeat(node, item)
            case _:
                assert_never(item)

    def _on_connect(self) -> None:
        """Catch up with what was sent while the bus was disconnected."""
        self._compare_soon.set()
        self.peers.exchange_presence()

    # Room events

    def _publish_event(self, effect: ToRoom) -> None:
        room = self._hub.rooms.get(effect.room)
        if room is None:
            return
        self._update_parent_mrev(room)
        # Whether all membership changes before this event have been applied.
        if effect.mrev <= room.mrev and effect.parent_mrev <= room.parent_mrev:
            self._hub.sequencer.publish(effect.event)
            return
        # If one of them is a removal, the removed person must not get the event.
        held = self._held_events.setdefault(effect.room, [])
        if len(held) < HELD_EVENTS_MAX:
            held.append(effect)
        self._start_journal_read()

    def _update_parent_mrev(self, room: Room) -> None:
        if parent := self._hub.rooms.get(room.parent) if room.parent else None:
            # Not `mrev`: the room may have been filled with a later one than has been applied.
            room.parent_mrev = max(room.parent_mrev, parent.applied_mrev)

    def _on_room(self, room: str, is_used: bool) -> None:
        suffix = f"room.{room}"
        if is_used:
            self.bus.subscribe(self._outbox.subject(suffix))
            self.peers.query_presence(room)
            # Fetches events that were posted after the room was read and before the subscription.
            self._compare_soon.set()
        else:
            self.bus.unsubscribe(self._outbox.subject(suffix))
            self._hub.presence.remote.forget_room(room)
            self._held_events.pop(room, None)

    def _on_person(self, key: str, is_used: bool) -> None:
        if is_used:
            self._people[key] = None
            self.bus.subscribe(self._outbox.subject(_person_subject(key)))
        else:
            self._people.pop(key, None)
            self.bus.unsubscribe(self._outbox.subject(_person_subject(key)))

    # The journal

    def _on_entry(self, entry: Entry) -> None:
        if entry.number <= self._last_entry:
            return
        if entry.number == self._last_entry + 1:
            self._apply_entry(entry)
        else:
            # Granted access may wait for its turn. Revoked access may not: if the command was sent
            # to this node, it is already acknowledged.
            self._hub.revoke(entry.effects)
            self._start_journal_read()

    def _apply_entry(self, entry: Entry) -> None:
        self._last_entry = entry.number
        try:
            self._hub.publish(entry.effects)
        except Exception:
            log.exception("applying a journal entry failed", number=entry.number)

    def _start_journal_read(self) -> "asyncio.Task[None]":
        if self._journal_task is None:
            self._journal_task = self._loop.create_task(self._read_journal())
            self._journal_task.add_done_callback(_log_failure)
        return self._journal_task

    async def _apply_journal(self) -> None:
        """Apply everything that is in the journal by now. Raises HubbubError."""
        if self._journal_task is not None:
            await asyncio.shield(self._journal_task)  # that read may have begun too early
        await asyncio.shield(self._start_journal_read())

    async def _read_journal(self) -> None:
        waiting: list[ToRoom] = []
        try:
            while True:
                # A read contains all removals that were committed before it began. An event that
                # is held from now on may be later than a newer removal: it waits for the next read.
                waiting += [one for events in self._held_events.values() for one in events]
                self._held_events = {}
                entries = await self._queries.entries(self._last_entry)
                for entry in entries:
                    self._apply_read_entry(entry)
                if not entries:
                    self._publish_held(waiting)
                    waiting = []
                    if not self._held_events:
                        break
        finally:
            self._journal_task = None
            for effect in waiting:
                self._held_events.setdefault(effect.room, []).append(effect)

    def _apply_read_entry(self, entry: Entry) -> None:
        if entry.number == self._last_entry + 1:
            self._apply_entry(entry)
        elif entry.number > self._last_entry:
            self._reset(entry.number - 1)
            self._apply_entry(entry)

    def _publish_held(self, held: list[ToRoom]) -> None:
        for effect in held:
            if room := self._hub.rooms.get(effect.room):
                room.parent_mrev = max(room.parent_mrev, effect.parent_mrev)
            self._hub.sequencer.publish(effect.event)

    def _reset(self, number: int) -> None:
        """Start over, as the journal no longer reaches back to this node's last entry."""
        log.warning("this node was suspended for too long: all its clients must reconnect")
        self._last_entry = number
        self.on_reset()
        self._hub.reset("The server was suspended. Reconnect.")

    # Comparing with the database

    async def _run_comparisons(self) -> None:
        while True:
            pause = COMPARE_EVERY_S if self.bus.is_connected else COMPARE_ALONE_EVERY_S
            try:
                # Not `wait_for`: until Python 3.12 it loses a cancellation if the event has just
                # been set.
                async with asyncio.timeout(pause):
                    await self._compare_soon.wait()
                self._compare_soon.clear()
                await asyncio.sleep(IN_TRANSIT_S / 2)  # often several rooms at once
            except TimeoutError:
                pass
            try:
                await self.compare()
                self._is_failing = False
            except HubbubError as error:
                if not self._is_failing:
                    log.warning("comparing with the database failed", error=error.code)
                self._is_failing = True
            except Exception:
                # This loop must go on: without it, what the bus loses would never be repaired.
                log.exception("comparing with the database failed")

    async def compare(self) -> None:
        """Find what is newer in the database than at this node, and read it. Raises HubbubError."""
        self._hub.drop_empty_rooms(EMPTY_ROOMS_MAX)
        rooms = self._next_slice([room for room in self._hub.rooms.values() if room.recent_changes])
        people = self._next_slice(list(self._people))
        self._comparison_count += 1
        names = [room.id for room in rooms]
        heads = await self._queries.heads(names, people)
        if heads.epoch != self._outbox.epoch:
            self.on_database_replaced()
            return
        if heads.journal > self._last_entry:
            self._loop.call_later(IN_TRANSIT_S, self._check_journal, heads.journal)
        for room in rooms:
            head = heads.rooms.get(room.id)
            if head is None:
                self._hub.publish([RoomGone(room.id)])
            elif head.rev > room.rev:
                self._loop.call_later(IN_TRANSIT_S, self._check_room, room.id, head.rev)
        for key, rev in heads.people.items():
            if rev > self._hub.person_revs.get(key, rev):
                self._loop.call_later(IN_TRANSIT_S, self._check_person, key, rev)

    def _next_slice(self, items: list[T]) -> list[T]:
        """At most `COMPARE_MAX` of the items, different ones each time."""
        if len(items) <= COMPARE_MAX:
            return items
        start = self._comparison_count * COMPARE_MAX % len(items)
        return (items + items)[start : start + COMPARE_MAX]

    def _check_journal(self, number: int) -> None:
        if number > self._last_entry:
            self._start_journal_read()

    def _check_room(self, room_id: str, rev: int) -> None:
        self._hub.sequencer.catch_up(room_id, rev)

    def _check_person(self, key: str, rev: int) -> None:
        if rev > self._hub.person_revs.get(key, rev):
            self._hub.announce_rev(key, rev)

    def _warn_once(self, event: str, **fields: object) -> None:
        """Log a warning that would otherwise repeat with each message."""
        if event not in self._warned:
            self._warned.add(event)
            log.warning(event, **fields)


def _person_subject(key: str) -> str:
    """A person's subject suffix, in hex: a handle may have characters that a subject may not."""
    return f"user.{key.encode().hex()}"


def _log_failure(task: "asyncio.Task[None]") -> None:
    """Log an error of the journal task; the next comparison tries again."""
    if not task.cancelled() and (error := task.exception()):
        log.warning("reading the journal failed", error=repr(error))
