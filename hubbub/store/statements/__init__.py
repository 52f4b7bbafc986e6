"""The SQL statements, grouped by what they are about."""
