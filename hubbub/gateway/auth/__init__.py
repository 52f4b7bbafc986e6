"""Identification of callers: addresses, origins, tokens, passwords, sessions."""
