"""How often a test tries what chance decides: a few times in `make test`, many in `make soak`."""

import os

SOAKING = bool(os.environ.get("HUBBUB_SOAK"))

LIMIT_S = 3_000 if SOAKING else 120
"""For the time limit of a test that tries more often while soaking."""


def tries(few: int, many: int) -> int:
    """``many`` in `make soak`, otherwise ``few``."""
    return many if SOAKING else few
