"""All channels: their plans, their deliveries and their accounts."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.account_fields import AccountType
from schemas.channels.activecampaign import ACTIVECAMPAIGN_ACCOUNT, ActiveCampaignDelivery, ActiveCampaignPlan
from schemas.channels.batch import BATCH_ACCOUNT, BatchDelivery, BatchPlan
from schemas.channels.braze import BRAZE_ACCOUNT, BrazeDelivery, BrazePlan
from schemas.channels.email import EMAIL_ACCOUNT, EmailDelivery, EmailPlan
from schemas.channels.intercom import INTERCOM_ACCOUNT, IntercomDelivery, IntercomPlan
from schemas.channels.klaviyo import KLAVIYO_ACCOUNT, KlaviyoDelivery, KlaviyoPlan
from schemas.channels.mailchimp import MAILCHIMP_ACCOUNT, MailchimpDelivery, MailchimpPlan
from schemas.channels.shopify import SHOPIFY_ACCOUNT, ShopifyDelivery, ShopifyPlan
from schemas.channels.sms import SMS_ACCOUNT, SmsDelivery, SmsPlan
from schemas.channels.webhook import WEBHOOK_ACCOUNT, WebhookDelivery, WebhookPlan
from schemas.closed import ChannelName
from schemas.delivery import Delivery

ChannelPlan = (
    WebhookPlan
    | EmailPlan
    | SmsPlan
    | BrazePlan
    | KlaviyoPlan
    | MailchimpPlan
    | ActiveCampaignPlan
    | IntercomPlan
    | BatchPlan
    | ShopifyPlan
)

DELIVERY_TYPES: Mapping[ChannelName, type[Delivery]] = {
    "webhook": WebhookDelivery,
    "email": EmailDelivery,
    "sms": SmsDelivery,
    "braze": BrazeDelivery,
    "klaviyo": KlaviyoDelivery,
    "mailchimp": MailchimpDelivery,
    "activecampaign": ActiveCampaignDelivery,
    "intercom": IntercomDelivery,
    "batch": BatchDelivery,
    "shopify": ShopifyDelivery,
}
"""Channel to the struct of its deliveries."""

ACCOUNT_TYPES: Mapping[ChannelName, AccountType] = {
    "webhook": WEBHOOK_ACCOUNT,
    "email": EMAIL_ACCOUNT,
    "sms": SMS_ACCOUNT,
    "braze": BRAZE_ACCOUNT,
    "klaviyo": KLAVIYO_ACCOUNT,
    "mailchimp": MAILCHIMP_ACCOUNT,
    "activecampaign": ACTIVECAMPAIGN_ACCOUNT,
    "intercom": INTERCOM_ACCOUNT,
    "batch": BATCH_ACCOUNT,
    "shopify": SHOPIFY_ACCOUNT,
}
"""Channel to its accounts; whatever takes an account asks here for its fields."""
