"""Several nodes on one database: their bus and what they tell each other."""
