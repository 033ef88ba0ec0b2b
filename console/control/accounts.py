"""Accounts of a project: add, change, try, rotate, list, pause, remove. What is secret is shown by none of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from agents.accounts import account_keys
from agents.channels import channels_of, shared_accounts
from channels.accounts import AccountBook
from channels.contract import AccountCheck
from channels.registry import CHANNEL_TYPES
from console.control.destinations import written_destination
from console.control.mail_presets import Exchangers, completed, mail_exchangers, preset_words
from console.control.not_found import NotFound, not_found
from deploy.settings.settings import Settings
from schemas.account import account_name, changed_account, read_account
from schemas.account_fields import AccountForm
from schemas.channels.dkim import dkim_advice
from schemas.channels.email import EmailAccountForm
from schemas.channels.mail_providers import MailPreset
from schemas.channels.tables import ACCOUNT_TYPES
from schemas.errors import DefinitionInvalid, Problem, TidingsError
from schemas.failover import failover_problems
from schemas.names import ROUGHLY_LIKE, did_you_mean, nearest
from store.accounts import AccountKey, Accounts, AccountSummary, Rotated, StoredAccount
from store.encryption import CannotDecrypt, Keys


@dataclass(frozen=True, slots=True)
class ShownAccount:
    """An account as people look at it; one of the settings has no key and was changed by nobody."""

    account: str
    kept_in: str
    state: str
    key: str = ""
    changed_at: datetime | None = None
    changed_by: str = ""


@dataclass(frozen=True, slots=True)
class AppliedAccount:
    """An account that was written: whether it is new, the servers that its address has by itself, and a warning."""

    is_new: bool
    servers: str
    advice: str


def account_key(project_id: str, written: str) -> AccountKey:
    """The account that `CHANNEL/NAME` says. Raises TidingsError."""
    named = written_destination(project_id, written)
    return AccountKey(project_id, named.channel, account_name(named.channel, named.name))


async def add(
    accounts: Accounts,
    settings: Settings,
    key: AccountKey,
    written: Mapping[str, object],
    *,
    actor: str,
    exchangers: Exchangers = mail_exchangers,
) -> MailPreset | None:
    """Keep a new account; what of a mailbox is not written is that of the provider of its address, which is returned.

    Raises DefinitionInvalid with every problem, TidingsError where there is one already.
    """
    written, preset = await completed(key.channel, written, exchangers)
    form = read_account(key.channel, written)
    await _must_have_order(accounts, settings, key, form)
    if not await accounts.add(key, form, account_keys(settings), by=actor):
        raise TidingsError(f"there is an account {key} already; --change keeps what is named, and the rest as it was")
    return preset


async def change(
    accounts: Accounts, settings: Settings, key: AccountKey, written: Mapping[str, object], *, actor: str
) -> None:
    """Change what is written of an account, and keep the rest. Raises DefinitionInvalid, CannotDecrypt."""
    keys = account_keys(settings)
    before = await accounts.get(key)
    if before is not None and before.state != "removed" and "failover" in written:
        await _must_have_order(accounts, settings, key, changed_account(key.channel, before.read(keys), written))
    found = await accounts.change(key, lambda form: changed_account(key.channel, form, written), keys, by=actor)
    await _must_be_there(accounts, key, found=found)


async def foresee(
    accounts: Accounts,
    settings: Settings,
    key: AccountKey,
    written: Mapping[str, object],
    exchangers: Exchangers = mail_exchangers,
) -> AppliedAccount:
    """Say what `put` would come to, and change nothing. Raises as it does."""
    keys, before, preset = _keys_to_write(settings), await accounts.get(key), None
    is_new = before is None or before.state == "removed"
    if before is None or is_new:
        written, preset = await completed(key.channel, written, exchangers)
        form = read_account(key.channel, written)
    else:
        form = changed_account(key.channel, before.read(keys), written)
    await _must_have_order(accounts, settings, key, form)
    return AppliedAccount(is_new, _servers(preset, written), _advice(form))


async def put(
    accounts: Accounts,
    settings: Settings,
    key: AccountKey,
    written: Mapping[str, object],
    *,
    actor: str,
    exchangers: Exchangers = mail_exchangers,
) -> AppliedAccount:
    """Keep a new account, or change what is written of one that is there. Raises as `add` and `change` do."""
    _keys_to_write(settings)
    before, preset = await accounts.get(key), None
    is_new = before is None or before.state == "removed"
    if is_new:
        preset = await add(accounts, settings, key, written, actor=actor, exchangers=exchangers)
    else:
        await change(accounts, settings, key, written, actor=actor)
    return AppliedAccount(is_new, _servers(preset, written), await advice(accounts, settings, key))


async def advice(accounts: Accounts, settings: Settings, key: AccountKey) -> str:
    """A warning about an account that is right and yet of little use; empty for any other."""
    stored = await accounts.get(key)
    form = stored.read(account_keys(settings)) if stored is not None and stored.state != "removed" else None
    return _advice(form)


async def provider_of(accounts: Accounts, settings: Settings, key: AccountKey) -> str:
    """The provider of an account of a channel that has several; empty where there is one, or it cannot be read.

    Raises TryLater.
    """
    if not ACCOUNT_TYPES[key.channel].providers:
        return ""
    stored = await accounts.get(key)
    try:
        form = stored.read(account_keys(settings)) if stored is not None and stored.state != "removed" else None
    except CannotDecrypt:
        return ""
    return str(getattr(form, "provider", ""))


async def must_be_there(accounts: Accounts, key: AccountKey) -> None:
    """Raises NotFound where the database has no such account."""
    stored = await accounts.get(key)
    await _must_be_there(accounts, key, found=stored is not None and stored.state != "removed")


async def pause(accounts: Accounts, key: AccountKey, *, actor: str) -> None:
    """Hold what is for an account. Raises TidingsError where it does not exist."""
    await _must_be_there(accounts, key, found=await accounts.pause(key, by=actor))


async def resume(accounts: Accounts, key: AccountKey, *, actor: str) -> None:
    """Send what waits for an account. Raises TidingsError where it does not exist."""
    await _must_be_there(accounts, key, found=await accounts.resume(key, by=actor))


async def remove(accounts: Accounts, key: AccountKey, *, actor: str) -> None:
    """Forget what an account holds; what is for it waits. Raises TidingsError where it does not exist."""
    await _must_be_there(accounts, key, found=await accounts.remove(key, by=actor))


async def rotate(accounts: Accounts, settings: Settings, *, actor: str) -> Rotated:
    """Encrypt the accounts of every project under the first key. Safe to repeat. Raises TidingsError without a key."""
    return await accounts.rotate(_keys_to_write(settings), by=actor)


async def shown(accounts: Accounts, settings: Settings, project_id: str) -> list[ShownAccount]:
    """Accounts of a project, and those of the settings, which every project may use where it has none of the name."""
    return listed(await accounts.of_project(project_id), settings)


def listed(stored: Iterable[AccountSummary], settings: Settings) -> list[ShownAccount]:
    """The same of those that were read already."""
    own = [
        ShownAccount(f"{one.channel}/{one.name}", "database", one.state, one.key_id, one.changed_at, one.changed_by)
        for one in stored
    ]
    names = {one.account for one in own}
    shared = [f"{channel}/{name}" for channel, of_channel in shared_accounts(settings).items() for name in of_channel]
    return sorted(own + _of_settings(shared, names), key=lambda one: one.account)


def _of_settings(shared: Iterable[str], own: set[str]) -> list[ShownAccount]:
    return [ShownAccount(one, "settings", "active") for one in shared if one not in own]


async def check(accounts: Accounts, settings: Settings, key: AccountKey) -> AccountCheck:
    """Try an account without a message. Raises TidingsError for one that cannot be read or used here."""
    book, stored = AccountBook(shared_accounts(settings)), await accounts.get(key)
    if stored is not None and stored.state != "removed":
        form = stored.read(account_keys(settings))
        try:
            account = CHANNEL_TYPES[key.channel].account(key.name, form)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or type(error).__name__
            raise TidingsError(f"{key} cannot be used on this machine: {why}. Check ssl_cafile") from None
        book.replace({(key.channel, key.project_id, key.name): account})
    elif key.name not in book.shared(key.channel):
        usable = await shown(accounts, settings, key.project_id)
        raise not_found("account", str(key), [one.account for one in usable if one.state != "removed"])
    channel = channels_of(settings, book)[key.channel]
    try:
        found = await channel.check(key.project_id, key.name)
    finally:
        await channel.close()
    if stored is not None and stored.retires_at is not None:
        return replace(
            found, said=f"{found.said}; until {stored.retires_at:%Y-%m-%d %H:%M:%SZ} by what a rotation replaced"
        )
    return found


def _keys_to_write(settings: Settings) -> Keys:
    keys = account_keys(settings)
    if not keys.first:
        raise TidingsError("there is no key: set accounts.keys or accounts.key_file")
    return keys


def _servers(preset: MailPreset | None, written: Mapping[str, object]) -> str:
    return preset_words(preset, written) if preset else ""


def _advice(form: AccountForm | None) -> str:
    return dkim_advice(form.dkim_domain, form.sender, form.host) if isinstance(form, EmailAccountForm) else ""


async def _must_have_order(accounts: Accounts, settings: Settings, key: AccountKey, form: AccountForm) -> None:
    """Raises DefinitionInvalid where the accounts that one names for its failover cannot take its place."""
    if not (isinstance(form, EmailAccountForm) and form.failover):
        return
    orders = {name: one.failover for name, one in settings.email_accounts.items()}
    keys = account_keys(settings)
    for stored in await accounts.all():
        of = stored.key.project_id, stored.key.channel
        if of == (key.project_id, key.channel) and stored.state != "removed":
            orders[stored.key.name] = _order(stored, keys)
    orders[key.name] = form.failover
    if problem := failover_problems(orders).get(key.name):
        raise DefinitionInvalid((Problem("failover", problem),))


def _order(stored: StoredAccount, keys: Keys) -> tuple[str, ...]:
    try:
        form = stored.read(keys)
    except CannotDecrypt:  # nothing leaves through it, so its order cannot lead back
        return ()
    return form.failover if isinstance(form, EmailAccountForm) else ()


async def _must_be_there(accounts: Accounts, key: AccountKey, *, found: bool) -> None:
    if found:
        return
    there = [f"{one.channel}/{one.name}" for one in await accounts.of_project(key.project_id)]
    hint, meant = did_you_mean(str(key), there, ROUGHLY_LIKE), nearest(str(key), there, ROUGHLY_LIKE)
    said = f"the database has no account {key}.{hint} There are: {', '.join(there) or 'none'}."
    raise NotFound(said, kind="account", name=str(key), meant=meant)
