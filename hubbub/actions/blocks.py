"""Blocking people. Blocks are enforced by `access.require_unblocked` and `membership.add_other`."""

from hubbub.actions.access import get_account, get_own_account, require_on_server
from hubbub.actions.quotas import require_below
from hubbub.actions.registry import answers, handles
from hubbub.actions.views import list_people
from hubbub.model.accounts import Actor
from hubbub.model.blocks import Block, BlockChanged, Blocks, BlocksPage
from hubbub.model.errors import Conflict
from hubbub.model.messages import Changed
from hubbub.model.outcome import Outcome, ToPerson
from hubbub.model.policy import Action
from hubbub.store.tx import Tx


@handles(Block)
def block(tx: Tx, actor: Actor, command: Block) -> Outcome[Changed]:
    require_on_server(actor, Action.BLOCK)
    me, other = get_own_account(tx, actor), get_account(tx, command.user)
    if other.id == me.id:
        raise Conflict("You cannot block yourself.")
    if tx.has_blocked(me.id, other.id) == command.on:
        return Outcome(Changed(rev=me.rev))
    if command.on:
        require_below(tx, "blocks_per_user", tx.count_blocks(me.id))
        tx.add_block(me.id, other.id)
    else:
        tx.remove_block(me.id, other.id)
    event = BlockChanged(rev=tx.next_user_rev(me.id), user=other.name, gone=not command.on)
    return Outcome(Changed(rev=event.rev), [ToPerson(me.name, event)])


@answers(Blocks)
def blocks(tx: Tx, actor: Actor, query: Blocks) -> BlocksPage:
    require_on_server(actor, Action.BLOCK)
    me = get_own_account(tx, actor)
    return BlocksPage(people=list_people(tx, set(tx.list_blocked(me.id))))
