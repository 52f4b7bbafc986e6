"""``python -m tests.support.unreliable_bus LOST,TWICE,LATE try …``: an unreliable bus.

The arguments are the probabilities that a payload is lost, is delivered twice, or is delivered
late and so out of order.
"""

import asyncio
import random
import sys

from nats.aio.msg import Msg

from hubbub import cli
from hubbub.live.cluster import nats

DELAY_MAX_S = 0.5


class UnreliableBus(nats.NatsBus):
    probabilities = (0.0, 0.0, 0.0)

    async def _on_message(self, message: Msg) -> None:
        lost, twice, late = self.probabilities
        number = random.random()
        if number < lost:
            return
        if number < lost + twice:
            await super()._on_message(message)
        elif number < lost + twice + late:
            asyncio.get_running_loop().call_later(
                random.uniform(0, DELAY_MAX_S), self.on_message, message.subject, message.data
            )
            return
        await super()._on_message(message)


def main() -> None:
    lost, twice, late = map(float, sys.argv.pop(1).split(","))
    UnreliableBus.probabilities = lost, twice, late
    nats.NatsBus = UnreliableBus  # type: ignore[misc]
    cli.main()


if __name__ == "__main__":
    main()
