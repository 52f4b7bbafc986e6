"""Limits how often read markers are stored: once in two seconds for each person and room."""

import asyncio
from collections.abc import Callable

from hubbub.model.accounts import Actor
from hubbub.model.base import Reply
from hubbub.model.errors import HubbubError
from hubbub.model.reading import READ_INTERVAL_S, Read
from hubbub.store.executor import Job, OnDone

PENDING_MAX = 100_000  # pairs of person and room; above it markers are stored at once


class _PendingMarker:
    """The latest marker since one was stored, and the callbacks that wait for its reply."""

    __slots__ = ("actor", "callbacks", "command", "timer")

    def __init__(self) -> None:
        self.actor: Actor | None = None
        self.command: Read | None = None
        self.callbacks: list[OnDone] = []
        self.timer: asyncio.TimerHandle | None = None


class ReadMarkers:
    """Stores a first marker at once, then the latest one of the following two seconds.

    A reply always means that this marker, or a later one, is stored.
    """

    def __init__(self, put: Callable[[Job], None]) -> None:
        self._put = put
        self._pending: dict[tuple[int, str], _PendingMarker] = {}

    def put(self, actor: Actor, command: Read, on_done: OnDone) -> None:
        """Store the marker, now or soon. Raises Busy if too many commands wait."""
        key = (actor.user_id, command.room)
        pending = self._pending.get(key)
        if command.back or (pending is None and len(self._pending) >= PENDING_MAX):
            self._put(Job(actor, command, on_done))
        elif pending is None:
            self._put(Job(actor, command, on_done))
            self._pending[key] = pending = _PendingMarker()
            loop = asyncio.get_running_loop()
            pending.timer = loop.call_later(READ_INTERVAL_S, self._store, key)
        else:
            pending.actor = actor
            if pending.command is None or command.seq > pending.command.seq:
                pending.command = command
            pending.callbacks.append(on_done)

    def _store(self, key: tuple[int, str]) -> None:
        pending = self._pending.pop(key)
        if pending.actor is None or pending.command is None:
            return

        def on_done(result: Reply | HubbubError) -> None:
            for callback in pending.callbacks:
                callback(result)

        try:
            self._put(Job(pending.actor, pending.command, on_done))
        except HubbubError as error:
            on_done(error)

    def flush(self) -> None:
        """Store all pending markers now, as the server is stopping."""
        for key, pending in list(self._pending.items()):
            if pending.timer:
                pending.timer.cancel()
            self._store(key)
