"""How people come in: sockets, HTTP, the plain-text door, static files."""
