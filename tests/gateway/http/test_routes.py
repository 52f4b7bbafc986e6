"""The table of routes is complete and fits the commands."""

from hubbub.gateway.http.routes import ROUTES
from hubbub.model.base import Query
from hubbub.model.commands import COMMANDS, HTTP_ONLY, SOCKET_ONLY


def test_every_command_has_a_route_or_is_websocket_only() -> None:
    routed = {route.command.word() for route in ROUTES}
    assert routed == set(COMMANDS) - SOCKET_ONLY
    assert routed >= HTTP_ONLY


def test_no_two_routes_answer_the_same_request() -> None:
    seen = [(route.method, route.path) for route in ROUTES]
    assert len(seen) == len(set(seen))


def test_every_name_in_a_path_is_a_field_of_the_command() -> None:
    for route in ROUTES:
        fields = set(route.command.__struct_fields__)
        assert set(route.in_path) <= fields, route.path
        assert set(route.in_path).isdisjoint(route.not_in_path), route.path


def test_get_routes_are_queries_and_no_others() -> None:
    for route in ROUTES:
        assert (route.method == "GET") == issubclass(route.command, Query), route.path
