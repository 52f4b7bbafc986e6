"""The example bot of the documentation works."""

import asyncio
import os
import re
import sys
from pathlib import Path

from hubbub import client
from hubbub.client import Messages
from hubbub.model.messages import Message
from tests.support.people import QUICK, WAIT_S, accounts
from tests.support.server import Server

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLE = DOCS / "examples" / "pingbot.py"


async def next_message_by(messages: Messages, name: str) -> Message:
    async with asyncio.timeout(WAIT_S):
        while True:
            message = await anext(messages)
            if message.by == name:
                return message


async def test_the_bot_answers_and_continues_after_the_server_was_killed(server: Server) -> None:
    tokens = await accounts(server, "ana", "pingbot")
    bot = await asyncio.create_subprocess_exec(
        sys.executable,
        EXAMPLE,
        env={**os.environ, "HUBBUB_URL": server.url, "HUBBUB_TOKEN": tokens["pingbot"]},
    )
    try:
        async with client.connect(server.url, tokens["ana"], backoff=QUICK) as ana:
            messages = ana.messages("lobby")
            # The bot may not be connected yet, and only sees later messages.
            asking = asyncio.create_task(ask_until_answered(ana))
            assert (await next_message_by(messages, "pingbot")).text == "pong, ana"
            asking.cancel()
            server.kill()
            await asyncio.to_thread(server.start)
            asked = await ana.post("lobby", "!ping")
            while (answer := await next_message_by(messages, "pingbot")).reply_to != asked.seq:
                pass
            assert answer.text == "pong, ana"
    finally:
        bot.kill()
        await bot.wait()


async def ask_until_answered(one: client.Client) -> None:
    while True:
        await one.post("lobby", "!ping")
        await asyncio.sleep(0.1)


def test_the_bot_in_the_docs_is_the_example_file() -> None:
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "bots.md").read_text(), re.DOTALL)
    _, _, code = EXAMPLE.read_text().partition('"""\n')
    assert blocks[0].strip() == code.strip()
