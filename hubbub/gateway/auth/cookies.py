"""HttpOnly cookies in which a browser keeps tokens."""


class Cookie:
    """One cookie: for a session's token, or for a device's (see `tokens.Device`).

    It is read and written by hand, as the standard library's parser costs more than the rest of a
    request.
    """

    def __init__(self, name: str, max_age_s: int, *, secure: bool) -> None:
        # __Host- makes browsers refuse a cookie set by a sibling domain or without TLS.
        self.name = f"__Host-{name}" if secure else name
        self._max_age_s = max_age_s
        self._attributes = "; Path=/; HttpOnly; SameSite=Lax" + ("; Secure" if secure else "")
        self._prefix = f"{self.name}="

    def set(self, token: str) -> str:
        """A ``Set-Cookie`` value."""
        return f"{self.name}={token}{self._attributes}; Max-Age={self._max_age_s}"

    def clear(self) -> str:
        """A ``Set-Cookie`` value that removes it."""
        return f"{self.name}={self._attributes}; Max-Age=0"

    def find(self, header: str) -> str | None:
        """The token in a ``Cookie`` header (RFC 6265, section 4.2.1)."""
        for pair in header.split(";"):
            stripped = pair.strip()
            if stripped.startswith(self._prefix):
                return stripped[len(self._prefix) :].strip('"') or None
        return None
