"""Who is present at other nodes, as those tell; it goes with the node that told it."""

from collections.abc import Mapping

from hubbub.model.reading import PresenceState

State = PresenceState
_WORTH: dict[PresenceState, int] = {"offline": 0, "away": 1, "online": 2}


def better(one: State, other: State) -> State:
    """Of two devices or nodes of a person: online at either is online."""
    return one if _WORTH[one] >= _WORTH[other] else other


class _Node:
    """What one other node has told: its people by room, and how many in large ones."""

    __slots__ = ("counts", "rooms")

    def __init__(self) -> None:
        self.rooms: dict[str, dict[str, State]] = {}
        self.counts: dict[str, int] = {}


class RemotePresence:
    """Room → the people who are there at other nodes, by handle."""

    def __init__(self) -> None:
        self._nodes: dict[str, _Node] = {}
        # Handle → node → the rooms it has told them to be in, and their state there.
        self._people: dict[str, dict[str, tuple[tuple[str, ...], State]]] = {}

    def states(self, room: str) -> dict[str, State]:
        """Handle → state of everyone who is in a room at some other node."""
        found: dict[str, State] = {}
        for node in self._nodes.values():
            for name, state in node.rooms.get(room, {}).items():
                found[name] = better(state, found.get(name, "offline"))
        return found

    def in_room(self, room: str, name: str) -> bool:
        return any(name in node.rooms.get(room, ()) for node in self._nodes.values())

    def state(self, name: str) -> State:
        best: State = "offline"
        for _, state in self._people.get(name, {}).values():
            best = better(best, state)
        return best

    def count(self, room: str) -> int:
        """How many there are in a large room at all other nodes."""
        return sum(node.counts.get(room, 0) for node in self._nodes.values())

    def set_count(self, node: str, room: str, online: int) -> bool:
        """A node tells how many are in a large room there; whether that is news."""
        counts = self._nodes.setdefault(node, _Node()).counts
        if counts.get(room, 0) == online:
            return False
        counts[room] = online
        return True

    def set_states(
        self, node: str, room: str, people: Mapping[str, State], *, whole: bool
    ) -> set[str]:
        """A node tells who is in a room there, some or (``whole``) all; who it told anew of."""
        known = self._nodes.setdefault(node, _Node()).rooms.setdefault(room, {})
        changed = {name for name, state in people.items() if known.get(name, "offline") != state}
        if whole:
            changed |= known.keys() - people.keys()
        for name in changed:
            self._place(node, room, known, name, people.get(name, "offline"))
        if not known:
            del self._nodes[node].rooms[room]
        return changed

    def _place(
        self, node: str, room: str, known: dict[str, State], name: str, state: State
    ) -> None:
        by_node = self._people.setdefault(name, {})
        rooms, before = by_node.get(node, ((), state))
        if state == "offline":
            known.pop(name, None)
            rooms = tuple(other for other in rooms if other != room)
        else:
            if name not in known:
                rooms = (*rooms, room)
            known[name] = state
        if rooms:
            by_node[node] = (rooms, state if state != "offline" else before)
        else:
            by_node.pop(node, None)
            if not by_node:
                del self._people[name]

    def rooms_with(self, node: str, name: str) -> tuple[str, ...]:
        """The rooms that a node has told somebody to be in."""
        rooms, _ = self._people.get(name, {}).get(node, ((), "offline"))
        return rooms

    def people_of(self, node: str, room: str) -> set[str]:
        """Who is in a room at a node."""
        known = self._nodes.get(node)
        return set(known.rooms.get(room, ())) if known else set()

    def rooms_of(self, node: str) -> dict[str, set[str]]:
        """Room → who is there at a node."""
        known = self._nodes.get(node)
        return {room: set(people) for room, people in known.rooms.items()} if known else {}

    def forget(self, node: str) -> set[str]:
        """A node is gone; the large rooms whose counts change by that."""
        for room in self.rooms_of(node):
            self.set_states(node, room, {}, whole=True)
        gone = self._nodes.pop(node, None)
        return set(gone.counts) if gone else set()

    def forget_room(self, room: str) -> None:
        """Nobody here is in this room any more, so nothing is told of it."""
        for name, node in list(self._nodes.items()):
            if room in node.rooms:
                self.set_states(name, room, {}, whole=True)
            node.counts.pop(room, None)
