"""Read markers on their way to the ledger: at most one for a person and room in two seconds."""

import asyncio
from collections.abc import Callable

from hubbub.model.accounts import Actor
from hubbub.model.base import Reply
from hubbub.model.errors import HubbubError
from hubbub.model.reading import READ_EVERY_S, Read
from hubbub.store.executor import Job, OnDone

PENDING_MAX = 100_000  # people and rooms; above it markers go to the ledger at once


class _Pending:
    """What has been read since the last marker was stored, and who waits for the answer."""

    __slots__ = ("actor", "command", "thens", "timer")

    def __init__(self) -> None:
        self.actor: Actor | None = None
        self.command: Read | None = None
        self.thens: list[OnDone] = []
        self.timer: asyncio.TimerHandle | None = None


class ReadMarkers:
    """Lets the first marker through, and then collects for two seconds.

    An answer always means that the marker, or a later one, is stored.
    """

    def __init__(self, put: Callable[[Job], None]) -> None:
        self._put = put
        self._pending: dict[tuple[int, str], _Pending] = {}

    def put(self, actor: Actor, command: Read, on_done: OnDone) -> None:
        """Raises Busy if too much waits in the ledger."""
        key = (actor.user_id, command.room)
        waiting = self._pending.get(key)
        if command.back or (waiting is None and len(self._pending) >= PENDING_MAX):
            self._put(Job(actor, command, on_done))
        elif waiting is None:
            self._put(Job(actor, command, on_done))
            self._pending[key] = opened = _Pending()
            loop = asyncio.get_running_loop()
            opened.timer = loop.call_later(READ_EVERY_S, self._store, key)
        else:
            waiting.actor = actor
            if waiting.command is None or command.seq > waiting.command.seq:
                waiting.command = command
            waiting.thens.append(on_done)

    def _store(self, key: tuple[int, str]) -> None:
        waiting = self._pending.pop(key)
        if waiting.actor is None or waiting.command is None:
            return

        def on_done(result: Reply | HubbubError) -> None:
            for one in waiting.thens:
                one(result)

        try:
            self._put(Job(waiting.actor, waiting.command, on_done))
        except HubbubError as error:
            on_done(error)

    def flush(self) -> None:
        """Store all that waits: the server is stopping."""
        for key, waiting in list(self._pending.items()):
            if waiting.timer:
                waiting.timer.cancel()
            self._store(key)
