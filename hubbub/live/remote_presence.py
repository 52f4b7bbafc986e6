"""Presence at other nodes, as each of them announces it; it is dropped together with the node."""

from collections.abc import Mapping

from hubbub.model.reading import PresenceState

State = PresenceState
_RANK: dict[PresenceState, int] = {"offline": 0, "away": 1, "online": 2}


def most_present(one: State, other: State) -> State:
    """Combine two devices or nodes of a person: online at either is online."""
    return one if _RANK[one] >= _RANK[other] else other


class _NodePresence:
    """The announcements of one other node: people by room, and their number in large rooms."""

    __slots__ = ("counts", "rooms")

    def __init__(self) -> None:
        self.rooms: dict[str, dict[str, State]] = {}
        self.counts: dict[str, int] = {}


class RemotePresence:
    """The people in each room at other nodes, by handle."""

    def __init__(self) -> None:
        self._nodes: dict[str, _NodePresence] = {}
        # Handle → node → the rooms in which it has announced them, and their state there.
        self._people: dict[str, dict[str, tuple[tuple[str, ...], State]]] = {}

    def states(self, room: str) -> dict[str, State]:
        """Handle → state of everyone who is in a room at some other node."""
        found: dict[str, State] = {}
        for node in self._nodes.values():
            for name, state in node.rooms.get(room, {}).items():
                found[name] = most_present(state, found.get(name, "offline"))
        return found

    def is_in_room(self, room: str, name: str) -> bool:
        return any(name in node.rooms.get(room, ()) for node in self._nodes.values())

    def state(self, name: str) -> State:
        combined: State = "offline"
        for _, state in self._people.get(name, {}).values():
            combined = most_present(combined, state)
        return combined

    def count(self, room: str) -> int:
        """The number of people in a large room at all other nodes."""
        return sum(node.counts.get(room, 0) for node in self._nodes.values())

    def set_count(self, node: str, room: str, online: int) -> bool:
        """Set the number of people in a large room at a node; True if it has changed."""
        counts = self._nodes.setdefault(node, _NodePresence()).counts
        if counts.get(room, 0) == online:
            return False
        counts[room] = online
        return True

    def set_states(
        self, node: str, room: str, people: Mapping[str, State], *, whole: bool
    ) -> set[str]:
        """Set the states of some or (``whole``) all people in a room at a node.

        Returns the handles whose state has changed.
        """
        known = self._nodes.setdefault(node, _NodePresence()).rooms.setdefault(room, {})
        changed = {name for name, state in people.items() if known.get(name, "offline") != state}
        if whole:
            changed |= known.keys() - people.keys()
        for name in changed:
            self._set_state(node, room, known, name, people.get(name, "offline"))
        if not known:
            del self._nodes[node].rooms[room]
        return changed

    def _set_state(
        self, node: str, room: str, known: dict[str, State], name: str, state: State
    ) -> None:
        by_node = self._people.setdefault(name, {})
        rooms, previous = by_node.get(node, ((), state))
        if state == "offline":
            known.pop(name, None)
            rooms = tuple(other for other in rooms if other != room)
        else:
            if name not in known:
                rooms = (*rooms, room)
            known[name] = state
        if rooms:
            by_node[node] = (rooms, state if state != "offline" else previous)
        else:
            by_node.pop(node, None)
            if not by_node:
                del self._people[name]

    def rooms_of_person(self, node: str, name: str) -> tuple[str, ...]:
        """The rooms in which a node has announced a person."""
        rooms, _ = self._people.get(name, {}).get(node, ((), "offline"))
        return rooms

    def people_in(self, node: str, room: str) -> set[str]:
        """The people in a room at a node."""
        known = self._nodes.get(node)
        return set(known.rooms.get(room, ())) if known else set()

    def people_by_room(self, node: str) -> dict[str, set[str]]:
        """Room → the people who are in it at a node."""
        known = self._nodes.get(node)
        return {room: set(people) for room, people in known.rooms.items()} if known else {}

    def forget_node(self, node: str) -> set[str]:
        """Drop a node that has stopped; returns the large rooms whose counts this changes."""
        for room in self.people_by_room(node):
            self.set_states(node, room, {}, whole=True)
        dropped = self._nodes.pop(node, None)
        return set(dropped.counts) if dropped else set()

    def forget_room(self, room: str) -> None:
        """Drop a room that this node no longer serves, so that no presence is sent for it."""
        for name, node in list(self._nodes.items()):
            if room in node.rooms:
                self.set_states(name, room, {}, whole=True)
            node.counts.pop(room, None)
