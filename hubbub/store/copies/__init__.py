"""Copies of a chat: backups, restores, and moves between databases."""
