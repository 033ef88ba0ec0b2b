"""The mailboxes that e-mails say they come from before they leave: those that a sender would take."""

from __future__ import annotations

from collections.abc import Iterable

import asyncpg

from agents.accounts import account_keys, usable_account
from channels.accounts import HeldAccount, Place
from channels.email.smtp_session import EmailAccount
from deploy.settings.settings import Settings
from schemas.channels.email import EmailPlan
from schemas.distribution import Distribution
from store.accounts import AccountKey, Accounts, StoredAccount, why_held
from store.encryption import CannotDecrypt

Mailbox = EmailAccount | HeldAccount

STAND_IN = EmailAccount("stand-in", "localhost", 25, "none", "stand-in@example.com")
"""In place of a mailbox that cannot be used, where all else of its mails is to be seen: nobody is shown its address."""


def named_mailboxes(rule: Distribution) -> set[str]:
    """The accounts of e-mail that a distribution's messages leave through."""
    return {plan.account for _, plan in rule.plans() if isinstance(plan, EmailPlan)}


async def own_mailboxes(
    pool: asyncpg.Pool, settings: Settings, project_id: str, names: Iterable[str]
) -> dict[Place, Mailbox]:
    """A project's own mailboxes of some names, by what channels look them up by.

    A paused one is among them as it is, since what waits for it leaves through it; held is one that cannot be read, or
    that was removed and has nobody in its place. Raises TryLater, CannotStart.
    """
    accounts, shared = Accounts(pool), settings.email_accounts
    found: dict[Place, Mailbox] = {}
    for name in sorted(set(names)):
        stored = await accounts.get(AccountKey(project_id, "email", name))
        if stored is not None and (stored.state != "removed" or name not in shared):
            found["email", project_id, name] = _readable(stored, settings)
    return found


async def shown_mailboxes(
    pool: asyncpg.Pool, settings: Settings, project_id: str, names: Iterable[str]
) -> dict[Place, Mailbox]:
    """The same with a stand-in for each that cannot be used, or is not there. Raises TryLater, CannotStart."""
    wanted = set(names)
    own = await own_mailboxes(pool, settings, project_id, wanted)
    missing: dict[Place, Mailbox] = {
        ("email", project_id, name): STAND_IN for name in wanted if name not in settings.email_accounts
    }
    held = {place: STAND_IN for place, one in own.items() if isinstance(one, HeldAccount)}
    return {**missing, **own, **held}


def _readable(stored: StoredAccount, settings: Settings) -> Mailbox:
    if stored.state == "removed":
        return HeldAccount(why_held(stored.key, "removed"))
    try:
        form = stored.read(account_keys(settings))
    except CannotDecrypt as error:
        return HeldAccount(why_held(stored.key, "active", str(error)))
    made: Mailbox = usable_account(stored.key, form)
    return made
