"""The file that would be `streams/channels/toy.py`."""

from __future__ import annotations

from schemas.record import JsonObject
from streams.channels.rules import ChannelRules, PlanContext
from streams.event_context import Profile, profile_text
from streams.values.kinds import AsWritten, Group, Key, Text
from streams.verdict import Skip
from tests.contract.channels.toy.records import ToyAddress, ToyDelivery, ToyPlan

KEYS = Group({"account": Key(AsWritten(), required=True), "text": Key(Text(most=160), required=True)})


def _plan(written: JsonObject, context: PlanContext) -> ToyPlan | None:
    account = context.account(written.get("account"), "toy account", ". Make one in the toy box")
    return ToyPlan(account=account, text=written.get("text", "")) if account else None


def _phone(plan: ToyPlan, profile: Profile) -> ToyAddress | Skip:
    phone = profile_text(profile, "phone")
    return ToyAddress(phone=phone, text=plan.text) if phone else Skip("no_address", "the customer has no phone")


TOY_RULES = ChannelRules(
    KEYS, _plan, _phone, lambda plan, to, shared: ToyDelivery(account=plan.account, toy=to, **shared)
)
