"""WebSocket connections, in JSON and in plain text."""
