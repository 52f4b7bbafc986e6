"""Rows of the table: measured values, their bounds and verdicts."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from bench.interval import Better, Interval

KB = 1024
MB = 1024 * 1024

#: The width of a table without a terminal.
PLAIN_WIDTH = 160

#: The format of numbers in each unit.
UNITS: dict[str, Callable[[float], str]] = {
    "": lambda value: f"{value:,.0f}",
    "×": lambda value: f"{value:,.2f} ×",
    "/s": lambda value: f"{value:,.0f}/s",
    "ms": lambda value: f"{value:,.2f} ms",
    "µs": lambda value: f"{value:,.2f} µs",
    "s": lambda value: f"{value:,.2f} s",
    "KB": lambda value: f"{value / KB:,.1f} KB",
    "MB": lambda value: f"{value / MB:,.1f} MB",
}


@dataclass(frozen=True)
class Bound:
    """A limit on a value: absolute, or a multiple of the peer's value."""

    side: Literal["at least", "at most"]
    value: float
    times_peer: bool = False

    def holds(self, measured: float, to_peer: Interval | None) -> bool | None:
        """Whether it holds; None without a peer, or if the runs do not decide it."""
        if self.times_peer:
            if to_peer is None:
                return None
            at_least = self.side == "at least"
            return (to_peer.is_at_least if at_least else to_peer.is_at_most)(self.value)
        return measured >= self.value if self.side == "at least" else measured <= self.value

    def text(self, write: Callable[[float], str]) -> str:
        sign = "≥" if self.side == "at least" else "≤"
        return f"{sign} {self.value:g} × peer" if self.times_peer else f"{sign} {write(self.value)}"


@dataclass(frozen=True)
class Row:
    """One row. With `faults` the value does not count, however good it is.

    `ratios` are the ratios to the peer, one for each pair of runs.
    """

    what: str
    unit: str
    measured: float
    bounds: tuple[Bound, ...]
    peer: float | None = None
    faults: tuple[str, ...] = ()
    ratios: tuple[float, ...] = ()

    @property
    def to_peer(self) -> Interval | None:
        return Interval.of(self.ratios) if self.ratios else None

    @property
    def better(self) -> Better:
        """Whether higher or lower is better; a value without bounds is a cost."""
        at_least = any(bound.side == "at least" for bound in self.bounds)
        return "higher" if at_least else "lower"

    @property
    def ok(self) -> bool | None:
        """Whether all bounds hold; None if nothing could be compared or decided."""
        if self.faults:
            return False
        known = [bound.holds(self.measured, self.to_peer) for bound in self.bounds]
        if False in known:
            return False
        return True if True in known else None

    def cells(self) -> tuple[str, ...]:
        write = UNITS[self.unit]
        verdict = {True: "yes", False: "NO", None: "–"}[self.ok]
        compared = self.to_peer.verdict(self.better) if self.to_peer else "–"
        return (
            self.what,
            write(self.measured),
            " and ".join(bound.text(write) for bound in self.bounds),
            "–" if self.peer is None else write(self.peer),
            "–" if self.to_peer is None else str(self.to_peer),
            compared,
            ": ".join([verdict, *self.faults[:1]]),
        )

    def plain(self) -> dict[str, Any]:
        """The row as a JSON object."""
        return {
            "what": self.what,
            "unit": self.unit,
            "measured": self.measured,
            "bounds": [asdict(bound) for bound in self.bounds],
            "peer": self.peer,
            "ratios": list(self.ratios),
            "ratio": asdict(self.to_peer) if self.to_peer else None,
            "ok": self.ok,
            "faults": list(self.faults),
        }


def console() -> Console:
    """The console for tables, with a fixed width if there is no terminal."""
    found = Console()
    return found if found.is_terminal else Console(width=PLAIN_WIDTH)


def print_table(rows: Sequence[Row], title: str, console: Console) -> None:
    table = Table(title=title, title_justify="left")
    table.add_column("what")
    for name in ("measured", "at least / at most", "peer", "ratio", "verdict"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("ok?")
    for row in rows:
        style = {True: None, False: "red", None: "dim"}[row.ok]
        table.add_row(*row.cells(), style=style)
    console.print(table)
