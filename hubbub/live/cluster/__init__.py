"""Several nodes on one database: the bus between them, and what they send over it."""
