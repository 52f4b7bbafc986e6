"""Hubbub: a real-time chat that keeps every message."""

__version__ = "0.1.0"
