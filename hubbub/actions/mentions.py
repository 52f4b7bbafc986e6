"""Mentions: who is mentioned in a message, and the list of one's own mentions.

A handle mentions one person, ``@room`` everybody in the room, and ``@here`` those in it who are
online.
"""

from collections.abc import Sequence
from typing import NamedTuple

from hubbub.actions.access import get_own_account
from hubbub.actions.paging import fit_into_reply, format_cursor, parse_cursor
from hubbub.actions.registry import answers
from hubbub.actions.views import list_people, message_event
from hubbub.model import policy
from hubbub.model.accounts import Actor
from hubbub.model.mentions import MentionEntry, Mentions, MentionsPage
from hubbub.model.messages import EVERYBODY, mentioned_names
from hubbub.model.policy import Action, RoomKind, RoomRole
from hubbub.model.rooms import SMALL_ROOM
from hubbub.store.engines.sql import Values
from hubbub.store.statements.rooms import RoomRow
from hubbub.store.tx import Tx


class MentionCandidates(NamedTuple):
    """The words after the ``@`` signs of a text, before they are resolved to people.

    ``role`` is the author's role in the room, or in the parent of a thread; ``present`` are the
    handles that ``@here`` means.
    """

    names: list[str]
    actor: Actor
    role: str | None
    author_id: int
    present: tuple[str, ...] = ()


class ResolvedMentions(NamedTuple):
    """The mentions of a message.

    ``names`` are the words that the event carries. For the people in ``by_name`` (mentioned by
    handle) and ``present`` (by ``@here``), and for all members if ``everybody``, the mention
    counts as unread. Authors never mention themselves.
    """

    names: tuple[str, ...] = ()
    by_name: frozenset[int] = frozenset()
    present: frozenset[int] = frozenset()
    everybody: bool = False


NO_MENTIONS = ResolvedMentions()


def find_candidates(
    text: str, actor: Actor, role: str | None, author_id: int, present: tuple[str, ...] = ()
) -> MentionCandidates | None:
    names = mentioned_names(text)
    return MentionCandidates(names, actor, role, author_id, present) if names else None


def resolve(
    tx: Tx, room: RoomRow, home: RoomRow, texts: Sequence[MentionCandidates | None]
) -> list[ResolvedMentions]:
    """The mentions of several texts in one room, in the same order.

    Only people who can read the text are mentioned: members of ``home``, which is the room or the
    parent of a thread. In a thread ``@room`` means those who follow it.
    """
    if not any(texts):
        return [NO_MENTIONS] * len(texts)
    candidates = [text for text in texts if text]
    members = _member_ids(tx, home, {name for text in candidates for name in text.names})
    present = {name for text in candidates if "@here" in text.names for name in text.present}
    here = _member_ids(tx, room, present)
    return [
        _resolve_one(text, room, home, members, here) if text else NO_MENTIONS for text in texts
    ]


def _member_ids(tx: Tx, room: RoomRow, names: set[str]) -> dict[str, int]:
    wanted = sorted(names.difference(EVERYBODY))
    return tx.members_named(room.pk, wanted) if wanted else {}


def _resolve_one(
    text: MentionCandidates,
    room: RoomRow,
    home: RoomRow,
    members: dict[str, int],
    here: dict[str, int],
) -> ResolvedMentions:
    groups = [name for name in text.names if name in EVERYBODY]
    if not text.present and "@here" in groups:
        groups.remove("@here")
    if groups and not may_mention_groups(text.actor, room, home, text.role):
        groups = []
    names = tuple(name for name in text.names if name in members or name in groups)
    present = [here[name] for name in text.present if name in here] if "@here" in names else []
    return ResolvedMentions(
        names=names,
        by_name=frozenset(members[name] for name in names if name in members) - {text.author_id},
        present=frozenset(present) - {text.author_id},
        everybody="@room" in names,
    )


def may_mention_groups(actor: Actor, room: RoomRow, home: RoomRow, role: str | None) -> bool:
    """Whether ``@room`` and ``@here`` by this actor are mentions and not just text."""
    action = Action.MENTION_LARGE_ROOM if room.members > SMALL_ROOM else Action.MENTION_ALL
    kind, room_role = RoomKind(home.kind), RoomRole(role) if role else None
    return policy.allows(action, policy.room_standings(actor.role, kind, room_role))


def save(tx: Tx, room_pk: int, resolved: Sequence[tuple[int, ResolvedMentions]]) -> None:
    """Store mentions, given with the seqs of their messages; ``@room`` is one row for all."""
    rows: list[Values] = [
        {"user_id": user_id, "room_pk": room_pk, "seq": seq}
        for seq, found in resolved
        for user_id in (() if found.everybody else sorted(found.by_name | found.present))
    ]
    if rows:
        tx.add_mentions(rows)
    everybody: list[Values] = [
        {"room_pk": room_pk, "seq": seq} for seq, found in resolved if found.everybody
    ]
    if everybody:
        tx.add_room_mentions(everybody)


@answers(Mentions)
def mentions(tx: Tx, actor: Actor, query: Mentions) -> MentionsPage:
    me = get_own_account(tx, actor, Action.USE_PERSONAL_LISTS)
    rows = tx.list_mentions(me.id, parse_cursor(query.after), query.limit + 1, unread=query.unread)
    unlimited = (
        MentionEntry(
            message=message_event(row.room, row.message), unread=row.message.seq > row.read_seq
        )
        for row in rows[: query.limit]
    )
    entries = fit_into_reply(unlimited, lambda entry: len(entry.message.text))
    page = rows[: len(entries)]
    cursor = None
    if len(rows) > len(page):
        last = page[-1]
        cursor = format_cursor(last.message.at, last.room_pk, last.message.seq)
    return MentionsPage(
        mentions=entries,
        people=list_people(tx, {entry.message.by for entry in entries}),
        cursor=cursor,
    )
