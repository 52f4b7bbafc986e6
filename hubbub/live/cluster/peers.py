"""The other nodes and the presence of people at them, known from the bus only and never stored.

Each node sends a heartbeat every second. One whose heartbeats stop is dropped with its people.
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

HEARTBEAT_EVERY_S = 1.0
PEER_TIMEOUT_S = 4.0  # without a heartbeat
SNAPSHOT_EVERY_S = 10.0  # of each room's presence, since a change may have been lost
CLOCK_SKEW_MAX_MS = 60_000
PEERS_MAX = 1_000  # known nodes, and known other chats on the bus; further ones are ignored

log = structlog.get_logger()


class Peer:
    """Another node."""

    __slots__ = ("last_heartbeat_at", "version")

    def __init__(self, version: str, last_heartbeat_at: float) -> None:
        self.version = version
        self.last_heartbeat_at = last_heartbeat_at


class ClusterPeers:
    """The other nodes, and the exchange of presence with them."""

    def __init__(self, hub: Hub, outbox: Outbox, version: str, clock: Callable[[], float]) -> None:
        self.known: dict[str, Peer] = {}
        self.foreign_epochs: set[str] = set()
        """Epochs of other chats that use the same bus."""
        self._hub = hub
        self._outbox = outbox
        self._version = version
        self._clock = clock
        self._clock_warned: set[str] = set()  # nodes whose clock has been logged
        self._checked_at = self._snapshot_at = clock()

    def start(self) -> None:
        presence = self._hub.presence
        presence.on_local_presence = self._publish_change
        presence.on_local_count = self._publish_count
        presence.on_local_typing = self._publish_typing

    def say_goodbye(self) -> None:
        self._outbox.publish("nodes", self._heartbeat(leaves=True))

    def exchange_presence(self) -> None:
        """Publish and query the presence of all rooms, after the bus has connected."""
        for room in list(self._hub.rooms):
            self.query_presence(room)
            self.publish_presence(room)

    def query_presence(self, room: str) -> None:
        """Ask the other nodes who is in a room."""
        self._outbox.publish(f"room.{room}", PresenceQuery(room))

    # Presence

    def _publish_change(self, room: str, name: str, state: PresenceState | None) -> None:
        self._outbox.publish(f"room.{room}", PresenceUpdate(room, {name: state}))

    def _publish_count(self, room: str, online: int) -> None:
        self._outbox.publish(f"room.{room}", PresenceUpdate(room, online=online))

    def _publish_typing(self, room: str, name: str) -> None:
        self._outbox.publish(f"room.{room}", TypingNotice(room, name))

    def publish_presence(self, room_id: str) -> None:
        """Publish a snapshot of the people in a room at this node, or their number."""
        room = self._hub.rooms.get(room_id)
        if room is None:
            return
        if room.is_small:
            update = PresenceUpdate(room_id, self._hub.presence.announced_states(room), whole=True)
        else:
            update = PresenceUpdate(room_id, online=len(room.people))
        self._outbox.publish(f"room.{room_id}", update)

    def on_typing_notice(self, notice: TypingNotice) -> None:
        if room := self._hub.rooms.get(notice.room):
            self._hub.presence.send_typing(room, notice.user)

    def on_presence_update(self, node: str, update: PresenceUpdate) -> None:
        room = self._hub.rooms.get(update.room)
        if room is None:
            return
        presence = self._hub.presence
        if update.online is not None:
            if presence.remote.set_count(node, room.id, update.online):
                presence.on_remote_count(room)
            return
        remote = presence.remote
        # A person who is offline leaves all rooms at once: a client that shares only this one must
        # not see them as present in another. A person missing from a snapshot counts as offline,
        # as that message was lost; snapshots of other rooms follow and tell where they still are.
        gone = {name for name, state in update.people.items() if state == "offline"}
        if update.whole:
            gone |= remote.people_in(node, room.id) - update.people.keys()
        room_ids = {room.id, *(id_ for name in gone for id_ in remote.rooms_of_person(node, name))}
        before = {room_id: remote.states(room_id) for room_id in room_ids}
        people = {name: state or "offline" for name, state in update.people.items()}
        remote.set_states(node, room.id, people, whole=update.whole)
        for room_id in room_ids:
            remote.set_states(node, room_id, dict.fromkeys(gone, "offline"), whole=False)
        self._send_changes(before)

    def _send_changes(self, before: dict[str, dict[str, PresenceState]]) -> None:
        """Send what has changed in these rooms, whose remote states were these before."""
        for room_id, states in before.items():
            if room := self._hub.rooms.get(room_id):
                self._send_room_changes(room, states)

    def _send_room_changes(self, room: Room, before: dict[str, PresenceState]) -> None:
        after = self._hub.presence.remote.states(room.id)
        if room.is_small:
            self._hub.presence.on_remote_change(room, before, after)

    # Heartbeats

    def _heartbeat(self, *, leaves: bool = False) -> Heartbeat:
        now = time.time_ns() // 1_000_000
        return Heartbeat(self._outbox.epoch, self._version, now, leaves)

    async def run(self) -> None:
        """Send heartbeats and drop the nodes whose heartbeats have stopped, until cancelled."""
        while True:
            self._outbox.publish("nodes", self._heartbeat())
            await asyncio.sleep(HEARTBEAT_EVERY_S)
            try:
                self._check_peers(self._clock())
            except Exception:
                # This loop must go on, or the other nodes would drop this one.
                log.exception("checking the other nodes failed")

    def _check_peers(self, now: float) -> None:
        if not self._outbox.bus.is_connected:
            # No heartbeats can arrive: the known nodes stay until the bus is back.
            for peer in self.known.values():
                peer.last_heartbeat_at += now - self._checked_at
        self._checked_at = now
        for node, peer in list(self.known.items()):
            if now - peer.last_heartbeat_at > PEER_TIMEOUT_S:
                self._forget_node(node, "no heartbeat")
        if now - self._snapshot_at >= SNAPSHOT_EVERY_S and self.known:
            self._snapshot_at = now
            for room in list(self._hub.rooms):
                self.publish_presence(room)

    def on_heartbeat(self, node: str, heartbeat: Heartbeat) -> None:
        if heartbeat.epoch != self._outbox.epoch:
            self._warn_of_foreign_chat(heartbeat)
            return
        if heartbeat.leaves:
            self._forget_node(node, "it has stopped")
            return
        known = self.known.get(node)
        if known is None and len(self.known) < PEERS_MAX:
            self.known[node] = Peer(heartbeat.version, self._clock())
            log.info("another node is running", node=node, version=heartbeat.version)
        elif known is not None:
            known.last_heartbeat_at = self._clock()
        skew_ms = abs(heartbeat.now - time.time_ns() // 1_000_000)
        if skew_ms > CLOCK_SKEW_MAX_MS:
            self._warn_of_clock(node, skew_ms)

    def _warn_of_clock(self, node: str, skew_ms: int) -> None:
        if node not in self._clock_warned and len(self._clock_warned) < PEERS_MAX:
            self._clock_warned.add(node)
            log.warning(
                "the clocks of two nodes differ too much: set both by NTP",
                node=node,
                skew_s=skew_ms // 1000,
            )

    def _warn_of_foreign_chat(self, heartbeat: Heartbeat) -> None:
        if heartbeat.epoch in self.foreign_epochs or len(self.foreign_epochs) >= PEERS_MAX:
            return
        self.foreign_epochs.add(heartbeat.epoch)
        log.warning(
            "another chat uses this bus; messages do not mix, but give each chat its own bus",
            epoch=heartbeat.epoch,
            version=heartbeat.version,
        )

    def _forget_node(self, node: str, why: str) -> None:
        if self.known.pop(node, None) is None:
            return
        log.info("another node has stopped", node=node, why=why)
        remote = self._hub.presence.remote
        before = {room: remote.states(room) for room in remote.people_by_room(node)}
        counted_rooms = remote.forget_node(node)
        self._send_changes(before)
        for room_id in counted_rooms - before.keys():
            if room := self._hub.rooms.get(room_id):
                self._hub.presence.on_remote_count(room)
