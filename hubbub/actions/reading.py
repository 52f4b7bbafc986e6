"""What a person has read, and what they want to be told."""

from hubbub.actions.places import my_room_now, myself, place
from hubbub.actions.registry import handles
from hubbub.model.accounts import Actor, MeChanged
from hubbub.model.errors import Invalid
from hubbub.model.messages import Changed
from hubbub.model.outcome import Outcome, ToPerson
from hubbub.model.policy import Action
from hubbub.model.reading import Read, ReadChanged, ReadMarker
from hubbub.model.rooms import Prefs
from hubbub.store.tx import Tx


@handles(Read)
def read(tx: Tx, actor: Actor, command: Read) -> Outcome[ReadMarker]:
    room, member = place(tx, actor, command.room, Action.MARK_READ)
    assert member  # the policy asks for it
    if command.seq > room.seq:
        raise Invalid(f"#{room.id} has only {room.seq} messages.")
    to = command.seq if command.back else max(member.read_seq, command.seq)
    if to != member.read_seq:
        tx.set_read(room.pk, actor.user_id, to)
    mentions = tx.unread_mentions(room.pk, actor.user_id)
    reply = ReadMarker(read_seq=to, mentions=mentions)
    if to == member.read_seq:
        return Outcome(reply)
    rev = tx.next_user_rev(actor.user_id)
    event = ReadChanged(room=room.id, read_seq=to, mentions=mentions, rev=rev)
    return Outcome(reply, [ToPerson(actor.name, event)])


@handles(Prefs)
def prefs(tx: Tx, actor: Actor, command: Prefs) -> Outcome[Changed]:
    room, member = place(tx, actor, command.room, Action.SET_PREFS)
    me = myself(tx, actor)
    assert member
    notify = command.notify or member.notify
    hidden = bool(member.hidden) if command.hidden is None else command.hidden
    tx.set_prefs(room.pk, me.id, notify, hidden)
    rev = tx.next_user_rev(me.id)
    event = MeChanged(rev=rev, room=my_room_now(tx, room.id, me.id))
    return Outcome(Changed(rev=rev), [ToPerson(me.name, event)])
