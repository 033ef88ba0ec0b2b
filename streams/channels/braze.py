"""Braze, as far as it is pure: its keys, the name of a customer's profile, and its deliveries."""

from __future__ import annotations

from schemas.channels.braze import BrazeAddress, BrazeDelivery, BrazePlan
from schemas.formats.mail_address import mail_address
from schemas.formats.phone import phone_number
from schemas.record import JsonObject
from streams.channels.mapping import Attributes, Transfer
from streams.channels.rules import ChannelRules, PlanContext, Shared
from streams.event_context import Profile, profile_text
from streams.values.kinds import AsWritten, Group, Key, Text
from streams.verdict import Skip

NEVER_SET = (
    "external_id", "braze_id", "user_alias", "_update_existing_only", "email_subscribe", "push_subscribe",
    "subscription_groups", "push_tokens", "push_token_import", "marked_email_as_spam_at",
)  # fmt: skip
"""Attributes that say who a profile is, or that would subscribe somebody again."""
_LONGEST_NAME = 255
_TRANSFER = Transfer(
    attributes=Attributes(
        name=rf"(?!(?:{'|'.join(NEVER_SET)})$)(?!\$)(?=.*\S).{{1,{_LONGEST_NAME}}}",
        named=f"a name of at most {_LONGEST_NAME} characters that does not begin with $, and none of"
        f" {', '.join(NEVER_SET)}: they name a profile, or subscribe somebody again",
    ),
    properties=Attributes(
        name=rf"(?!(?:time|event_name)$)(?!\$)(?=.*\S).{{1,{_LONGEST_NAME}}}",
        named=f"a name of at most {_LONGEST_NAME} characters without $ at its start, and neither time nor event_name",
    ),
    event_name=Text(": the name of the event", most=_LONGEST_NAME),
)

KEYS = Group(
    {
        "account": Key(AsWritten("the name of a Braze account"), required=True, doc="The account.", example="main"),
        **_TRANSFER.keys,
        "alias_label": Key(
            Text(": the label of aliases that are customers' ids"),
            doc="Customers without a `source_id` are named by an alias of this label and their id.",
            default="their e-mail address, or else their phone number",
            example="tidings",
        ),
    }
)
_MORE_ACCOUNTS = "Add one with tidings accounts add braze/NAME"


def _plan(written: JsonObject, context: PlanContext) -> BrazePlan | None:
    account = context.account(written.get("account"), "a Braze account", _MORE_ACCOUNTS)
    attributes, event = _TRANSFER.read(written, context)
    if not attributes and event is None:
        context.problem("would say nothing: trigger and action bring nothing by themselves; write attributes or event")
    return BrazePlan(
        account=str(account), alias_label=written.get("alias_label", ""), attributes=attributes, event=event
    )


def _profile(plan: BrazePlan, profile: Profile) -> BrazeAddress | Skip:
    """By `external_id` where it is known; else by an alias, an e-mail address, a phone number, the first that is."""
    source_id = profile_text(profile, "source_id")
    if source_id:
        return BrazeAddress(external_id=source_id, attributes=plan.attributes, event=plan.event)
    if plan.alias_label:
        name, label = str(profile["id"]), plan.alias_label
        return BrazeAddress(alias_name=name, alias_label=label, attributes=plan.attributes, event=plan.event)
    try:
        if profile_text(profile, "email"):
            email = mail_address(profile["email"])
            return BrazeAddress(email=email, attributes=plan.attributes, event=plan.event)
        if profile_text(profile, "phone"):
            phone = phone_number(profile["phone"])
            return BrazeAddress(phone=phone, attributes=plan.attributes, event=plan.event)
    except ValueError as error:
        return Skip("no_address", f"Braze cannot know the customer, who has no source_id: {error}")
    return Skip("no_address", "the customer has no source_id, e-mail address or phone number to be known by")


def _delivery(plan: BrazePlan, address: BrazeAddress, shared: Shared) -> BrazeDelivery:
    return BrazeDelivery(account=plan.account, braze=address, **shared)


BRAZE = ChannelRules(KEYS, _plan, _profile, _delivery)
