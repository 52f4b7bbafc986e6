"""The Python client: for bots, scripts and tests.

A bot is a dozen lines::

    import asyncio
    import hubbub.client

    async def main() -> None:
        async with hubbub.client.connect("http://localhost:8080", token="…") as client:
            async for message in client.messages("lobby"):
                if message.text == "!ping" and message.by != client.me.name:
                    await client.post("lobby", "pong")

    asyncio.run(main())

The client reconnects automatically, catches up after a gap by the rule that every client follows
(`hubbub.client.state`), and posts exactly once. Errors are those of `hubbub.model.errors`, and
`Disconnected`.
"""

from hubbub.client.backoff import Backoff
from hubbub.client.client import Client, connect
from hubbub.client.feeds import Events, Messages
from hubbub.client.frames import CommandRefused, SyncReply
from hubbub.client.http import sign_in, sign_in_as_guest, sign_up
from hubbub.client.reconnector import Closed
from hubbub.client.replies import REPLIES, LeaveReply, may_repeat
from hubbub.client.room import ClientRoomState
from hubbub.client.state import ClientState
from hubbub.client.transport import Disconnected, NotSent

__all__ = [
    "REPLIES",
    "Backoff",
    "Client",
    "ClientRoomState",
    "ClientState",
    "Closed",
    "CommandRefused",
    "Disconnected",
    "Events",
    "LeaveReply",
    "Messages",
    "NotSent",
    "SyncReply",
    "connect",
    "may_repeat",
    "sign_in",
    "sign_in_as_guest",
    "sign_up",
]
