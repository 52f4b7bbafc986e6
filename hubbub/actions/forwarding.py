"""Forwarding: a new message that quotes another one and names where it is from."""

from hubbub.actions.access import get_access, get_message, known_author_id
from hubbub.actions.posting import IncomingPost, post_incoming
from hubbub.actions.registry import handles
from hubbub.actions.views import decode_origin
from hubbub.model.accounts import Actor
from hubbub.model.errors import Conflict, HubbubError, NotFound
from hubbub.model.messages import TEXT_MAX, Forward, Origin, Post, Posted
from hubbub.model.outcome import Outcome
from hubbub.model.policy import Action
from hubbub.store.tx import Tx


@handles(Forward)
def forward(tx: Tx, actor: Actor, command: Forward) -> Outcome[Posted]:
    """Post the message as a Markdown quote, which text clients show as well, with its origin."""
    if first := _find_first(tx, actor, command):
        return Outcome(first)
    access = get_access(tx, actor, command.room, Action.READ)
    message = get_message(tx, access, command.seq)
    origin = Origin(room=access.room.id, seq=message.seq, by=message.by, at=message.at)
    text = _format_quote(message.text, command.text)
    post = Post(room=command.to, text=text, nonce=command.nonce)
    [result] = post_incoming(tx, [IncomingPost(actor, post, origin)])
    if isinstance(result, HubbubError):
        raise result
    return result


def _find_first(tx: Tx, actor: Actor, command: Forward) -> Posted | None:
    """The acknowledgement of an earlier forward with this nonce.

    A retry gets it even if the quoted message has been deleted since. Raises Conflict if the nonce
    was used for something else.
    """
    if not command.nonce:
        return None
    try:
        target = get_access(tx, actor, command.to, Action.READ).room
    except NotFound:
        return None  # posting will be refused with the usual error
    key = (target.pk, known_author_id(tx, actor), command.nonce)
    first = tx.posts_by_nonce({key}).get(key)
    if first is None:
        return None
    message = tx.message(target.pk, first.seq)
    origin = decode_origin(message.origin) if message else None
    was_changed = bool(first.deleted) or first.edited_at is not None
    source = (origin.room, origin.seq) if origin else None
    if not was_changed and source != (command.room, command.seq):
        raise Conflict("This nonce was used for another text. Use a new one.")
    return Posted(seq=first.seq, rev=first.rev, at=first.at)


def _format_quote(text: str, comment: str) -> str:
    """The comment, and below it the text as a quote, cut to fit into one message."""
    before = f"{comment}\n\n" if comment else ""
    quote = "\n".join(f"> {line}" for line in text.split("\n"))
    left = TEXT_MAX - len(before)
    if len(quote) > left:
        quote = quote[: max(left - 1, 1)] + "…"
    return before + quote


def keeps_quote(before: str, after: str) -> bool:
    """Whether an edit leaves the quote at the end unchanged; otherwise the origin is dropped.

    A changed quote must not look like the words of its original author.
    """
    lines = before.split("\n")
    length = next((nth for nth, line in enumerate(lines[::-1]) if line[:1] != ">"), len(lines))
    quote = "\n".join(lines[len(lines) - length :])
    return after == quote or after.endswith(f"\n{quote}")
