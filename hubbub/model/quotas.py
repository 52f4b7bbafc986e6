"""Quotas: limits on what one person may create and store.

Each quota is a field of `Quotas`. Its setting, its option and its check are derived from it.
"""

from collections.abc import Mapping
from typing import Annotated, get_type_hints

import msgspec

from hubbub.model.errors import Conflict, HubbubError, QuotaReached

QUOTA_MAX = 1_000_000
DAY_MS = 24 * 3600 * 1000


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """The rule of one quota.

    ``help_text`` is the help of its option, and ``refusal`` the error text at the limit, with
    ``{limit}`` filled in. A daily quota counts since 00:00 UTC; the others count what exists.
    """

    help_text: str
    refusal: str
    is_daily: bool = False
    exempts_admins: bool = False
    error: type[HubbubError] = QuotaReached


class Quotas(msgspec.Struct, frozen=True, kw_only=True):
    """The limits in force. Their defaults are far above what anybody does by hand."""

    # Admins are exempt from some quotas, so that they can set up a whole school or company.
    rooms_made_per_day: Annotated[
        int,
        Quota(
            help_text="Rooms a person may create",
            refusal="You can create at most {limit} rooms and conversations a day. "
            "Use an existing one, or try again tomorrow.",
            is_daily=True,
            exempts_admins=True,
        ),
    ] = 100
    people_added_per_day: Annotated[
        int,
        Quota(
            help_text="People a person may add to rooms",
            refusal="You can add at most {limit} people to rooms and conversations a day. "
            "Add the others tomorrow, or ask an admin.",
            is_daily=True,
            exempts_admins=True,
        ),
    ] = 500
    times_added_per_day: Annotated[
        int,
        Quota(
            help_text="Times others may add a person",
            refusal="A person can be added to at most {limit} rooms a day. Try again tomorrow.",
            is_daily=True,
            exempts_admins=True,
        ),
    ] = 100
    threads_begun_per_day: Annotated[
        int,
        Quota(
            help_text="Threads a person may start",
            refusal="You can start at most {limit} threads a day. "
            "Reply in the room, or in an existing thread.",
            is_daily=True,
        ),
    ] = 500
    rooms_per_user: Annotated[
        int,
        Quota(
            help_text="Rooms a person may join",
            refusal="You can be in at most {limit} rooms. Leave some first.",
        ),
    ] = 1_000
    threads_per_user: Annotated[
        int,
        Quota(
            help_text="Threads a person may follow",
            # Not used at present: instead, the oldest thread is unfollowed.
            refusal="You can follow at most {limit} threads. Unfollow some first.",
        ),
    ] = 2_000
    invites_per_user: Annotated[
        int,
        Quota(
            help_text="Open invites an admin may have",
            refusal="You can have at most {limit} open invite links. Revoke some first, "
            "or create one for several people.",
        ),
    ] = 1_000
    sessions_per_user: Annotated[
        int,
        Quota(
            help_text="Sessions a person may have",
            # Not used at present: instead, the session that was idle for longest ends.
            refusal="You can have at most {limit} sessions. End some first.",
        ),
    ] = 100
    drafts_per_user: Annotated[
        int,
        Quota(
            help_text="Drafts a person may keep",
            refusal="You can have at most {limit} drafts. Send or delete some first.",
            error=Conflict,  # fixed by version 1 of the protocol, like the next one
        ),
    ] = 200
    bookmarks_per_user: Annotated[
        int,
        Quota(
            help_text="Bookmarks a person may keep",
            refusal="You can have at most {limit} bookmarks. Remove some first.",
            error=Conflict,
        ),
    ] = 1_000
    blocks_per_user: Annotated[
        int,
        Quota(
            help_text="People a person may block",
            refusal="You can block at most {limit} people. Unblock some first.",
        ),
    ] = 1_000
    pins_per_room: Annotated[
        int,
        Quota(
            help_text="Pinned messages",
            refusal="A room can have at most {limit} pinned messages. Unpin one first.",
            error=Conflict,
        ),
    ] = 100
    reactions_per_message: Annotated[
        int,
        Quota(
            help_text="Different emoji",
            refusal="A message can have at most {limit} different reactions. Use one of those.",
            error=Conflict,
        ),
    ] = 50


QUOTA_RULES: Mapping[str, Quota] = {
    name: hint.__metadata__[0] for name, hint in get_type_hints(Quotas, include_extras=True).items()
}

DEFAULT_QUOTAS = Quotas()
MAXIMUM_QUOTAS = Quotas(**dict.fromkeys(QUOTA_RULES, QUOTA_MAX))
"""The highest limits that an operator may set, for benchmarks."""
