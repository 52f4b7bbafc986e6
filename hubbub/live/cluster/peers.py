"""Who is at the other nodes, and which nodes there are; told over the bus only, and never kept.

A node says each second that it is there. One that is not heard of any more is gone, and its people
with it.
"""

import asyncio
import time
from collections.abc import Callable

import structlog

from hubbub.live.cluster.envelopes import Alive, Here, Mail, Who, Writes
from hubbub.live.hub import Hub
from hubbub.live.room import Room
from hubbub.model.reading import PresenceState

ALIVE_EVERY_S = 1.0
GONE_AFTER_S = 4.0  # a node that was not heard of
SNAPSHOT_EVERY_S = 10.0  # of who is here, since a change may have been lost
CLOCKS_APART_MAX_MS = 60_000
OTHERS_MAX = 1_000  # nodes known, of ours and of other chats on the bus

log = structlog.get_logger()


class Other:
    """Another node, as it was last heard of."""

    __slots__ = ("heard_at", "version")

    def __init__(self, version: str, heard_at: float) -> None:
        self.version = version
        self.heard_at = heard_at


class Company:
    """The other nodes, and who is present there."""

    def __init__(self, hub: Hub, mail: Mail, version: str, clock: Callable[[], float]) -> None:
        self.others: dict[str, Other] = {}
        self.strangers: set[str] = set()
        """Epochs of other chats that use the same bus."""
        self._hub = hub
        self._mail = mail
        self._version = version
        self._clock = clock
        self._apart: set[str] = set()  # nodes whose clock was warned of
        self._heard_until = self._snapshot_at = clock()

    def start(self) -> None:
        presence = self._hub.presence
        presence.on_person = self._on_presence
        presence.on_count = self._on_count
        presence.on_typing = self._on_typing

    def say_goodbye(self) -> None:
        self._mail.publish("nodes", self._alive(leaves=True))

    def introduce(self) -> None:
        """The bus stands anew: tell who is here, and ask who is there."""
        for room in list(self._hub.rooms):
            self.ask(room)
            self.tell_who_is_here(room)

    def ask(self, room: str) -> None:
        self._mail.publish(f"room.{room}", Who(room))

    # Who is where

    def _on_presence(self, room: str, name: str, state: PresenceState | None) -> None:
        self._mail.publish(f"room.{room}", Here(room, {name: state}))

    def _on_count(self, room: str, online: int) -> None:
        self._mail.publish(f"room.{room}", Here(room, online=online))

    def _on_typing(self, room: str, name: str) -> None:
        self._mail.publish(f"room.{room}", Writes(room, name))

    def tell_who_is_here(self, room_id: str) -> None:
        room = self._hub.rooms.get(room_id)
        if room is None:
            return
        if room.is_small:
            here = Here(room_id, self._hub.presence.told_of(room), whole=True)
        else:
            here = Here(room_id, online=len(room.people))
        self._mail.publish(f"room.{room_id}", here)

    def receive_typing(self, writes: Writes) -> None:
        if room := self._hub.rooms.get(writes.room):
            self._hub.presence.tell_typing(room, writes.user)

    def receive_here(self, node: str, here: Here) -> None:
        room = self._hub.rooms.get(here.room)
        if room is None:
            return
        presence = self._hub.presence
        if here.online is not None:
            if presence.elsewhere.count_told(node, room.id, here.online):
                presence.count_changed(room)
            return
        elsewhere = presence.elsewhere
        # Who is gone is so in all rooms at once: one who shares only this one must not be told
        # that they are still in another. Who is missing from a snapshot is taken for gone, as the
        # word was lost; those of the other rooms, sent with it, say where they still are.
        gone = {name for name, state in here.people.items() if state == "offline"}
        if here.whole:
            gone |= elsewhere.people_of(node, room.id) - here.people.keys()
        rooms = {room.id, *(each for name in gone for each in elsewhere.rooms_with(node, name))}
        before = {each: elsewhere.states(each) for each in rooms}
        people = {name: state or "offline" for name, state in here.people.items()}
        elsewhere.told(node, room.id, people, whole=here.whole)
        for each in rooms:
            elsewhere.told(node, each, dict.fromkeys(gone, "offline"), whole=False)
        self._tell_all(before)

    def _tell_all(self, before: dict[str, dict[str, PresenceState]]) -> None:
        for room_id, states in before.items():
            if room := self._hub.rooms.get(room_id):
                self._tell_presence(room, states)

    def _tell_presence(self, room: Room, before: dict[str, PresenceState]) -> None:
        after = self._hub.presence.elsewhere.states(room.id)
        if room.is_small:
            self._hub.presence.heard(room, before, after)

    # The nodes themselves

    def _alive(self, *, leaves: bool = False) -> Alive:
        now = time.time_ns() // 1_000_000
        return Alive(self._mail.epoch, self._version, now, leaves)

    async def live(self) -> None:
        """Say that we are here; notice who is not any more."""
        while True:
            self._mail.publish("nodes", self._alive())
            await asyncio.sleep(ALIVE_EVERY_S)
            try:
                self._look_around(self._clock())
            except Exception:
                # The others would take this node for gone, were it to end here.
                log.exception("looking for the other nodes failed")

    def _look_around(self, now: float) -> None:
        if not self._mail.bus.is_connected:
            # Nobody can be heard of; what was known stays until the bus is back.
            for other in self.others.values():
                other.heard_at += now - self._heard_until
        self._heard_until = now
        for node, other in list(self.others.items()):
            if now - other.heard_at > GONE_AFTER_S:
                self._gone(node, "is not heard of any more")
        if now - self._snapshot_at >= SNAPSHOT_EVERY_S and self.others:
            self._snapshot_at = now
            for room in list(self._hub.rooms):
                self.tell_who_is_here(room)

    def receive_alive(self, node: str, alive: Alive) -> None:
        if alive.epoch != self._mail.epoch:
            self._meet_stranger(alive)
            return
        if alive.leaves:
            self._gone(node, "says goodbye")
            return
        known = self.others.get(node)
        if known is None and len(self.others) < OTHERS_MAX:
            self.others[node] = Other(alive.version, self._clock())
            log.info("a node is there", node=node, version=alive.version)
        elif known is not None:
            known.heard_at = self._clock()
        apart = abs(alive.now - time.time_ns() // 1_000_000)
        if apart > CLOCKS_APART_MAX_MS:
            self._warn_of_clock(node, apart)

    def _warn_of_clock(self, node: str, apart_ms: int) -> None:
        if node not in self._apart and len(self._apart) < OTHERS_MAX:
            self._apart.add(node)
            log.warning(
                "another node's clock is far from this one's: set both by NTP",
                node=node,
                apart_s=apart_ms // 1000,
            )

    def _meet_stranger(self, alive: Alive) -> None:
        if alive.epoch in self.strangers or len(self.strangers) >= OTHERS_MAX:
            return
        self.strangers.add(alive.epoch)
        log.warning(
            "another chat uses this bus: they do not hear each other, but give each its own",
            epoch=alive.epoch,
            version=alive.version,
        )

    def _gone(self, node: str, why: str) -> None:
        if self.others.pop(node, None) is None:
            return
        log.info("a node is gone", node=node, why=why)
        elsewhere = self._hub.presence.elsewhere
        was = {room: elsewhere.states(room) for room in elsewhere.rooms_of(node)}
        counted = elsewhere.forget(node)
        self._tell_all(was)
        for room_id in counted - was.keys():
            if room := self._hub.rooms.get(room_id):
                self._hub.presence.count_changed(room)
