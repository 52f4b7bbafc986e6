"""Who is here now: the hub, clients, presence. Synchronous unless it waits."""
