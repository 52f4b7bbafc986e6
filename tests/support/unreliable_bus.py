"""``python -m tests.support.unreliable_bus LOST,TWICE,LATE try …``: a server with a bad bus.

Of what comes over it such parts are lost, come twice, or come later and so out of order; each
payload has its own fate.
"""

import asyncio
import random
import sys

from nats.aio.msg import Msg

from hubbub import cli
from hubbub.live.cluster import nats

LATE_S = 0.5  # at most


class BadBus(nats.NatsBus):
    fates = (0.0, 0.0, 0.0)

    async def _receive(self, message: Msg) -> None:
        lost, twice, late = self.fates
        drawn = random.random()
        if drawn < lost:
            return
        if drawn < lost + twice:
            await super()._receive(message)
        elif drawn < lost + twice + late:
            asyncio.get_running_loop().call_later(
                random.uniform(0, LATE_S), self.received, message.subject, message.data
            )
            return
        await super()._receive(message)


def main() -> None:
    lost, twice, late = map(float, sys.argv.pop(1).split(","))
    BadBus.fates = lost, twice, late
    nats.NatsBus = BadBus  # type: ignore[misc]
    cli.main()


if __name__ == "__main__":
    main()
