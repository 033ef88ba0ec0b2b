"""The rules of all channels, in the order in which they are shown to authors."""

from __future__ import annotations

from streams.channels.activecampaign import ACTIVECAMPAIGN
from streams.channels.batch import BATCH
from streams.channels.braze import BRAZE
from streams.channels.email import EMAIL
from streams.channels.intercom import INTERCOM
from streams.channels.klaviyo import KLAVIYO
from streams.channels.mailchimp import MAILCHIMP
from streams.channels.rules import ChannelTable
from streams.channels.shopify import SHOPIFY
from streams.channels.sms import SMS
from streams.channels.webhook import WEBHOOK

CHANNEL_RULES: ChannelTable = {
    "email": EMAIL,
    "sms": SMS,
    "webhook": WEBHOOK,
    "braze": BRAZE,
    "klaviyo": KLAVIYO,
    "mailchimp": MAILCHIMP,
    "activecampaign": ACTIVECAMPAIGN,
    "intercom": INTERCOM,
    "batch": BATCH,
    "shopify": SHOPIFY,
}
