"""Read markers on their way to the ledger: at most one for a person and room in two seconds."""

import asyncio
from collections.abc import Callable

from hubbub.model.accounts import Actor
from hubbub.model.base import Reply
from hubbub.model.errors import HubbubError
from hubbub.model.reading import READ_EVERY_S, Read
from hubbub.store.executor import Then, Work

PENDING_MAX = 100_000  # people and rooms; above it markers go to the ledger at once


class _Pending:
    """What has been read since the last marker was stored, and who waits for the answer."""

    __slots__ = ("actor", "command", "thens", "timer")

    def __init__(self) -> None:
        self.actor: Actor | None = None
        self.command: Read | None = None
        self.thens: list[Then] = []
        self.timer: asyncio.TimerHandle | None = None


class Markers:
    """Lets the first marker through, and then collects for two seconds.

    An answer always means that the marker, or a later one, is stored.
    """

    def __init__(self, put: Callable[[Work], None]) -> None:
        self._put = put
        self._pending: dict[tuple[int, str], _Pending] = {}

    def put(self, actor: Actor, command: Read, then: Then) -> None:
        """Raises Busy if too much waits in the ledger."""
        key = (actor.user_id, command.room)
        waiting = self._pending.get(key)
        if command.back or (waiting is None and len(self._pending) >= PENDING_MAX):
            self._put(Work(actor, command, then))
        elif waiting is None:
            self._put(Work(actor, command, then))
            self._pending[key] = opened = _Pending()
            loop = asyncio.get_running_loop()
            opened.timer = loop.call_later(READ_EVERY_S, self._store, key)
        else:
            waiting.actor = actor
            if waiting.command is None or command.seq > waiting.command.seq:
                waiting.command = command
            waiting.thens.append(then)

    def _store(self, key: tuple[int, str]) -> None:
        waiting = self._pending.pop(key)
        if waiting.actor is None or waiting.command is None:
            return

        def then(result: Reply | HubbubError) -> None:
            for one in waiting.thens:
                one(result)

        try:
            self._put(Work(waiting.actor, waiting.command, then))
        except HubbubError as error:
            then(error)

    def flush(self) -> None:
        """Store all that waits: the server is stopping."""
        for key, waiting in list(self._pending.items()):
            if waiting.timer:
                waiting.timer.cancel()
            self._store(key)
