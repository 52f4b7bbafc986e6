"""The client's tables are complete, and agree with the server's routes."""

import pytest

from hubbub.client import REPLIES, LeaveReply, SyncReply, frames
from hubbub.client.replies import OVER_HTTP, REPEATABLE, UNANSWERED, reply_of
from hubbub.gateway.http.routes import ROUTES
from hubbub.model.accounts import UpdateServer
from hubbub.model.base import Done, Query
from hubbub.model.commands import COMMANDS, HTTP_ONLY
from hubbub.model.messages import Changed, Sync
from hubbub.model.rooms import Leave, MembersChanged, SetRole

# Replies over a socket that differ from HTTP: a sync's events are separate frames, the server's
# new information comes as an event, and guests leave without having been members.
SOCKET_REPLIES = {Sync: SyncReply, UpdateServer: Done, Leave: LeaveReply}


def test_every_command_has_a_reply_type_or_no_reply() -> None:
    assert set(REPLIES) | UNANSWERED == set(COMMANDS.values())
    assert not set(REPLIES) & UNANSWERED


def test_the_types_of_replies_are_those_of_the_routes() -> None:
    for route in ROUTES:
        if route.command in SOCKET_REPLIES:
            assert REPLIES[route.command] is SOCKET_REPLIES[route.command]
        elif route.name != "set_server_role":
            assert REPLIES[route.command] is route.reply, route.path


def test_setting_a_server_role_is_answered_with_my_rev() -> None:
    assert reply_of(SetRole(user="ana", role="admin")) is Changed
    assert reply_of(SetRole(user="ana", role="owner", room="lobby")) is MembersChanged


def test_the_http_paths_are_those_of_the_server() -> None:
    assert {command.word() for command in OVER_HTTP} == HTTP_ONLY
    routed = {route.command: (route.method, route.path) for route in ROUTES}
    for command, route in OVER_HTTP.items():
        assert routed[command] == route


def test_only_commands_that_change_something_are_marked_as_repeatable() -> None:
    assert not any(issubclass(command, Query) for command in REPEATABLE)
    assert set(COMMANDS.values()) >= REPEATABLE


@pytest.mark.parametrize("code", [*frames.ERRORS, "of a newer server"])
def test_every_error_is_raised_with_its_code_and_sentence(code: str) -> None:
    error = frames.error_of(code, "a sentence", 2.0)
    assert (error.code, error.message, error.retry_after) == (code, "a sentence", 2.0)
