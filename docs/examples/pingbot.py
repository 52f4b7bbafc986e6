"""A bot that answers “!ping” in the lobby.

HUBBUB_URL=http://localhost:8080 HUBBUB_TOKEN=… python docs/examples/pingbot.py
"""

import asyncio
import os

import hubbub.client


async def main() -> None:
    url, token = os.environ["HUBBUB_URL"], os.environ.get("HUBBUB_TOKEN")
    async with hubbub.client.connect(url, token, name="pingbot") as bot:
        async for message in bot.messages("lobby"):
            if message.text == "!ping" and message.by != bot.me.name:
                await bot.post("lobby", f"pong, {message.by}", reply_to=message.seq)


asyncio.run(main())
