"""Builds, runs and stops `flood.c`, and decodes its result."""

import asyncio
from pathlib import Path

import msgspec

from bench.errors import BenchError
from bench.floods import SOURCE, Flood, Target
from bench.loadgen import build

PROGRAM = Path(__file__).with_name("flood.c")
EXIT_TIMEOUT_S = 10.0


class FloodResult(msgspec.Struct, frozen=True, kw_only=True):
    """The counts of `flood.c`: `refused` upgrades, `failed` connection attempts, and more."""

    connects: int
    closed: int
    refused: int
    failed: int
    open: int
    rounds: int
    bytes_out: int
    bytes_in: int
    cpu_s: float

    @property
    def rejected(self) -> int:
        return self.closed + self.refused


def command_of(flood: Flood, target: Target, folder: Path, seconds: float) -> list[str]:
    """The command line of a flood; its payloads are written into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    given: list[str] = ["--port", str(target.port), "--source", SOURCE]
    texts = [("opening", opening) for opening in flood.opening.openings(target)]
    texts += [("prelude", flood.prelude(target)), ("payload", flood.payload(target))]
    for number, (name, text) in enumerate(texts):
        if text:
            path = folder / f"{number}-{name}"
            path.touch(mode=0o600)  # it has tokens
            path.write_bytes(text)
            given += [f"--{name}", str(path)]
    switches = {
        "--upgrade": bool(flood.opening.openings(target)),
        "--close": flood.closes,
        "--deaf": not flood.reads,
    }
    numbers = {
        "--sockets": flood.sockets,
        "--sources": flood.sources,
        "--times": flood.times,
        "--piece": flood.piece,
        "--pause-ms": flood.pause_ms,
        "--seconds": seconds,
    }
    given += [name for name, is_on in switches.items() if is_on]
    for name, value in numbers.items():
        given += [name, f"{value:g}"]
    return [str(build(PROGRAM)), *given]


async def run(command: list[str], seconds: float) -> FloodResult:
    """Flood for so long. Raises BenchError if that fails."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(seconds + EXIT_TIMEOUT_S):
            out, err = await process.communicate()
    except TimeoutError as error:
        raise BenchError("The flooder did not end in time.") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise BenchError(f"The flooder failed: {err.decode().strip() or 'no reason given'}")
    return msgspec.json.decode(out, type=FloodResult)
