"""The channels that exist, by name."""

from __future__ import annotations

from collections.abc import Mapping

from channels.activecampaign.channel import ActiveCampaign
from channels.batch.channel import Batch
from channels.braze import Braze
from channels.context import ChannelContext
from channels.contract import AnyChannel
from channels.email.channel import Email
from channels.intercom.channel import Intercom
from channels.klaviyo.channel import Klaviyo
from channels.mailchimp.channel import Mailchimp
from channels.shopify.channel import Shopify
from channels.sms.channel import Sms
from channels.webhook.channel import Webhook
from schemas.closed import ChannelName

CHANNEL_TYPES: Mapping[ChannelName, type[AnyChannel]] = {
    "webhook": Webhook,
    "email": Email,
    "sms": Sms,
    "braze": Braze,
    "klaviyo": Klaviyo,
    "mailchimp": Mailchimp,
    "activecampaign": ActiveCampaign,
    "intercom": Intercom,
    "batch": Batch,
    "shopify": Shopify,
}


def build_channels(
    context: ChannelContext, types: Mapping[ChannelName, type[AnyChannel]] = CHANNEL_TYPES
) -> dict[ChannelName, AnyChannel]:
    """One instance of each, for the life of a process."""
    return {name: channel.build(context) for name, channel in types.items()}
