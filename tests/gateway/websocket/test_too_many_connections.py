"""A refused connection gets an error over the WebSocket, in its own dialect."""

from collections.abc import Iterator
from contextlib import ExitStack

import aiohttp
import pytest

from hubbub.wire.frames import CLOSE_TRY_LATER
from tests.support.chat import SUBPROTOCOL, TIMEOUT_S, RestApi
from tests.support.server import Server


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RestApi]:
    with ExitStack() as stack:
        data = tmp_path_factory.mktemp("slots") / "data"
        server = Server(data, "--connections-per-user", "1", limits=True)
        stack.callback(server.kill)
        yield RestApi(server.start(), "ana")


@pytest.mark.parametrize(
    ("protocols", "error"),
    [
        ((SUBPROTOCOL,), '"code":"too_many_connections"'),
        ((), "* You may have at most 1 connections at once. Close one first."),
    ],
    ids=["json", "text"],
)
async def test_one_connection_too_many_gets_an_error_and_may_retry_later(
    api: RestApi, protocols: tuple[str, ...], error: str
) -> None:
    headers = {"Authorization": f"Bearer {api.tokens['ana']}"}
    url = api.server.socket_url
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.ws_connect(url, protocols=(SUBPROTOCOL,)) as first,
    ):
        await first.send_str('{"id":1,"do":"about"}')  # its reply: the connection has its slot
        assert '"re":1' in (await first.receive(TIMEOUT_S)).data
        async with http.ws_connect(url, protocols=protocols) as second:
            assert error in (await second.receive(TIMEOUT_S)).data
            await second.receive(TIMEOUT_S)
            assert second.close_code == CLOSE_TRY_LATER
