"""ActiveCampaign, as far as it is pure: its keys, the customer's mailbox, and its deliveries."""

from __future__ import annotations

from schemas.channels.activecampaign import ActiveCampaignAddress, ActiveCampaignDelivery, ActiveCampaignPlan
from schemas.record import JsonObject
from streams.channels.mailbox import known_mailbox
from streams.channels.mapping import DEFAULTS, Attributes, attributes_key
from streams.channels.rules import ChannelRules, PlanContext, Shared
from streams.event_context import Profile
from streams.values.kinds import AsWritten, Group, Key
from streams.verdict import Skip

_FIELDS = Attributes(
    name=r"(?![Ee][Mm][Aa][Ii][Ll]$)(?=.*\S).+",
    named="the personalization tag or the title of a field, firstName, lastName or phone, and not email, by which a"
    " contact is known",
    defaults={name.upper(): path for name, path in DEFAULTS.items()},
)

KEYS = Group(
    {
        "account": Key(
            AsWritten("the name of an ActiveCampaign account"), required=True, doc="The account.", example="main"
        ),
        "attributes": attributes_key(_FIELDS, "{CITY: customer.address.city, firstName: customer.name}"),
    }
)
_MORE_ACCOUNTS = "Add one with tidings accounts add activecampaign/NAME"


def _plan(written: JsonObject, context: PlanContext) -> ActiveCampaignPlan:
    account = context.account(written.get("account"), "an ActiveCampaign account", _MORE_ACCOUNTS)
    attributes = _FIELDS.payload(written.get("attributes"), context)
    if not attributes:
        context.problem("would say nothing: trigger and action bring nothing by themselves; write attributes")
    return ActiveCampaignPlan(account=str(account), attributes=attributes)


def _contact(plan: ActiveCampaignPlan, profile: Profile) -> ActiveCampaignAddress | Skip:
    email = known_mailbox(profile, "ActiveCampaign")
    return email if isinstance(email, Skip) else ActiveCampaignAddress(email=email, attributes=plan.attributes)


def _delivery(plan: ActiveCampaignPlan, address: ActiveCampaignAddress, shared: Shared) -> ActiveCampaignDelivery:
    return ActiveCampaignDelivery(account=plan.account, activecampaign=address, **shared)


ACTIVECAMPAIGN = ChannelRules(KEYS, _plan, _contact, _delivery)
