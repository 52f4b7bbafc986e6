"""Connected clients: the hub, its rooms, presence. Functions are synchronous unless they wait."""
