"""Who is at the other nodes, and which nodes there are; told over the bus only, and never kept.

A node says each second that it is there. One that is not heard of any more is gone, and its people
with it.
"""

import asyncio
import time
from collections.abc import Callable

import structlog

from hubbub.live.cluster.envelopes import (
    Heartbeat,
    Outbox,
    PresenceQuery,
    PresenceUpdate,
    TypingNotice,
)
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


class ClusterPeers:
    """The other nodes, and who is present there."""

    def __init__(self, hub: Hub, outbox: Outbox, version: str, clock: Callable[[], float]) -> None:
        self.others: dict[str, Other] = {}
        self.strangers: set[str] = set()
        """Epochs of other chats that use the same bus."""
        self._hub = hub
        self._outbox = outbox
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
        self._outbox.publish("nodes", self._alive(leaves=True))

    def introduce(self) -> None:
        """The bus stands anew: tell who is here, and ask who is there."""
        for room in list(self._hub.rooms):
            self.ask(room)
            self.tell_who_is_here(room)

    def ask(self, room: str) -> None:
        self._outbox.publish(f"room.{room}", PresenceQuery(room))

    # Who is where

    def _on_presence(self, room: str, name: str, state: PresenceState | None) -> None:
        self._outbox.publish(f"room.{room}", PresenceUpdate(room, {name: state}))

    def _on_count(self, room: str, online: int) -> None:
        self._outbox.publish(f"room.{room}", PresenceUpdate(room, online=online))

    def _on_typing(self, room: str, name: str) -> None:
        self._outbox.publish(f"room.{room}", TypingNotice(room, name))

    def tell_who_is_here(self, room_id: str) -> None:
        room = self._hub.rooms.get(room_id)
        if room is None:
            return
        if room.is_small:
            update = PresenceUpdate(room_id, self._hub.presence.told_of(room), whole=True)
        else:
            update = PresenceUpdate(room_id, online=len(room.people))
        self._outbox.publish(f"room.{room_id}", update)

    def on_typing_notice(self, notice: TypingNotice) -> None:
        if room := self._hub.rooms.get(notice.room):
            self._hub.presence.tell_typing(room, notice.user)

    def on_presence_update(self, node: str, update: PresenceUpdate) -> None:
        room = self._hub.rooms.get(update.room)
        if room is None:
            return
        presence = self._hub.presence
        if update.online is not None:
            if presence.remote.set_count(node, room.id, update.online):
                presence.count_changed(room)
            return
        remote = presence.remote
        # Who is gone is so in all rooms at once: one who shares only this one must not be told
        # that they are still in another. Who is missing from a snapshot is taken for gone, as the
        # word was lost; those of the other rooms, sent with it, say where they still are.
        gone = {name for name, state in update.people.items() if state == "offline"}
        if update.whole:
            gone |= remote.people_of(node, room.id) - update.people.keys()
        rooms = {room.id, *(each for name in gone for each in remote.rooms_with(node, name))}
        before = {each: remote.states(each) for each in rooms}
        people = {name: state or "offline" for name, state in update.people.items()}
        remote.set_states(node, room.id, people, whole=update.whole)
        for each in rooms:
            remote.set_states(node, each, dict.fromkeys(gone, "offline"), whole=False)
        self._tell_all(before)

    def _tell_all(self, before: dict[str, dict[str, PresenceState]]) -> None:
        for room_id, states in before.items():
            if room := self._hub.rooms.get(room_id):
                self._tell_presence(room, states)

    def _tell_presence(self, room: Room, before: dict[str, PresenceState]) -> None:
        after = self._hub.presence.remote.states(room.id)
        if room.is_small:
            self._hub.presence.heard(room, before, after)

    # The nodes themselves

    def _alive(self, *, leaves: bool = False) -> Heartbeat:
        now = time.time_ns() // 1_000_000
        return Heartbeat(self._outbox.epoch, self._version, now, leaves)

    async def live(self) -> None:
        """Say that we are here; notice who is not any more."""
        while True:
            self._outbox.publish("nodes", self._alive())
            await asyncio.sleep(ALIVE_EVERY_S)
            try:
                self._look_around(self._clock())
            except Exception:
                # The others would take this node for gone, were it to end here.
                log.exception("looking for the other nodes failed")

    def _look_around(self, now: float) -> None:
        if not self._outbox.bus.is_connected:
            # Nobody can be heard of; what was known stays until the bus is back.
            for other in self.others.values():
                other.heard_at += now - self._heard_until
        self._heard_until = now
        for node, other in list(self.others.items()):
            if now - other.heard_at > GONE_AFTER_S:
                self._forget_node(node, "is not heard of any more")
        if now - self._snapshot_at >= SNAPSHOT_EVERY_S and self.others:
            self._snapshot_at = now
            for room in list(self._hub.rooms):
                self.tell_who_is_here(room)

    def on_heartbeat(self, node: str, alive: Heartbeat) -> None:
        if alive.epoch != self._outbox.epoch:
            self._meet_stranger(alive)
            return
        if alive.leaves:
            self._forget_node(node, "says goodbye")
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

    def _meet_stranger(self, alive: Heartbeat) -> None:
        if alive.epoch in self.strangers or len(self.strangers) >= OTHERS_MAX:
            return
        self.strangers.add(alive.epoch)
        log.warning(
            "another chat uses this bus: they do not hear each other, but give each its own",
            epoch=alive.epoch,
            version=alive.version,
        )

    def _forget_node(self, node: str, why: str) -> None:
        if self.others.pop(node, None) is None:
            return
        log.info("a node is gone", node=node, why=why)
        remote = self._hub.presence.remote
        was = {room: remote.states(room) for room in remote.rooms_of(node)}
        counted = remote.forget(node)
        self._tell_all(was)
        for room_id in counted - was.keys():
            if room := self._hub.rooms.get(room_id):
                self._hub.presence.count_changed(room)
