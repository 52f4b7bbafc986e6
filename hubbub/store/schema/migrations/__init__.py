"""Schema versions, run by Alembic. Their names sort in chronological order.

A version may only add to the schema, so that the previous release still works with it while servers
are upgraded one by one; unused tables and columns are dropped one version later. ``works_with`` of
a version is the oldest schema version whose release can use the upgraded database; that of the
newest version is stored in the table `server`.
"""

HEAD = "0004"
"""The newest version; with it, a start can compare versions without loading Alembic."""

OLDEST = "0001"

WORKS_WITH = "works_with"
"""The key in the table `server`."""
