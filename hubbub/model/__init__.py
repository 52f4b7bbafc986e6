"""The domain: people, rooms, messages, and their rules. No I/O, no clock."""
