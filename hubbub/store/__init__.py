"""Storage: the command executor, SQL statements, database engines, copies, the data folder."""
