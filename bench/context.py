"""The context of a measurement: programs, data folders, durations and progress output."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from bench import base
from bench.loadgen import Endpoint, Load
from bench.server import Hubbub, Peer, Program


@dataclass(frozen=True)
class Pace:
    """Durations and numbers of runs: the full ones, or those of `--quick`."""

    #: Alternating runs in a comparison; `bench.interval` describes what they show.
    runs: int = 9
    #: Runs without a comparison.
    runs_alone: int = 3
    step_s: float = 10
    warm_up_s: float = 2
    probe_s: float = 2
    #: For a flood: how long bystanders are measured before it and during it, and the time after
    #: which memory must be back to normal.
    quiet_s: float = 2
    flood_s: float = 3.5
    settle_s: float = 60
    few_floods: bool = False
    few_people: bool = False


@dataclass
class Context:
    """Everything a scenario needs; `raw` collects all runs for the JSON file."""

    hubbub: Hubbub
    peer: Peer | None
    folder: Path
    pace: Pace
    #: Only floods whose name contains one of these words; all floods if empty.
    floods: tuple[str, ...] = ()
    raw: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    _copies: int = 0

    @property
    def programs(self) -> tuple[Program, ...]:
        return (self.hubbub,) if self.peer is None else (self.hubbub, self.peer)

    def print(self, words: str) -> None:
        print(words, flush=True)

    def record(self, scenario: str, program: Program, result: msgspec.Struct) -> None:
        entry = {"program": program.name, **msgspec.structs.asdict(result)}
        self.raw.setdefault(scenario, []).append(entry)

    @contextmanager
    def data(self, people: int = 0) -> Iterator[tuple[Path, Path | None]]:
        """A separate data folder with so many accounts, and the file with their tokens."""

        def settle(folder: Path) -> list[str]:
            if not people:
                return []
            self.print(f"  making {people:,} accounts")
            return list(base.call_people(self.hubbub, "settle", folder, people))

        with self.copy_of(f"people-{people}", settle) as copy:
            yield copy

    @contextmanager
    def copy_of(
        self, name: str, make: Callable[[Path], list[str]]
    ) -> Iterator[tuple[Path, Path | None]]:
        """A copy of a data folder created once, and the file with the tokens from `make`."""
        origin, tokens = self._origin(name, make)
        self._copies += 1
        copy = self.folder / f"data-{self._copies}"
        shutil.copytree(origin, copy)
        try:
            yield copy, tokens
        finally:
            shutil.rmtree(copy, ignore_errors=True)

    @contextmanager
    def serving(self, program: Program, endpoint: Endpoint, people: int = 0) -> Iterator[Load]:
        """Start the program on fresh data, and yield a load for it."""
        with self.data(people) as (data, tokens), program.serving(data) as server:
            yield Load(server, endpoint, tokens)

    def endpoint(self, program: Program, endpoint: Endpoint) -> Endpoint:
        """The endpoint of a program; a peer has only one."""
        return Endpoint(program.path) if isinstance(program, Peer) else endpoint

    def _origin(self, name: str, make: Callable[[Path], list[str]]) -> tuple[Path, Path | None]:
        origin = self.folder / name
        tokens = origin.with_suffix(".tokens")
        if not origin.exists():
            origin.mkdir(parents=True)
            if made := make(origin):
                tokens.touch(mode=0o600)
                tokens.write_text("".join(f"{token}\n" for token in made))
        return origin, tokens if tokens.exists() else None
