"""Posting, editing and deleting."""

from typing import NamedTuple

from hubbub.actions.places import Place, message_event, my_room_now, no_room, place, require
from hubbub.actions.registry import handles, handles_runs
from hubbub.model.accounts import Actor, MeChanged
from hubbub.model.errors import Conflict, Forbidden, HubbubError, Invalid, NotFound
from hubbub.model.messages import Changed, Delete, Edit, Message, Post, Posted, mentioned_names
from hubbub.model.outcome import Outcome, ToPerson, ToRoom
from hubbub.model.policy import Action, RoomKind
from hubbub.store.members import MembershipRow
from hubbub.store.messages import MessageRow, NonceRow
from hubbub.store.rooms import RoomRow
from hubbub.store.sql import Values
from hubbub.store.tx import Tx

PostResult = Outcome[Posted] | HubbubError


class Accepted(NamedTuple):
    """A post that will be written; ``nth`` is its place in the batch."""

    nth: int
    actor: Actor
    author_id: int
    post: Post


class Batch:
    """What a run of posts needs to know, read with one statement for each kind of thing."""

    def __init__(self, tx: Tx, posts: list[tuple[Actor, Post]]) -> None:
        self.tx = tx
        self.rooms = tx.lock_rooms({post.room for _, post in posts})
        self._guests: dict[str, int] = {}
        pairs: set[tuple[int, int]] = set()
        nonces: set[tuple[int, int, str]] = set()
        for actor, post in posts:
            room = self.rooms.get(post.room)
            author_id = self.known_author(actor)
            if room is None or not author_id:
                continue
            if not actor.is_guest:
                pairs.add((room.pk, author_id))
            if post.nonce:
                nonces.add((room.pk, author_id, post.nonce))
        self.posters = tx.memberships(pairs) if pairs else {}
        self.posted = tx.posted(nonces) if nonces else {}
        # Retries within this very batch: the nonce's first post, whose ack is not known yet.
        self.twice: dict[tuple[int, int, str], Accepted] = {}

    def known_author(self, actor: Actor) -> int:
        """The row of the one who posts; 0 for a guest who has none yet."""
        if not actor.is_guest:
            return actor.user_id
        key = actor.guest_key or ""
        if key not in self._guests:
            self._guests[key] = self.tx.guest(key) or 0
        return self._guests[key]

    def author(self, actor: Actor) -> int:
        """The row of the one who posts; a guest gets one with the first post."""
        known = self.known_author(actor)
        if known or not actor.is_guest:
            return known
        made = self.tx.add_user(
            name=actor.name,
            skeleton=None,
            display_name=actor.name,
            password_hash=None,
            role=actor.role,
            guest_key=actor.guest_key,
        )
        self._guests[actor.guest_key or ""] = made
        return made


@handles_runs(Post)
def post_all(tx: Tx, posts: list[tuple[Actor, Post]]) -> list[PostResult]:
    """A run of posts, set-wise: each is checked, then all of a room are written together."""
    batch = Batch(tx, posts)
    results: list[PostResult | None] = [None] * len(posts)
    accepted: dict[int, list[Accepted]] = {}
    retries: list[tuple[int, Accepted]] = []
    for index, (actor, post) in enumerate(posts):
        try:
            room = batch.rooms.get(post.room)
            if room is None:
                raise no_room(post.room)
            # Before anything may refuse it: what was acknowledged stays so, whatever came since.
            found = _retried(batch, room, actor, post)
            if found is None:
                _may_post(batch, room, actor, post)
        except HubbubError as error:
            results[index] = error
            continue
        if isinstance(found, Posted):
            results[index] = Outcome(found)
        elif isinstance(found, Accepted):
            retries.append((index, found))
        else:
            one = Accepted(index, actor, batch.author(actor), post)
            accepted.setdefault(room.pk, []).append(one)
            if post.nonce:
                batch.twice[room.pk, one.author_id, post.nonce] = one
    for index, outcome in _write(batch, accepted):
        results[index] = outcome
    for index, first in retries:
        written = results[first.nth]
        results[index] = Outcome(written.reply) if isinstance(written, Outcome) else written
    return [result or HubbubError() for result in results]


def _may_post(batch: Batch, room: RoomRow, actor: Actor, post: Post) -> None:
    poster = batch.posters.get((room.pk, actor.user_id))
    if poster and poster.disabled:
        raise Forbidden("Your account is locked. Ask an admin of this server.")
    require(actor, room, poster.role if poster else None, Action.POST)
    if post.reply_to is not None and post.reply_to > room.seq:
        raise Invalid(f"There is no message {post.reply_to} in #{room.id} to reply to.")


def _retried(batch: Batch, room: RoomRow, actor: Actor, post: Post) -> Posted | Accepted | None:
    """What a nonce was used for before: the first ack, or a post of this batch. Raises Conflict."""
    if post.nonce is None:
        return None
    key = (room.pk, batch.known_author(actor), post.nonce)
    if first := batch.posted.get(key):
        if not _same_text(first, post):
            raise Conflict("This nonce was used for another text. Use a new one.")
        return Posted(seq=first.seq, rev=first.rev, at=first.at)
    if again := batch.twice.get(key):
        if again.post.text != post.text:
            raise Conflict("This nonce was used for another text. Use a new one.")
        return again
    return None


def _same_text(first: NonceRow, post: Post) -> bool:
    """What has been edited or deleted since can no longer be compared."""
    return first.text == post.text or first.edited_at is not None or bool(first.deleted)


def _write(batch: Batch, accepted: dict[int, list[Accepted]]) -> list[tuple[int, Outcome[Posted]]]:
    """Number and insert what was accepted; the outcome for each place in the batch."""
    tx = batch.tx
    by_pk = {room.pk: room for room in batch.rooms.values()}
    done: list[tuple[int, Outcome[Posted]]] = []
    rows: list[Values] = []
    mentions: list[Values] = []
    firsts: dict[int, Outcome[Posted]] = {}
    for room_pk, posts in accepted.items():
        room = by_pk[room_pk]
        last_seq, last_rev = tx.raise_counters(room_pk, len(posts))
        named_in = [mentioned_names(one.post.text) for one in posts]
        members = _members_named(tx, room, named_in)
        first_seq, first_rev = last_seq - len(posts) + 1, last_rev - len(posts) + 1
        for nth, (index, actor, author_id, post) in enumerate(posts):
            seq, rev = first_seq + nth, first_rev + nth
            named = {name: members[name] for name in named_in[nth] if name in members}
            mentions.extend(
                {"user_id": user_id, "room_pk": room_pk, "seq": seq} for user_id in named.values()
            )
            rows.append(
                {
                    "room_pk": room_pk,
                    "seq": seq,
                    "rev": rev,
                    "author_id": author_id,
                    "at": tx.now,
                    "kind": post.kind,
                    "text": post.text,
                    "nonce": post.nonce,
                    "reply_to": post.reply_to,
                    "mentions": " ".join(named),
                }
            )
            event = Message(
                room=room.id,
                seq=seq,
                rev=rev,
                by=actor.name,
                at=tx.now,
                text=post.text,
                kind=post.kind,
                nonce=post.nonce,
                reply_to=post.reply_to,
                mentions=tuple(named),
            )
            told = ToRoom(room.id, event, room.mrev)
            outcome = Outcome(Posted(seq=seq, rev=rev, at=tx.now), [told])
            done.append((index, outcome))
            firsts.setdefault(room_pk, outcome)
        _move_markers(batch, room, posts, last_seq)
    if rows:
        tx.insert_messages(rows)
    if mentions:
        tx.add_mentions(mentions)
    # Last, as people are told of a room with all that is new in it, and before it is shown.
    _unhide(tx, [(by_pk[room_pk], first) for room_pk, first in firsts.items()])
    return done


def _members_named(tx: Tx, room: RoomRow, named: list[list[str]]) -> dict[str, int]:
    """Those of the names who are members of the room, with their ids."""
    names = sorted({name for names in named for name in names})
    return tx.members_named(room.pk, names) if names else {}


def _unhide(tx: Tx, firsts: list[tuple[RoomRow, Outcome[Posted]]]) -> None:
    """A direct room comes back to those who hid it when somebody writes there.

    ``firsts`` are rooms, each with the outcome that tells of its first post.
    """
    hidden = [
        (user_id, nth)
        for nth, (room, _) in enumerate(firsts)
        if room.kind == RoomKind.DIRECT
        for user_id in tx.unhide(room.pk)
    ]
    # In order of people, as another node may be doing the same for other rooms of theirs.
    for user_id, nth in sorted(hidden):
        room, first = firsts[nth]
        if user := tx.user_by_id(user_id):
            rev = tx.next_user_rev(user_id)
            mine = my_room_now(tx, room.id, user_id)
            first.told.insert(-1, ToPerson(user.name, MeChanged(rev=rev, room=mine)))


def _move_markers(batch: Batch, room: RoomRow, posts: list[Accepted], last_seq: int) -> None:
    """Posting reads what one wrote, but only for those who were caught up."""
    read: dict[int, int] = {}
    first_seq = last_seq - len(posts) + 1
    for seq, one in enumerate(posts, start=first_seq):
        poster: MembershipRow | None = batch.posters.get((room.pk, one.author_id))
        if poster and read.get(one.author_id, poster.read_seq) == seq - 1:
            read[one.author_id] = seq
    if read:
        batch.tx.set_all_read({(room.pk, user_id): seq for user_id, seq in read.items()})


@handles(Edit)
def edit(tx: Tx, actor: Actor, command: Edit) -> Outcome[Changed]:
    where, message = _message(tx, actor, command.room, command.seq)
    _require_for(tx, actor, where, message, Action.EDIT)
    _require_for(tx, actor, where, message, Action.POST)
    if message.text == command.text:
        return Outcome(Changed(rev=message.rev))
    named = _members_named(tx, where.room, [mentioned_names(command.text)])
    tx.forget_mentions(where.room.pk, message.seq)
    tx.add_mentions(
        [
            {"user_id": user_id, "room_pk": where.room.pk, "seq": message.seq}
            for user_id in named.values()
        ]
    )
    changed = message._replace(
        text=command.text,
        edited_at=tx.now,
        mentions=" ".join(named),
        rev=tx.next_rev(where.room.pk),
    )
    return _changed(tx, where.room, changed)


@handles(Delete)
def delete(tx: Tx, actor: Actor, command: Delete) -> Outcome[Changed]:
    where = place(tx, actor, command.room, Action.READ)
    message = tx.message(where.room.pk, command.seq)
    if message is None:
        raise _no_message(command.room, command.seq)
    _require_for(tx, actor, where, message, Action.DELETE)
    if message.deleted:
        return Outcome(Changed(rev=message.rev))  # a retry
    tx.forget_mentions(where.room.pk, message.seq)
    gone = message._replace(
        text="", deleted=1, edited_at=None, mentions="", rev=tx.next_rev(where.room.pk)
    )
    return _changed(tx, where.room, gone)


def _changed(tx: Tx, room: RoomRow, message: MessageRow) -> Outcome[Changed]:
    tx.save_message(room.pk, message)
    event = message_event(room.id, message)
    return Outcome(Changed(rev=message.rev), [ToRoom(room.id, event, room.mrev)])


def _message(tx: Tx, actor: Actor, room_id: str, seq: int) -> tuple[Place, MessageRow]:
    """A message that is still there. Raises NotFound."""
    where = place(tx, actor, room_id, Action.READ)
    message = tx.message(where.room.pk, seq)
    if message is None:
        raise _no_message(room_id, seq)
    if message.deleted:
        raise NotFound(f"Message {seq} in #{room_id} has been deleted.")
    return where, message


def _no_message(room_id: str, seq: int) -> NotFound:
    return NotFound(f"There is no message {seq} in #{room_id}.")


def _require_for(tx: Tx, actor: Actor, where: Place, message: MessageRow, action: Action) -> None:
    own = actor.user_id or (tx.guest(actor.guest_key) if actor.guest_key else None)
    role = where.member.role if where.member else None
    require(actor, where.room, role, action, author=message.author_id == own)
