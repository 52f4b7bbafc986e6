"""An event loop with a virtual clock: the test advances the time, and nothing really waits."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any

from tests.support.hub import end_turn


class _SkippingSelector(selectors.SelectSelector):
    """Advances the clock instead of waiting for a timeout."""

    loop: "VirtualClockLoop"

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout:
            self.loop.now += timeout
        return super().select(0)


class VirtualClockLoop(asyncio.SelectorEventLoop):
    """``timers`` counts the timers that have been set."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers = 0
        selector = _SkippingSelector()
        selector.loop = self
        super().__init__(selector)

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

    async def advance(self, seconds: float) -> None:
        """End this turn of the loop, advance the clock, and run the timers that are due."""
        await end_turn()
        self.now += seconds
        await end_turn()


def run_on_virtual_clock(scene: Callable[[VirtualClockLoop], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine on a loop with a virtual clock."""
    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualClockLoop)
        runner.run(scene(loop))
