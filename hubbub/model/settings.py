"""What an operator may set: by an option, or as ``HUBBUB_…`` in the environment."""

from pathlib import Path

import msgspec

from hubbub.model.accounts import Registration
from hubbub.model.quotas import UNBOUND, Quotas


class RateLimit(msgspec.Struct, frozen=True):
    """A token bucket: ``per_s`` tokens a second, at most ``burst`` saved up."""

    per_s: float
    burst: float


class Settings(Quotas, frozen=True, kw_only=True):
    """All settings of one server; the quotas are among them.

    ``registration`` and ``guests`` are None when the operator leaves them to the owner, who
    changes them in the web client; until then ``default_registration`` and ``default_guests``
    hold. With ``first_owns`` the first account of all is the owner's. With ``through_make`` it was
    started by ``make run``, whose variables are then named instead of options. ``limits`` is False
    only for measuring, on loopback. ``database`` is the address of a PostgreSQL, None for SQLite in
    the data folder; ``bus`` is that of a NATS, which several servers on one PostgreSQL share.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    data: Path = Path("hubbub-data")
    public_url: str | None = None
    database: str | None = None
    bus: str | None = None
    workers: int = 1
    registration: Registration | None = None
    guests: bool | None = None
    default_registration: Registration = "invite"
    default_guests: bool = False
    first_owns: bool = False
    through_make: bool = False
    log_format: str = "text"
    limits: bool = True
    allowed_origins: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    commands_per_user: RateLimit = RateLimit(20, 60)
    commands_per_address: RateLimit = RateLimit(60, 240)
    requests_per_address: RateLimit = RateLimit(200, 2_000)
    connections_per_user: int = 50
    connections_per_address: int = 500
    send_buffer_bytes: int = 512 * 1024

    @property
    def quotas(self) -> Quotas:
        """Those in force."""
        if not self.limits:
            return UNBOUND
        return Quotas(**{name: getattr(self, name) for name in Quotas.__struct_fields__})

    @property
    def base_url(self) -> str:
        """Where people find this server, without a slash at the end."""
        if self.public_url:
            return self.public_url.rstrip("/")
        shown = "localhost" if self.is_loopback else self.host
        return f"http://{f'[{shown}]' if ':' in shown else shown}:{self.port}"

    def lets_guests_in(self, stored: str | None) -> bool:
        """Whether guests may come in, given what the owner has stored (``"1"`` or ``"0"``)."""
        if self.guests is not None:
            return self.guests
        return stored == "1" if stored else self.default_guests

    @property
    def is_loopback(self) -> bool:
        return self.host in ("localhost", "::1") or self.host.startswith("127.")

    @property
    def secure(self) -> bool:
        """Whether people come over TLS, so that cookies may be marked so."""
        return self.base_url.startswith("https://")


class Worker(msgspec.Struct, frozen=True):
    """What one of several processes of a server is told beside the settings.

    ``number`` counts from 1. ``lock`` is the open file by which they all hold the data folder.
    ``greets`` says whether it makes the owner's link: one of them does, when the server starts.
    """

    number: int
    lock: int
    greets: bool = False
