"""Mailchimp, as far as it is pure: its keys, the customer's mailbox, and its deliveries."""

from __future__ import annotations

from schemas.channels.mailchimp import MailchimpAddress, MailchimpDelivery, MailchimpPlan
from schemas.record import JsonObject
from streams.channels.mailbox import known_mailbox
from streams.channels.mapping import DEFAULTS, Attributes, attributes_key
from streams.channels.rules import ChannelRules, PlanContext, Shared
from streams.event_context import Profile
from streams.values.kinds import AsWritten, Group, Key
from streams.verdict import Skip

_TAGS = {
    "voucher_code": "CODE",
    "voucher_value": "VALUE",
    "voucher_balance": "BALANCE",
    "voucher_qr_url": "QR",
    "voucher_barcode_url": "BARCODE",
    "publication_date": "PUBLISHED",
    "promotion_tier_name": "TIER",
    "promotion_tier_id": "TIER_ID",
    "preferences_url": "PREFS",
}
_MERGE_FIELDS = Attributes(
    name=r"(?!EMAIL$)[A-Z0-9_]{1,10}",
    named="a merge tag of at most 10 upper-case letters, digits and _, as in CODE, and not EMAIL, by which a member is"
    " known",
    defaults={tag: DEFAULTS[name] for name, tag in _TAGS.items()},
)

KEYS = Group(
    {
        "account": Key(AsWritten("the name of a Mailchimp account"), required=True, doc="The account.", example="main"),
        "attributes": attributes_key(_MERGE_FIELDS, "{CITY: customer.address.city, SOURCE: {value: spring}}"),
    }
)
_MORE_ACCOUNTS = "Add one with tidings accounts add mailchimp/NAME"


def _plan(written: JsonObject, context: PlanContext) -> MailchimpPlan:
    account = context.account(written.get("account"), "a Mailchimp account", _MORE_ACCOUNTS)
    attributes = _MERGE_FIELDS.payload(written.get("attributes"), context)
    if not attributes:
        context.problem("would say nothing: trigger and action bring nothing by themselves; write attributes")
    return MailchimpPlan(account=str(account), attributes=attributes)


def _member(plan: MailchimpPlan, profile: Profile) -> MailchimpAddress | Skip:
    email = known_mailbox(profile, "Mailchimp")
    return email if isinstance(email, Skip) else MailchimpAddress(email=email, attributes=plan.attributes)


def _delivery(plan: MailchimpPlan, address: MailchimpAddress, shared: Shared) -> MailchimpDelivery:
    return MailchimpDelivery(account=plan.account, mailchimp=address, **shared)


MAILCHIMP = ChannelRules(KEYS, _plan, _member, _delivery)
