"""Batch, as far as it is pure: its keys, the id of a customer's profile, and its deliveries."""

from __future__ import annotations

from schemas.channels.batch import BatchAddress, BatchDelivery, BatchPlan
from schemas.record import JsonObject
from streams.channels.mapping import DEFAULTS, Attributes, EventName, Transfer
from streams.channels.rules import ChannelRules, PlanContext, Shared
from streams.event_context import Profile, profile_text
from streams.values.kinds import AsWritten, Group, Key
from streams.verdict import Skip

NATIVE = ("$email_address", "$phone_number", "$language", "$region", "$timezone")
"""Attributes that Batch itself has. Those that subscribe (`$email_marketing`, `$sms_marketing`) are never set."""
_NAME = "[A-Za-z0-9_]{1,30}"
_NAMED = "a name of at most 30 letters, digits and underscores, or date(name) or url(name)"
_TYPED = {
    "voucher_qr_url": "url",
    "voucher_barcode_url": "url",
    "preferences_url": "url",
    "publication_date": "date",
}
_PLAIN = rf"{_NAME}|(?:date|url)\({_NAME}\)"
_TRANSFER = Transfer(
    attributes=Attributes(
        name="|".join((_PLAIN, *(rf"\{native}" for native in NATIVE))),
        named=f"{_NAMED}, or one of {', '.join(NATIVE)}; nothing that subscribes somebody is set",
        defaults={f"{_TYPED[name]}({name})" if name in _TYPED else name: path for name, path in DEFAULTS.items()},
        edits=("$add", "$remove"),
    ),
    properties=Attributes(
        name=rf"{_PLAIN}|\$label|\$tags",
        named=f"{_NAMED}, or one of $label, $tags",
        defaults={f"{_TYPED[name]}({name})" if name in _TYPED else name: path for name, path in DEFAULTS.items()},
    ),
    event_name=EventName(_NAME, "an event's name of at most 30 letters, digits and underscores, as in code_published"),
)

KEYS = Group(
    {
        "account": Key(AsWritten("the name of a Batch account"), required=True, doc="The account.", example="main"),
        **_TRANSFER.keys,
    }
)
_MORE_ACCOUNTS = "Add one with tidings accounts add batch/NAME"


def _plan(written: JsonObject, context: PlanContext) -> BatchPlan:
    account = context.account(written.get("account"), "a Batch account", _MORE_ACCOUNTS)
    attributes, event = _TRANSFER.read(written, context)
    if not attributes and event is None:
        context.problem("would say nothing: trigger and action bring nothing by themselves; write attributes or event")
    return BatchPlan(account=str(account), attributes=attributes, event=event)


def _profile(plan: BatchPlan, profile: Profile) -> BatchAddress | Skip:
    custom_id = profile_text(profile, "source_id")
    if custom_id is None:
        return Skip("no_address", "the customer has no source_id, by which Batch knows its profiles")
    return BatchAddress(custom_id=custom_id, attributes=plan.attributes, event=plan.event)


def _delivery(plan: BatchPlan, address: BatchAddress, shared: Shared) -> BatchDelivery:
    return BatchDelivery(account=plan.account, batch=address, **shared)


BATCH = ChannelRules(KEYS, _plan, _profile, _delivery)
