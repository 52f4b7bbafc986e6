"""An event loop with a clock of its own: time passes when the test says so, and no test waits."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any

from tests.support.hub import turn


class _Leap(selectors.SelectSelector):
    """Where others would wait for a time, it is that time."""

    loop: "Clockwork"

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout:
            self.loop.now += timeout
        return super().select(0)


class Clockwork(asyncio.SelectorEventLoop):
    """``timers`` is how many have been set."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers = 0
        leap = _Leap()
        leap.loop = self
        super().__init__(leap)

    def time(self) -> float:
        return self.now

    def call_at(  # type: ignore[override]  # asyncio's own binds the callback's types
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        self.timers += 1
        return super().call_at(when, callback, *args, context=context)

    async def passes(self, seconds: float) -> None:
        """This turn ends, so much time passes, and whatever is due is done."""
        await turn()
        self.now += seconds
        await turn()


def play(scene: Callable[[Clockwork], Coroutine[Any, Any, None]]) -> None:
    """Run a scene on such a loop."""
    with asyncio.Runner(loop_factory=Clockwork) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, Clockwork)
        runner.run(scene(loop))
