"""deploy/nginx.conf in the real nginx, with Hubbub behind it as in deploy/README.md."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from hubbub.model.messages import FRAME_MAX_BYTES, TEXT_MAX
from tests.deploy import nginx as real
from tests.deploy.nginx import NAME, Client, Nginx
from tests.support.chat import SUBPROTOCOL, JsonClient, TextClient
from tests.support.site import Site

PER_ADDRESS = 3

# One test worker starts one nginx.
pytestmark = [
    pytest.mark.xdist_group("nginx"),
    pytest.mark.skipif(real.skip_reason() is not None, reason=str(real.skip_reason())),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(
        tmp_path_factory.mktemp("site") / "data",
        public_url=f"https://{NAME}",
        trusted_proxies=("127.0.0.1",),
        limits=True,
        connections_per_address=PER_ADDRESS,
    ).start()
    yield made
    made.stop()
    made.assert_nothing_logged()


@pytest.fixture(scope="module")
def nginx(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    folder: Path = tmp_path_factory.mktemp("nginx")
    with Nginx(folder, site.port).running() as running:
        yield running
        # nginx would have warned if it had written a message to a file.
        assert "[warn]" not in running.log, running.log


@pytest.fixture
async def client(nginx: Nginx) -> AsyncIterator[Client]:
    async with nginx.client() as one:
        yield one


async def test_the_page_and_the_api_come_through_with_the_headers_of_hubbub(client: Client) -> None:
    page, body = await client.call("GET", "/")
    assert page.status == 200
    assert b"<html" in body
    # Only Hubbub sets it.
    assert page.headers.getall("Strict-Transport-Security") == ["max-age=31536000"]
    me, _ = await client.call("GET", "/api/me")
    assert (me.status, me.headers["Cache-Control"]) == (401, "no-store")


async def test_plain_http_is_redirected_to_https(nginx: Nginx, client: Client) -> None:
    plain = f"http://{NAME}:{nginx.plain_port}/r/lobby?at=1"
    answer, _ = await client.call("GET", plain)
    assert (answer.status, answer.headers["Location"]) == (301, f"https://{NAME}/r/lobby?at=1")


async def test_both_websocket_protocols_work_through_nginx(site: Site, client: Client) -> None:
    ana = site.person()
    script = JsonClient(await client.socket("/ws", SUBPROTOCOL, token=ana.token))
    terminal = TextClient(await client.socket("/ws?name=zoe"))
    await script.do("hello")
    await terminal.line("* You are in")
    await script.do("post", room="lobby", text="from a script")
    await terminal.line(f"{ana.name}: from a script")
    await terminal.say("from a terminal")
    assert (await script.event("message", text="from a terminal"))["by"] == "~zoe"
    for one in (script, terminal):
        await one.end()


async def test_a_browser_connects_with_its_cookie(site: Site, client: Client) -> None:
    origin = {"Origin": f"https://{NAME}"}
    signed_in, _ = await client.call("POST", "/api/guest", json={}, headers=origin)
    assert signed_in.status == 200
    cookie = signed_in.headers["Set-Cookie"]
    assert "; Secure" in cookie
    browser = JsonClient(
        await client.socket("/ws", SUBPROTOCOL, Cookie=cookie.partition(";")[0], **origin)
    )
    assert (await browser.do("hello"))["me"]["role"] == "guest"
    await browser.end()
    with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
        await client.socket("/ws", SUBPROTOCOL, Origin="https://elsewhere.example.org")


async def test_the_longest_message_passes_and_a_larger_frame_closes_the_socket(
    site: Site, client: Client
) -> None:
    socket = await client.socket("/ws", SUBPROTOCOL, token=site.person().token)
    ana = JsonClient(socket)
    await ana.do("hello")
    longest = "語" * TEXT_MAX
    await ana.do("post", room="lobby", text=longest)
    await ana.event("message", text=longest)
    await socket.send_str("x" * (FRAME_MAX_BYTES + 1))
    assert await ana.close_code() == 1009
    await ana.end()


async def test_a_body_that_is_too_large_is_refused_by_hubbub_and_a_huge_one_by_nginx(
    site: Site, client: Client
) -> None:
    path, token = "/api/rooms/lobby/messages", site.owner.token
    body = b" " * (FRAME_MAX_BYTES + 1)
    refused, answer = await client.call("POST", path, token=token, data=body)
    assert (refused.status, refused.content_type) == (413, "application/problem+json")
    assert json.loads(answer)["code"] == "too_large"
    refused, _ = await client.call("POST", path, token=token, data=body * 2)
    assert (refused.status, refused.content_type) == (413, "text/html")


async def test_everyone_has_the_limits_of_their_own_address(nginx: Nginx, client: Client) -> None:
    open_now = [await client.socket("/ws/echo") for _ in range(PER_ADDRESS)]
    with pytest.raises(aiohttp.WSServerHandshakeError, match="429"):
        await client.socket("/ws/echo")
    async with nginx.client() as other:
        await (await other.socket("/ws/echo")).close()
    for one in open_now:
        await one.close()


@pytest.mark.parametrize("header", ["X_Forwarded_For", "X_Real_IP", "Forwarded"])
async def test_a_forged_x_forwarded_for_is_ignored(client: Client, header: str) -> None:
    open_now = []
    for nth in range(PER_ADDRESS):
        claimed = {header: f"203.0.113.{nth}, 127.0.0.1"}
        open_now.append(await client.socket("/ws/echo", **claimed))
    with pytest.raises(aiohttp.WSServerHandshakeError, match="429"):
        await client.socket("/ws/echo", **{header: "203.0.113.200"})
    for one in open_now:
        await one.close()


async def test_hubbub_trusts_only_the_proxy(site: Site) -> None:
    """A client that bypasses nginx and forges X-Forwarded-For."""
    connector = aiohttp.TCPConnector(local_addr=(real.new_address(), 0))
    async with aiohttp.ClientSession(connector=connector) as session:
        url = f"{site.url}/ws/echo"

        async def come(claimed: str) -> aiohttp.ClientWebSocketResponse:
            return await session.ws_connect(url, headers={"X-Forwarded-For": claimed})

        open_now = [await come(f"203.0.113.{nth}") for nth in range(PER_ADDRESS)]
        with pytest.raises(aiohttp.WSServerHandshakeError, match="429"):
            await come("203.0.113.200")
        for one in open_now:
            await one.close()


async def test_metrics_are_not_public(client: Client) -> None:
    answer, _ = await client.call("GET", "/metrics")
    assert answer.status == 403
