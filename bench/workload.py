"""Runs `bench/workday.c`: sends it the rates of actions, and decodes its results."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from bench.errors import BenchError
from bench.loadgen import build, running, send_line, stream_of
from bench.ramp import P99_LIMIT_US
from bench.server import Server

SOURCE = Path(__file__).with_name("workday.c")


class Rates(NamedTuple):
    """The rate of each action for all people together, per second."""

    post: float = 0.0
    typing: float = 0.0
    read: float = 0.0
    react: float = 0.0
    active: float = 0.0
    reconnect: float = 0.0

    def times(self, factor: float) -> "Rates":
        return Rates(*(rate * factor for rate in self))


class ConnectedPeople(msgspec.Struct, frozen=True, kw_only=True):
    people: int
    connect_s: float
    load_cpu_s: float


class StepResult(msgspec.Struct, frozen=True, kw_only=True):
    """The results of one step. Losses are counted for each person; nothing is sampled."""

    people: int
    seconds: float
    sent_post: int
    sent_typing: int
    sent_read: int
    sent_react: int
    sent_active: int
    sent_reconnect: int
    unsent_post: int
    unsent_typing: int
    unsent_read: int
    unsent_react: int
    unsent_active: int
    unsent_reconnect: int
    messages: int
    marks: int
    typing: int
    presence: int
    #: Posts and reactions, by the revs of the rooms; typing notices and presence, by number.
    changes_lost: int
    fleeting_lost: int
    unanswered: int
    not_back: int
    repeated: int
    behind: int
    refused: int
    first_refusal: str
    closed: int
    close_code: int
    #: From a post until its delivery to each person.
    p50_us: float
    p99_us: float
    max_us: float
    #: From closing until the welcome on the new connection.
    back_p50_us: float
    back_max_us: float
    #: The duration of an echo, requested every 5 ms.
    pause_p99_us: float
    pause_max_us: float
    load_cpu_s: float
    #: Set by `Workload`, which can read the server's process.
    server_cpu_s: float = 0.0
    memory_bytes: int = 0

    def sent(self, kind: str) -> int:
        return int(getattr(self, f"sent_{kind}"))

    @property
    def missed(self) -> int:
        """The number of actions that could not be done when they were due."""
        return sum(int(getattr(self, f"unsent_{kind}")) for kind in Rates._fields)

    @property
    def lost(self) -> tuple[str, ...]:
        """A line for each kind of loss, which no load excuses; empty if there is none."""
        found = (
            (self.closed, "disconnected"),
            (self.changes_lost, "deliveries of posts and reactions lost"),
            (self.fleeting_lost, "typing notices and presence events lost"),
            (self.unanswered, "commands not answered"),
            (self.not_back, "people not reconnected"),
            (self.repeated, "deliveries repeated"),
            (self.behind, "times somebody fell behind"),
            (self.refused, f"commands refused ({self.first_refusal})"),
        )
        return tuple(f"{count:,} {what}" for count, what in found if count)

    @property
    def fault(self) -> str | None:
        """Why this many people are too many; None if they are not."""
        done = sum(self.sent(kind) for kind in Rates._fields)
        if self.lost:
            return self.lost[0]
        if self.missed > (done + self.missed) / 100:
            return f"{self.missed} of {done + self.missed} actions could not be done in time"
        if self.p99_us >= P99_LIMIT_US:
            return f"p99 {self.p99_us / 1000:.0f} ms"
        return None


Answer = TypeVar("Answer", ConnectedPeople, StepResult)


class Workload:
    """The people who are connected to one server."""

    def __init__(self, server: Server, process: "subprocess.Popen[str]") -> None:
        self._server = server
        self._process = process

    def connect(self, people: int) -> ConnectedPeople:
        """Connect more people until there are so many."""
        return self._ask(f"people {people}", ConnectedPeople)

    def work(self, seconds: float, rates: Rates) -> StepResult:
        used = self._server.cpu_s()
        worked = self._ask(f"step {seconds:g} " + " ".join(f"{r:.9g}" for r in rates), StepResult)
        return msgspec.structs.replace(
            worked,
            server_cpu_s=self._server.cpu_s() - used,
            memory_bytes=self._server.memory_bytes(),
        )

    def _ask(self, line: str, kind: type[Answer]) -> Answer:
        send_line(self._process, line)
        answer = stream_of(self._process.stdout).readline()
        if not answer:
            stderr = stream_of(self._process.stderr).read().strip()
            raise BenchError(f"The load failed: {stderr}\n{self._server.log_tail()}")
        return msgspec.json.decode(answer, type=kind)


@contextmanager
def workload(
    server: Server, tokens: Path, people: int, team: int, rooms: int
) -> Iterator[Workload]:
    """Start the load without connecting. The accounts are those of `bench.people.gather`."""
    command = [str(build(SOURCE)), str(server.port), str(tokens), str(people), str(team)]
    with running([*command, str(rooms)]) as process:
        yield Workload(server, process)
