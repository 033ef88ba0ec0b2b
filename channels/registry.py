"""The channels that exist, by name."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo

from channels.codes.links import Links
from channels.contract import AnyChannel
from channels.email.channel import Email
from channels.email.smtp_session import EmailAccount
from channels.templates.engine import Templates
from channels.webhook.channel import Webhook
from channels.webhook.signing import Signer
from schemas.closed import ChannelName


def build_channels(
    *,
    signer: Signer,
    accounts: Mapping[str, EmailAccount],
    allow_private: bool,
    max_bytes: int,
    links: Links,
    zone: tzinfo,
) -> dict[ChannelName, AnyChannel]:
    """One instance of each, for the life of a process."""
    return {
        "webhook": Webhook(signer, allow_private=allow_private, max_bytes=max_bytes, links=links),
        "email": Email(accounts, Templates(zone), links),
    }
