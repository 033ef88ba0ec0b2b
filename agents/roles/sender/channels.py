"""The channels of a sender process, built from the settings."""

from __future__ import annotations

import ssl
from functools import partial

from channels.codes.links import Links, code_links
from channels.context import ChannelContext
from channels.contract import AnyChannel, Policy
from channels.email.smtp_session import EmailAccount
from channels.registry import CHANNEL_TYPES, build_channels
from channels.webhook.signing import Signer
from deploy.settings.messages import EmailAccountSettings
from deploy.settings.settings import Settings
from deploy.settings.workers import Sender as SenderSettings
from schemas.closed import ChannelName
from schemas.formats.mail_address import mail_address, mailto


def channels_of(settings: Settings) -> dict[ChannelName, AnyChannel]:
    """Every channel, for one process."""
    context = ChannelContext(
        accounts={"email": {name: _account(name, account) for name, account in settings.email_accounts.items()}},
        signer=Signer([one.reveal() for one in settings.webhook.secrets], settings.webhook.legacy_secret.reveal()),
        allow_private=settings.sender.webhook_allow_private,
        max_bytes=settings.sender.webhook_max_bytes,
        links=links_of(settings),
        zone=settings.zone,
    )
    return build_channels(context)


def policies_of(settings: SenderSettings) -> dict[ChannelName, Policy]:
    """The way in which each channel is tried: as its own file says, but for what the settings say."""
    written = {
        "webhook": (settings.webhook_timeout, settings.webhook_retries),
        "email": (settings.email_timeout, settings.email_retries),
    }
    policies = {name: channel.policy for name, channel in CHANNEL_TYPES.items()}
    return {name: one.overridden(*written[name]) if name in written else one for name, one in policies.items()}


def links_of(settings: Settings) -> Links:
    """Addresses of a code's pictures; of none where the console's own address or secrets are not set."""
    console = settings.console
    return partial(code_links, public_url=console.public_url, secrets=[one.reveal() for one in console.secrets])


def _account(name: str, account: EmailAccountSettings) -> EmailAccount:
    tls = None if account.security == "none" else ssl.create_default_context(cafile=account.ssl_cafile or None)
    return EmailAccount(
        name=name,
        host=account.host,
        port=account.port,
        security=account.security,
        sender=mail_address(account.sender),
        sender_name=account.sender_name,
        username=account.username,
        password=account.password.reveal(),
        connections=account.connections,
        unsubscribe_url=account.unsubscribe_url,
        unsubscribe_mailto=mailto(account.unsubscribe_mailto),
        tls=tls,
    )
