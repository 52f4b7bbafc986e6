"""``python -m tests.cluster.table``: the table of faults in docs/reliability.md."""

import argparse
import asyncio
import tempfile
from pathlib import Path

from tests.cluster.faults import ALL, Fault
from tests.support.cluster import Figures, cluster, talk_through


async def once(fault: Fault) -> Figures:
    with tempfile.TemporaryDirectory() as folder:
        async with cluster(Path(folder)) as made:
            return await talk_through(made, fault)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5, help="how often each fault is tried")
    parser.add_argument("--only", default="", help="faults with this in their name")
    given = parser.parse_args()
    print("| fault | times | acknowledged | lost | doubled | longest silence |")  # noqa: T201
    print("|---|---|---|---|---|---|")  # noqa: T201
    for name, fault in ALL.items():
        if given.only not in name:
            continue
        found = [asyncio.run(once(fault)) for _ in range(given.times)]
        acknowledged = sum(one.acknowledged for one in found)
        lost, doubled = sum(one.lost for one in found), sum(one.doubled for one in found)
        silence = max(one.silence_s for one in found)
        print(  # noqa: T201
            f"| {name} | {given.times} | {acknowledged:,} | {lost} | {doubled} | {silence:.1f} s |",
            flush=True,
        )


if __name__ == "__main__":
    main()
