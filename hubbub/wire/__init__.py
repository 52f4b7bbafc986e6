"""Dialects: bytes to commands, events to bytes. No I/O."""
