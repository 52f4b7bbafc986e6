"""The flooder seen from Python: built on first use, started, its one answer decoded."""

import asyncio
from pathlib import Path

import msgspec

from bench.errors import BenchError
from bench.floods import SOURCE, Flood, Target
from bench.loadgen import build

PROGRAM = Path(__file__).with_name("flood.c")
ENDS_WITHIN_S = 10.0


class Flooded(msgspec.Struct, frozen=True, kw_only=True):
    """The counts `flood` prints: `refused` upgrades, `failed` connections never made, and more."""

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
    def thrown_out(self) -> int:
        return self.closed + self.refused


def command_of(flood: Flood, target: Target, folder: Path, seconds: float) -> list[str]:
    """The command line of a flood, whose texts are written into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    given: list[str] = ["--port", str(target.port), "--source", SOURCE]
    texts = [("opening", opening) for opening in flood.way.openings(target)]
    texts += [("prelude", flood.prelude(target)), ("payload", flood.payload(target))]
    for number, (name, text) in enumerate(texts):
        if text:
            path = folder / f"{number}-{name}"
            path.touch(mode=0o600)  # tokens are in it
            path.write_bytes(text)
            given += [f"--{name}", str(path)]
    switches = {
        "--upgrade": bool(flood.way.openings(target)),
        "--close": flood.leaves,
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


async def run(command: list[str], seconds: float) -> Flooded:
    """Floods for so long. Raises BenchError if that cannot be."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(seconds + ENDS_WITHIN_S):
            out, err = await process.communicate()
    except TimeoutError as error:
        raise BenchError("The flooder did not end in time.") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise BenchError(f"The flooder gave up: {err.decode().strip() or 'no reason given'}")
    return msgspec.json.decode(out, type=Flooded)
