"""The settings as options. Each is also a ``HUBBUB_…`` variable and a row in docs/operations.md."""

import functools
import inspect
import ipaddress
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from hubbub.logs import LogFormat
from hubbub.model.accounts import Registration
from hubbub.model.quotas import QUOTA_MAX, RULES
from hubbub.model.settings import RateLimit, Settings

DEFAULTS = Settings()
PORT_MAX = 65_535
SEND_BUFFER_MIN = 64 * 1024
WORKERS_MAX = 64

WHERE = "Where"
SHARED = "Beyond one process"
WHO = "Who may join"
AROUND = "Behind a proxy, and from other sites"
LIMITS = "Limits"
QUOTAS = "Quotas"


class Names(tuple[str, ...]):
    """Several values in one: separated by commas, or by spaces."""

    __slots__ = ()


def variable(flag: str) -> str:
    """``--public-url`` → ``HUBBUB_PUBLIC_URL``."""
    return "HUBBUB_" + flag.removeprefix("--").replace("-", "_").upper()


def setting(
    flags: str,
    tells: str,
    panel: str,
    metavar: str | None = None,
    parser: Callable[[str], Any] | None = None,
) -> Any:
    """One option. ``flags`` may name its opposite as well: ``--guests/--no-guests``.

    What is told of it fits on a line of 80 characters, its default included.
    """
    flag = flags.partition("/")[0]
    default = shown(getattr(DEFAULTS, flag.removeprefix("--").replace("-", "_"), None))
    return typer.Option(
        flags,
        envvar=variable(flag),
        show_envvar=False,
        show_default=False,
        help=f"{tells} \\[{default}]" if default else tells,
        rich_help_panel=panel,
        metavar=metavar,
        parser=parser,
    )


def shown(value: object) -> str:
    """A setting's value as it is typed; nothing for what is not set."""
    match value:
        case RateLimit():
            return f"{value.per_s:g}:{value.burst:g}"
        case None | ():
            return ""
        case _:
            return str(value)


def refuse(sentence: str) -> typer.BadParameter:
    """The error for a wrong value; Typer adds which option it was."""
    return typer.BadParameter(sentence)


def host(text: str) -> str:
    name = text.strip().strip("[]")
    if not _may_be_host(name):
        raise refuse(f"“{text}” is not an address to listen on, such as 127.0.0.1 or 0.0.0.0.")
    return name


def _may_be_host(name: str) -> bool:
    """Whether it can be looked up; whether there is such a host shows when it is listened on."""
    try:
        if ":" in name:
            ipaddress.IPv6Address(name)
        else:
            name.encode("idna")
    except ValueError:
        return False
    return bool(name) and not any(mark in "/@" or mark.isspace() for mark in name)


def whole(text: str, least: int, most: int, what: str) -> int:
    if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
        raise refuse(f"“{text}” is not {what}.")
    return int(text)


def folder(text: str) -> Path:
    if not text:  # an unset variable in a script: "$DATA"
        raise refuse("give the name of a folder.")
    return Path(text)


def port(text: str) -> int:
    return whole(text, 1, PORT_MAX, f"a port: give a number from 1 to {PORT_MAX}")


def count(text: str) -> int:
    return whole(text, 1, QUOTA_MAX, f"a number from 1 to {QUOTA_MAX}")


def send_buffer(text: str) -> int:
    most = 1024**3
    return whole(text, SEND_BUFFER_MIN, most, f"a number of bytes from {SEND_BUFFER_MIN} to {most}")


def rate(text: str) -> RateLimit:
    """``20:60``: 20 a second, 60 at once."""
    per_s, _, burst = text.partition(":")
    try:
        limit = RateLimit(float(per_s), float(burst))
    except ValueError:
        limit = RateLimit(0, 0)
    # A burst below one would never let anything through. Infinity is what --no-limits is for.
    if not (0 < limit.per_s <= 1e6 and 1 <= limit.burst <= 1e6):
        raise refuse(f"“{text}” is not a limit such as 20:60, for 20 a second and 60 at once.")
    return limit


def workers(text: str) -> int:
    return whole(text, 1, WORKERS_MAX, f"a number of processes from 1 to {WORKERS_MAX}")


def database(text: str) -> str:
    return _service(text, ("postgresql", "postgres"), "postgresql://hubbub@db.example.org/hubbub")


def bus(text: str) -> str:
    return _service(text, ("nats", "tls"), "nats://bus.example.org:4222")


def _service(text: str, schemes: tuple[str, ...], example: str) -> str:
    """The address of a server of ours; it may hold a password, so it is not said again."""
    try:
        parts = urlsplit(text)
        right = parts.scheme in schemes and not any(mark.isspace() for mark in text)
        _ = parts.port
    except ValueError:
        right = False
    if not right:
        raise refuse(f"that is not an address such as {example}.")
    return text


def public_url(text: str) -> str:
    parts = _split(text)
    if parts is None or parts.scheme not in ("http", "https") or parts.path not in ("", "/"):
        raise refuse(f"“{text}” is not an address such as https://chat.example.org, with no path.")
    return f"{parts.scheme}://{parts.netloc}".lower()


def origins(text: str) -> Names:
    return Names(_origin(one) for one in _listed(text))


def _origin(text: str) -> str:
    parts = _split(text)
    if parts is None or parts.path not in ("", "/"):
        raise refuse(f"“{text}” is not an origin such as https://app.example.org.")
    return f"{parts.scheme}://{parts.netloc}".lower()


def hosts(text: str) -> Names:
    names = Names(_listed(text))
    for name in names:
        if any(mark in name for mark in "/@*"):
            raise refuse(f"“{name}” is not a host name such as chat.example.org.")
    return names


def networks(text: str) -> Names:
    names = Names(_listed(text))
    for name in names:
        try:
            ipaddress.ip_network(name, strict=False)
        except ValueError:
            raise refuse(f"“{name}” is not an IP address or network such as 10.0.0.0/8.") from None
    return names


def _listed(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _split(text: str) -> Any:
    """Scheme, host and perhaps port and path, None if there is more or less to it."""
    try:
        parts = urlsplit(text)
        plain = parts.hostname and parts.scheme and parts.port != 0 and "@" not in parts.netloc
    except ValueError:  # no port, or no address in brackets
        return None
    if not plain or parts.query or parts.fragment or any(mark.isspace() for mark in text):
        return None
    return parts


Host = Annotated[
    str | None,
    setting("--host", "Listen here; 0.0.0.0 lets others in", WHERE, "ADDRESS", host),
]
Port = Annotated[int | None, setting("--port", "Listen on this port", WHERE, "PORT", port)]
Data = Annotated[
    Path | None, setting("--data", "Keep everything in this folder", WHERE, "DIR", folder)
]
PublicUrl = Annotated[
    str | None,
    setting("--public-url", "Where people come in, behind a proxy", WHERE, "URL", public_url),
]
Store = Annotated[
    str | None,
    setting("--database", "PostgreSQL, instead of a file in --data", SHARED, "URL", database),
]


def settings_of(
    host: Host = None,
    port: Port = None,
    data: Data = None,
    public_url: PublicUrl = None,
    log_format: Annotated[
        LogFormat | None,
        setting("--log-format", "text or json, to stderr", WHERE, "FORMAT"),
    ] = None,
    database: Store = None,
    bus: Annotated[
        str | None,
        setting("--bus", "NATS, between servers on one database", SHARED, "URL", bus),
    ] = None,
    workers: Annotated[
        int | None,
        setting("--workers", "Processes on this machine", SHARED, "N", workers),
    ] = None,
    registration: Annotated[
        Registration | None,
        setting("--registration", "open, invite or closed", WHO, "HOW"),
    ] = None,
    guests: Annotated[
        bool | None,
        setting("--guests/--no-guests", "Let people look in without account", WHO),
    ] = None,
    allowed_hosts: Annotated[
        Names | None,
        setting("--allowed-hosts", "Further names of this server", AROUND, "NAME,…", hosts),
    ] = None,
    allowed_origins: Annotated[
        Names | None,
        setting("--allowed-origins", "Other sites that may connect", AROUND, "URL,…", origins),
    ] = None,
    trusted_proxies: Annotated[
        Names | None,
        setting("--trusted-proxies", "Whose X-Forwarded-For counts", AROUND, "NET,…", networks),
    ] = None,
    commands_per_user: Annotated[
        RateLimit | None,
        setting("--commands-per-user", "A second, and at once", LIMITS, "N:BURST", rate),
    ] = None,
    commands_per_address: Annotated[
        RateLimit | None,
        setting("--commands-per-address", "The same by address", LIMITS, "N:BURST", rate),
    ] = None,
    requests_per_address: Annotated[
        RateLimit | None,
        setting("--requests-per-address", "All HTTP requests", LIMITS, "N:BURST", rate),
    ] = None,
    connections_per_user: Annotated[
        int | None,
        setting("--connections-per-user", "Open at once", LIMITS, "N", count),
    ] = None,
    connections_per_address: Annotated[
        int | None,
        setting("--connections-per-address", "The same by address", LIMITS, "N", count),
    ] = None,
    send_buffer_bytes: Annotated[
        int | None,
        setting("--send-buffer-bytes", "For a slow reader", LIMITS, "BYTES", send_buffer),
    ] = None,
    no_limits: Annotated[
        bool, setting("--no-limits", "None at all; only on loopback", LIMITS)
    ] = False,
    **quotas: int | None,
) -> Settings:
    """The settings that were given, and the defaults of the others."""
    given = {name: value for name, value in locals().items() if name != "quotas"}
    given = {name: value for name, value in {**given, **quotas}.items() if value is not None}
    given["limits"] = not given.pop("no_limits")
    settings = Settings(**given)
    if not settings.limits and not settings.is_loopback:
        raise typer.BadParameter(
            f"it is for measuring on this machine alone, but --host is {settings.host}.",
            param_hint="--no-limits",
        )
    _require_shared_database(settings)
    return settings


def _quota_option(name: str) -> inspect.Parameter:
    flag = f"--{name.replace('_', '-')}"
    option = setting(flag, RULES[name].tells, QUOTAS, "N", count)
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[int | None, option],
    )


def _with_quotas(function: Callable[..., Settings]) -> inspect.Signature:
    """The signature of `settings_of`, which Typer reads, with an option for each quota."""
    signature = inspect.signature(function)
    own = [one for one in signature.parameters.values() if one.kind is not one.VAR_KEYWORD]
    return signature.replace(parameters=[*own, *map(_quota_option, RULES)])


settings_of.__signature__ = _with_quotas(settings_of)  # type: ignore[attr-defined] # as PEP 362 has it


def _require_shared_database(settings: Settings) -> None:
    """SQLite has one writer, so whatever needs several processes needs PostgreSQL."""
    if settings.database is not None:
        return
    if settings.workers > 1:
        raise typer.BadParameter(
            "SQLite is for one process, as only one can write to it at a time and nobody would "
            "tell the others. Give a PostgreSQL with --database, or leave --workers out.",
            param_hint="--workers",
        )
    if settings.bus is not None:
        raise typer.BadParameter(
            "a bus is for servers that share a PostgreSQL. Give it with --database.",
            param_hint="--bus",
        )


def with_settings(command: Callable[[Settings], None]) -> Callable[..., None]:
    """A command that takes every setting as an option."""

    @functools.wraps(settings_of)  # whose signature is the one that Typer reads
    def run(**given: Any) -> None:
        command(settings_of(**given))

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    return run
