"""The Python client with a real server, over a network that breaks and stalls."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hubbub import client
from hubbub.client import Client
from hubbub.model.accounts import DisableUser, Hello, MyProfile, SignOut
from hubbub.model.blocks import BlockChanged, Blocks
from hubbub.model.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    NotMember,
    SignInRequired,
    WrongCredentials,
)
from hubbub.model.messages import Message
from hubbub.model.reading import Behind
from hubbub.model.rooms import Invite, Kick, Members, Prefs
from tests.client.scenario import NAMES, STEPS, new_room, run_scenario
from tests.support.people import (
    PASSWORD,
    QUICK,
    WAIT_S,
    accounts,
    assert_caught_up,
    history,
    metric,
)
from tests.support.proxy import Proxy
from tests.support.server import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests of this module; each test has its own room."""
    one = Server(Path(tmp_path_factory.mktemp("client")) / "data").start()
    yield one
    one.kill()


@pytest.fixture(scope="module")
def tokens(server: Server) -> dict[str, str]:
    return asyncio.run(accounts(server, *NAMES))


@pytest.fixture
async def ana(server: Server, tokens: dict[str, str]) -> AsyncIterator[Client]:
    async with client.connect(server.url, tokens["ana"], backoff=QUICK) as one:
        yield one


# Signing in


async def test_a_wrong_password_is_refused(server: Server, tokens: dict[str, str]) -> None:
    with pytest.raises(WrongCredentials):
        await client.sign_in(server.url, "ana", "not the password")
    signed = await client.sign_in(server.url, "ana", PASSWORD)
    assert signed.me.name == "ana"


async def test_an_invalid_token_raises_the_reason(server: Server) -> None:
    with pytest.raises(SignInRequired):
        async with client.connect(server.url, "no token"):
            pass


async def test_a_guest_can_read_post_and_leave(server: Server) -> None:
    async with client.connect(server.url, name="gus") as guest:
        assert guest.me.name.startswith("~gus")
        posted = await guest.post("lobby", "is anybody here?")
        page = await guest.history("lobby")
        assert page.messages[-1].seq == posted.seq
        await guest.leave("lobby")
        assert "lobby" not in guest.rooms


async def test_the_end_of_the_session_ends_the_client(
    server: Server, tokens: dict[str, str]
) -> None:
    token = (await client.sign_in(server.url, "cy", PASSWORD)).token
    async with client.connect(server.url, token, backoff=QUICK) as one:
        messages = one.messages("lobby")
        await one.do(SignOut())
        async with asyncio.timeout(WAIT_S):
            with pytest.raises(SignInRequired):
                await anext(messages)
        with pytest.raises(SignInRequired):
            await one.post("lobby", "still here?")


# Commands


async def test_refusals_are_the_errors_of_the_model(ana: Client) -> None:
    room = await new_room(ana)
    with pytest.raises(NotFound, match="There is no room"):
        await ana.join("nowhere")
    with pytest.raises(Invalid):
        await ana.post(room, " ")
    with pytest.raises(NotMember):
        ana.messages("nowhere")
    with pytest.raises(Invalid, match="hello"):
        await ana.do(Hello())


async def test_a_nonce_posts_once_and_takes_no_second_text(ana: Client) -> None:
    room = await new_room(ana)
    first = await ana.post(room, "one", nonce="n")
    assert await ana.post(room, "one", nonce="n") == first
    with pytest.raises(Conflict):
        await ana.post(room, "two", nonce="n")
    assert [message.text for message in (await ana.history(room)).messages] == ["one"]


async def test_any_command_has_a_reply_of_its_type(ana: Client) -> None:
    room = await new_room(ana)
    page = await ana.do(Members(room=room))
    assert [member.name for member in page.members] == ["ana"]
    marker = await ana.read(room, 0)
    assert marker.read_seq == 0


async def test_a_removed_member_receives_nothing_more_of_the_room(
    server: Server, ana: Client, tokens: dict[str, str]
) -> None:
    room = await new_room(ana)
    async with client.connect(server.url, tokens["bo"], backoff=QUICK) as bo:
        await bo.join(room)
        messages = bo.messages(room)
        await ana.do(Kick(room=room, user="bo"))
        async with asyncio.timeout(WAIT_S):
            assert [message async for message in messages] == []
        assert room not in bo.rooms
        with pytest.raises(NotMember):
            await bo.post(room, "let me in")


async def test_a_person_who_was_added_knows_by_whom_and_can_block_them(
    server: Server, ana: Client, tokens: dict[str, str]
) -> None:
    room = await new_room(ana)
    async with client.connect(server.url, tokens["bo"], backoff=QUICK) as bo:
        await ana.do(Invite(room=room, user="bo"))
        await bo.do(MyProfile())
        assert bo.rooms[room].info.added_by == "ana"
        await bo.do(Prefs(room=room, stay=True))
        await bo.do(MyProfile())
        assert bo.rooms[room].info.added_by is None
        await bo.leave(room)
        events = bo.events()
        rev = bo.state.my_rev
        await bo.block("ana")
        async with asyncio.timeout(WAIT_S):
            while not isinstance(event := await anext(events), BlockChanged):
                pass
        assert (event.user, event.gone, bo.state.my_rev) == ("ana", False, event.rev)
        assert event.rev > rev
        assert [one.name for one in (await bo.do(Blocks())).people] == ["ana"]
        with pytest.raises(Conflict, match="bo cannot be added"):
            await ana.do(Invite(room=room, user="bo"))
        await bo.block("ana", on=False)
        await ana.do(Invite(room=room, user="bo"))


# Messages


async def test_messages_begin_now_or_after_a_seq(ana: Client) -> None:
    room = await new_room(ana)
    for nth in range(3):
        await ana.post(room, f"before {nth}")
    await ana.delete(room, 2)
    new, all_of_them = ana.messages(room), ana.messages(room, after=0)
    await ana.post(room, "after")
    assert (await anext(new)).text == "after"
    got = [await anext(all_of_them) for _ in range(4)]
    assert [message.seq for message in got] == [1, 2, 3, 4]
    assert [message.deleted for message in got] == [False, True, False, False]
    assert got[1].text == ""


async def test_a_slow_reader_of_messages_gets_everything_in_order_once(
    server: Server, tokens: dict[str, str], ana: Client
) -> None:
    """Far more messages than the client keeps, over several pages and a reconnect."""
    room = await new_room(ana)
    async with (
        Proxy(server.port) as proxy,
        client.connect(proxy.url, tokens["bo"], backoff=QUICK, keep=10) as bo,
    ):
        await bo.join(room)
        messages = bo.messages(room)
        texts = [f"message {nth}" for nth in range(450)]
        first = [asyncio.create_task(ana.post(room, text)) for text in texts[:300]]
        await asyncio.gather(*first)
        got = [await anext(messages) for _ in range(5)]
        proxy.cut()
        rest = [asyncio.create_task(ana.post(room, text)) for text in texts[300:]]
        await asyncio.gather(*rest)
        async with asyncio.timeout(WAIT_S):
            got += [await anext(messages) for _ in range(445)]
        assert [message.seq for message in got] == list(range(1, 451))
        assert sorted(message.text for message in got) == sorted(texts)
        await bo.caught_up()
        assert len(bo.rooms[room].messages) <= 11


async def test_edits_and_deletes_come_as_events(ana: Client) -> None:
    room = await new_room(ana)
    events = ana.events(room)
    await ana.post(room, "teh")
    await ana.edit(room, 1, "the")
    await ana.delete(room, 1)
    got = []
    async for event in events:
        if isinstance(event, Message):
            got.append((event.text, event.deleted))
            if event.deleted:
                break
    assert got == [("teh", False), ("the", False), ("", True)]


async def test_messages_do_not_include_a_post_from_before_the_call(ana: Client) -> None:
    room = await new_room(ana)
    await ana.post(room, "before")
    messages = ana.messages(room)
    await ana.post(room, "after")
    assert (await anext(messages)).text == "after"


async def test_a_reader_of_events_that_is_too_slow_gets_a_behind_event(ana: Client) -> None:
    room = await new_room(ana)
    events = ana.events(room)
    await asyncio.gather(*(ana.post(room, f"message {nth}") for nth in range(1_010)))
    async with asyncio.timeout(WAIT_S):
        while ana.rooms[room].seq < 1_010:
            await ana.caught_up()
            await asyncio.sleep(0)  # `caught_up` returns at once if nothing is missing
        first = await anext(events)
    assert isinstance(first, Behind)
    assert set(first.rooms) == {room}


# Failures


async def test_a_post_whose_reply_is_lost_is_stored_once(
    server: Server, tokens: dict[str, str], ana: Client
) -> None:
    room = await new_room(ana)
    async with (
        Proxy(server.port) as proxy,
        client.connect(proxy.url, tokens["bo"], backoff=QUICK) as bo,
    ):
        await bo.join(room)
        seen = ana.messages(room)
        with proxy.frozen():
            posting = asyncio.create_task(bo.post(room, "once"))
            async with asyncio.timeout(WAIT_S):
                stored = await anext(seen)
            assert not posting.done()
            proxy.cut()
        async with asyncio.timeout(WAIT_S):
            posted = await posting
        assert (posted.seq, posted.rev) == (stored.seq, stored.rev)
        assert len(await history(server, tokens["ana"], room)) == 1


async def test_a_stalled_connection_catches_up_on_what_it_missed(
    server: Server, tokens: dict[str, str], ana: Client
) -> None:
    """More data than the server and the kernel buffer, so that live events are dropped."""
    room = await new_room(ana)
    long = "🦔" * 15_000  # 60 KB
    async with (
        Proxy(server.port) as proxy,
        client.connect(proxy.url, tokens["bo"], backoff=QUICK, keep=1_000) as bo,
    ):
        await bo.join(room)
        messages = bo.messages(room)
        lagged = await metric(server, "hubbub_connections_lagged_total")
        with proxy.frozen():
            for nth in range(0, 160, 8):
                await asyncio.gather(*(ana.post(room, f"{nth + one} {long}") for one in range(8)))
            await ana.edit(room, 3, "shorter")
            await ana.delete(room, 4)
        assert await metric(server, "hubbub_connections_lagged_total") > lagged
        async with asyncio.timeout(WAIT_S):
            got = [await anext(messages) for _ in range(160)]
        assert [message.seq for message in got] == list(range(1, 161))
        await ana.post(room, "and now?")
        async with asyncio.timeout(WAIT_S):
            assert (await anext(messages)).text == "and now?"
        await assert_caught_up(bo, room, await history(server, tokens["ana"], room))


async def test_a_client_that_waits_for_the_server_connects_once_it_starts(
    tmp_path: Path,
) -> None:
    late = Server(tmp_path / "late").start()
    token = (await accounts(late, "ana"))["ana"]
    late.stop()

    async def talk() -> int:
        async with client.connect(late.url, token, backoff=QUICK) as one:
            return (await one.post("lobby", "at last")).seq

    talking = asyncio.create_task(talk())
    try:
        late.start()
        async with asyncio.timeout(WAIT_S):
            assert await talking == 1
    finally:
        late.kill()


@given(steps=STEPS, pauses=st.randoms(use_true_random=False))
@settings(
    max_examples=15,
    deadline=None,
    # The server can be shared, as each example has its own room.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_interleaving_ends_with_every_client_equal_to_the_database(
    server: Server,
    tokens: dict[str, str],
    steps: list[tuple[str, int, int]],
    pauses: random.Random,
) -> None:
    async def run() -> None:
        async with run_scenario(server, tokens) as scenario:
            readers = [one.messages(scenario.room, after=0) for one, _ in scenario.people]
            for what, who, pick in steps:
                scenario.step(who, what, pick)
                # Let the other tasks run for a while before the next step.
                for _ in range(pauses.choice((0, 1, 5, 50))):
                    await asyncio.sleep(0)
            async with asyncio.timeout(WAIT_S):
                await asyncio.gather(*scenario.tasks)
            truth = await history(server, tokens["ana"], scenario.room)
            assert [message["seq"] for message in truth] == list(range(1, len(scenario.texts) + 1))
            for (one, _), reader in zip(scenario.people, readers, strict=True):
                async with asyncio.timeout(WAIT_S):
                    got = [await anext(reader) for _ in truth]
                assert [message.seq for message in got] == [message["seq"] for message in truth]
                await assert_caught_up(one, scenario.room, truth)
                for thread in [room for room in one.rooms if room.startswith(f"{scenario.room}.")]:
                    await assert_caught_up(
                        one, thread, await history(server, tokens["ana"], thread)
                    )

    asyncio.run(run())


async def test_a_locked_account_cannot_reconnect(
    server: Server, ana: Client, tokens: dict[str, str]
) -> None:
    token = (await accounts(server, "dee"))["dee"]
    async with client.connect(server.url, token, backoff=QUICK) as dee:
        messages = dee.messages("lobby")
        await ana.do(DisableUser(user="dee"))
        async with asyncio.timeout(WAIT_S):
            with pytest.raises((SignInRequired, Forbidden)):
                await anext(messages)
