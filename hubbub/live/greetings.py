"""Connections that are being told where they are, which may change meanwhile."""

import contextlib
from collections.abc import Iterator


class Greeting:
    """A connection that is being told where it is, which may change meanwhile."""

    __slots__ = ("is_stale",)

    def __init__(self) -> None:
        self.is_stale = False


class Greetings:
    """Those under way: person → each of them."""

    def __init__(self) -> None:
        self._under_way: dict[str, set[Greeting]] = {}

    @contextlib.contextmanager
    def of(self, key: str) -> Iterator[Greeting]:
        """While a connection's rooms are being read, notice if they change."""
        greeting = Greeting()
        self._under_way.setdefault(key, set()).add(greeting)
        try:
            yield greeting
        finally:
            self._under_way[key].discard(greeting)
            if not self._under_way[key]:
                del self._under_way[key]

    def unsettle(self, key: str) -> None:
        """What this person is told of themselves has just changed."""
        for greeting in self._under_way.get(key, ()):
            greeting.is_stale = True
