"""One contract for all doors: a person at a door, whatever it speaks."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from tests.support.chat import TIMEOUT_S, JsonClient, Refused, TextClient, Visitors

Said = tuple[str, str]  # who, what

NO_TOPIC = "* This room has no topic"

# How lines of the server's end that answer nobody.
NEWS = ("is here", "left", "(archived)")

# What each door answers to a post that it refuses: a code, or a sentence for people.
Refusal = str


class Voice(ABC):
    """Somebody in one room."""

    def __init__(self, visitors: Visitors, name: str, token: str, room: str) -> None:
        self.house = visitors.house
        self.name = name
        self.token = token
        self.room = room

    @classmethod
    @abstractmethod
    async def enter(cls, visitors: Visitors, name: str, token: str, room: str) -> "Voice": ...

    @abstractmethod
    async def say(self, text: str) -> None:
        """A message, on its way."""

    @abstractmethod
    async def act(self, text: str) -> None:
        """``/me``: what one does."""

    @abstractmethod
    async def refused(self, text: str) -> Refusal:
        """Say what must not be said; what the door answers."""

    @abstractmethod
    async def go_to(self, room: str) -> Refusal:
        """Ask for a room that is not there; what the door answers."""

    @abstractmethod
    async def edit(self, seq: int, text: str) -> None: ...

    @abstractmethod
    async def delete(self, seq: int) -> None: ...

    @abstractmethod
    async def react(self, seq: int, emoji: str) -> Refusal:
        """Add a reaction; what the door answers if it refuses it."""

    @abstractmethod
    async def pin(self, seq: int) -> Refusal: ...

    @abstractmethod
    async def answer(self, seq: int, text: str) -> Refusal:
        """Say something in the thread of a message."""

    @abstractmethod
    async def leave(self) -> None: ...

    @abstractmethod
    def messages(self) -> list[Said]:
        """What has been heard of the room so far."""

    async def heard(self, *said: Said) -> None:
        """Wait until each of these has been heard."""
        await self.until(lambda: set(said) <= set(self.messages()), f"{said}")

    async def heard_count(self, count: int) -> list[Said]:
        await self.until(lambda: len(self.messages()) >= count, f"{count} messages")
        return self.messages()

    async def until(self, holds: Callable[[], bool], what: str) -> None:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                while not holds():  # noqa: ASYNC110 - HTTP tells nobody; the others are quick
                    await asyncio.sleep(0.005)
        except TimeoutError:
            raise AssertionError(f"{self.name} never heard {what}: {self.messages()}") from None

    # Guests and those whose door has no word for it change their messages over HTTP.

    async def _api(self, method: str, path: str, body: dict[str, Any] | None = None) -> Refusal:
        status, answer = await asyncio.to_thread(
            self.house.api, method, f"rooms/{path}", body, by=self.token
        )
        return "" if status < 300 else str(answer["code"])


class JsonVoice(Voice):
    client: JsonClient

    @classmethod
    async def enter(cls, visitors: Visitors, name: str, token: str, room: str) -> "Voice":
        voice = cls(visitors, name, token, room)
        voice.client = await visitors.json(token)
        await voice.client.do("join", room=room)
        return voice

    async def say(self, text: str) -> None:
        await self.client.tell("post", room=self.room, text=text)

    async def act(self, text: str) -> None:
        await self.client.do("post", room=self.room, text=text, kind="me")

    async def refused(self, text: str) -> Refusal:
        return await self.client.refused("post", room=self.room, text=text)

    async def go_to(self, room: str) -> Refusal:
        joining = await self.client.refused("join", room=room)
        assert joining == await self.client.refused("post", room=room, text="hello?")
        return joining

    async def edit(self, seq: int, text: str) -> None:
        await self.client.do("edit", room=self.room, seq=seq, text=text)

    async def delete(self, seq: int) -> None:
        await self.client.do("delete", room=self.room, seq=seq)

    async def _try(self, do: str, **fields: Any) -> Refusal:
        try:
            await self.client.do(do, **fields)
        except Refused as refused:
            return refused.code
        return ""

    async def react(self, seq: int, emoji: str) -> Refusal:
        return await self._try("react", room=self.room, seq=seq, emoji=emoji)

    async def pin(self, seq: int) -> Refusal:
        return await self._try("pin", room=self.room, seq=seq)

    async def answer(self, seq: int, text: str) -> Refusal:
        return await self._try("post", room=f"{self.room}.{seq}", text=text)

    async def leave(self) -> None:
        await self.client.do("leave", room=self.room)

    def messages(self) -> list[Said]:
        return self.client.messages(self.room)


class TextVoice(Voice):
    client: TextClient

    @classmethod
    async def enter(cls, visitors: Visitors, name: str, token: str, room: str) -> "Voice":
        voice = cls(visitors, name, token, room)
        voice.client = await visitors.text(f"?room={room}", by=token)
        return voice

    async def say(self, text: str) -> None:
        await self.client.say(text)

    async def act(self, text: str) -> None:
        await self.client.say(f"/me {text}")

    async def refused(self, text: str) -> Refusal:
        await self.client.say(text)
        while (line := await self.client.line("* ")).endswith(NEWS):
            pass
        return line

    async def go_to(self, room: str) -> Refusal:
        await self.client.say(f"/join {room}")
        return await self.client.line("* There is no")

    async def edit(self, seq: int, text: str) -> None:
        assert await self._api("PATCH", f"{self.room}/messages/{seq}", {"text": text}) == ""

    async def delete(self, seq: int) -> None:
        assert await self._api("DELETE", f"{self.room}/messages/{seq}") == ""

    async def _try(self, line: str) -> Refusal:
        """What is answered to a line; nothing if the next one is answered first."""
        begun = len(self.client.lines)
        await self.client.say(line)
        await self.client.say("/topic")
        answers: list[str] = []

        def is_over() -> bool:
            answers[:] = [line for line in self.client.lines[begun:] if self._answers(line)]
            return any(line.startswith(NO_TOPIC) for line in answers)

        await self.until(is_over, f"an answer to {line}")
        return "" if answers[0].startswith(NO_TOPIC) else answers[0]

    def _answers(self, line: str) -> bool:
        """Whether it is for this person alone: no message, and nobody's doing."""
        doings = (f"* {name} " for name in ("ana", "bo", "cy", self.name))
        return line.startswith("* ") and not line.endswith(NEWS) and not line.startswith((*doings,))

    async def react(self, seq: int, emoji: str) -> Refusal:
        return await self._try(f"/react {seq} {emoji}")

    async def pin(self, seq: int) -> Refusal:
        return await self._try(f"/pin {seq}")

    async def answer(self, seq: int, text: str) -> Refusal:
        return await self._try(f"/answer {seq} {text}")

    async def leave(self) -> None:
        await self.client.say("/leave")
        await self.client.line("* You are in #lobby")

    def messages(self) -> list[Said]:
        return self.client.messages()


class HttpVoice(Voice):
    @classmethod
    async def enter(cls, visitors: Visitors, name: str, token: str, room: str) -> "Voice":
        voice = cls(visitors, name, token, room)
        assert await voice._api("POST", f"{room}/join", {}) == ""
        return voice

    async def say(self, text: str) -> None:
        assert await self._api("POST", f"{self.room}/messages", {"text": text}) == ""

    async def act(self, text: str) -> None:
        body = {"text": text, "kind": "me"}
        assert await self._api("POST", f"{self.room}/messages", body) == ""

    async def refused(self, text: str) -> Refusal:
        return await self._api("POST", f"{self.room}/messages", {"text": text})

    async def go_to(self, room: str) -> Refusal:
        joining = await self._api("POST", f"{room}/join", {})
        assert joining == await self._api("POST", f"{room}/messages", {"text": "hello?"})
        return joining

    async def edit(self, seq: int, text: str) -> None:
        assert await self._api("PATCH", f"{self.room}/messages/{seq}", {"text": text}) == ""

    async def delete(self, seq: int) -> None:
        assert await self._api("DELETE", f"{self.room}/messages/{seq}") == ""

    async def react(self, seq: int, emoji: str) -> Refusal:
        return await self._api("PUT", f"{self.room}/messages/{seq}/reactions/{quote(emoji)}", {})

    async def pin(self, seq: int) -> Refusal:
        return await self._api("PUT", f"{self.room}/messages/{seq}/pin", {})

    async def answer(self, seq: int, text: str) -> Refusal:
        return await self._api("POST", f"{self.room}.{seq}/messages", {"text": text})

    async def leave(self) -> None:
        assert await self._api("POST", f"{self.room}/leave", {}) == ""

    def messages(self) -> list[Said]:
        return self.house.history(self.room, by=self.token)


DOORS: dict[str, type[Voice]] = {"json": JsonVoice, "text": TextVoice, "http": HttpVoice}
