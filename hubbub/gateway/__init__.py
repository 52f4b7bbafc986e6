"""How requests come in: WebSockets, the HTTP API, static files."""
