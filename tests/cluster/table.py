"""``python -m tests.cluster.table``: the table of faults in docs/reliability.md."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.cluster.faults import ALL, Scene
from tests.support.cluster import cluster, far_cluster
from tests.support.conversation import ConversationResult, talk_through
from tests.support.network import NotPermittedError


async def once(scene: Scene) -> ConversationResult:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        stage = far_cluster(folder) if scene.far else cluster(folder, bad_bus=scene.bad_bus)
        async with stage as made:
            try:
                return await talk_through(made, scene.fault)
            except BaseException:
                print(made.logs, file=sys.stderr)  # noqa: T201
                raise


def row(name: str, found: list[ConversationResult]) -> str:
    acknowledged = sum(one.acknowledged for one in found)
    lost, doubled = sum(one.lost for one in found), sum(one.doubled for one in found)
    silence = max(one.silence_s for one in found)
    return f"| {name} | {len(found)} | {acknowledged:,} | {lost} | {doubled} | {silence:.1f} s |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5, help="how often each fault is tried")
    parser.add_argument("--only", default="", help="faults with this in their name")
    given = parser.parse_args()
    print("| fault | times tried | messages acknowledged | lost | duplicated | longest silence |")  # noqa: T201
    print("|---|---|---|---|---|---|")  # noqa: T201
    for name, scene in ALL.items():
        if given.only not in name:
            continue
        try:
            found = [asyncio.run(once(scene)) for _ in range(given.times)]
        except NotPermittedError as error:
            print(f"| {name} | 0: {error} | | | | |", flush=True)  # noqa: T201
            continue
        print(row(name, found), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
