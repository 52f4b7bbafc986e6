"""Posting: the posts of a batch are checked one by one and written together."""

from typing import NamedTuple

import msgspec

from hubbub.actions import mentions, threads
from hubbub.actions.access import (
    get_or_add_author,
    is_between_two,
    known_author_id,
    no_such_room,
    require_role_allows,
    require_unblocked,
)
from hubbub.actions.current_actor import account_locked, refresh_actor, session_ended, with_role
from hubbub.actions.registry import handles_runs
from hubbub.actions.views import get_my_room
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
    """A post and its author; ``origin`` is set if it is forwarded."""

    actor: Actor
    post: Post
    origin: Origin | None = None


class AcceptedPost(NamedTuple):
    """A post that passed all checks and will be written; ``position`` is its index in the batch.

    ``is_copy``: this is the copy of a thread's reply in the parent room; the reply's outcome
    stands for both.
    """

    position: int
    incoming: IncomingPost
    author_id: int
    is_copy: bool = False


class PostBatch:
    """The rows that checking a batch of posts needs, read with one statement per table."""

    def __init__(self, tx: Tx, posts: list[IncomingPost]) -> None:
        self.tx = tx
        ids = {incoming.post.room for incoming in posts}
        parents = {found[0] for room_id in ids if "." in room_id and (found := thread_of(room_id))}
        self.rooms = tx.lock_rooms(ids | parents)
        self._guests: dict[str, int] = {}
        memberships: set[tuple[int, int, str]] = set()
        nonces: set[tuple[int, int, str]] = set()
        for actor, post, _ in posts:
            room = self.rooms.get(post.room)
            author_id = self.known_author_id(actor)
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
        self.posted = tx.posts_by_nonce(nonces) if nonces else {}
        between_two = {room.pk for room in self.rooms.values() if is_between_two(room)}
        pairs = {member[:2] for member in memberships if member[0] in between_two}
        self.blockers = tx.blockers(pairs) if pairs else {}
        # The first post of each nonce in this batch, for retries of it in the same batch.
        self.by_nonce: dict[tuple[int, int, str], AcceptedPost] = {}

    def home(self, room: RoomRow) -> RoomRow:
        """The room itself, or the room that the thread belongs to."""
        parent = threads.find_parent(self.rooms, room.id) if room.parent_pk else None
        return parent or room

    def find_poster(self, room: RoomRow, actor: Actor) -> PosterRow | None:
        """The actor's membership and account, None if not a member."""
        return self._posters.get((room.pk, actor.user_id))

    def refresh_actor(self, home: RoomRow, incoming: IncomingPost) -> IncomingPost:
        """The post with its actor's present role. Raises SignInRequired, Forbidden."""
        actor = incoming.actor
        poster = self._posters.get((home.pk, actor.user_id))
        if poster is None:  # guests were checked before the batch
            if actor.is_guest:
                return incoming
            return incoming._replace(actor=refresh_actor(self.tx, actor))
        if poster.disabled:
            raise account_locked()
        if actor.session not in self._sessions and actor.session is not None:
            raise session_ended()
        if poster.server_role == actor.role:
            return incoming
        return incoming._replace(actor=with_role(actor, poster.server_role))

    def known_author_id(self, actor: Actor) -> int:
        """The id of the author's row; 0 for a guest who has none yet."""
        if not actor.is_guest:
            return actor.user_id
        key = actor.guest_key or ""
        if key not in self._guests:
            self._guests[key] = known_author_id(self.tx, actor)
        return self._guests[key]

    def get_or_add_author(self, actor: Actor) -> int:
        """The id of the author's row; a guest without one gets it now."""
        known = self.known_author_id(actor)
        if known or not actor.is_guest:
            return known
        added = self._guests[actor.guest_key or ""] = get_or_add_author(self.tx, actor)
        return added


@handles_runs(PostHere)
@handles_runs(Post)
def post_batch(tx: Tx, posts: list[tuple[Actor, Post]]) -> list[PostResult]:
    """Check each post, then write all of them together; one result for each post."""
    return post_incoming(tx, [IncomingPost(actor, post) for actor, post in posts])


def post_incoming(tx: Tx, posts: list[IncomingPost]) -> list[PostResult]:
    """Like `post_batch`, for posts that may be forwarded."""
    batch = PostBatch(tx, posts)
    results: list[PostResult | None] = [None] * len(posts)
    accepted: dict[int, list[AcceptedPost]] = {}
    retries: list[tuple[int, AcceptedPost]] = []
    for index, received in enumerate(posts):
        try:
            room = batch.rooms.get(received.post.room)
            home = _get_home(batch, room, received.post)
            incoming = batch.refresh_actor(home, received)
            # A retry is answered before the other checks: a post that was acknowledged stays
            # acknowledged, even if posting would be refused now.
            first = _find_first(batch, home, room, incoming) if room else None
            if first is None:
                room = _get_target(batch, home, room, incoming)
        except HubbubError as error:
            results[index] = error.as_value()
            continue
        if isinstance(first, Posted):
            results[index] = Outcome(first)
        elif isinstance(first, AcceptedPost):
            retries.append((index, first))
        else:
            assert room
            author_id = batch.get_or_add_author(incoming.actor)
            _accept(batch, accepted, room, AcceptedPost(index, incoming, author_id))
    for index, outcome in _write(batch, accepted):
        results[index] = outcome
    for index, first in retries:
        result = results[first.position]
        results[index] = Outcome(result.reply) if isinstance(result, Outcome) else result
    return [result or HubbubError() for result in results]


def _accept(
    batch: PostBatch, accepted: dict[int, list[AcceptedPost]], room: RoomRow, new: AcceptedPost
) -> None:
    accepted.setdefault(room.pk, []).append(new)
    post = new.incoming.post
    if post.nonce:
        batch.by_nonce[room.pk, new.author_id, post.nonce] = new
    if post.also_in_room:
        home = batch.home(room)
        copy = Post(room=home.id, text=post.text, kind=post.kind, reply_to=room.parent_seq)
        incoming = new.incoming._replace(post=copy)
        accepted.setdefault(home.pk, []).append(new._replace(incoming=incoming, is_copy=True))


def _get_home(batch: PostBatch, room: RoomRow | None, post: Post) -> RoomRow:
    """The room whose members may post there: the room itself, or the parent of the thread.

    Raises NotFound.
    """
    parent = threads.find_parent(batch.rooms, post.room) if "." in post.room else None
    home = parent or room
    if home is None:
        raise no_such_room(post.room)
    return home


def _require_allowed(
    batch: PostBatch, home: RoomRow, incoming: IncomingPost, action: Action
) -> None:
    poster = batch.find_poster(home, incoming.actor)
    thread = incoming.post.room if home.id != incoming.post.room else None
    role = poster.role if poster else None
    require_role_allows(incoming.actor, home, role, action, thread=thread)


def _get_target(
    batch: PostBatch, home: RoomRow, room: RoomRow | None, incoming: IncomingPost
) -> RoomRow:
    """The room to post in; a thread is created for its first post. Raises if not allowed."""
    post, actor = incoming.post, incoming.actor
    _require_allowed(batch, home, incoming, Action.POST)
    require_unblocked(actor, batch.blockers.get((home.pk, actor.user_id), ()))
    if post.reply_to is not None and post.reply_to > (room.seq if room else 0):
        raise Invalid(f"There is no message {post.reply_to} in #{post.room} to reply to.")
    if post.also_in_room and home.id == post.room:
        raise Invalid("Only a reply in a thread can also be posted to its room.")
    if room is None:
        room = threads.create(
            batch.tx, home, post.room, actor, lambda: batch.get_or_add_author(actor)
        )
        batch.rooms[post.room] = room
    return room


def _find_first(
    batch: PostBatch, home: RoomRow, room: RoomRow, incoming: IncomingPost
) -> Posted | AcceptedPost | None:
    """The earlier use of the post's nonce: its acknowledgement, or a post of this batch.

    Raises Conflict if it was used for another text, NotFound if the actor may no longer read the
    room: even an acknowledgement would tell them that the room still exists.
    """
    post = incoming.post
    if post.nonce is None:
        return None
    key = (room.pk, batch.known_author_id(incoming.actor), post.nonce)
    if key in batch.posted or key in batch.by_nonce:
        _require_allowed(batch, home, incoming, Action.READ)
    if stored := batch.posted.get(key):
        if not _is_same_text(stored, post):
            raise Conflict("This nonce was used for another text. Use a new one.")
        return Posted(seq=stored.seq, rev=stored.rev, at=stored.at)
    if first := batch.by_nonce.get(key):
        if first.incoming.post.text != post.text:
            raise Conflict("This nonce was used for another text. Use a new one.")
        return first
    return None


def _is_same_text(stored: NonceRow, post: Post) -> bool:
    """Whether the texts are equal; assumed if the stored one was edited or deleted since."""
    return stored.text == post.text or stored.edited_at is not None or bool(stored.deleted)


def _write(
    batch: PostBatch, accepted: dict[int, list[AcceptedPost]]
) -> list[tuple[int, Outcome[Posted]]]:
    """Number and insert the accepted posts; the outcome for each index in the batch."""
    tx = batch.tx
    by_pk = {room.pk: room for room in batch.rooms.values()}
    rooms = [_RoomPosts(batch, by_pk[room_pk], posts) for room_pk, posts in accepted.items()]
    if rooms:
        tx.insert_messages([row for written in rooms for row in written.rows])
    for written in rooms:
        written.save_mentions(tx)
    outcomes = {index: outcome for written in rooms for index, outcome in written.outcomes}
    for written in rooms:
        for index, effect in written.copies:
            outcomes[index].effects.append(effect)
    # Last, as the effect carries the room with all its new posts; it is sent before them.
    _unhide(tx, [(written.room, outcomes[written.posts[0].position]) for written in rooms])
    for written in rooms:
        if written.room.parent_pk is not None:
            followed, marks = threads.on_replies(tx, written.home, written.room, written.replies())
            written.outcomes[0][1].effects[:0] = followed
            # After all posts of this batch in the parent room, as its rev is higher than theirs.
            outcomes[max(outcomes)].effects.append(marks)
    return list(outcomes.items())


class _RoomPosts:
    """The posts of one room with their numbers: rows, mentions and outcomes."""

    def __init__(self, batch: PostBatch, room: RoomRow, posts: list[AcceptedPost]) -> None:
        self.room, self.home, self.posts = room, batch.home(room), posts
        self.rows: list[Values] = []
        self.outcomes: list[tuple[int, Outcome[Posted]]] = []
        self.copies: list[tuple[int, ToRoom]] = []
        tx, count = batch.tx, len(posts)
        last_seq, last_rev = tx.raise_counters(room.pk, count)
        self.first_seq, first_rev = last_seq - count + 1, last_rev - count + 1
        self.mentions = mentions.resolve(
            tx, room, self.home, [self._candidates(batch, accepted) for accepted in posts]
        )
        parent_mrev = 0 if self.home is room else self.home.mrev
        for nth, accepted in enumerate(posts):
            event = _event(room, accepted, self.first_seq + nth, first_rev + nth, tx.now)
            if names := self.mentions[nth].names:
                event = msgspec.structs.replace(event, mentions=names)
            self.rows.append(_row(room, accepted, event))
            effect = ToRoom(room.id, event, room.mrev, parent_mrev)
            if accepted.is_copy:
                self.copies.append((accepted.position, effect))
            else:
                reply = Posted(seq=event.seq, rev=event.rev, at=tx.now)
                self.outcomes.append((accepted.position, Outcome(reply, [effect])))
        _move_markers(batch, room, posts, last_seq)

    def _candidates(
        self, batch: PostBatch, accepted: AcceptedPost
    ) -> mentions.MentionCandidates | None:
        """The possible mentions in a post; none for a copy, as the reply itself mentions them."""
        actor, post, _ = accepted.incoming
        if accepted.is_copy or "@" not in post.text:
            return None
        poster = batch.find_poster(self.home, actor)
        present = post.present if isinstance(post, PostHere) else ()
        role = poster.role if poster else None
        return mentions.find_candidates(post.text, actor, role, accepted.author_id, present)

    def save_mentions(self, tx: Tx) -> None:
        numbered = enumerate(self.mentions, start=self.first_seq)
        mentions.save(tx, self.room.pk, [(seq, found) for seq, found in numbered if found.names])

    def replies(self) -> threads.ThreadReplies:
        """These posts as replies in a thread."""
        read: dict[int, int] = {}
        for seq, accepted in enumerate(self.posts, start=self.first_seq):
            if not accepted.incoming.actor.is_guest:
                read[accepted.author_id] = seq
        mentioned = {user_id for found in self.mentions for user_id in found.by_name}
        names = [accepted.incoming.actor.name for accepted in self.posts]
        return threads.ThreadReplies(names, read, mentioned)


def _event(room: RoomRow, accepted: AcceptedPost, seq: int, rev: int, at: Millis) -> Message:
    actor, post, origin = accepted.incoming
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


def _row(room: RoomRow, accepted: AcceptedPost, event: Message) -> Values:
    return {
        "room_pk": room.pk,
        "seq": event.seq,
        "rev": event.rev,
        "author_id": accepted.author_id,
        "at": event.at,
        "kind": event.kind,
        "text": event.text,
        "nonce": event.nonce,
        "reply_to": event.reply_to,
        "mentions": " ".join(event.mentions),
        "origin": msgspec.json.encode(event.origin).decode() if event.origin else "",
    }


def _unhide(tx: Tx, firsts: list[tuple[RoomRow, Outcome[Posted]]]) -> None:
    """Unhide direct rooms that got posts, for those who hid them.

    ``firsts`` are rooms, each with the outcome of its first post, which gets the effects.
    """
    hidden = [
        (user_id, nth)
        for nth, (room, _) in enumerate(firsts)
        if room.kind == RoomKind.DIRECT and room.parent_pk is None
        for user_id in tx.unhide(room.pk)
    ]
    # In order of user ids against deadlocks: another node may unhide other rooms of these people.
    for user_id, nth in sorted(hidden):
        room, first = firsts[nth]
        if user := tx.user_by_id(user_id):
            rev = tx.next_user_rev(user_id)
            my_room = get_my_room(tx, room.id, user_id)
            first.effects.insert(-1, ToPerson(user.name, MeChanged(rev=rev, room=my_room)))


def _move_markers(
    batch: PostBatch, room: RoomRow, posts: list[AcceptedPost], last_seq: int
) -> None:
    """Move the authors' read markers past their own posts if they had read all before."""
    read: dict[int, int] = {}
    first_seq = last_seq - len(posts) + 1
    for seq, accepted in enumerate(posts, start=first_seq):
        poster = batch.find_poster(room, accepted.incoming.actor)
        if poster and read.get(accepted.author_id, poster.read_seq) == seq - 1:
            read[accepted.author_id] = seq
    if read:
        batch.tx.set_all_read({(room.pk, user_id): seq for user_id, seq in read.items()})
