"""Accepted connections: their slots, time limits and turns."""
