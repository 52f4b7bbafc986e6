"""The number of tries of randomised tests: few in `make test`, many in `make soak`."""

import os

SOAKING = bool(os.environ.get("HUBBUB_SOAK"))

LIMIT_S = 3_000 if SOAKING else 120
"""The time limit of a test with more tries while soaking."""


def tries(few: int, many: int) -> int:
    """``many`` in `make soak`, otherwise ``few``."""
    return many if SOAKING else few
