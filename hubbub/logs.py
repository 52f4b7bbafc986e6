"""What the server says of itself: on stderr, as lines for people or as JSON for collectors."""

import contextlib
import logging
import sys
from collections.abc import Callable, Mapping, MutableMapping
from types import ModuleType
from typing import Any, Literal

LogFormat = Literal["text", "json"]


def _load() -> ModuleType:
    """structlog without rich, which it loads if it is there, for tracebacks in colour.

    That is 5 MB and a fifth of a cold start. Only the first import decides.
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
    """Send what is logged, by us and by libraries, to stderr in this `LogFormat`.

    ``worker`` is the number of this process, if there are several, and stands in each line.
    """
    as_json = log_format == "json"
    stamp = structlog.processors.TimeStamper(
        fmt="iso" if as_json else "%Y-%m-%d %H:%M:%S", utc=as_json, key="at"
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            stamp,
            *([_from_worker(worker)] if worker else []),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer() if as_json else text_line,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(_Stderr()),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_FromLibraries()], level=logging.WARNING, force=True)
    logging.captureWarnings(True)


def _from_worker(number: int) -> Callable[..., Mapping[str, Any]]:
    def add(_logger: object, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
        return {**event, "worker": number}

    return add


class _Stderr:
    """Standard error, whoever still reads it: what is logged about must go on all the same."""

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.flush()


class _FromLibraries(logging.Handler):
    """What libraries log by `logging`, passed on."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().log(
            record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info
        )


def text_line(_logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
    """``2026-11-22 19:03:07 warning  reading failed  error='disk I/O error'``, then any traceback.

    One line whatever is in it, so that nobody can write lines of their own into the log.
    """
    fields: Mapping[str, Any] = event
    head = f"{fields['at']} {fields['level']:<8} {_visible(str(fields['event']))}"
    rest = [
        f"{name}={_quoted(value)}"
        for name, value in fields.items()
        if name not in ("at", "level", "event", "exception")
    ]
    line = "  ".join([head, " ".join(rest)] if rest else [head])
    traceback = str(fields.get("exception", "")).splitlines()
    return "\n".join([line, *(f"  {_visible(one)}" for one in traceback)])


def _visible(text: str) -> str:
    return text if text.isprintable() else repr(text)[1:-1]


def _quoted(value: object) -> str:
    text = str(value)
    plain = text.isprintable() and text and not any(mark in text for mark in " =\"'")
    return text if plain else repr(text)
