"""The compose files refer only to existing things and are consistent. Docker is not run."""

import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote

import pytest

from hubbub.live.cluster.bus import BusError
from hubbub.live.cluster.nats import NatsBus
from tests.docs import pages
from tests.support.server import HOST, free_port
from tests.support.waiting import until

DEPLOY = pages.ROOT / "deploy"
COMPOSE = {path.name: path.read_text() for path in sorted(DEPLOY.glob("compose*.yaml"))}
CLUSTER = COMPOSE["compose.cluster.yaml"]
EACH = pytest.mark.parametrize("name", COMPOSE)

NEEDLESS_RIGHTS = (
    "restart: unless-stopped",
    "read_only: true",
    "tmpfs:\n      - /tmp",
    "cap_drop:\n      - ALL",
    "security_opt:\n      - no-new-privileges:true",
    "logging: ",
)


def services(text: str) -> dict[str, str]:
    """The text of each service, including what it merges from ``x-hubbub``."""
    body = text[text.index("\nservices:") : text.index("\nnetworks:")]
    if shared := re.search(r"(?ms)^x-hubbub: &hubbub\n(.*?)\n(?=services:)", text):
        deeper = re.sub(r"(?m)^  ", "    ", shared[1])
        body = body.replace("    <<: *hubbub\n", deeper)
    parts = re.split(r"^  ([\w-]+):$", body, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def chat_services(text: str) -> dict[str, str]:
    return {name: service for name, service in services(text).items() if "hubbub" in name}


def test_there_are_one_server_and_three() -> None:
    assert [len(chat_services(text)) for text in COMPOSE.values()] == [3, 1]


@EACH
def test_mounted_and_built_files_exist(name: str) -> None:
    text = COMPOSE[name]
    [context] = re.findall(r"context: (\S+)", text)
    [dockerfile] = re.findall(r"dockerfile: (\S+)", text)
    assert (DEPLOY / context).resolve() == pages.ROOT
    assert (pages.ROOT / dockerfile).is_file()
    for mounted in re.findall(r"- (\./[^:]+):", text):
        assert (DEPLOY / mounted).is_file()


@EACH
def test_every_volume_network_and_service_that_is_named_is_declared(name: str) -> None:
    text = COMPOSE[name]
    declared = re.findall(r"^  (\w+):$", text[text.index("\nvolumes:") :], re.MULTILINE)
    named = re.findall(r"- (\w+):/", text)
    assert sorted(named) == sorted(declared), "each is used"
    for service in services(text).values():
        assert re.search(r"networks:\n +(- )?chat", service)
        if needed := re.search(r"depends_on:\n((?:      .*\n)+)", service):
            assert set(re.findall(r"^      (?:- )?([\w-]+)", needed[1], re.MULTILINE)) <= set(
                services(text)
            )


@EACH
def test_no_container_has_rights_that_it_does_not_need(name: str) -> None:
    for service, text in services(COMPOSE[name]).items():
        for line in NEEDLESS_RIGHTS:
            assert f"    {line}" in text, f"{service} has no {line}"
    for service in ("postgres", "nats"):
        assert "    user: " in services(CLUSTER)[service]


@EACH
def test_hubbub_trusts_only_the_address_that_compose_gives_to_caddy(name: str) -> None:
    given = re.findall(r"ipv4_address: (\S+)", services(COMPOSE[name])["caddy"])
    for service, text in services(COMPOSE[name]).items():
        # Only Caddy publishes ports.
        assert ("ports:" in text) == (service == "caddy")
    for text in chat_services(COMPOSE[name]).values():
        assert re.findall(r"HUBBUB_TRUSTED_PROXIES: (\S+)", text) == given


@EACH
def test_caddy_gets_the_variables_of_its_configuration(name: str) -> None:
    caddy = services(COMPOSE[name])["caddy"]
    asked = set(re.findall(r"\{\$(\w+):", (DEPLOY / "Caddyfile").read_text()))
    assert asked == set(re.findall(r"^      (\w+): ", caddy, re.MULTILINE))
    [upstream] = re.findall(r"CHAT_UPSTREAM: (.+)", caddy)
    assert upstream.split() == [f"{service}:8080" for service in chat_services(COMPOSE[name])]


@EACH
def test_each_server_has_a_name_and_a_folder_of_its_own(name: str) -> None:
    servers = chat_services(COMPOSE[name])
    for service, text in servers.items():
        assert re.findall(r"hostname: (\S+)", text) == [service]
    folders = [re.findall(r"- (\w+):/data", text) for text in servers.values()]
    assert len({folder for [folder] in folders}) == len(servers)


def test_passwords_are_required_variables() -> None:
    for name in ("POSTGRES_PASSWORD", "NATS_PASSWORD", "CHAT_HOST"):
        assert f"${{{name}:?" in CLUSTER
        assert not re.search(rf"{name}: (?!.*\$\{{{name}\}})", CLUSTER)


def test_the_addresses_that_servers_are_given_are_those_of_the_others() -> None:
    known = services(CLUSTER)
    [user, host, database] = re.findall(
        r"HUBBUB_DATABASE: postgresql://(\w+):\S* .*@(.+)/(.+)", CLUSTER
    )[0]
    assert host in known
    assert f"POSTGRES_USER: {user}\n" in known[host]
    assert f"POSTGRES_DB: {database}\n" in known[host]
    [(user, host, port)] = re.findall(r"HUBBUB_BUS: nats://(\w+):.*@(\w+):(\d+)", CLUSTER)
    assert host in known
    configuration = (DEPLOY / "nats.conf").read_text()
    assert f"user: {user}\n" in configuration
    assert f":{port}" in configuration


def test_the_created_database_supports_all_letters() -> None:
    [arguments] = re.findall(r"POSTGRES_INITDB_ARGS: (.+)", CLUSTER)
    assert {"--encoding=UTF8", "--lc-ctype=C.UTF-8"} <= set(arguments.split())


@contextlib.contextmanager
def shipped_nats(folder: Path, password: str) -> Iterator[tuple[int, int]]:
    """A NATS with our configuration and environment; yields its port and its health port."""
    [given] = re.findall(r"NATS_PASSWORD: '(.+)'", CLUSTER)
    ports = free_port(), free_port()
    text = (DEPLOY / "nats.conf").read_text()
    for shipped, port in zip(('"0.0.0.0:4222"', '"127.0.0.1:8222"'), ports, strict=True):
        assert shipped in text
        text = text.replace(shipped, f'"{HOST}:{port}"')
    configuration = folder / "nats.conf"
    configuration.write_text(text)
    process = subprocess.Popen(
        [Path(sys.executable).with_name("nats-server"), "--config", configuration],
        env={"NATS_PASSWORD": given.replace("${NATS_PASSWORD}", password)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield ports
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("password", ["12345678", "4f1e6c", "it is/a:secret?"])
async def test_nats_accepts_the_password_that_compose_gives_it(
    tmp_path: Path, password: str
) -> None:
    with shipped_nats(tmp_path, password) as (port, health):
        await until(lambda: health_of(health) == 200)
        bus = NatsBus(f"nats://hubbub:{quote(password, safe='')}@{HOST}:{port}", "test")
        await bus.start()
        await bus.stop()
        with pytest.raises(BusError, match="refuses the password"):
            await NatsBus(f"nats://hubbub:wrong@{HOST}:{port}", "test").start()


def health_of(port: int) -> int:
    """The status of the container's health check; 0 if nothing listens."""
    [path] = re.findall(r"http://127\.0\.0\.1:8222(/\w+)", services(CLUSTER)["nats"])
    connection = HTTPConnection(HOST, port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()
