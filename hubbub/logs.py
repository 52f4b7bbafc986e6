"""Logging: to stderr, as lines for people or as JSON for log collectors."""

import contextlib
import logging
import sys
from collections.abc import Callable, Mapping, MutableMapping
from types import ModuleType
from typing import Any, Literal

LogFormat = Literal["text", "json"]


def _load() -> ModuleType:
    """Import structlog without rich, which it loads for coloured tracebacks if it is installed.

    Rich costs 5 MB and a fifth of a cold start. Only the first import of structlog matters.
    """
    if "rich" in sys.modules or "structlog" in sys.modules:
        import structlog

        return structlog
    sys.modules["rich"] = None  # type: ignore[assignment] # the documented way to hide a module
    try:
        import structlog
    finally:
        del sys.modules["rich"]
    return structlog


structlog = _load()


def setup(log_format: str, worker: int | None = None) -> None:
    """Send what Hubbub and its libraries log to stderr, in this `LogFormat`.

    ``worker`` is the number of this process if there are several; each line then has it.
    """
    as_json = log_format == "json"
    stamp = structlog.processors.TimeStamper(
        fmt="iso" if as_json else "%Y-%m-%d %H:%M:%S", utc=as_json, key="at"
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            stamp,
            *([_add_worker(worker)] if worker else []),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer() if as_json else text_line,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(_Stderr()),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_LibraryHandler()], level=logging.WARNING, force=True)
    logging.captureWarnings(True)


def _add_worker(number: int) -> Callable[..., Mapping[str, Any]]:
    def add(_logger: object, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
        return {**event, "worker": number}

    return add


class _Stderr:
    """Standard error. If nobody reads it any more, lines are dropped and the server goes on."""

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.flush()


class _LibraryHandler(logging.Handler):
    """Passes on what libraries log through `logging`."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().log(
            record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info
        )


def text_line(_logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
    """``2026-11-22 19:03:07 warning  reading failed  error='disk I/O error'``, then any traceback.

    Line breaks in the values are escaped, so that nobody can write lines of their own into the log.
    """
    fields: Mapping[str, Any] = event
    head = f"{fields['at']} {fields['level']:<8} {_escape(str(fields['event']))}"
    rest = [
        f"{name}={_quote(value)}"
        for name, value in fields.items()
        if name not in ("at", "level", "event", "exception")
    ]
    line = "  ".join([head, " ".join(rest)] if rest else [head])
    traceback = str(fields.get("exception", "")).splitlines()
    return "\n".join([line, *(f"  {_escape(line_)}" for line_ in traceback)])


def _escape(text: str) -> str:
    return text if text.isprintable() else repr(text)[1:-1]


def _quote(value: object) -> str:
    text = str(value)
    is_plain = text.isprintable() and text and not any(char in text for char in " =\"'")
    return text if is_plain else repr(text)
