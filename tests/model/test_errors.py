"""One tree of errors; programs go by the code, people by the sentence."""

import inspect
import re

import pytest

from hubbub.model import errors
from hubbub.model.errors import Busy, HubbubError, Unavailable

ERRORS = [
    found
    for _, found in inspect.getmembers(errors, inspect.isclass)
    if issubclass(found, HubbubError)
]

# The contract with clients: a code may be added, but none may change or go.
STABLE = {
    "busy": 503,
    "conflict": 409,
    "forbidden": 403,
    "internal": 500,
    "invalid": 422,
    "invite_invalid": 403,
    "invite_required": 403,
    "last_owner": 409,
    "malformed": 400,
    "name_taken": 409,
    "not_found": 404,
    "not_member": 403,
    "rate_limited": 429,
    "registration_closed": 403,
    "sign_in_required": 401,
    "too_large": 413,
    "quota_reached": 429,
    "too_many_connections": 429,
    "unavailable": 503,
    "unknown_command": 400,
    "wrong_credentials": 401,
    "wrong_host": 421,
    "wrong_origin": 403,
}


def test_codes_and_statuses_are_the_contract() -> None:
    assert {error.code: error.status for error in ERRORS} == STABLE
    assert len(ERRORS) == len(STABLE), "two errors have one code"


def test_the_whole_tree_is_found_and_its_codes_are_unique() -> None:
    # The Python client has its own below ours: what came over the wire, and that nothing came.
    found = [each for each in errors.every_error() if "client" not in each.__module__]
    assert set(ERRORS) <= set(found)
    # Those of the data folder, the database and the address are told on the command line only.
    assert len({error.code for error in found}) == len(set(found))


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.code)
def test_each_error_has_a_sentence(error: type[HubbubError]) -> None:
    assert re.fullmatch(r"[A-Z].*\.", error.title)
    assert error().message == str(error()) == error.title
    assert error("Something else.").message == "Something else."
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", error.code)


def test_trying_again_helps_where_the_error_says_when() -> None:
    assert (Busy().retry_after, Unavailable().retry_after) == (1.0, 2.0)
    assert HubbubError().retry_after is None
    assert HubbubError(retry_after=3.0).retry_after == 3.0


@pytest.mark.parametrize(("wait_s", "told"), [(0.0001, 0.01), (0.994, 1.0), (2.0, 2.0)])
def test_the_time_to_wait_is_rounded_up(wait_s: float, told: float) -> None:
    assert errors.RateLimited(retry_after=wait_s).retry_after == told
