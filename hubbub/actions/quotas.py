"""Enforcing quotas: counts per day, and how many of something there may be."""

from hubbub.model import policy
from hubbub.model.accounts import Actor
from hubbub.model.errors import HubbubError
from hubbub.model.policy import Action
from hubbub.model.quotas import DAY_MS, QUOTA_RULES
from hubbub.store.tx import Tx


def spend(tx: Tx, actor: Actor, name: str, user_id: int) -> None:
    """Use one of this person's daily quota. Raises the quota's error, and then changes nothing.

    Admins are exempt from some quotas: ``actor`` is the one who acts, not always ``user_id``.
    """
    if QUOTA_RULES[name].exempts_admins and policy.allows(
        Action.EXCEED_QUOTAS, policy.server_standings(actor.role)
    ):
        return
    today = tx.now // DAY_MS
    day, count = tx.find_usage(user_id, name)
    # Another node's clock may be in the next day already. A later day is from a wrong clock.
    if not today <= day <= today + 1:
        day, count = today, 0
    if count >= getattr(tx.quotas, name):
        raise _quota_error(tx, name, retry_after=((day + 1) * DAY_MS - tx.now) / 1000)
    tx.set_usage(user_id, name, day, count + 1)


def require_below(tx: Tx, name: str, count: int) -> None:
    """Raises the quota's error if ``count`` has reached the quota."""
    if count >= getattr(tx.quotas, name):
        raise _quota_error(tx, name)


def _quota_error(tx: Tx, name: str, retry_after: float | None = None) -> HubbubError:
    rule = QUOTA_RULES[name]
    sentence = rule.refusal.format(limit=f"{getattr(tx.quotas, name):,}")
    return rule.error(sentence, retry_after=retry_after)
