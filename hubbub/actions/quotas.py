"""Keeping to quotas: what was used today, and how much of something there may be."""

from hubbub.model import policy
from hubbub.model.accounts import Actor
from hubbub.model.errors import HubbubError
from hubbub.model.policy import Action
from hubbub.model.quotas import DAY_MS, RULES
from hubbub.store.tx import Tx


def spend(tx: Tx, actor: Actor, name: str, user_id: int) -> None:
    """Count one more of this person's daily quota. Raises the quota's error, and changes nothing.

    ``actor`` is who does it, and whom the quota may spare.
    """
    if RULES[name].spares_admins and policy.allows(
        Action.EXCEED_QUOTAS, policy.server_standings(actor.role)
    ):
        return
    today = tx.now // DAY_MS
    day, count = tx.used(user_id, name)
    # Another node may have begun the next day already. A day beyond that was a wrong clock's.
    if not today <= day <= today + 1:
        day, count = today, 0
    if count >= getattr(tx.quotas, name):
        raise _reached(tx, name, retry_after=((day + 1) * DAY_MS - tx.now) / 1000)
    tx.set_used(user_id, name, day, count + 1)


def require_below(tx: Tx, name: str, count: int) -> None:
    """Raises the quota's error if there are as many already as there may be."""
    if count >= getattr(tx.quotas, name):
        raise _reached(tx, name)


def _reached(tx: Tx, name: str, retry_after: float | None = None) -> HubbubError:
    rule = RULES[name]
    sentence = rule.refusal.format(limit=f"{getattr(tx.quotas, name):,}")
    return rule.error(sentence, retry_after=retry_after)
