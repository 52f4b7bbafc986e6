"""``python -m tests.cluster.table``: the table of faults in docs/reliability.md."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.cluster.faults import FAULTS, FaultCase
from tests.support.cluster import cluster, cluster_with_remote_node
from tests.support.conversation import ConversationResult, run_conversation
from tests.support.network import NotPermittedError


async def run_case(case: FaultCase) -> ConversationResult:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        context = (
            cluster_with_remote_node(folder)
            if case.needs_remote_node
            else cluster(folder, fault_odds=case.fault_odds)
        )
        async with context as started:
            try:
                return await run_conversation(started, case.fault)
            except BaseException:
                print(started.logs, file=sys.stderr)  # noqa: T201
                raise


def row(name: str, results: list[ConversationResult]) -> str:
    acknowledged = sum(result.acknowledged for result in results)
    lost, duplicated = (
        sum(result.lost for result in results),
        sum(result.duplicated for result in results),
    )
    silence = max(result.silence_s for result in results)
    return (
        f"| {name} | {len(results)} | {acknowledged:,} | {lost} | {duplicated} | {silence:.1f} s |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5, help="how often each fault is tried")
    parser.add_argument("--only", default="", help="faults with this in their name")
    given = parser.parse_args()
    print("| fault | times tried | messages acknowledged | lost | duplicated | longest silence |")  # noqa: T201
    print("|---|---|---|---|---|---|")  # noqa: T201
    for name, case in FAULTS.items():
        if given.only not in name:
            continue
        try:
            results = [asyncio.run(run_case(case)) for _ in range(given.times)]
        except NotPermittedError as error:
            print(f"| {name} | 0: {error} | | | | |", flush=True)  # noqa: T201
            continue
        print(row(name, results), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
