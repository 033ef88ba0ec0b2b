"""Klaviyo, as far as it is pure: its keys, the names of a customer's profile, and its deliveries."""

from __future__ import annotations

from schemas.channels.klaviyo import KlaviyoAddress, KlaviyoDelivery, KlaviyoPlan
from schemas.formats.mail_address import mail_address
from schemas.formats.phone import phone_number
from schemas.record import JsonObject
from streams.channels.mapping import Attributes, Transfer
from streams.channels.rules import ChannelRules, PlanContext, Shared
from streams.event_context import Profile, profile_text
from streams.values.kinds import AsWritten, Group, Key, Text

_LONGEST_METRIC = 127
_TRANSFER = Transfer(
    attributes=Attributes(name=r"(?!\$)(?=.*\S).+", named="a name that does not begin with $: those are Klaviyo's own"),
    properties=Attributes(name=r"(?!\$)(?=.*\S).+", named="a name that does not begin with $: those are Klaviyo's own"),
    event_name=Text(": the name of the metric", most=_LONGEST_METRIC),
)

KEYS = Group(
    {
        "account": Key(AsWritten("the name of a Klaviyo account"), required=True, doc="The account.", example="main"),
        **_TRANSFER.keys,
    }
)
_MORE_ACCOUNTS = "Add one with tidings accounts add klaviyo/NAME"


def _plan(written: JsonObject, context: PlanContext) -> KlaviyoPlan | None:
    account = context.account(written.get("account"), "a Klaviyo account", _MORE_ACCOUNTS)
    attributes, event = _TRANSFER.read(written, context)
    if not attributes and event is None:
        context.problem("would say nothing: trigger and action bring nothing by themselves; write attributes or event")
    return KlaviyoPlan(account=str(account), attributes=attributes, event=event)


def _profile(plan: KlaviyoPlan, profile: Profile) -> KlaviyoAddress:
    """By its id, and by address and number where messages can go there: anything else would be refused as a whole."""
    return KlaviyoAddress(
        external_id=profile_text(profile, "source_id") or str(profile["id"]),
        email=_usable(profile, "email"),
        phone_number=_usable(profile, "phone"),
        attributes=plan.attributes,
        event=plan.event,
    )


def _usable(profile: Profile, name: str) -> str | None:
    text = profile_text(profile, name)
    if not text:
        return None
    try:
        return mail_address(text) if name == "email" else phone_number(text)
    except ValueError:
        return None


def _delivery(plan: KlaviyoPlan, address: KlaviyoAddress, shared: Shared) -> KlaviyoDelivery:
    return KlaviyoDelivery(account=plan.account, klaviyo=address, **shared)


KLAVIYO = ChannelRules(KEYS, _plan, _profile, _delivery)
