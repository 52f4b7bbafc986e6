"""Tracks database reads in progress whose result may be outdated before it arrives."""

import contextlib
from collections.abc import Iterator


class PendingResume:
    """A read in progress for one person, and what has changed for them since it began.

    ``is_stale``: something has changed. ``is_revoked``: a session, a room or their role was taken
    from them; ``lost_rooms`` are these rooms. ``fills`` is how many rooms had been filled when
    the read began.
    """

    __slots__ = ("fills", "is_revoked", "is_stale", "lost_rooms")

    def __init__(self, fills: int) -> None:
        self.fills = fills
        self.is_stale = False
        self.is_revoked = False
        self.lost_rooms: set[str] = set()

    def revoke(self, room: str | None = None) -> None:
        self.is_stale = self.is_revoked = True
        if room is not None:
            self.lost_rooms.add(room)


class ResumeGuard:
    """The reads in progress, by person."""

    def __init__(self) -> None:
        self._pending: dict[str, set[PendingResume]] = {}

    @contextlib.contextmanager
    def track(self, key: str, fills: int = 0) -> Iterator[PendingResume]:
        """Record what changes for a person while something is read for them."""
        pending = PendingResume(fills)
        self._pending.setdefault(key, set()).add(pending)
        try:
            yield pending
        finally:
            self._pending[key].discard(pending)
            if not self._pending[key]:
                del self._pending[key]

    def mark_stale(self, key: str) -> None:
        """Record that something of this person's own has changed."""
        for pending in self._pending.get(key, ()):
            pending.is_stale = True

    def revoke(self, key: str, room: str | None = None) -> None:
        """Record that a room, a session or their role was taken from this person."""
        for pending in self._pending.get(key, ()):
            pending.revoke(room)

    def revoke_all(self, room: str | None = None) -> None:
        """Record the same for everybody."""
        for reads in self._pending.values():
            for pending in reads:
                pending.revoke(room)
