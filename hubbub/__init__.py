"""Hubbub: a real-time chat that keeps every message."""

from hubbub import version

__version__ = version.current_version()
