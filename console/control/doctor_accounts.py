"""Accounts of the settings and of the database: whether a message could leave through each, and what would be right."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import asyncpg

from agents.accounts import account_keys, usable_account, wrong_settings
from agents.channels import channels_of, shared_accounts
from channels.accounts import AccountBook, HeldAccount
from channels.contract import NotOffered
from deploy.settings.settings import Settings
from schemas.account import as_written, read_account
from schemas.errors import DefinitionInvalid, TidingsError
from store.accounts import AccountKey, Accounts, StoredAccount
from store.encryption import CannotDecrypt, Keys

_AT_ONCE = 8
"""Accounts that are tried side by side: a server that does not answer takes its whole time-out."""


def examine_settings(settings: Settings) -> str:
    """A sentence about the accounts of the settings. Raises TidingsError that names each field that is not right."""
    wrong = list(wrong_settings(settings))
    if wrong:
        raise TidingsError("; ".join(wrong))
    return f"{len(settings.email_accounts)} in the settings"


async def examine_stored(pool: asyncpg.Pool, settings: Settings, *, log_in: bool) -> str:
    """A sentence about the accounts of every project; `log_in` tries each. Raises TidingsError for what is not right.

    A paused one is as somebody wanted it, and is only said.
    """
    stored = [one for one in await Accounts(pool).all() if one.state != "removed"]
    keys = account_keys(settings)
    wrong = {one.key: said for one in stored if (said := _problem(one, keys))}
    if log_in:
        wrong |= await _refused([one for one in stored if one.key not in wrong], settings, keys)
    if wrong:
        raise TidingsError("; ".join(f"{_named(key)}: {said}" for key, said in wrong.items()))
    paused = [_named(one.key) for one in stored if one.state == "paused"]
    held = f"; paused (tidings accounts resume): {'; '.join(paused)}" if paused else ""
    return f"{len(stored)} in the database {'let us in' if log_in else 'can be read'}{held}"


def _named(key: AccountKey) -> str:
    return f"project {key.project_id}, account {key}"


def _problem(one: StoredAccount, keys: Keys) -> str:
    mend = f"tidings accounts add {one.key} --change --project {one.key.project_id}"
    try:
        form = one.read(keys)
        read_account(one.key.channel, as_written(one.key.channel, form))
    except CannotDecrypt as error:
        return f"{error}. Put that key back, or remove the account and add it again"
    except DefinitionInvalid as error:
        return ", ".join(f"{problem.path} {problem.message} ({mend} {problem.path}=…)" for problem in error.problems)
    found = usable_account(one.key, form)
    return f"{found.why} (on this machine; {mend} ssl_cafile=…)" if isinstance(found, HeldAccount) else ""


async def _refused(stored: list[StoredAccount], settings: Settings, keys: Keys) -> dict[AccountKey, str]:
    book, at_once = AccountBook(shared_accounts(settings)), asyncio.Semaphore(_AT_ONCE)
    own = {one.key: usable_account(one.key, one.read(keys)) for one in stored}
    book.replace({(key.channel, key.project_id, key.name): account for key, account in own.items()})
    channels = channels_of(settings, book)

    async def said(key: AccountKey) -> str:
        async with at_once:
            with suppress(NotOffered):
                found = await channels[key.channel].check(key.project_id, key.name)
                return "" if found.is_well else found.said
        return ""

    answers = zip(own, await asyncio.gather(*map(said, own)), strict=True)
    await asyncio.gather(*(channel.close() for channel in channels.values()))
    return {key: answer for key, answer in answers if answer}
