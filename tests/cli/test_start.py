"""The greeting of a server that has started, and the effect of its settings."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MakeServer
from tests.support.chat import PASSWORD, RestApi
from tests.support.command import hubbub
from tests.support.server import Server
from tests.support.waiting import until


async def greeting(server: Server) -> str:
    """Wait for the complete greeting."""
    await until(lambda: "Ctrl-C" in server.output)
    return server.output


def lines_of(text: str) -> dict[str, str]:
    """The lines of a greeting by their label; continuation lines are joined."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        if fields := re.fullmatch(r"  (\S.{0,14}?) {2,}(.*)", line):
            found[fields[1]] = fields[2]
        elif found and line.strip():
            found[list(found)[-1]] += " " + line.strip()
    return found


def sign_up(api: RestApi, name: str, **more: str) -> tuple[int, dict[str, Any]]:
    return api.request("POST", "sign-up", {"name": name, "password": PASSWORD, **more})


async def test_try_prints_its_address_who_may_join_and_how_to_stop(make_server: MakeServer) -> None:
    server = make_server().start()
    text = await greeting(server)
    fields = lines_of(text)

    assert max(map(len, text.splitlines())) <= max(80, 20 + len(str(server.data)))
    assert fields["Open"] == f"http://localhost:{server.port}"
    assert fields["Other devices"].startswith("hubbub try --host 0.0.0.0")
    assert "make" not in text
    assert "Anyone in the network can then join." in fields["Other devices"]
    assert fields["Joining"] == "open to everyone; guests may look in"
    assert fields["Owner"] == "nobody yet. The first to sign up owns this server."
    assert fields["Data"] == str(server.data)
    assert fields["Stop"] == "Ctrl-C"
    assert server.log == "", "nothing is logged without a problem"

    api = RestApi(server)
    assert sign_up(api, "ana")[1]["me"]["role"] == "owner"
    assert sign_up(api, "bo")[1]["me"]["role"] == "member"
    server.stop()
    server.start()
    assert "Owner" not in lines_of(await greeting(server)), "there is one now"


async def test_on_all_addresses_it_warns_that_others_can_join(make_server: MakeServer) -> None:
    all_addresses = "0.0.0.0"  # noqa: S104 - what the option is for
    server = make_server("--host", all_addresses, limits=True).start()
    fields = lines_of(await greeting(server))

    assert fields["Open"].startswith(f"http://localhost:{server.port}")
    assert "Anyone in the network can join." in " ".join(fields.values())


async def test_serve_prints_a_link_that_makes_one_person_the_owner(
    make_server: MakeServer,
) -> None:
    server = make_server(command="serve").start()
    api = RestApi(server)
    fields = lines_of(await greeting(server))
    found = re.fullmatch(
        rf"nobody yet.* http://localhost:{server.port}/join/(\S+)", fields["Owner"]
    )

    assert found, fields["Owner"]
    assert fields["Joining"] == "by invitation; no guests"
    assert "Other devices" not in fields
    assert sign_up(api, "eve")[1]["code"] == "invite_required"
    assert api.request("POST", "guest", {})[0] == 403
    assert sign_up(api, "ana", invite=found[1])[1]["me"]["role"] == "owner"
    assert sign_up(api, "bo", invite=found[1])[1]["code"] == "invite_invalid"

    server.stop()
    server.start()
    assert "Owner" not in lines_of(await greeting(server))


async def test_each_start_without_an_owner_prints_a_new_link_and_voids_the_old_one(
    make_server: MakeServer,
) -> None:
    server = make_server("--public-url", "https://chat.example.org", command="serve")
    codes = []
    for _ in range(2):
        server.start()
        fields = lines_of(await greeting(server))
        assert fields["Open"] == "https://chat.example.org"
        codes.append(fields["Owner"].partition("https://chat.example.org/join/")[2])
        if len(codes) < 2:
            server.stop()
    api = RestApi(server)

    assert sign_up(api, "ana", invite=codes[0])[1]["code"] == "invite_invalid"
    assert sign_up(api, "ana", invite=codes[1])[1]["me"]["role"] == "owner"


def test_variables_work_like_options_and_options_take_precedence(make_server: MakeServer) -> None:
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
    api = RestApi(server)
    about = api.ok("GET", "about")
    token = api.guest("ana")

    assert (about["registration"], about["guests"]) == ("invite", True)
    limited = [api.request("GET", "rooms", by=token)[0] for _ in range(3)]
    assert limited == [200, 200, 429], "HUBBUB_COMMANDS_PER_USER"
    assert "https://chat.example.org/join/" in server.output
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
def test_a_link_begins_with_the_address_in_the_variables(
    environment: dict[str, str], link: str, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    text = hubbub("invite", environment={**environment, "HUBBUB_DATA": str(data)})

    assert text.out.startswith(link)
    assert (data / "hubbub.db").exists()


def test_only_the_user_can_read_the_data_folder(server: Server) -> None:
    assert server.data.stat().st_mode & 0o777 == 0o700
    for file in server.data.iterdir():
        assert file.stat().st_mode & 0o077 == 0, file
