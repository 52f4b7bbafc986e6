"""``python -m bench``: what a person can ask for."""

import argparse
import json
import shlex
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from bench import agree, base, machine, turns
from bench.context import Pace, Stage
from bench.errors import BenchError
from bench.loadgen import BUILT, build
from bench.report import Row, console, print_table
from bench.scenarios import SCENARIOS
from bench.server import Hubbub, Peer
from bench.turns import Scenario

QUICK = Pace(
    runs=1,
    runs_alone=1,
    step_s=2,
    warm_up_s=1,
    probe_s=1,
    quiet_s=1,
    flood_s=1,
    settle_s=10,
    few_floods=True,
    few_people=True,
)


def _names(value: str) -> list[str]:
    names = value.split(",")
    unknown = sorted(set(names) - set(SCENARIOS))
    if unknown:
        raise argparse.ArgumentTypeError(
            f"there is no {unknown[0]!r}; there are {', '.join(SCENARIOS)}"
        )
    return names


def _words(value: str) -> tuple[str, ...]:
    return tuple(value.split(","))


def _program(value: str) -> Path:
    path = Path(value).resolve()
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"{value} is not a file")
    return path


def _asked(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    add = parser.add_argument
    add("--base", metavar="COMMIT", help="another commit of Hubbub to compare this one with")
    add("--peer", type=_program, metavar="BINARY", help="a chat server to compare with")
    add("--peer-port", type=int, default=8080, help="where it listens (%(default)s)")
    add("--peer-path", default="/ws", help="its WebSocket path (%(default)s)")
    add("--only", type=_names, default=list(SCENARIOS), metavar="NAME,…", help=", ".join(SCENARIOS))
    add("--floods", type=_words, default=(), metavar="WORD,…", help="hostile: only those named so")
    add("--runs", type=int, help="alternating runs where two are compared (9)")
    add("--step", type=float, metavar="SECONDS", help="how long a rate is kept (10)")
    add("--quick", action="store_true", help="one short run of each: not for quoting")
    add("--json", type=Path, metavar="FILE", help="write everything that was measured")
    add("--data", type=Path, metavar="DIR", help="where the servers' data goes meanwhile")
    add("--server", default=f"{sys.executable} -m hubbub", help="Hubbub's command (%(default)s)")
    add("--check", action="store_true", help="exit with 1 when a figure is not reached")
    add("--agree", type=_program, metavar="LOAD.C", help="only compare two load generators")
    asked = parser.parse_args(arguments)
    if asked.base and asked.peer:
        parser.error("--base and --peer are compared one at a time.")
    return asked


def _pace(asked: argparse.Namespace) -> Pace:
    pace = QUICK if asked.quick else Pace()
    if asked.runs:
        pace = replace(pace, runs=asked.runs, runs_alone=min(asked.runs, pace.runs_alone))
    return replace(pace, step_s=asked.step) if asked.step else pace


def _both_have(names: Sequence[str]) -> dict[str, Scenario]:
    """Those that measure another commit as well: the data of the others is made by this one."""
    return {name: SCENARIOS[name] for name in names if name not in {"storm", "hostile"}}


def _measure(asked: argparse.Namespace, folder: Path) -> list[Row]:
    peer = Peer(asked.peer, asked.peer_port, asked.peer_path) if asked.peer else None
    stage = Stage(Hubbub(shlex.split(asked.server)), peer, folder, _pace(asked), asked.floods)
    about = machine.description() | {
        "data_on": machine.file_system(folder),
        "fdatasync_ms": f"{machine.sync_ms(folder):.2f}",
    }
    stage.say("  ".join(f"{name}: {value}" for name, value in about.items()))
    if about["data_on"] == "tmpfs":
        stage.say("The data is kept in memory: what is durable costs nothing here.")
    if asked.agree:
        agree.compare(stage, asked.agree)
        return []
    if asked.base:
        rows = turns.compare(stage, base.unpacked(asked.base), _both_have(asked.only))
    else:
        rows = []
        for name in asked.only:
            stage.say(f"{name}:")
            rows += SCENARIOS[name](stage)
    title = "Hubbub, measured" + (" in a hurry (not for quoting)" if asked.quick else "")
    print_table(rows, title, console())
    if asked.json:
        whole = {"machine": about, "rows": [row.plain() for row in rows], "runs": stage.raw}
        asked.json.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n")
    return rows


def _stopped(_number: int, _frame: object) -> NoReturn:
    # An exception, so that every server and load is stopped on the way out.
    sys.exit(128 + signal.SIGTERM)


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _asked(arguments)
    signal.signal(signal.SIGTERM, _stopped)
    try:
        machine.raise_open_files()
        machine.keep_off_the_server()
        build()
        place = asked.data or BUILT
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="run-", dir=place) as folder:
            rows = _measure(asked, Path(folder))
    except BenchError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 1 if asked.check and any(row.ok is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
