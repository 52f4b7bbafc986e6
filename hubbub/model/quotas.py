"""How much one person may make, add and keep: every quota with its default and its sentence.

A quota is one field of `Quotas`. The setting, its option and the check in an action come from it.
"""

from collections.abc import Mapping
from typing import Annotated, get_type_hints

import msgspec

from hubbub.model.errors import Conflict, HubbubError, QuotaReached

QUOTA_MAX = 1_000_000
DAY_MS = 24 * 3600 * 1000


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """What a quota bounds.

    ``tells`` is its option's help. ``refusal`` is said to whoever meets it, with ``{limit}`` filled
    in. A daily one counts what was done since 00:00 UTC; the others what there is at the moment.
    """

    tells: str
    refusal: str
    is_daily: bool = False
    spares_admins: bool = False
    error: type[HubbubError] = QuotaReached


class Quotas(msgspec.Struct, frozen=True, kw_only=True):
    """The limits in force. Their defaults are far above what anybody does by hand."""

    # Admins are spared where a whole school or company could not be moved in otherwise; they are
    # trusted with more than that.
    rooms_made_per_day: Annotated[
        int,
        Quota(
            tells="Rooms a person may make",
            refusal="You have made {limit} rooms and conversations today, which is the most. "
            "Use one of those, or go on tomorrow.",
            is_daily=True,
            spares_admins=True,
        ),
    ] = 100
    people_added_per_day: Annotated[
        int,
        Quota(
            tells="People a person may add to rooms",
            refusal="You may add {limit} people to rooms and conversations a day. "
            "Add the others tomorrow, or ask an admin.",
            is_daily=True,
            spares_admins=True,
        ),
    ] = 500
    times_added_per_day: Annotated[
        int,
        Quota(
            tells="Times others may add a person",
            refusal="They have been added to {limit} rooms today, which is the most.",
            is_daily=True,
            spares_admins=True,
        ),
    ] = 100
    threads_begun_per_day: Annotated[
        int,
        Quota(
            tells="Threads a person may begin",
            refusal="You have begun {limit} threads today, which is the most. "
            "Answer in the room itself, or in a thread that is there.",
            is_daily=True,
        ),
    ] = 500
    rooms_per_user: Annotated[
        int,
        Quota(
            tells="Rooms a person may be in",
            refusal="You are in {limit} rooms, which is the most. Leave some first.",
        ),
    ] = 1_000
    threads_per_user: Annotated[
        int,
        Quota(
            tells="Threads a person may follow",
            # Not said at present: the thread that began first is no longer followed instead.
            refusal="You follow {limit} threads, which is the most. Leave some first.",
        ),
    ] = 2_000
    invites_per_user: Annotated[
        int,
        Quota(
            tells="Open invites an admin may have",
            refusal="You have {limit} open invite links, which is the most. End some first, "
            "or make one that is good for several people.",
        ),
    ] = 1_000
    sessions_per_user: Annotated[
        int,
        Quota(
            tells="Sign-ins that are kept",
            # Not said at present: the session that was unused for longest ends instead.
            refusal="You are signed in {limit} times, which is the most. End some sessions first.",
        ),
    ] = 100
    drafts_per_user: Annotated[
        int,
        Quota(
            tells="Drafts a person may keep",
            refusal="You have {limit} drafts, which is the most. Send or clear some.",
            error=Conflict,  # as version 1 of the protocol has it; so for the next ones
        ),
    ] = 200
    bookmarks_per_user: Annotated[
        int,
        Quota(
            tells="Bookmarks a person may keep",
            refusal="You have {limit} bookmarks, which is the most. Remove some.",
            error=Conflict,
        ),
    ] = 1_000
    blocks_per_user: Annotated[
        int,
        Quota(
            tells="People a person may block",
            refusal="You have blocked {limit} people, which is the most. Unblock some first.",
        ),
    ] = 1_000
    pins_per_room: Annotated[
        int,
        Quota(
            tells="Pinned messages",
            refusal="A room has at most {limit} pinned messages. Take one off first.",
            error=Conflict,
        ),
    ] = 100
    reactions_per_message: Annotated[
        int,
        Quota(
            tells="Different emoji",
            refusal="A message has at most {limit} different reactions. Choose one of those.",
            error=Conflict,
        ),
    ] = 50


RULES: Mapping[str, Quota] = {
    name: hint.__metadata__[0] for name, hint in get_type_hints(Quotas, include_extras=True).items()
}

USUAL = Quotas()
UNBOUND = Quotas(**dict.fromkeys(RULES, QUOTA_MAX))
"""For measuring: as much as an operator may set."""
