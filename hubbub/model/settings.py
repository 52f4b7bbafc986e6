"""The server's settings, from options or ``HUBBUB_…`` variables of the environment."""

from pathlib import Path

import msgspec

from hubbub.model.accounts import Registration
from hubbub.model.quotas import MAXIMUM_QUOTAS, Quotas


class RateLimit(msgspec.Struct, frozen=True):
    """A token bucket: ``per_s`` tokens a second, at most ``burst`` saved up."""

    per_s: float
    burst: float


class Settings(Quotas, frozen=True, kw_only=True):
    """All settings of one server, including the quotas.

    ``registration`` and ``guests`` are None if the operator leaves them to the owner, who sets
    them in the web client; until then ``default_registration`` and ``default_guests`` apply. With
    ``first_owns`` the first account on the server becomes its owner. With ``through_make`` the
    server was started by ``make run``, and texts name its variables instead of options. ``limits``
    is False only in benchmarks, on loopback. ``database`` is the URL of a PostgreSQL database,
    None for SQLite in the data folder. ``bus`` is the URL of a NATS server, shared by all Hubbub
    servers on one PostgreSQL database.
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
        """The quotas in force."""
        if not self.limits:
            return MAXIMUM_QUOTAS
        return Quotas(**{name: getattr(self, name) for name in Quotas.__struct_fields__})

    @property
    def base_url(self) -> str:
        """The server's address in a browser, without a slash at the end."""
        if self.public_url:
            return self.public_url.rstrip("/")
        shown = "localhost" if self.is_loopback else self.host
        return f"http://{f'[{shown}]' if ':' in shown else shown}:{self.port}"

    def allows_guests(self, stored: str | None) -> bool:
        """Whether guests are allowed; ``stored`` is the owner's choice: ``1``, ``0`` or None."""
        if self.guests is not None:
            return self.guests
        return stored == "1" if stored else self.default_guests

    @property
    def is_loopback(self) -> bool:
        return self.host in ("localhost", "::1") or self.host.startswith("127.")

    @property
    def is_secure(self) -> bool:
        """Whether browsers use HTTPS, so that cookies can be marked as secure."""
        return self.base_url.startswith("https://")


class Worker(msgspec.Struct, frozen=True):
    """The part of a worker process's configuration that differs between workers.

    ``number`` counts from 1. ``lock`` is the descriptor of the data folder's lock file, which all
    workers hold. ``makes_owner_link``: one worker creates the owner's link when the server starts.
    """

    number: int
    lock: int
    makes_owner_link: bool = False
