"""Who has no seat left is told so over the socket, in its own dialect."""

from collections.abc import Iterator
from contextlib import ExitStack

import aiohttp
import pytest

from hubbub.wire.frames import CLOSE_TRY_LATER
from tests.support.chat import SUBPROTOCOL, TIMEOUT_S, House
from tests.support.server import Server


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with ExitStack() as stack:
        data = tmp_path_factory.mktemp("seats") / "data"
        server = Server(data, "--connections-per-user", "1", limits=True)
        stack.callback(server.kill)
        yield House(server.start(), "ana")


@pytest.mark.parametrize(
    ("protocols", "said"),
    [
        ((SUBPROTOCOL,), '"code":"too_many_connections"'),
        ((), "* No more than 1 connections of yours at once. Close one first."),
    ],
    ids=["json", "text"],
)
async def test_one_connection_too_many_is_refused_in_words_and_may_come_later(
    house: House, protocols: tuple[str, ...], said: str
) -> None:
    headers = {"Authorization": f"Bearer {house.tokens['ana']}"}
    url = house.server.socket_url
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.ws_connect(url, protocols=(SUBPROTOCOL,)) as first,
    ):
        await first.send_str('{"id":1,"do":"about"}')  # its answer: this one has its seat
        assert '"re":1' in (await first.receive(TIMEOUT_S)).data
        async with http.ws_connect(url, protocols=protocols) as second:
            assert said in (await second.receive(TIMEOUT_S)).data
            await second.receive(TIMEOUT_S)
            assert second.close_code == CLOSE_TRY_LATER
