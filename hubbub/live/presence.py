"""Who is online, away or typing. Never stored; told in small rooms only, counted in large ones.

A person may be here and at other nodes at a time; what people see is all of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from hubbub.live.remote_presence import RemotePresence, better
from hubbub.model.messages import TypingEvent
from hubbub.model.reading import Presence, PresenceState
from hubbub.wire import json, text
from hubbub.wire.frames import text_frame

if TYPE_CHECKING:
    from hubbub.live.client import Client
    from hubbub.live.hub import Hub
    from hubbub.live.room import Room

GRACE_S = 3.0  # a reload of the page is no leaving
# When a crowd comes, who comes is told in lumps, and large rooms are counted less often: a write
# takes some 5 µs, so these are a twentieth and a hundredth of the loop's time.
PRESENCE_EVENTS_PER_S = 10_000
COUNT_EVENTS_PER_S = 2_000
BATCH_SIZE = 250  # who are told before others have the loop
IMMEDIATE_MAX = 100  # who are told at once, however often


class _PresenceChange(NamedTuple):
    """What a person was when there was something to tell of them."""

    key: str
    state: PresenceState


class _Departure(NamedTuple):
    timer: asyncio.TimerHandle
    name: str
    state: PresenceState  # at the time, as everybody still believes


class PresenceTracker:
    """States of people who are connected: online, unless all their devices are away."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.remote = RemotePresence()
        # Told what changes here, so that other nodes can be told: room, handle, their state; or
        # None for who has left that room and is still here.
        self.on_person: Callable[[str, str, PresenceState | None], None] = (
            lambda room, name, state: None
        )
        self.on_count: Callable[[str, int], None] = lambda room, online: None
        self.on_typing: Callable[[str, str], None] = lambda room, name: None
        self._away: set[Client] = set()
        # Room → person → their last client's farewell, told unless they come back in time.
        self._leaving: dict[str, dict[str, _Departure]] = {}
        self._counts_due: set[Room] = set()
        # Large rooms that were told their count lately, and until when that is enough.
        self._counted: dict[Room, float] = {}
        # Small room → what is to be told there, at the end of the loop's turn, or later if many
        # have just been told something.
        self._due: dict[Room, dict[str, _PresenceChange]] = {}
        # The same, of which these are still to be told.
        self._news: dict[Room, dict[str, _PresenceChange]] = {}
        self._listeners: list[Client] = []
        self._is_telling = False
        self._tell_at = 0.0

    def state(self, key: str) -> PresenceState:
        """Of a person, at all their devices and nodes."""
        return better(self._here(key), self.remote.state(self._name(key)))

    def _here(self, key: str) -> PresenceState:
        clients = self._hub.people.get(key)
        if not clients:
            return "offline"
        return "away" if clients <= self._away else "online"

    def seen_by(self, client: Client) -> dict[str, str]:
        """Everyone present with whom this client shares a small room, by handle."""
        found: dict[str, str] = {}
        for room in client.rooms.values():
            if room.is_small:
                found.update(self.of_room(room))
        return found

    def of_room(self, room: Room) -> dict[str, PresenceState]:
        """Handle → state of everyone present in a room."""
        found = self.remote.states(room.id)
        for name, state in self.here_in(room).items():
            found[name] = better(state, found.get(name, "offline"))
        return found

    def here_in(self, room: Room) -> dict[str, PresenceState]:
        """The same, of this node's own."""
        people, away = self._hub.people, self._away
        found: dict[str, PresenceState] = {}
        for key in room.people:
            if clients := people.get(key):
                name = next(iter(clients)).actor.name
                found[name] = "away" if away and clients <= away else "online"
        return found

    def told_of(self, room: Room) -> dict[str, PresenceState | None]:
        """The same as others know it: nobody has been told yet of who left a moment ago."""
        told: dict[str, PresenceState | None] = {}
        for key, farewell in self._leaving.get(room.id, {}).items():
            here = self._here(key)  # with another device, in other rooms
            told[farewell.name] = here if here != "offline" else farewell.state
        return {**told, **self.here_in(room)}

    def _name(self, key: str) -> str:
        """A person's handle; for guests the key is not their name."""
        for client in self._hub.people.get(key, ()):
            return client.actor.name
        return key

    def arrived(self, client: Client, room: Room) -> None:
        """A person is present in a room who was not before."""
        farewell = self._no_longer_leaving(client.key, room.id)
        if farewell is not None:
            farewell.timer.cancel()
            if self._here(client.key) != farewell.state:  # they left while away
                self.on_person(room.id, client.actor.name, self._here(client.key))
                self._tell_json(client, room, self.state(client.key))
            return
        self._tell(client, room, self.state(client.key), is_here=True)

    def left(self, client: Client, room: Room) -> None:
        """A person is no longer present in a room; told unless they are back in a moment."""
        if not room.is_small:
            self._counts_due.add(room)
            return
        leaving = self._leaving.setdefault(room.id, {})
        if client.key not in leaving:
            timer = asyncio.get_running_loop().call_later(GRACE_S, self._gone, client, room)
            leaving[client.key] = _Departure(timer, client.actor.name, self._here(client.key))

    def _no_longer_leaving(self, key: str, room_id: str) -> _Departure | None:
        leaving = self._leaving.get(room_id, {})
        farewell = leaving.pop(key, None)
        if not leaving:
            self._leaving.pop(room_id, None)
        return farewell

    def _gone(self, client: Client, room: Room) -> None:
        self._no_longer_leaving(client.key, room.id)
        if client.key not in room.people:
            # Whoever is still connected has left the room only, which text clients read as such;
            # a presence is the person's in all rooms.
            self._tell(client, room, self.state(client.key), is_here=False)

    def heard(
        self, room: Room, before: dict[str, PresenceState], after: dict[str, PresenceState]
    ) -> None:
        """Other nodes have told who is in a room there; tell what that changes here."""
        here = {self._name(key) for key in room.people}
        for name in before.keys() | after.keys():
            if before.get(name) == after.get(name):
                continue
            self._hub.send_to_rooms([room.id], Presence(user=name, state=self.state(name)))
            # Text clients hear of coming and going only, which whoever is here as well does not.
            if name not in here and (name in before) != (name in after):
                self._tell_text(room, name, after.get(name, "offline"))

    def connected(self, client: Client) -> None:
        """One more device of a person, at which they are now."""
        if self._others_are_away(client):
            self._tell_state(client, "online")

    def leaving(self, client: Client) -> None:
        """One device less; those that are left may all be away."""
        if client not in self._away and self._others_are_away(client):
            self._tell_state(client, "away")

    def disconnected(self, client: Client) -> None:
        """It has left all its rooms."""
        self._away.discard(client)

    def _others_are_away(self, client: Client) -> bool:
        others = self._hub.people.get(client.key, set()) - {client}
        return bool(others) and others <= self._away

    def set_active(self, client: Client, active: bool) -> None:
        before = self._here(client.key)
        if active:
            self._away.discard(client)
        else:
            self._away.add(client)
        after = self._here(client.key)
        if before != after:
            self._tell_state(client, after)

    def _tell_state(self, client: Client, here: PresenceState) -> None:
        """Everyone who shares a small room with any device of this person."""
        name = client.actor.name
        devices = self._hub.people.get(client.key, set())
        rooms = {room for device in devices for room in device.rooms.values() if room.is_small}
        event = Presence(user=name, state=better(here, self.remote.state(name)))
        self._hub.send_to_rooms([room.id for room in rooms], event)
        for room in rooms:
            self.on_person(room.id, name, here)

    def _tell(self, client: Client, room: Room, state: PresenceState, *, is_here: bool) -> None:
        if not room.is_small:
            self._counts_due.add(room)
            return
        name = client.actor.name
        here = self._here(client.key)
        self.on_person(room.id, name, here if is_here or here == "offline" else None)
        if not self.remote.in_room(room.id, name):
            self._tell_text(room, name, state if is_here else "offline")
        self._tell_json(client, room, state)

    def _tell_json(self, client: Client, room: Room, state: PresenceState) -> None:
        self._due.setdefault(room, {})[client.actor.name] = _PresenceChange(client.key, state)
        if not self._is_telling:
            self._tell_soon()

    def _tell_soon(self) -> None:
        self._is_telling = True
        loop = asyncio.get_running_loop()
        if self._tell_at <= loop.time():
            loop.call_soon(self._tell_due)
        else:
            loop.call_at(self._tell_at, self._tell_due)

    def _tell_text(self, room: Room, name: str, state: PresenceState) -> None:
        if line := text.presence(Presence(user=name, state=state)):
            room.tell_text(line)
            self._hub.queue.touch(room)

    def _tell_due(self) -> None:
        """Each client gets one write, of all that is new to it.

        Whoever shares several small rooms with somebody is told once.
        """
        if not self._listeners:
            self._news, self._due = self._due, {}
            self._listeners = list({client for room in self._news for client in room.json})
        lump, self._listeners = self._listeners[:BATCH_SIZE], self._listeners[BATCH_SIZE:]
        frames: dict[str, bytes] = {}
        for client in lump:
            news: dict[str, _PresenceChange] = {}
            for room in client.rooms.values():
                news.update(self._news.get(room, ()))
            for name in news.keys() - frames.keys():
                frames[name] = self._frame(name, news[name])
            if news:  # else they have left the room meanwhile
                self._hub.offer(client, b"".join([frames[name] for name in news]))
        if len(lump) > IMMEDIATE_MAX:
            self._tell_at = asyncio.get_running_loop().time() + len(lump) / PRESENCE_EVENTS_PER_S
        self._is_telling = False
        if self._listeners or self._due:
            self._tell_soon()

    def _frame(self, name: str, news: _PresenceChange) -> bytes:
        """What somebody is by now; who has just come and gone may be back in a moment."""
        state = better(self._here(news.key), self.remote.state(name))
        if state == "offline":
            state = news.state
        return text_frame(json.event(Presence(user=name, state=state)))

    def tell_counts(self) -> None:
        """Large rooms in which people came or went: how many are there now."""
        now = asyncio.get_running_loop().time()
        self._counted = {room: until for room, until in self._counted.items() if until > now}
        due = self._counts_due - self._counted.keys()
        self._counts_due -= due
        for room in due:
            self._counted[room] = now + len(room.json) / COUNT_EVENTS_PER_S
            self.on_count(room.id, len(room.people))
            online = len(room.people) + self.remote.count(room.id)
            room.tell_json(json.event(Presence(room=room.id, online=online)))
            self._hub.queue.touch(room)

    def count_changed(self, room: Room) -> None:
        """Another node has told how many are in a large room there."""
        self._counts_due.add(room)

    def typing(self, client: Client, room: Room) -> None:
        """Somebody writes: the others are told, and nothing is kept."""
        self.tell_typing(room, client.actor.name)
        self.on_typing(room.id, client.actor.name)

    def tell_typing(self, room: Room, name: str) -> None:
        if room.json:
            room.tell_json(json.event(TypingEvent(room=room.id, user=name)))
            self._hub.queue.touch(room)
