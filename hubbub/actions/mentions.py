"""Who is mentioned in a message: by name, as everybody in the room, or as those who are here."""

from collections.abc import Sequence
from typing import NamedTuple

from hubbub.model import policy
from hubbub.model.accounts import Actor
from hubbub.model.messages import EVERYBODY, mentioned_names
from hubbub.model.policy import Action, RoomKind, RoomRole
from hubbub.model.rooms import SMALL_ROOM
from hubbub.store.engines.sql import Values
from hubbub.store.statements.rooms import RoomRow
from hubbub.store.tx import Tx


class MentionCandidates(NamedTuple):
    """What a text says after its ``@`` signs, and who says it.

    ``role`` is theirs in the room, or in the one that the thread belongs to; ``present`` are
    those who are meant by ``@here``.
    """

    names: list[str]
    actor: Actor
    role: str | None
    author_id: int
    present: tuple[str, ...] = ()


class ResolvedMentions(NamedTuple):
    """Who is mentioned: ``shown`` is what everyone is told, the others for whom it counts.

    Nobody's own mentions count for them.
    """

    shown: tuple[str, ...] = ()
    by_name: frozenset[int] = frozenset()
    present: frozenset[int] = frozenset()
    everybody: bool = False


NO_MENTIONS = ResolvedMentions()


def names_in(
    text: str, actor: Actor, role: str | None, author_id: int, present: tuple[str, ...] = ()
) -> MentionCandidates | None:
    names = mentioned_names(text)
    return MentionCandidates(names, actor, role, author_id, present) if names else None


def resolve(
    tx: Tx, room: RoomRow, home: RoomRow, texts: Sequence[MentionCandidates | None]
) -> list[ResolvedMentions]:
    """Those who can read it: members of the room, or of the ``home`` that the thread belongs to.

    Everybody in a thread are those who follow it.
    """
    if not any(texts):
        return [NO_MENTIONS] * len(texts)
    said = [names for names in texts if names]
    members = _ids(tx, home, {name for names in said for name in names.names})
    present = {name for names in said if "@here" in names.names for name in names.present}
    here = _ids(tx, room, present)
    return [_named(names, room, home, members, here) if names else NO_MENTIONS for names in texts]


def _ids(tx: Tx, room: RoomRow, names: set[str]) -> dict[str, int]:
    wanted = sorted(names.difference(EVERYBODY))
    return tx.members_named(room.pk, wanted) if wanted else {}


def _named(
    names: MentionCandidates,
    room: RoomRow,
    home: RoomRow,
    members: dict[str, int],
    here: dict[str, int],
) -> ResolvedMentions:
    all_named = [name for name in names.names if name in EVERYBODY]
    if not names.present and "@here" in all_named:
        all_named.remove("@here")
    if all_named and not may_name_all(names.actor, room, home, names.role):
        all_named = []
    shown = tuple(name for name in names.names if name in members or name in all_named)
    present = [here[name] for name in names.present if name in here] if "@here" in shown else []
    return ResolvedMentions(
        shown=shown,
        by_name=frozenset(members[name] for name in shown if name in members) - {names.author_id},
        present=frozenset(present) - {names.author_id},
        everybody="@room" in shown,
    )


def may_name_all(actor: Actor, room: RoomRow, home: RoomRow, role: str | None) -> bool:
    """Whether somebody may call all who are in a room or thread; if not, it is just text."""
    action = Action.MENTION_CROWD if room.members > SMALL_ROOM else Action.MENTION_ALL
    kind, room_role = RoomKind(home.kind), RoomRole(role) if role else None
    return policy.allows(action, policy.room_standings(actor.role, kind, room_role))


def keep(tx: Tx, room_pk: int, named: Sequence[tuple[int, ResolvedMentions]]) -> None:
    """Count the mentions in the messages with these numbers; each once for everybody."""
    rows: list[Values] = [
        {"user_id": user_id, "room_pk": room_pk, "seq": seq}
        for seq, one in named
        for user_id in (() if one.everybody else sorted(one.by_name | one.present))
    ]
    if rows:
        tx.add_mentions(rows)
    everybody: list[Values] = [
        {"room_pk": room_pk, "seq": seq} for seq, one in named if one.everybody
    ]
    if everybody:
        tx.add_room_mentions(everybody)
