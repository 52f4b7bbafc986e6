"""Questions to the database that are under way, whose answers may be overtaken meanwhile."""

import contextlib
from collections.abc import Iterator


class PendingResume:
    """Somebody's question that is under way: what has changed for them since it began.

    ``is_stale``: something has. ``is_revoked``: something was taken from them, a session or a
    room; ``lost`` are these rooms. ``fills`` is how many rooms had been filled by then.
    """

    __slots__ = ("fills", "is_revoked", "is_stale", "lost")

    def __init__(self, fills: int) -> None:
        self.fills = fills
        self.is_stale = False
        self.is_revoked = False
        self.lost: set[str] = set()

    def revoke(self, room: str | None = None) -> None:
        self.is_stale = self.is_revoked = True
        if room is not None:
            self.lost.add(room)


class ResumeGuard:
    """Those under way: person → each of them."""

    def __init__(self) -> None:
        self._under_way: dict[str, set[PendingResume]] = {}

    @contextlib.contextmanager
    def of(self, key: str, fills: int = 0) -> Iterator[PendingResume]:
        """While something is read for a person, notice what changes for them."""
        pending = PendingResume(fills)
        self._under_way.setdefault(key, set()).add(pending)
        try:
            yield pending
        finally:
            self._under_way[key].discard(pending)
            if not self._under_way[key]:
                del self._under_way[key]

    def unsettle(self, key: str) -> None:
        """What this person is told of themselves has just changed."""
        for pending in self._under_way.get(key, ()):
            pending.is_stale = True

    def revoke(self, key: str, room: str | None = None) -> None:
        """A room was taken from this person, or a session, or their role."""
        for pending in self._under_way.get(key, ()):
            pending.revoke(room)

    def revoke_all(self, room: str | None = None) -> None:
        """The same for everybody."""
        for greetings in self._under_way.values():
            for pending in greetings:
                pending.revoke(room)
