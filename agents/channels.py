"""The channels of a process, built from the settings and its accounts, and how each is tried."""

from __future__ import annotations

from typing import Any, cast

from agents.reach import reach_of
from channels.accounts import AccountBook
from channels.codes.links import Links
from channels.context import ChannelContext
from channels.contract import AnyChannel, Policy
from channels.email.mime import FileLimits
from channels.email.smtp_session import EmailAccount
from channels.kept_files import KeptFile, no_kept_file
from channels.registry import CHANNEL_TYPES, build_channels
from channels.tracked import NO_TRACKED_LINKS, TrackedLinks
from channels.unsubscribe import OwnLinks, UnsubscribeLinks
from channels.webhook.calls import Calls
from channels.webhook.signing import Signer
from deploy.settings.messages import EmailAccountSettings
from deploy.settings.settings import Settings
from deploy.settings.workers import ChannelRetries
from deploy.settings.workers import Sender as SenderSettings
from schemas.account import read_account
from schemas.account_fields import AccountForm
from schemas.channels.email import EmailAccountForm
from schemas.channels.webhook import SIGNING, WebhookAccountForm
from schemas.closed import ChannelName
from schemas.errors import DefinitionInvalid
from schemas.limit import written_limit


def channels_of(
    settings: Settings,
    accounts: AccountBook | None = None,
    calls: Calls | None = None,
    kept_file: KeptFile = no_kept_file,
    tracked: TrackedLinks = NO_TRACKED_LINKS,
) -> dict[ChannelName, AnyChannel]:
    """Every channel, for one process. `accounts` are those that change while it runs; else the settings' alone.

    `calls` sees those of endpoints, `kept_file` reads what e-mails bring along.
    """
    context = ChannelContext(
        accounts=accounts or AccountBook(shared_accounts(settings)),
        signer=_signer(settings),
        reach=reach_of(settings.sender),
        max_bytes=settings.sender.webhook_max_bytes,
        links=links_of(settings),
        unsubscribe=unsubscribe_links_of(settings),
        tracked=tracked,
        zone=settings.zone,
        calls=calls,
        file_limits=FileLimits(settings.sender.attachment_max_bytes, settings.sender.attachments_max_bytes),
        kept_file=kept_file,
    )
    return build_channels(context)


def shared_accounts(settings: Settings) -> dict[ChannelName, dict[str, Any]]:
    """The accounts of the settings, which every project may use."""
    mailboxes = {name: EmailAccount.of(name, email_form(one)) for name, one in settings.email_accounts.items()}
    webhook = settings.webhook
    signs = webhook.secrets or webhook.legacy_secret.reveal()
    return {"email": mailboxes, "webhook": {SIGNING: _signer(settings)} if signs else {}}


def email_form(account: EmailAccountSettings) -> EmailAccountForm:
    """An account of the settings as accounts are described everywhere; as it is written where that is not right."""
    try:
        form = read_account("email", account.written)
    except DefinitionInvalid:  # the log says so, and doctor
        return EmailAccountForm(**cast(Any, account.written))
    return cast(EmailAccountForm, form)


def shared_form(settings: Settings, channel: ChannelName, name: str) -> AccountForm | None:
    """An account of the settings as accounts are described everywhere; None where they have not any of that name."""
    if channel == "email":
        mailbox = settings.email_accounts.get(name)
        return None if mailbox is None else email_form(mailbox)
    if channel != "webhook" or name != SIGNING:
        return None
    webhook = settings.webhook
    return WebhookAccountForm(
        secrets=tuple(one.reveal() for one in webhook.secrets),
        legacy_secret=webhook.legacy_secret.reveal(),
        callback_secrets=tuple(one.reveal() for one in webhook.callback_secrets),
    )


def _signer(settings: Settings) -> Signer:
    webhook = settings.webhook
    limit = written_limit(webhook.rate, webhook.concurrency)
    return Signer([one.reveal() for one in webhook.secrets], webhook.legacy_secret.reveal(), limit)


def policies_of(settings: SenderSettings) -> dict[ChannelName, Policy]:
    """The way in which each channel is tried: as its own file says, but for what the settings say."""
    written = {
        **settings.channels,
        "webhook": ChannelRetries(settings.webhook_timeout, settings.webhook_retries),
        "email": ChannelRetries(settings.email_timeout, settings.email_retries),
    }
    return {name: _policy(channel.policy, written.get(name)) for name, channel in CHANNEL_TYPES.items()}


def _policy(own: Policy, written: ChannelRetries | None) -> Policy:
    if written is None:
        return own
    return own.overridden(
        own.timeout if written.timeout is None else written.timeout,
        own.retries if written.retries is None else written.retries,
    )


def links_of(settings: Settings) -> Links:
    """Addresses of a code's pictures and of customers' pages; none where the console's own are not set."""
    console = settings.console
    return OwnLinks(console.public_url, tuple(one.reveal() for one in console.secrets))


def unsubscribe_links_of(settings: Settings) -> UnsubscribeLinks:
    """Links by which customers leave, and mailboxes that they can write to; none without the console's secrets."""
    console, read = settings.console, (one.address.lower() for one in settings.mailboxes.values() if one.address)
    return UnsubscribeLinks(console.public_url, tuple(one.reveal() for one in console.secrets), frozenset(read))
