"""A participant of a room, through JSON, plain text or HTTP, with the same methods."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from tests.support.chat import TIMEOUT_S, JsonClient, Refused, Sockets, TextClient

Message = tuple[str, str]  # author, text

NO_TOPIC = "* This room has no topic"

# The endings of lines of the server that are no replies.
NOTICE_ENDINGS = ("is here", "left", "(archived)")

# The refusal of a command: an error code, or a sentence in plain text; empty if it was accepted.
Refusal = str


class Participant(ABC):
    """A person in one room."""

    def __init__(self, sockets: Sockets, name: str, token: str, room: str) -> None:
        self.api = sockets.api
        self.name = name
        self.token = token
        self.room = room

    @classmethod
    @abstractmethod
    async def enter(cls, sockets: Sockets, name: str, token: str, room: str) -> "Participant": ...

    @abstractmethod
    async def say(self, text: str) -> None:
        """Post a message, without waiting for it."""

    @abstractmethod
    async def act(self, text: str) -> None:
        """Post a ``/me`` message."""

    @abstractmethod
    async def refused(self, text: str) -> Refusal:
        """Post a message that is refused. Returns the refusal."""

    @abstractmethod
    async def enter_hidden_room(self, room: str) -> Refusal:
        """Try to enter a room that is missing or private. Returns the refusal."""

    @abstractmethod
    async def edit(self, seq: int, text: str) -> None: ...

    @abstractmethod
    async def delete(self, seq: int) -> None: ...

    @abstractmethod
    async def react(self, seq: int, emoji: str) -> Refusal:
        """Add a reaction. Returns the refusal, if any."""

    @abstractmethod
    async def pin(self, seq: int) -> Refusal: ...

    @abstractmethod
    async def answer(self, seq: int, text: str) -> Refusal:
        """Post in the thread of a message. Returns the refusal, if any."""

    @abstractmethod
    async def leave(self) -> None: ...

    @abstractmethod
    def messages(self) -> list[Message]:
        """The messages of the room received so far."""

    async def wait_for_messages(self, *expected: Message) -> None:
        """Wait until each of these has been received."""
        await self.until(lambda: set(expected) <= set(self.messages()), f"{expected}")

    async def wait_for_count(self, count: int) -> list[Message]:
        await self.until(lambda: len(self.messages()) >= count, f"{count} messages")
        return self.messages()

    async def until(self, holds: Callable[[], bool], what: str) -> None:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                while not holds():  # noqa: ASYNC110 - HTTP has no events
                    await asyncio.sleep(0.005)
        except TimeoutError:
            raise AssertionError(f"{self.name} never received {what}: {self.messages()}") from None

    # Guests, and interfaces without such a command, change their messages over HTTP.

    async def _api(self, method: str, path: str, body: dict[str, Any] | None = None) -> Refusal:
        status, answer = await asyncio.to_thread(
            self.api.request, method, f"rooms/{path}", body, by=self.token
        )
        return "" if status < 300 else str(answer["code"])


class JsonParticipant(Participant):
    client: JsonClient

    @classmethod
    async def enter(cls, sockets: Sockets, name: str, token: str, room: str) -> "Participant":
        participant = cls(sockets, name, token, room)
        participant.client = await sockets.json(token)
        await participant.client.do("join", room=room)
        return participant

    async def say(self, text: str) -> None:
        await self.client.send("post", room=self.room, text=text)

    async def act(self, text: str) -> None:
        await self.client.do("post", room=self.room, text=text, kind="me")

    async def refused(self, text: str) -> Refusal:
        return await self.client.refused("post", room=self.room, text=text)

    async def enter_hidden_room(self, room: str) -> Refusal:
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

    def messages(self) -> list[Message]:
        return self.client.messages(self.room)


class TextParticipant(Participant):
    client: TextClient

    @classmethod
    async def enter(cls, sockets: Sockets, name: str, token: str, room: str) -> "Participant":
        participant = cls(sockets, name, token, room)
        participant.client = await sockets.text(f"?room={room}", by=token)
        return participant

    async def say(self, text: str) -> None:
        await self.client.say(text)

    async def act(self, text: str) -> None:
        await self.client.say(f"/me {text}")

    async def refused(self, text: str) -> Refusal:
        await self.client.say(text)
        while (line := await self.client.line("* ")).endswith(NOTICE_ENDINGS):
            pass
        return line

    async def enter_hidden_room(self, room: str) -> Refusal:
        await self.client.say(f"/join {room}")
        return await self.client.line("* There is no")

    async def edit(self, seq: int, text: str) -> None:
        assert await self._api("PATCH", f"{self.room}/messages/{seq}", {"text": text}) == ""

    async def delete(self, seq: int) -> None:
        assert await self._api("DELETE", f"{self.room}/messages/{seq}") == ""

    async def _try(self, line: str) -> Refusal:
        """Send a line. Returns the refusal, or nothing if the next line is answered first."""
        start = len(self.client.lines)
        await self.client.say(line)
        await self.client.say("/topic")
        answers: list[str] = []

        def is_over() -> bool:
            answers[:] = [line for line in self.client.lines[start:] if self._is_own_reply(line)]
            return any(line.startswith(NO_TOPIC) for line in answers)

        await self.until(is_over, f"an answer to {line}")
        return "" if answers[0].startswith(NO_TOPIC) else answers[0]

    def _is_own_reply(self, line: str) -> bool:
        """Whether a line is a reply to this person: no message, and no action of others."""
        actions = (f"* {name} " for name in ("ana", "bo", "cy", self.name))
        return (
            line.startswith("* ")
            and not line.endswith(NOTICE_ENDINGS)
            and not line.startswith((*actions,))
        )

    async def react(self, seq: int, emoji: str) -> Refusal:
        return await self._try(f"/react {seq} {emoji}")

    async def pin(self, seq: int) -> Refusal:
        return await self._try(f"/pin {seq}")

    async def answer(self, seq: int, text: str) -> Refusal:
        return await self._try(f"/answer {seq} {text}")

    async def leave(self) -> None:
        await self.client.say("/leave")
        await self.client.line("* You are in #lobby")

    def messages(self) -> list[Message]:
        return self.client.messages()


class HttpParticipant(Participant):
    @classmethod
    async def enter(cls, sockets: Sockets, name: str, token: str, room: str) -> "Participant":
        participant = cls(sockets, name, token, room)
        assert await participant._api("POST", f"{room}/join", {}) == ""
        return participant

    async def say(self, text: str) -> None:
        assert await self._api("POST", f"{self.room}/messages", {"text": text}) == ""

    async def act(self, text: str) -> None:
        body = {"text": text, "kind": "me"}
        assert await self._api("POST", f"{self.room}/messages", body) == ""

    async def refused(self, text: str) -> Refusal:
        return await self._api("POST", f"{self.room}/messages", {"text": text})

    async def enter_hidden_room(self, room: str) -> Refusal:
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

    def messages(self) -> list[Message]:
        return self.api.history(self.room, by=self.token)


INTERFACES: dict[str, type[Participant]] = {
    "json": JsonParticipant,
    "text": TextParticipant,
    "http": HttpParticipant,
}
