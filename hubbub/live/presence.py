"""Presence and typing. Never stored; sent for each person in small rooms, counted in large ones.

A person may be connected to several nodes at once; what others see combines them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from hubbub.live.remote_presence import RemotePresence, most_present
from hubbub.model.messages import TypingEvent
from hubbub.model.reading import Presence, PresenceState
from hubbub.wire import json, text
from hubbub.wire.frames import text_frame

if TYPE_CHECKING:
    from hubbub.live.client import Client
    from hubbub.live.hub import Hub
    from hubbub.live.room import Room

GRACE_S = 3.0  # a page that is reloaded is back within this time
# When many connect at once, their presence is sent in batches, and large rooms are counted less
# often. A write takes about 5 µs, so these are a twentieth and a hundredth of the loop's time.
PRESENCE_EVENTS_PER_S = 10_000
COUNT_EVENTS_PER_S = 2_000
BATCH_SIZE = 250  # recipients that are written to in one turn of the loop
IMMEDIATE_MAX = 100  # after a batch with at most this many recipients, the next does not wait


class _PresenceChange(NamedTuple):
    """A queued presence change: the person's key and state."""

    key: str
    state: PresenceState


class _Departure(NamedTuple):
    """A person who has just left a room; this has not been announced yet."""

    timer: asyncio.TimerHandle
    name: str
    state: PresenceState  # their state before they left, which others still see


class PresenceTracker:
    """The states of connected people: online, unless all their devices are away."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.remote = RemotePresence()
        # Called with what changes at this node, so that other nodes can be informed: room, handle
        # and state, which is None for a person who has left the room and is still connected.
        self.on_local_presence: Callable[[str, str, PresenceState | None], None] = (
            lambda room, name, state: None
        )
        self.on_local_count: Callable[[str, int], None] = lambda room, online: None
        self.on_local_typing: Callable[[str, str], None] = lambda room, name: None
        self._away: set[Client] = set()
        # Room → person → their departure, which is announced unless they come back in time.
        self._departures: dict[str, dict[str, _Departure]] = {}
        self._pending_counts: set[Room] = set()
        # Large room → the time before which its count is not sent again.
        self._count_quiet_until: dict[Room, float] = {}
        # Small room → handle → the change to send at the end of the loop's turn, or later if much
        # has just been sent.
        self._pending: dict[Room, dict[str, _PresenceChange]] = {}
        # The changes that are being sent, and the clients that have not been sent them yet.
        self._sending: dict[Room, dict[str, _PresenceChange]] = {}
        self._recipients: list[Client] = []
        self._is_scheduled = False
        self._next_batch_at = 0.0

    def state(self, key: str) -> PresenceState:
        """The state of a person over all their devices and nodes."""
        return most_present(self._local_state(key), self.remote.state(self._name(key)))

    def _local_state(self, key: str) -> PresenceState:
        clients = self._hub.people.get(key)
        if not clients:
            return "offline"
        return "away" if clients <= self._away else "online"

    def visible_to(self, client: Client) -> dict[str, str]:
        """Handle → state of everyone present with whom this client shares a small room."""
        found: dict[str, str] = {}
        for room in client.rooms.values():
            if room.is_small:
                found.update(self.room_states(room))
        return found

    def room_states(self, room: Room) -> dict[str, PresenceState]:
        """Handle → state of everyone present in a room."""
        found = self.remote.states(room.id)
        for name, state in self.local_states(room).items():
            found[name] = most_present(state, found.get(name, "offline"))
        return found

    def local_states(self, room: Room) -> dict[str, PresenceState]:
        """Handle → state of everyone present in a room at this node."""
        people, away = self._hub.people, self._away
        found: dict[str, PresenceState] = {}
        for key in room.people:
            if clients := people.get(key):
                name = next(iter(clients)).actor.name
                found[name] = "away" if away and clients <= away else "online"
        return found

    def announced_states(self, room: Room) -> dict[str, PresenceState | None]:
        """The local states as others see them, with those whose departure is not announced yet."""
        announced: dict[str, PresenceState | None] = {}
        for key, departure in self._departures.get(room.id, {}).items():
            current = self._local_state(key)  # with another device, in other rooms
            announced[departure.name] = current if current != "offline" else departure.state
        return {**announced, **self.local_states(room)}

    def _name(self, key: str) -> str:
        """A person's handle; a guest's key is not their name."""
        for client in self._hub.people.get(key, ()):
            return client.actor.name
        return key

    def on_attach(self, client: Client, room: Room) -> None:
        """Announce a person whose first client has entered a room."""
        departure = self._pop_departure(client.key, room.id)
        if departure is not None:
            departure.timer.cancel()
            if self._local_state(client.key) != departure.state:  # they left while away
                self.on_local_presence(room.id, client.actor.name, self._local_state(client.key))
                self._queue_event(client, room, self.state(client.key))
            return
        self._announce(client, room, self.state(client.key), is_present=True)

    def on_detach(self, client: Client, room: Room) -> None:
        """Announce that a person's last client has left a room, unless they return in time."""
        if not room.is_small:
            self._pending_counts.add(room)
            return
        departures = self._departures.setdefault(room.id, {})
        if client.key not in departures:
            timer = asyncio.get_running_loop().call_later(
                GRACE_S, self._on_departure_due, client, room
            )
            departures[client.key] = _Departure(
                timer, client.actor.name, self._local_state(client.key)
            )

    def _pop_departure(self, key: str, room_id: str) -> _Departure | None:
        departures = self._departures.get(room_id, {})
        departure = departures.pop(key, None)
        if not departures:
            self._departures.pop(room_id, None)
        return departure

    def _on_departure_due(self, client: Client, room: Room) -> None:
        self._pop_departure(client.key, room.id)
        if client.key not in room.people:
            # A person who is still connected has left this room only: text clients read that they
            # left, while JSON clients are sent the person's state, which holds in all rooms.
            self._announce(client, room, self.state(client.key), is_present=False)

    def on_remote_change(
        self, room: Room, before: dict[str, PresenceState], after: dict[str, PresenceState]
    ) -> None:
        """Send what has changed in a room by the states that other nodes have announced."""
        local_names = {self._name(key) for key in room.people}
        for name in before.keys() | after.keys():
            if before.get(name) == after.get(name):
                continue
            self._hub.send_to_rooms([room.id], Presence(user=name, state=self.state(name)))
            # Text clients are only shown who comes and goes. A person who is also in the room at
            # this node does neither.
            if name not in local_names and (name in before) != (name in after):
                self._enqueue_text(room, name, after.get(name, "offline"))

    def on_connect(self, client: Client) -> None:
        """Mark a person who was away as online, as they have connected another device."""
        if self._are_other_devices_away(client):
            self._send_state(client, "online")

    def on_disconnecting(self, client: Client) -> None:
        """Mark a person as away if all devices but this one are."""
        if client not in self._away and self._are_other_devices_away(client):
            self._send_state(client, "away")

    def on_disconnect(self, client: Client) -> None:
        """Drop a client that has left all its rooms."""
        self._away.discard(client)

    def _are_other_devices_away(self, client: Client) -> bool:
        others = self._hub.people.get(client.key, set()) - {client}
        return bool(others) and others <= self._away

    def set_active(self, client: Client, active: bool) -> None:
        before = self._local_state(client.key)
        if active:
            self._away.discard(client)
        else:
            self._away.add(client)
        after = self._local_state(client.key)
        if before != after:
            self._send_state(client, after)

    def _send_state(self, client: Client, local_state: PresenceState) -> None:
        """Send a person's state to everyone who shares a small room with one of their devices."""
        name = client.actor.name
        devices = self._hub.people.get(client.key, set())
        rooms = {room for device in devices for room in device.rooms.values() if room.is_small}
        event = Presence(user=name, state=most_present(local_state, self.remote.state(name)))
        self._hub.send_to_rooms([room.id for room in rooms], event)
        for room in rooms:
            self.on_local_presence(room.id, name, local_state)

    def _announce(
        self, client: Client, room: Room, state: PresenceState, *, is_present: bool
    ) -> None:
        if not room.is_small:
            self._pending_counts.add(room)
            return
        name = client.actor.name
        local_state = self._local_state(client.key)
        announced = local_state if is_present or local_state == "offline" else None
        self.on_local_presence(room.id, name, announced)
        if not self.remote.is_in_room(room.id, name):
            self._enqueue_text(room, name, state if is_present else "offline")
        self._queue_event(client, room, state)

    def _queue_event(self, client: Client, room: Room, state: PresenceState) -> None:
        self._pending.setdefault(room, {})[client.actor.name] = _PresenceChange(client.key, state)
        if not self._is_scheduled:
            self._schedule_batch()

    def _schedule_batch(self) -> None:
        self._is_scheduled = True
        loop = asyncio.get_running_loop()
        if self._next_batch_at <= loop.time():
            loop.call_soon(self._send_batch)
        else:
            loop.call_at(self._next_batch_at, self._send_batch)

    def _enqueue_text(self, room: Room, name: str, state: PresenceState) -> None:
        if line := text.presence(Presence(user=name, state=state)):
            room.enqueue_text(line)
            self._hub.queue.schedule(room)

    def _send_batch(self) -> None:
        """Send the changes to the next batch of recipients, with one write to each.

        A client that shares several small rooms with a person gets one event.
        """
        if not self._recipients:
            self._sending, self._pending = self._pending, {}
            self._recipients = list(
                {client for room in self._sending for client in room.json_clients}
            )
        batch, self._recipients = self._recipients[:BATCH_SIZE], self._recipients[BATCH_SIZE:]
        frames: dict[str, bytes] = {}
        for client in batch:
            changes: dict[str, _PresenceChange] = {}
            for room in client.rooms.values():
                changes.update(self._sending.get(room, ()))
            for name in changes.keys() - frames.keys():
                frames[name] = self._frame(name, changes[name])
            if changes:  # else the client has left the room meanwhile
                self._hub.send_live(client, b"".join([frames[name] for name in changes]))
        if len(batch) > IMMEDIATE_MAX:
            self._next_batch_at = (
                asyncio.get_running_loop().time() + len(batch) / PRESENCE_EVENTS_PER_S
            )
        self._is_scheduled = False
        if self._recipients or self._pending:
            self._schedule_batch()

    def _frame(self, name: str, change: _PresenceChange) -> bytes:
        """The person's current state; if they have just left again, the queued one."""
        state = most_present(self._local_state(change.key), self.remote.state(name))
        if state == "offline":  # they may be back in a moment
            state = change.state
        return text_frame(json.event(Presence(user=name, state=state)))

    def send_counts(self) -> None:
        """Send the number of people present in large rooms where it has changed."""
        now = asyncio.get_running_loop().time()
        self._count_quiet_until = {
            room: until for room, until in self._count_quiet_until.items() if until > now
        }
        rooms = self._pending_counts - self._count_quiet_until.keys()
        self._pending_counts -= rooms
        for room in rooms:
            self._count_quiet_until[room] = now + len(room.json_clients) / COUNT_EVENTS_PER_S
            self.on_local_count(room.id, len(room.people))
            online = len(room.people) + self.remote.count(room.id)
            room.enqueue_json(json.event(Presence(room=room.id, online=online)))
            self._hub.queue.schedule(room)

    def on_remote_count(self, room: Room) -> None:
        """Send the count of a large room, as it has changed at another node."""
        self._pending_counts.add(room)

    def announce_typing(self, client: Client, room: Room) -> None:
        """Announce at all nodes that a person is typing; nothing is kept."""
        self.send_typing(room, client.actor.name)
        self.on_local_typing(room.id, client.actor.name)

    def send_typing(self, room: Room, name: str) -> None:
        """Send to the room's clients at this node that a person is typing."""
        if room.json_clients:
            room.enqueue_json(json.event(TypingEvent(room=room.id, user=name)))
            self._hub.queue.schedule(room)
