"""Texts that are expensive to normalise, in every field of every command and interface.

The cost is counted, not timed: it is that of Unicode normalisation, which grows with the square of
a run of combining marks.
"""

import itertools
import json
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from hubbub.gateway.http.api import ANONYMOUS_BODY_MAX_BYTES
from hubbub.gateway.http.routes import ROUTES, WITH_BODY, Route
from hubbub.gateway.websocket.connection import ANONYMOUS_MESSAGE_MAX_BYTES
from hubbub.model.commands import COMMANDS, HTTP_ONLY
from hubbub.model.messages import Post
from hubbub.wire import text
from tests.support.chat import PASSWORD, RestApi, Sockets
from tests.support.site import Site

# The longest fills a frame: 250,000 bytes.
AS_IT_IS: dict[str, Any] = {"ensure_ascii": False}
LENGTHS = (33, 130, 330, 2_100, 16_100, 124_000)
WORK_MAX = 100_000  # of one call; a topic of 2,000 marks in a row would be 4,000,000


def hostile(length: int) -> str:
    """A letter with combining marks that normalisation must sort."""
    half = length // 2
    return "a" + "\u0301" * half + "\u0323" * half


def work(text: str) -> int:
    """The steps of normalising a text: sorting a run of marks takes the square of its length."""
    runs = itertools.groupby(text, key=lambda character: unicodedata.combining(character) > 0)
    return len(text) + sum(len(list(run)) ** 2 for is_marks, run in runs if is_marks)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The work of each call of `unicodedata.normalize`; it must be at most WORK_MAX."""
    works: list[int] = []
    normalize = unicodedata.normalize  # noqa: TID251 - it is measured here

    def measure(form: Any, text: str) -> str:
        works.append(work(text))
        # Too expensive calls are only counted, as the test would take too long.
        return normalize(form, text) if works[-1] <= WORK_MAX else text

    monkeypatch.setattr(unicodedata, "normalize", measure)
    yield works
    assert max(works, default=0) <= WORK_MAX


# How a text is put into a field, by the type of the field

Fill = Callable[[str], Any]


def _fills(kind: msgspec.inspect.Type) -> list[Fill]:
    """Functions that make a value of this type from a text; none if it holds no text."""
    match kind:
        case msgspec.inspect.Metadata(type=inner):
            return _fills(inner)
        case msgspec.inspect.StrType():
            return [lambda text: text]
        case msgspec.inspect.UnionType(types=types):
            return [fill for one in types for fill in _fills(one)]
        case (
            msgspec.inspect.VarTupleType(item_type=inner)
            | msgspec.inspect.ListType(item_type=inner)
        ):
            return [_in_a_list(fill) for fill in _fills(inner)]
        case msgspec.inspect.DictType(key_type=key):
            return [lambda text: {text: 1}] if _fills(key) else []
    return []


def _in_a_list(fill: Fill) -> Fill:
    return lambda text: [fill(text)]


def _plain(kind: msgspec.inspect.Type) -> Any:
    """A valid value of this type."""
    match kind:
        case msgspec.inspect.Metadata(type=inner):
            return _plain(inner)
        case msgspec.inspect.StrType():
            return "ordinary words"
        case msgspec.inspect.BoolType():
            return True
        case msgspec.inspect.IntType():
            return 1
        case msgspec.inspect.LiteralType(values=values):
            return values[0]
        case msgspec.inspect.VarTupleType(item_type=inner):
            return [_plain(inner)]
    raise AssertionError(f"no value for {kind}")


def _fields(command: type) -> dict[str, msgspec.inspect.Type]:
    described = msgspec.inspect.type_info(command)
    assert isinstance(described, msgspec.inspect.StructType)
    return {field.name: field.type for field in described.fields}


def _required(command: type) -> dict[str, Any]:
    described = msgspec.inspect.type_info(command)
    assert isinstance(described, msgspec.inspect.StructType)
    given = {field.name: _plain(field.type) for field in described.fields if field.required}
    return given | ({"name": "somebody"} if "name" in given else {})


FILLS = [
    pytest.param(word, name, fill, id=f"{word}.{name}")
    for word, command in COMMANDS.items()
    for name, kind in _fields(command).items()
    for fill in _fills(kind)
]


def test_there_are_hostile_texts() -> None:
    tried = {param.id for param in FILLS}
    known = {"sign_up.display_name", "create_room.title", "users.names", "hello.rooms", "edit.text"}
    assert known < tried


@pytest.mark.parametrize(("word", "field", "fill"), FILLS)
async def test_no_text_in_a_websocket_command_is_expensive(
    site: Site, calls: list[int], word: str, field: str, fill: Fill
) -> None:
    ana = site.person()
    async with site.socket(ana) as socket:
        await socket.do("hello")
        for length in LENGTHS:
            command = {"id": length, "do": word, **_required(COMMANDS[word])}
            command[field] = fill(hostile(length))
            await socket.socket.send_str(json.dumps(command, **AS_IT_IS))
            if word != "typing":  # gets a reply only if it is refused
                assert "re" in await socket.reply(length)
        await socket.do("about")


@pytest.mark.parametrize(("word", "field", "fill"), FILLS)
async def test_no_text_is_expensive_without_sign_in(
    site: Site, calls: list[int], word: str, field: str, fill: Fill
) -> None:
    async with site.socket() as socket:
        for length in LENGTHS:
            command = {"id": length, "do": word, **_required(COMMANDS[word])}
            command[field] = fill(hostile(length))
            frame = json.dumps(command, **AS_IT_IS)
            if len(frame.encode()) <= ANONYMOUS_MESSAGE_MAX_BYTES:
                await socket.socket.send_str(frame)
                assert "error" in await socket.reply(length)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_no_text_in_a_request_is_expensive(site: Site, calls: list[int], route: Route) -> None:
    fields = _fields(route.command)
    by = site.anyone if route.operation == "sign_out" else site.person()
    for name, length in itertools.product(fields, LENGTHS):
        for fill in _fills(fields[name]):
            short = hostile(min(length, 1_200))  # fits into a request line
            words = {one: quote(short if one == name else "1", safe="") for one in route.in_path}
            path = route.path.format(**words)
            content = None
            if route.method in WITH_BODY:
                body = {**_required(route.command), name: fill(hostile(length))}
                content = json.dumps(body, **AS_IT_IS).encode()
            elif name in route.not_in_path:
                path += f"?{name}={quote(short, safe='')}"
            if (
                content
                and len(content) > ANONYMOUS_BODY_MAX_BYTES
                and route.command.word() in HTTP_ONLY
            ):
                continue
            answer = by.call(route.method, path, content=content)
            assert answer.status < 500, answer


@pytest.mark.parametrize("word", ["", *(f"/{word} " for word in text.HELP)])
async def test_no_line_of_plain_text_is_expensive(site: Site, calls: list[int], word: str) -> None:
    guest = site.guest()
    async with site.text_socket(guest) as socket:
        for length in LENGTHS:
            for before in ("", "1 ", "ana ", "~", "#"):
                await socket.say(f"{word}{before}{hostile(length)}")
        if word != "/quit ":
            await socket.say("/help")
            await socket.line("* What you type")
        else:
            await socket.close_code()
        assert max(map(len, socket.lines)) <= 20_000


@pytest.mark.parametrize("parameter", ["name", "room", "after"])
def test_no_websocket_url_is_expensive(site: Site, calls: list[int], parameter: str) -> None:
    for length in LENGTHS:
        path = f"/ws?{parameter}={quote(hostile(min(length, 1_200)), safe='')}"
        answer = site.anyone.get(
            path,
            Connection="Upgrade",
            Upgrade="websocket",
            Sec_WebSocket_Version="13",
            Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ==",
        )
        answer.refused(422, "invalid")


@pytest.mark.parametrize("how", ["deep", "long"])
def test_an_invalid_token_is_refused(site: Site, how: str) -> None:
    header = quote("Ww" + "W1tb" * 1_000) if how == "deep" else "x" * 4_000
    site.anyone.get("/api/me", Authorization=f"Bearer {header}.e30.e30").refused(
        401, "sign_in_required"
    )


def test_an_error_never_quotes_a_frame(site: Site) -> None:
    body = {"text": "a", "kind": "x" * 200_000}
    answer = site.person().post("/api/rooms/lobby/messages", body)
    answer.refused(400, "malformed")
    assert len(answer.body) < 2_000


def test_the_number_of_names_looked_up_in_a_message_is_bounded(
    site: Site, calls: list[int]
) -> None:
    ana = site.person()
    before = len(calls)
    letters = [chr(0x4E00 + nth) for nth in range(2_000)]
    text = " ".join(f"@½{letter}x" for letter in letters)  # none of them is a valid name
    ana.say("lobby", text)
    ana.say("lobby", " ".join(["@é"] * 5_000))
    assert len(calls) - before <= 2_000


async def test_others_are_not_delayed_by_hostile_texts(tmp_path: Path) -> None:
    """On a real server, where each of these once took half a minute."""
    api = RestApi.at(tmp_path / "data", "ana", "bo", "eve")
    expensive = hostile(LENGTHS[-1])
    try:
        async with Sockets.of(api) as sockets:
            bo, eve = await sockets.json("bo"), await sockets.json("eve")
            guest = await sockets.text()
            frame = json.dumps({"id": 9, "do": "update_me", "display_name": expensive}, **AS_IT_IS)
            for nth in range(5):
                await eve.socket.send_str(frame)
                await guest.say(f"/nick {expensive}")
                api.post("lobby", f"word {nth}", by="ana")
                await bo.event("message", text=f"word {nth}")
            assert (await eve.reply(9))["error"]["code"] == "invalid"
    finally:
        api.server.stop()


def test_accents_of_real_languages_are_kept(site: Site) -> None:
    shown = "Phở ế ท\u0e35\u0e48 हिन्दी"
    ana = site.person(display_name=f"  {shown} ")
    room = ana.room(title="Cafe\u0301 " + "é" * 70)
    assert ana.get("/api/me").ok()["me"]["display_name"] == shown
    assert ana.rooms()[room]["title"] == "Café " + "é" * 70
    assert Post(room="lobby", text="e" + "\u0301" * 100).text == "e" + "\u0301" * 100


@pytest.mark.parametrize(
    ("path", "body", "sentence"),
    [
        ("/api/rooms", {"title": "x" * 250_000}, "A title must have 1 to 80 characters."),
        ("/api/rooms", {"title": "a" + "\u0301" * 31}, "A letter can have at most 30 accents."),
        (
            "/api/sign-up",
            {"name": "x" * 33, "password": PASSWORD},
            "A name has 1 to 32 characters.",
        ),
    ],
)
def test_a_text_that_is_too_long_gets_an_error_with_the_limit(
    site: Site, path: str, body: dict[str, str], sentence: str
) -> None:
    assert site.person().post(path, body).refused(422, "invalid")["detail"] == sentence
