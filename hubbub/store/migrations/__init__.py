"""Schema versions, run by Alembic. Names sort in order of time."""

HEAD = "0001"
"""The newest version, so that a start need not load Alembic to see that it is current."""
