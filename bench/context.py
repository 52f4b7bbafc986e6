"""Where a measurement takes place: programs, data folders, and the words about progress."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from bench import base
from bench.loadgen import Door, Load
from bench.server import Hubbub, Peer, Program


@dataclass(frozen=True)
class Pace:
    """How long and how often: the issue's figures, or a quick look."""

    #: Alternating runs where two are compared; `bench.interval` says what they show.
    runs: int = 9
    #: Runs where there is nobody to compare with.
    runs_alone: int = 3
    step_s: float = 10
    warm_up_s: float = 2
    probe_s: float = 2
    #: Of a flood: how long others are watched before it and during it, and how long after it the
    #: memory has to be back.
    quiet_s: float = 2
    flood_s: float = 3.5
    settle_s: float = 60
    few_floods: bool = False
    few_people: bool = False


@dataclass
class Stage:
    """Everything a scenario needs; `raw` collects every single run for the JSON file."""

    hubbub: Hubbub
    peer: Peer | None
    folder: Path
    pace: Pace
    #: Only floods in whose name one of these words stands; all, if there are none.
    floods: tuple[str, ...] = ()
    raw: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    _copies: int = 0

    @property
    def programs(self) -> tuple[Program, ...]:
        return (self.hubbub,) if self.peer is None else (self.hubbub, self.peer)

    def say(self, words: str) -> None:
        print(words, flush=True)

    def keep(self, scenario: str, program: Program, result: msgspec.Struct) -> None:
        entry = {"program": program.name, **msgspec.structs.asdict(result)}
        self.raw.setdefault(scenario, []).append(entry)

    @contextmanager
    def data(self, people: int = 0) -> Iterator[tuple[Path, Path | None]]:
        """A data folder of its own with so many accounts, and the file of their tokens."""

        def settle(folder: Path) -> list[str]:
            if not people:
                return []
            self.say(f"  making {people:,} accounts")
            return list(base.accounts(self.hubbub, "settle", folder, people))

        with self.copy_of(f"people-{people}", settle) as copy:
            yield copy

    @contextmanager
    def copy_of(
        self, name: str, make: Callable[[Path], list[str]]
    ) -> Iterator[tuple[Path, Path | None]]:
        """A copy of a data folder that is made once, and the file of the tokens `make` returned."""
        origin, tokens = self._origin(name, make)
        self._copies += 1
        copy = self.folder / f"data-{self._copies}"
        shutil.copytree(origin, copy)
        try:
            yield copy, tokens
        finally:
            shutil.rmtree(copy, ignore_errors=True)

    @contextmanager
    def serving(self, program: Program, door: Door, people: int = 0) -> Iterator[Load]:
        """The program, freshly started on fresh data, and a load for it."""
        with self.data(people) as (data, tokens), program.serving(data) as server:
            yield Load(server, door, tokens)

    def door(self, program: Program, door: Door) -> Door:
        """A peer has one door only, whatever ours is measured at."""
        return Door(program.path) if isinstance(program, Peer) else door

    def _origin(self, name: str, make: Callable[[Path], list[str]]) -> tuple[Path, Path | None]:
        origin = self.folder / name
        tokens = origin.with_suffix(".tokens")
        if not origin.exists():
            origin.mkdir(parents=True)
            if made := make(origin):
                tokens.touch(mode=0o600)
                tokens.write_text("".join(f"{token}\n" for token in made))
        return origin, tokens if tokens.exists() else None
