"""Posting: what waits is checked one by one and written together."""

from typing import NamedTuple

import msgspec

from hubbub.actions import mentions, threads
from hubbub.actions.access import (
    author_of,
    is_between_two,
    my_room_now,
    no_such_room,
    require,
    require_unblocked,
)
from hubbub.actions.current_actor import account_locked, current, session_ended, with_role
from hubbub.actions.registry import handles_runs
from hubbub.model.accounts import Actor, MeChanged
from hubbub.model.base import Millis
from hubbub.model.errors import Conflict, HubbubError, Invalid
from hubbub.model.messages import (
    Message,
    Origin,
    Post,
    Posted,
    PostHere,
)
from hubbub.model.names import thread_of
from hubbub.model.outcome import Outcome, ToPerson, ToRoom
from hubbub.model.policy import Action, RoomKind
from hubbub.store.engines.sql import Values
from hubbub.store.statements.members import PosterRow
from hubbub.store.statements.messages import NonceRow
from hubbub.store.statements.rooms import RoomRow
from hubbub.store.tx import Tx

PostResult = Outcome[Posted] | HubbubError


class IncomingPost(NamedTuple):
    """A post, and where it was said before if it is forwarded."""

    actor: Actor
    post: Post
    origin: Origin | None = None


class AcceptedPost(NamedTuple):
    """A post that will be written; ``nth`` is its place in the batch.

    ``is_copy``: it is an answer's, said to the room as well; its outcome is the answer's.
    """

    nth: int
    said: IncomingPost
    author_id: int
    is_copy: bool = False


class Batch:
    """What a run of posts needs to know, read with one statement for each kind of thing."""

    def __init__(self, tx: Tx, posts: list[IncomingPost]) -> None:
        self.tx = tx
        ids = {said.post.room for said in posts}
        parents = {found[0] for room_id in ids if "." in room_id and (found := thread_of(room_id))}
        self.rooms = tx.lock_rooms(ids | parents)
        self._guests: dict[str, int] = {}
        memberships: set[tuple[int, int, str]] = set()
        nonces: set[tuple[int, int, str]] = set()
        for actor, post, _ in posts:
            room = self.rooms.get(post.room)
            author_id = self.known_author(actor)
            if not author_id:
                continue
            session = actor.session or ""
            if room is not None:
                memberships.add((room.pk, author_id, session))
                if post.nonce:
                    nonces.add((room.pk, author_id, post.nonce))
            if parents and (found := thread_of(post.room)) and found[0] in self.rooms:
                memberships.add((self.rooms[found[0]].pk, author_id, session))
        self._posters, self._sessions = tx.posters(memberships) if memberships else ({}, set())
        self.posted = tx.posted(nonces) if nonces else {}
        between_two = {room.pk for room in self.rooms.values() if is_between_two(room)}
        may_be_blocked = {one[:2] for one in memberships if one[0] in between_two}
        self.blockers = tx.blockers(may_be_blocked) if may_be_blocked else {}
        # Retries within this very batch: the nonce's first post, whose ack is not known yet.
        self.twice: dict[tuple[int, int, str], AcceptedPost] = {}

    def home(self, room: RoomRow) -> RoomRow:
        """The room itself, or the one that a thread belongs to."""
        parent = threads.parent_of(self.rooms, room.id) if room.parent_pk else None
        return parent or room

    def poster(self, room: RoomRow, actor: Actor) -> PosterRow | None:
        """What somebody is in a room, None if no member."""
        return self._posters.get((room.pk, actor.user_id))

    def by_now(self, home: RoomRow, said: IncomingPost) -> IncomingPost:
        """The same, said by who its author is by now. Raises SignInRequired, Forbidden."""
        actor = said.actor
        poster = self._posters.get((home.pk, actor.user_id))
        if poster is None:  # guests have been asked about before
            return said if actor.is_guest else said._replace(actor=current(self.tx, actor))
        if poster.disabled:
            raise account_locked()
        if actor.session not in self._sessions and actor.session is not None:
            raise session_ended()
        if poster.server_role == actor.role:
            return said
        return said._replace(actor=with_role(actor, poster.server_role))

    def known_author(self, actor: Actor) -> int:
        """The row of the one who posts; 0 for a guest who has none yet."""
        if not actor.is_guest:
            return actor.user_id
        key = actor.guest_key or ""
        if key not in self._guests:
            self._guests[key] = author_of(self.tx, actor, is_new=False)
        return self._guests[key]

    def author(self, actor: Actor) -> int:
        """The row of the one who posts; a guest gets one with the first post."""
        known = self.known_author(actor)
        if known or not actor.is_guest:
            return known
        made = self._guests[actor.guest_key or ""] = author_of(self.tx, actor)
        return made


@handles_runs(PostHere)
@handles_runs(Post)
def post_all(tx: Tx, posts: list[tuple[Actor, Post]]) -> list[PostResult]:
    """A run of posts, set-wise: each is checked, then all of a room are written together."""
    return say_all(tx, [IncomingPost(actor, post) for actor, post in posts])


def say_all(tx: Tx, posts: list[IncomingPost]) -> list[PostResult]:
    """The same for posts that may come from elsewhere."""
    batch = Batch(tx, posts)
    results: list[PostResult | None] = [None] * len(posts)
    accepted: dict[int, list[AcceptedPost]] = {}
    retries: list[tuple[int, AcceptedPost]] = []
    for index, asked in enumerate(posts):
        try:
            room = batch.rooms.get(asked.post.room)
            home = _home(batch, room, asked.post)
            said = batch.by_now(home, asked)
            # Before anything may refuse it: what was acknowledged stays so, whatever came since.
            found = _retried(batch, home, room, said) if room else None
            if found is None:
                room = _room_to_post_in(batch, home, room, said)
        except HubbubError as error:
            results[index] = error.as_value()
            continue
        if isinstance(found, Posted):
            results[index] = Outcome(found)
        elif isinstance(found, AcceptedPost):
            retries.append((index, found))
        else:
            assert room
            _accept(batch, accepted, room, AcceptedPost(index, said, batch.author(said.actor)))
    for index, outcome in _write(batch, accepted):
        results[index] = outcome
    for index, first in retries:
        written = results[first.nth]
        results[index] = Outcome(written.reply) if isinstance(written, Outcome) else written
    return [result or HubbubError() for result in results]


def _accept(
    batch: Batch, accepted: dict[int, list[AcceptedPost]], room: RoomRow, one: AcceptedPost
) -> None:
    accepted.setdefault(room.pk, []).append(one)
    post = one.said.post
    if post.nonce:
        batch.twice[room.pk, one.author_id, post.nonce] = one
    if post.also_in_room:
        home = batch.home(room)
        copy = Post(room=home.id, text=post.text, kind=post.kind, reply_to=room.parent_seq)
        said = one.said._replace(post=copy)
        accepted.setdefault(home.pk, []).append(one._replace(said=said, is_copy=True))


def _home(batch: Batch, room: RoomRow | None, post: Post) -> RoomRow:
    """Whose members may post there: the room itself, or the one that the thread belongs to.

    Raises NotFound.
    """
    parent = threads.parent_of(batch.rooms, post.room) if "." in post.room else None
    home = parent or room
    if home is None:
        raise no_such_room(post.room)
    return home


def _require(batch: Batch, home: RoomRow, said: IncomingPost, action: Action) -> None:
    poster = batch.poster(home, said.actor)
    thread = said.post.room if home.id != said.post.room else None
    require(said.actor, home, poster.role if poster else None, action, thread=thread)


def _room_to_post_in(
    batch: Batch, home: RoomRow, room: RoomRow | None, said: IncomingPost
) -> RoomRow:
    """Where this post goes; a thread begins with its first. Raises unless that is allowed."""
    post = said.post
    _require(batch, home, said, Action.POST)
    actor = said.actor
    require_unblocked(actor, batch.blockers.get((home.pk, actor.user_id), ()))
    if post.reply_to is not None and post.reply_to > (room.seq if room else 0):
        raise Invalid(f"There is no message {post.reply_to} in #{post.room} to reply to.")
    if post.also_in_room and home.id == post.room:
        raise Invalid("Only an answer in a thread can be said to its room as well.")
    if room is None:
        room = threads.begin(batch.tx, home, post.room, actor, lambda: batch.author(actor))
        batch.rooms[post.room] = room
    return room


def _retried(
    batch: Batch, home: RoomRow, room: RoomRow, said: IncomingPost
) -> Posted | AcceptedPost | None:
    """What a nonce was used for before: the first ack, or a post of this batch. Raises Conflict.

    Raises NotFound for those who may not read the room any more: to them even an acknowledgement
    would tell that it is still there.
    """
    post = said.post
    if post.nonce is None:
        return None
    key = (room.pk, batch.known_author(said.actor), post.nonce)
    if key in batch.posted or key in batch.twice:
        _require(batch, home, said, Action.READ)
    if first := batch.posted.get(key):
        if not _same_text(first, post):
            raise Conflict("This nonce was used for another text. Use a new one.")
        return Posted(seq=first.seq, rev=first.rev, at=first.at)
    if again := batch.twice.get(key):
        if again.said.post.text != post.text:
            raise Conflict("This nonce was used for another text. Use a new one.")
        return again
    return None


def _same_text(first: NonceRow, post: Post) -> bool:
    """What has been edited or deleted since can no longer be compared."""
    return first.text == post.text or first.edited_at is not None or bool(first.deleted)


def _write(
    batch: Batch, accepted: dict[int, list[AcceptedPost]]
) -> list[tuple[int, Outcome[Posted]]]:
    """Number and insert what was accepted; the outcome for each place in the batch."""
    tx = batch.tx
    by_pk = {room.pk: room for room in batch.rooms.values()}
    written = [_Written(batch, by_pk[room_pk], posts) for room_pk, posts in accepted.items()]
    if written:
        tx.insert_messages([row for each in written for row in each.rows])
    for each in written:
        each.count_mentions(tx)
    done = {nth: outcome for each in written for nth, outcome in each.outcomes}
    for each in written:
        for nth, effects in each.copies:
            done[nth].effects.append(effects)
    # Last, as people are told of a room with all that is new in it, and before it is shown.
    _unhide(tx, [(each.room, done[each.posts[0].nth]) for each in written])
    for each in written:
        if each.room.parent_pk is not None:
            news, marks = threads.answered(tx, each.home, each.room, each.answers())
            each.outcomes[0][1].effects[:0] = news
            # Behind all that was posted in its room by this batch, as its rev is higher.
            done[max(done)].effects.append(marks)
    return list(done.items())


class _Written:
    """The posts of one room, numbered: their rows, who is named in them, and the outcomes."""

    def __init__(self, batch: Batch, room: RoomRow, posts: list[AcceptedPost]) -> None:
        self.room, self.home, self.posts = room, batch.home(room), posts
        self.rows: list[Values] = []
        self.outcomes: list[tuple[int, Outcome[Posted]]] = []
        self.copies: list[tuple[int, ToRoom]] = []
        tx, count = batch.tx, len(posts)
        last_seq, last_rev = tx.raise_counters(room.pk, count)
        self.first_seq, first_rev = last_seq - count + 1, last_rev - count + 1
        self.named = mentions.resolve(
            tx, room, self.home, [self._names(batch, one) for one in posts]
        )
        parent_mrev = 0 if self.home is room else self.home.mrev
        for nth, one in enumerate(posts):
            event = _event(room, one, self.first_seq + nth, first_rev + nth, tx.now)
            if shown := self.named[nth].shown:
                event = msgspec.structs.replace(event, mentions=shown)
            self.rows.append(_row(room, one, event))
            effects = ToRoom(room.id, event, room.mrev, parent_mrev)
            if one.is_copy:
                self.copies.append((one.nth, effects))
            else:
                reply = Posted(seq=event.seq, rev=event.rev, at=tx.now)
                self.outcomes.append((one.nth, Outcome(reply, [effects])))
        _move_markers(batch, room, posts, last_seq)

    def _names(self, batch: Batch, one: AcceptedPost) -> mentions.MentionCandidates | None:
        """Who is named in a post; whom an answer names need not hear of its copy as well."""
        actor, post, _ = one.said
        if one.is_copy or "@" not in post.text:
            return None
        poster = batch.poster(self.home, actor)
        present = post.present if isinstance(post, PostHere) else ()
        role = poster.role if poster else None
        return mentions.names_in(post.text, actor, role, one.author_id, present)

    def count_mentions(self, tx: Tx) -> None:
        numbered = list(enumerate(self.named, start=self.first_seq))
        mentions.keep(tx, self.room.pk, [(seq, one) for seq, one in numbered if one.shown])

    def answers(self) -> threads.Answers:
        """The same for those who follow the thread."""
        read: dict[int, int] = {}
        for seq, one in enumerate(self.posts, start=self.first_seq):
            if not one.said.actor.is_guest:
                read[one.author_id] = seq
        named = {user_id for one in self.named for user_id in one.by_name}
        return threads.Answers([one.said.actor.name for one in self.posts], read, named)


def _event(room: RoomRow, one: AcceptedPost, seq: int, rev: int, at: Millis) -> Message:
    actor, post, origin = one.said
    return Message(
        room=room.id,
        seq=seq,
        rev=rev,
        by=actor.name,
        at=at,
        text=post.text,
        kind=post.kind,
        nonce=post.nonce,
        reply_to=post.reply_to,
        origin=origin,
    )


def _row(room: RoomRow, one: AcceptedPost, event: Message) -> Values:
    return {
        "room_pk": room.pk,
        "seq": event.seq,
        "rev": event.rev,
        "author_id": one.author_id,
        "at": event.at,
        "kind": event.kind,
        "text": event.text,
        "nonce": event.nonce,
        "reply_to": event.reply_to,
        "mentions": " ".join(event.mentions),
        "origin": msgspec.json.encode(event.origin).decode() if event.origin else "",
    }


def _unhide(tx: Tx, firsts: list[tuple[RoomRow, Outcome[Posted]]]) -> None:
    """A direct room comes back to those who hid it when somebody writes there.

    ``firsts`` are rooms, each with the outcome that tells of its first post.
    """
    hidden = [
        (user_id, nth)
        for nth, (room, _) in enumerate(firsts)
        if room.kind == RoomKind.DIRECT and room.parent_pk is None
        for user_id in tx.unhide(room.pk)
    ]
    # In order of people, as another node may be doing the same for other rooms of theirs.
    for user_id, nth in sorted(hidden):
        room, first = firsts[nth]
        if user := tx.user_by_id(user_id):
            rev = tx.next_user_rev(user_id)
            mine = my_room_now(tx, room.id, user_id)
            first.effects.insert(-1, ToPerson(user.name, MeChanged(rev=rev, room=mine)))


def _move_markers(batch: Batch, room: RoomRow, posts: list[AcceptedPost], last_seq: int) -> None:
    """Posting reads what one wrote, but only for those who were caught up."""
    read: dict[int, int] = {}
    first_seq = last_seq - len(posts) + 1
    for seq, one in enumerate(posts, start=first_seq):
        poster = batch.poster(room, one.said.actor)
        if poster and read.get(one.author_id, poster.read_seq) == seq - 1:
            read[one.author_id] = seq
    if read:
        batch.tx.set_all_read({(room.pk, user_id): seq for user_id, seq in read.items()})
