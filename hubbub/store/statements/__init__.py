"""The SQL statements, by subject."""
