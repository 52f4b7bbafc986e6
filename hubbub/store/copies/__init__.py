"""Copies of a chat: backups, restores, moves between databases."""
