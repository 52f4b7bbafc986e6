"""Who sends a request: addresses, origins, tokens, passwords, sessions."""
