"""``python -m bench``: the command line of the benchmark."""

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
from bench.context import Context, Pace
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
            f"there is no scenario {unknown[0]!r}; choose from {', '.join(SCENARIOS)}"
        )
    return names


def _words(value: str) -> tuple[str, ...]:
    return tuple(value.split(","))


def _program(value: str) -> Path:
    path = Path(value).resolve()
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"{value} is not a file")
    return path


def _parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    add = parser.add_argument
    add("--base", metavar="COMMIT", help="another commit of Hubbub to compare with")
    add("--peer", type=_program, metavar="BINARY", help="a chat server to compare with")
    add("--peer-port", type=int, default=8080, help="the peer's port (%(default)s)")
    add("--peer-path", default="/ws", help="the peer's WebSocket path (%(default)s)")
    add("--only", type=_names, default=list(SCENARIOS), metavar="NAME,…", help=", ".join(SCENARIOS))
    add("--floods", type=_words, default=(), metavar="WORD,…", help="hostile: only these floods")
    add("--runs", type=int, help="alternating runs in a comparison (9)")
    add("--step", type=float, metavar="SECONDS", help="duration of each rate (10)")
    add("--quick", action="store_true", help="one short run of each, not for quoting")
    add("--json", type=Path, metavar="FILE", help="write all measurements")
    add("--data", type=Path, metavar="DIR", help="folder for the servers' temporary data")
    add("--server", default=f"{sys.executable} -m hubbub", help="Hubbub's command (%(default)s)")
    add("--check", action="store_true", help="exit with 1 if a bound is missed")
    add("--agree", type=_program, metavar="LOAD.C", help="only compare two load generators")
    args = parser.parse_args(arguments)
    if args.base and args.peer:
        parser.error("Give either --base or --peer, not both.")
    return args


def _pace(args: argparse.Namespace) -> Pace:
    pace = QUICK if args.quick else Pace()
    if args.runs:
        pace = replace(pace, runs=args.runs, runs_alone=min(args.runs, pace.runs_alone))
    return replace(pace, step_s=args.step) if args.step else pace


def _comparable(names: Sequence[str]) -> dict[str, Scenario]:
    """The scenarios that can measure another commit; the others create data only for this one."""
    return {name: SCENARIOS[name] for name in names if name not in {"storm", "hostile"}}


def _measure(args: argparse.Namespace, folder: Path) -> list[Row]:
    peer = Peer(args.peer, args.peer_port, args.peer_path) if args.peer else None
    context = Context(Hubbub(shlex.split(args.server)), peer, folder, _pace(args), args.floods)
    about = machine.description() | {
        "data_on": machine.file_system(folder),
        "fdatasync_ms": f"{machine.sync_ms(folder):.2f}",
    }
    context.print("  ".join(f"{name}: {value}" for name, value in about.items()))
    if about["data_on"] == "tmpfs":
        context.print("The data is kept in memory, so durable writes cost nothing here.")
    if args.agree:
        agree.compare(context, args.agree)
        return []
    if args.base:
        rows = turns.compare(context, base.checkout(args.base), _comparable(args.only))
    else:
        rows = []
        for name in args.only:
            context.print(f"{name}:")
            rows += SCENARIOS[name](context)
    title = "Hubbub, measured" + (" quickly (not for quoting)" if args.quick else "")
    print_table(rows, title, console())
    if args.json:
        whole = {"machine": about, "rows": [row.plain() for row in rows], "runs": context.raw}
        args.json.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n")
    return rows


def _on_sigterm(_number: int, _frame: object) -> NoReturn:
    # An exception, so that all servers and loads are stopped.
    sys.exit(128 + signal.SIGTERM)


def main(arguments: Sequence[str] | None = None) -> int:
    args = _parse_arguments(arguments)
    signal.signal(signal.SIGTERM, _on_sigterm)
    try:
        machine.raise_open_files()
        machine.pin_to_load_core()
        build()
        place = args.data or BUILT
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="run-", dir=place) as folder:
            rows = _measure(args, Path(folder))
    except BenchError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 1 if args.check and any(row.ok is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
