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
from hubbub.model.quotas import QUOTA_MAX, QUOTA_RULES
from hubbub.model.settings import RateLimit, Settings

DEFAULTS = Settings()
PORT_MAX = 65_535
SEND_BUFFER_MIN = 64 * 1024
WORKERS_MAX = 64

SERVER = "Address and data"
SCALING = "Several processes"
JOINING = "Who may join"
PROXY = "Proxies and other sites"
LIMITS = "Limits"
QUOTAS = "Quotas"


class NameList(tuple[str, ...]):
    """A list of values, separated by commas or spaces."""

    __slots__ = ()


def variable(flag: str) -> str:
    """``--public-url`` → ``HUBBUB_PUBLIC_URL``."""
    return "HUBBUB_" + flag.removeprefix("--").replace("-", "_").upper()


def setting(
    flags: str,
    help_text: str,
    panel: str,
    metavar: str | None = None,
    parser: Callable[[str], Any] | None = None,
) -> Any:
    """One option. ``flags`` may include the opposite: ``--guests/--no-guests``.

    The help text and the default fit on a line of 80 characters.
    """
    flag = flags.partition("/")[0]
    default = format_value(getattr(DEFAULTS, flag.removeprefix("--").replace("-", "_"), None))
    return typer.Option(
        flags,
        envvar=variable(flag),
        show_envvar=False,
        show_default=False,
        help=f"{help_text} \\[{default}]" if default else help_text,
        rich_help_panel=panel,
        metavar=metavar,
        parser=parser,
    )


def format_value(value: object) -> str:
    """A setting's value as a user would type it; empty if it is not set."""
    match value:
        case RateLimit():
            return f"{value.per_s:g}:{value.burst:g}"
        case None | ():
            return ""
        case _:
            return str(value)


def bad_value(sentence: str) -> typer.BadParameter:
    """The error for a wrong value; Typer adds which option it was."""
    return typer.BadParameter(sentence)


def host(text: str) -> str:
    name = text.strip().strip("[]")
    if not _is_valid_host(name):
        raise bad_value(f"“{text}” is not an address to listen on, such as 127.0.0.1 or 0.0.0.0.")
    return name


def _is_valid_host(name: str) -> bool:
    """Whether the name is well-formed; whether the host exists shows when the server listens."""
    try:
        if ":" in name:
            ipaddress.IPv6Address(name)
        else:
            name.encode("idna")
    except ValueError:
        return False
    return bool(name) and not any(char in "/@" or char.isspace() for char in name)


def parse_int(text: str, minimum: int, maximum: int, what: str) -> int:
    if not (text.isascii() and text.isdigit() and minimum <= int(text) <= maximum):
        raise bad_value(f"“{text}” is not {what}.")
    return int(text)


def folder(text: str) -> Path:
    if not text:  # an unset variable in a script: "$DATA"
        raise bad_value("give the name of a folder.")
    return Path(text)


def port(text: str) -> int:
    return parse_int(text, 1, PORT_MAX, f"a port: give a number from 1 to {PORT_MAX}")


def count(text: str) -> int:
    return parse_int(text, 1, QUOTA_MAX, f"a number from 1 to {QUOTA_MAX}")


def send_buffer(text: str) -> int:
    maximum = 1024**3
    return parse_int(
        text, SEND_BUFFER_MIN, maximum, f"a number of bytes from {SEND_BUFFER_MIN} to {maximum}"
    )


def rate(text: str) -> RateLimit:
    """``20:60``: 20 a second, 60 at once."""
    per_s, _, burst = text.partition(":")
    try:
        limit = RateLimit(float(per_s), float(burst))
    except ValueError:
        limit = RateLimit(0, 0)
    # A burst below one would never let anything through. For no limit there is --no-limits.
    if not (0 < limit.per_s <= 1e6 and 1 <= limit.burst <= 1e6):
        raise bad_value(f"“{text}” is not a limit such as 20:60, for 20 a second and 60 at once.")
    return limit


def workers(text: str) -> int:
    return parse_int(text, 1, WORKERS_MAX, f"a number of processes from 1 to {WORKERS_MAX}")


def database(text: str) -> str:
    return _service_url(
        text, ("postgresql", "postgres"), "postgresql://hubbub@db.example.org/hubbub"
    )


def bus(text: str) -> str:
    return _service_url(text, ("nats", "tls"), "nats://bus.example.org:4222")


def _service_url(text: str, schemes: tuple[str, ...], example: str) -> str:
    """Check the URL of a database or bus. Errors do not repeat it, as it may hold a password."""
    try:
        parts = urlsplit(text)
        is_valid = parts.scheme in schemes and not any(char.isspace() for char in text)
        _ = parts.port
    except ValueError:
        is_valid = False
    if not is_valid:
        raise bad_value(f"give an address such as {example}.")
    return text


def public_url(text: str) -> str:
    parts = _parse_url(text)
    if parts is None or parts.scheme not in ("http", "https") or parts.path not in ("", "/"):
        raise bad_value(
            f"“{text}” is not an address without a path, such as https://chat.example.org."
        )
    return f"{parts.scheme}://{parts.netloc}".lower()


def origins(text: str) -> NameList:
    return NameList(_parse_origin(one) for one in _split_list(text))


def _parse_origin(text: str) -> str:
    parts = _parse_url(text)
    if parts is None or parts.path not in ("", "/"):
        raise bad_value(f"“{text}” is not an origin such as https://app.example.org.")
    return f"{parts.scheme}://{parts.netloc}".lower()


def hosts(text: str) -> NameList:
    names = NameList(_split_list(text))
    for name in names:
        if any(char in name for char in "/@*"):
            raise bad_value(f"“{name}” is not a host name such as chat.example.org.")
    return names


def networks(text: str) -> NameList:
    names = NameList(_split_list(text))
    for name in names:
        try:
            ipaddress.ip_network(name, strict=False)
        except ValueError:
            raise bad_value(
                f"“{name}” is not an IP address or network such as 10.0.0.0/8."
            ) from None
    return names


def _split_list(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _parse_url(text: str) -> Any:
    """The parts of a URL; None unless it has a scheme and a host, and at most a port and a path."""
    try:
        parts = urlsplit(text)
        plain = parts.hostname and parts.scheme and parts.port != 0 and "@" not in parts.netloc
    except ValueError:  # an invalid port, or an invalid address in brackets
        return None
    if not plain or parts.query or parts.fragment or any(char.isspace() for char in text):
        return None
    return parts


Host = Annotated[
    str | None,
    setting("--host", "Listen here; 0.0.0.0: all addresses", SERVER, "ADDRESS", host),
]
Port = Annotated[int | None, setting("--port", "Listen on this port", SERVER, "PORT", port)]
Data = Annotated[
    Path | None, setting("--data", "Keep all data in this folder", SERVER, "DIR", folder)
]
PublicUrl = Annotated[
    str | None,
    setting("--public-url", "The address that people use", SERVER, "URL", public_url),
]
DatabaseUrl = Annotated[
    str | None,
    setting("--database", "PostgreSQL, instead of a file in --data", SCALING, "URL", database),
]


def settings_of(
    host: Host = None,
    port: Port = None,
    data: Data = None,
    public_url: PublicUrl = None,
    log_format: Annotated[
        LogFormat | None,
        setting("--log-format", "text or json, to stderr", SERVER, "FORMAT"),
    ] = None,
    database: DatabaseUrl = None,
    bus: Annotated[
        str | None,
        setting("--bus", "NATS, between servers on one database", SCALING, "URL", bus),
    ] = None,
    workers: Annotated[
        int | None,
        setting("--workers", "Processes on this machine", SCALING, "N", workers),
    ] = None,
    registration: Annotated[
        Registration | None,
        setting("--registration", "open, invite or closed", JOINING, "HOW"),
    ] = None,
    guests: Annotated[
        bool | None,
        setting("--guests/--no-guests", "Let people in without an account", JOINING),
    ] = None,
    allowed_hosts: Annotated[
        NameList | None,
        setting("--allowed-hosts", "Other host names of this server", PROXY, "NAME,…", hosts),
    ] = None,
    allowed_origins: Annotated[
        NameList | None,
        setting("--allowed-origins", "Other sites that may connect", PROXY, "URL,…", origins),
    ] = None,
    trusted_proxies: Annotated[
        NameList | None,
        setting("--trusted-proxies", "Whose X-Forwarded-For counts", PROXY, "NET,…", networks),
    ] = None,
    commands_per_user: Annotated[
        RateLimit | None,
        setting("--commands-per-user", "Per second, and burst", LIMITS, "N:BURST", rate),
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
        setting("--send-buffer-bytes", "For a slow client", LIMITS, "BYTES", send_buffer),
    ] = None,
    no_limits: Annotated[
        bool, setting("--no-limits", "No limits; only on loopback", LIMITS)
    ] = False,
    **quotas: int | None,
) -> Settings:
    """The given settings, with defaults for the others."""
    given = {name: value for name, value in locals().items() if name != "quotas"}
    given = {name: value for name, value in {**given, **quotas}.items() if value is not None}
    given["limits"] = not given.pop("no_limits")
    settings = Settings(**given)
    if not settings.limits and not settings.is_loopback:
        raise typer.BadParameter(
            f"it only works on a loopback address, but --host is {settings.host}.",
            param_hint="--no-limits",
        )
    _require_shared_database(settings)
    return settings


def _quota_option(name: str) -> inspect.Parameter:
    flag = f"--{name.replace('_', '-')}"
    option = setting(flag, QUOTA_RULES[name].help_text, QUOTAS, "N", count)
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[int | None, option],
    )


def _with_quotas(function: Callable[..., Settings]) -> inspect.Signature:
    """The signature of `settings_of`, which Typer reads, plus one option for each quota."""
    signature = inspect.signature(function)
    own = [one for one in signature.parameters.values() if one.kind is not one.VAR_KEYWORD]
    return signature.replace(parameters=[*own, *map(_quota_option, QUOTA_RULES)])


settings_of.__signature__ = _with_quotas(settings_of)  # type: ignore[attr-defined] # see PEP 362


def _require_shared_database(settings: Settings) -> None:
    """SQLite has one writer, so a setting for several processes needs PostgreSQL."""
    if settings.database is not None:
        return
    if settings.workers > 1:
        raise typer.BadParameter(
            "several workers need PostgreSQL: only one process can serve from SQLite. "
            "Give a PostgreSQL with --database, or leave --workers out.",
            param_hint="--workers",
        )
    if settings.bus is not None:
        raise typer.BadParameter(
            "a bus is for servers that share a PostgreSQL. Give it with --database.",
            param_hint="--bus",
        )


def with_settings(command: Callable[[Settings], None]) -> Callable[..., None]:
    """Turn a function of the settings into a command with an option for each setting."""

    @functools.wraps(settings_of)  # Typer reads the signature of `settings_of`
    def run(**given: Any) -> None:
        command(settings_of(**given))

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    return run
