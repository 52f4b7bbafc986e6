"""The cookie in which a browser keeps its session's token, out of reach of scripts."""

from hubbub.model.accounts import SESSION_IDLE_S


class SessionCookie:
    """Written by hand: the standard library's parser costs more than all else of a request."""

    def __init__(self, secure: bool) -> None:
        # __Host- makes browsers refuse one that was set by a sibling domain or without TLS.
        self.name = "__Host-hubbub" if secure else "hubbub"
        self._attributes = "; Path=/; HttpOnly; SameSite=Lax" + ("; Secure" if secure else "")
        self._prefix = f"{self.name}="

    def set(self, token: str) -> str:
        """A ``Set-Cookie`` value. The cookie lasts as long as an idle session does."""
        return f"{self.name}={token}{self._attributes}; Max-Age={SESSION_IDLE_S}"

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
