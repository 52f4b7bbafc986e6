"""What a server says when it has started, and that it does what its settings say."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MakeServer
from tests.support.chat import PASSWORD, House
from tests.support.command import hubbub
from tests.support.server import Server
from tests.support.waiting import until


async def greeting(server: Server) -> str:
    """What it has said, once it has said all of it."""
    await until(lambda: "Ctrl-C" in server.said)
    return server.said


def lines_of(said: str) -> dict[str, str]:
    """What is said, by what it is about. What goes on in the next line is joined to it."""
    found: dict[str, str] = {}
    for line in said.splitlines():
        if told := re.fullmatch(r"  (\S.{0,14}?) {2,}(.*)", line):
            found[told[1]] = told[2]
        elif found and line.strip():
            found[list(found)[-1]] += " " + line.strip()
    return found


def sign_up(house: House, name: str, **more: str) -> tuple[int, dict[str, Any]]:
    return house.api("POST", "sign-up", {"name": name, "password": PASSWORD, **more})


async def test_try_says_where_it_is_who_may_join_and_how_to_stop(make_server: MakeServer) -> None:
    server = make_server().start()
    said = await greeting(server)
    told = lines_of(said)

    assert max(map(len, said.splitlines())) <= max(80, 20 + len(str(server.data)))
    assert told["Open"] == f"http://localhost:{server.port}"
    assert told["Other devices"].startswith("hubbub try --host 0.0.0.0")
    assert "make" not in said
    assert "Anyone in the network can then join." in told["Other devices"]
    assert told["Joining"] == "open to everyone; guests may look in"
    assert told["Owner"] == "nobody yet. The first to sign up owns this server."
    assert told["Data"] == str(server.data)
    assert told["Stop"] == "Ctrl-C"
    assert server.log == "", "nothing is wrong, so nothing is logged"

    house = House(server)
    assert sign_up(house, "ana")[1]["me"]["role"] == "owner"
    assert sign_up(house, "bo")[1]["me"]["role"] == "member"
    server.stop()
    server.start()
    assert "Owner" not in lines_of(await greeting(server)), "there is one now"


async def test_on_all_addresses_it_says_who_else_can_come_in(make_server: MakeServer) -> None:
    everywhere = "0.0.0.0"  # noqa: S104 - what the option is for
    server = make_server("--host", everywhere, limits=True).start()
    told = lines_of(await greeting(server))

    assert told["Open"].startswith(f"http://localhost:{server.port}")
    assert "Anyone in the network can join." in " ".join(told.values())


async def test_serve_prints_a_link_that_makes_one_person_the_owner(
    make_server: MakeServer,
) -> None:
    server = make_server(command="serve").start()
    house = House(server)
    told = lines_of(await greeting(server))
    found = re.fullmatch(rf"nobody yet.* http://localhost:{server.port}/join/(\S+)", told["Owner"])

    assert found, told["Owner"]
    assert told["Joining"] == "by invitation; no guests"
    assert "Other devices" not in told
    assert sign_up(house, "eve")[1]["code"] == "invite_required"
    assert house.api("POST", "guest", {})[0] == 403
    assert sign_up(house, "ana", invite=found[1])[1]["me"]["role"] == "owner"
    assert sign_up(house, "bo", invite=found[1])[1]["code"] == "invite_invalid"

    server.stop()
    server.start()
    assert "Owner" not in lines_of(await greeting(server))


async def test_each_start_without_an_owner_prints_a_link_that_voids_the_one_before(
    make_server: MakeServer,
) -> None:
    server = make_server("--public-url", "https://chat.example.org", command="serve")
    codes = []
    for _ in range(2):
        server.start()
        told = lines_of(await greeting(server))
        assert told["Open"] == "https://chat.example.org"
        codes.append(told["Owner"].partition("https://chat.example.org/join/")[2])
        if len(codes) < 2:
            server.stop()
    house = House(server)

    assert sign_up(house, "ana", invite=codes[0])[1]["code"] == "invite_invalid"
    assert sign_up(house, "ana", invite=codes[1])[1]["me"]["role"] == "owner"


def test_variables_do_what_options_do_and_options_go_first(make_server: MakeServer) -> None:
    server = make_server(
        "--registration",
        "invite",
        command="serve",
        environment={
            "HUBBUB_HOST": "nowhere.invalid",
            "HUBBUB_PORT": "1",
            "HUBBUB_DATA": "/proc/nowhere",
            "HUBBUB_PUBLIC_URL": "https://Chat.example.org/",
            "HUBBUB_LOG_FORMAT": "json",
            "HUBBUB_REGISTRATION": "open",
            "HUBBUB_GUESTS": "true",
            "HUBBUB_ALLOWED_HOSTS": "chat.lan, chat.internal",
            "HUBBUB_ALLOWED_ORIGINS": "https://app.example.org",
            "HUBBUB_TRUSTED_PROXIES": "127.0.0.1",
            "HUBBUB_COMMANDS_PER_USER": "0.001:2",
            "HUBBUB_COMMANDS_PER_ADDRESS": "1000:1000",
            "HUBBUB_CONNECTIONS_PER_USER": "1",
            "HUBBUB_CONNECTIONS_PER_ADDRESS": "1",
            "HUBBUB_SEND_BUFFER_BYTES": "65536",
            "HUBBUB_NO_LIMITS": "false",
        },
        limits=True,
    ).start()
    house = House(server)
    about = house.ok("GET", "about")
    token = house.guest("ana")

    assert (about["registration"], about["guests"]) == ("invite", True)
    limited = [house.api("GET", "rooms", by=token)[0] for _ in range(3)]
    assert limited == [200, 200, 429], "HUBBUB_COMMANDS_PER_USER"
    assert "https://chat.example.org/join/" in server.said
    assert server.stop() == 0
    assert [json.loads(line)["event"] for line in server.log.splitlines()] == ["stopping"]


@pytest.mark.parametrize(
    ("environment", "link"),
    [
        ({"HUBBUB_PORT": "9000"}, "http://localhost:9000/join/"),
        ({"HUBBUB_HOST": "192.0.2.7"}, "http://192.0.2.7:8080/join/"),
        ({"HUBBUB_HOST": "::1", "HUBBUB_PORT": "81"}, "http://localhost:81/join/"),
        ({"HUBBUB_PUBLIC_URL": "https://chat.example.org"}, "https://chat.example.org/join/"),
    ],
)
def test_a_link_begins_as_the_variables_say(
    environment: dict[str, str], link: str, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    said = hubbub("invite", environment={**environment, "HUBBUB_DATA": str(data)})

    assert said.out.startswith(link)
    assert (data / "hubbub.db").exists()


def test_everything_in_the_data_folder_is_its_users_alone(server: Server) -> None:
    assert server.data.stat().st_mode & 0o777 == 0o700
    for file in server.data.iterdir():
        assert file.stat().st_mode & 0o077 == 0, file
