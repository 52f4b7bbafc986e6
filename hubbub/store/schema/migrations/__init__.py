"""Schema versions, run by Alembic. Names sort in order of time.

First widen, then narrow: a version may only add, so that the release before still runs on it
while servers are renewed one by one; what nobody uses any more goes with the version after.
Each says by ``works_with`` which release's schema is the oldest that can go on beside it, and
the newest one's is kept in the table `server`.
"""

HEAD = "0004"
"""The newest version, so that a start need not load Alembic to see that it is current."""

OLDEST = "0001"

WORKS_WITH = "works_with"
"""The key in the table `server`."""
