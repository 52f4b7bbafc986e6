"""The delays of reconnects."""

import random
from collections.abc import Callable

import msgspec

CLOSE_POLICY = 1008
CLOSE_TOO_SLOW = 4000
CLOSE_SIGN_IN_AGAIN = 4001


class Backoff(msgspec.Struct, frozen=True, kw_only=True):
    """Doubles the delay after each failure, from ``first_s`` to ``longest_s``, with jitter."""

    first_s: float = 0.5
    longest_s: float = 30.0
    random: Callable[[], float] = random.random

    def delay_s(
        self, failures: int, asked_s: float | None = None, code: int | None = None
    ) -> float:
        """The delay after so many failures in a row.

        ``asked_s`` is the delay that the server asked for; up to as much again is added, so that
        its clients do not all reconnect at once. ``code`` is the close code: after a close for
        slowness the first reconnect is immediate.
        """
        if asked_s is not None:
            return asked_s * (1 + self.random())
        if code == CLOSE_TOO_SLOW and failures == 0:
            return 0.0
        # The exponent is bounded, as a client may retry for months.
        longest = min(self.longest_s, self.first_s * 2.0 ** min(failures, 30))
        return longest * (0.5 + self.random() / 2)
