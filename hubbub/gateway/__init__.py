"""The interfaces to clients: WebSockets, the HTTP API, static files."""
