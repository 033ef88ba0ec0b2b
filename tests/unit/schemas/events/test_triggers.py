"""Every event type: its sample, what it lacks when an object is missing, how it is selected, what it offers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from schemas.closed import ChannelName
from schemas.contract import topic_codec
from schemas.errors import DefinitionInvalid, InvalidEvent
from schemas.events.event import Event
from schemas.events.triggers import EVENT_TOPICS, TRIGGERS, Trigger, object_fields
from schemas.topics import TOPICS
from streams.conditions.fields import Fields, Found
from streams.documents.distribution import parse_definition
from streams.documents.offers import why_not_offered
from streams.event_context import EventContext
from streams.events import EventReader, read_event
from streams.index.rules import RuleIndex
from streams.match import explain_event, match_event
from tests.factory import CONTEXT, NOW, definition

EMAIL = {"email": {"account": "main", "subject": "s", "text": "t"}}
WEBHOOK = {"webhook": {"url": "https://hooks.example.com/x", "type": "t"}}
DAYS = timedelta(days=1)

every_trigger = pytest.mark.parametrize("trigger", TRIGGERS.values(), ids=TRIGGERS)


def rule_on(trigger: Trigger, identity: str = "spring-letter", **selection: str) -> Any:
    channels = [EMAIL if trigger.addressed else WEBHOOK]
    source = definition(distribution=identity, trigger={"event": trigger.type, **selection}, channels=channels)
    return parse_definition(source, CONTEXT).distribution


def reader_of(trigger: Trigger) -> EventReader:
    return EventReader(
        trigger.topic, topic_codec(trigger.topic, "avro"), max_future=DAYS, max_bytes=1 << 20, default_project="shop"
    )


def encodings(trigger: Trigger, sample: dict[str, Any]) -> list[bytes]:
    return [msgspec.json.encode(sample), topic_codec(trigger.topic, "avro").encode(msgspec.convert(sample, Event))]


def arrival_of(trigger: Trigger, sample: dict[str, Any]) -> EventContext:
    raw, reader = msgspec.json.encode(sample), reader_of(trigger)
    return EventContext(reader.read(raw, sample["data"]["customer"]["id"].encode(), NOW), raw, reader.decode)


def fitting(index: RuleIndex, context: EventContext) -> set[str]:
    """By the index; it has to be equal to what each rule says for itself."""
    found = {one.distribution.id for one in match_event(context, index, NOW).decisions}
    assert found == {one.distribution.id for one in explain_event(context, index, NOW) if one.selected}
    return found


@every_trigger
def test_a_sample_is_the_same_event_by_every_way_of_reading(trigger: Trigger) -> None:
    sample, reader = trigger.sample(project_id="shop"), reader_of(trigger)
    heads = []
    for raw in encodings(trigger, sample):
        slowly = read_event(
            reader.decode(raw), trigger.topic, b"cust_17", now=NOW, max_future=DAYS, default_project="shop"
        )
        assert reader.read(raw, b"cust_17", NOW) == reader._quickly(reader._straight(raw), b"cust_17") == slowly
        assert reader.read_decoded(reader.decode(raw), b"cust_17", NOW) == slowly
        heads.append(slowly)
    assert heads[0] == heads[1]
    assert set(sample["data"]) == set(trigger.objects)


@every_trigger
def test_a_sample_fits_a_distribution_on_it(trigger: Trigger) -> None:
    index = RuleIndex()
    index.insert(rule_on(trigger))
    sample = trigger.sample(project_id="shop")
    (delivery,) = match_event(arrival_of(trigger, sample), index, NOW).deliveries
    assert delivery.data == sample["data"]


@every_trigger
def test_a_change_of_a_sample_is_in_no_other(trigger: Trigger) -> None:
    before, changed = msgspec.json.encode(trigger.sample()), trigger.sample()
    changed["data"]["customer"]["metadata"] = {"changed": True}
    assert msgspec.json.encode(trigger.sample()) == before


@every_trigger
def test_an_event_that_lacks_a_required_object_names_it(trigger: Trigger) -> None:
    reader = reader_of(trigger)
    for name in ("customer", *trigger.required):
        sample = trigger.sample(project_id="shop")
        del sample["data"][name]
        with pytest.raises(InvalidEvent, match=f"lacks the required object {name}$") as caught:
            reader.read(msgspec.json.encode(sample), b"cust_17", NOW)
        assert caught.value.path == f"data.{name}"


@every_trigger
def test_an_event_without_its_optional_objects_is_one(trigger: Trigger) -> None:
    sample = trigger.sample(project_id="shop")
    for name in trigger.optional:
        del sample["data"][name]
    head = reader_of(trigger).read(msgspec.json.encode(sample), b"cust_17", NOW)
    assert head.customer_id == "cust_17"


@every_trigger
def test_fields_of_upstreams_own_go_out_unchanged(trigger: Trigger) -> None:
    index = RuleIndex()
    index.insert(rule_on(trigger))
    sample = trigger.sample(project_id="shop")
    sample["data"] = {
        name: {**one, "theirs": {"a": [1]}} if isinstance(one, dict) else one for name, one in sample["data"].items()
    }
    (delivery,) = match_event(arrival_of(trigger, sample), index, NOW).deliveries
    assert delivery.data == sample["data"]


@every_trigger
def test_metadata_of_every_object_can_be_asked_for(trigger: Trigger) -> None:
    hints = object_fields(trigger.data)
    for name in trigger.objects:
        if isinstance(hints[name], type) and issubclass(hints[name], msgspec.Struct):
            assert isinstance(Fields.of(trigger).find((name, "metadata", "x")), Found), name
            index = RuleIndex()
            when = {f"{name}.metadata.x": {"at_least": 5}}
            source = definition(trigger=trigger.type, when=when, channels=[EMAIL], distribution="spring-letter")
            index.insert(parse_definition(source, CONTEXT).distribution)
            sample = trigger.sample(project_id="shop")
            for value, fits in ((5, True), (4, False), (4.5, False), (5.5, True)):
                sample["data"][name] = {**sample["data"][name], "metadata": {"x": value}}
                assert bool(match_event(arrival_of(trigger, sample), index, NOW).matched) is fits, name


@pytest.mark.parametrize(
    "trigger", [one for one in TRIGGERS.values() if one.selectors], ids=lambda trigger: trigger.type
)
def test_each_set_of_selectors_takes_just_its_events(trigger: Trigger) -> None:
    index = RuleIndex()
    sample = trigger.sample(project_id="shop")
    mine = {one.key: sample["data"][one.object]["id"] for one in trigger.selectors}
    keys = trigger.selector_keys
    choices: list[dict[str, str]] = [{}]
    for key in keys:
        choices += [{**chosen, key: value} for chosen in choices for value in (mine[key], "other", "swapped")]
    for number, chosen in enumerate(choices):
        index.insert(rule_on(trigger, f"r{number}", **chosen))
    right = [all(mine[key] == value for key, value in chosen.items()) for chosen in choices]
    wanted = {f"r{number}" for number, is_right in enumerate(right) if is_right}
    assert fitting(index, arrival_of(trigger, sample)) == wanted
    for number in range(len(choices)):
        index.remove("shop", f"r{number}")
    assert not index._guards._buckets


def test_a_campaign_and_a_tier_of_the_same_id_are_not_mixed_up() -> None:
    trigger, index = TRIGGERS["customer.loyalty.tier.joined"], RuleIndex()
    index.insert(rule_on(trigger, "by-campaign", campaign="lt_silver"))
    index.insert(rule_on(trigger, "by-tier", tier="lt_silver"))
    assert fitting(index, arrival_of(trigger, trigger.sample(project_id="shop"))) == {"by-tier"}


@pytest.mark.parametrize(("name", "tier"), [("upgraded", "lt_gold"), ("downgraded", "lt_silver")])
def test_the_tier_of_a_change_is_the_one_arrived_at(name: str, tier: str) -> None:
    trigger, index = TRIGGERS[f"customer.loyalty.tier.{name}"], RuleIndex()
    for identity in ("lt_gold", "lt_silver"):
        index.insert(rule_on(trigger, identity, tier=identity))
    assert fitting(index, arrival_of(trigger, trigger.sample(project_id="shop"))) == {tier}


def test_a_scheduled_event_fits_only_the_distribution_that_it_names() -> None:
    trigger, index = TRIGGERS["manual_distribution_schedule"], RuleIndex()
    for identity in ("spring-letter", "other"):
        index.insert(rule_on(trigger, identity))
    assert fitting(index, arrival_of(trigger, trigger.sample(project_id="shop"))) == {"spring-letter"}


@pytest.mark.parametrize(
    ("kind", "when", "fits"),
    [
        ("customer.custom_event", {"event.type": "wishlist_updated"}, True),
        ("customer.custom_event", {"event.metadata.price": {"at_least": 9501}}, False),
        ("customer.custom_event", {"event.theirs": "x"}, True),
        ("customer.order.paid", {"event.type": "customer.order.paid"}, True),
        ("customer.rewarded", {"event.type": "customer.rewarded"}, True),
        ("customer.rewarded.loyalty_points", {"event.type": "wishlist_updated"}, True),
    ],
)
def test_event_is_the_object_where_the_type_has_one_and_else_the_envelope(
    kind: str, when: dict[str, Any], fits: bool
) -> None:
    trigger, index = TRIGGERS[kind], RuleIndex()
    index.insert(parse_definition(definition(trigger=kind, when=when), CONTEXT).distribution)
    sample = trigger.sample(project_id="shop")
    if "event" in trigger.objects:
        sample["data"]["event"] = {**sample["data"]["event"], "theirs": "x"}
    assert bool(match_event(arrival_of(trigger, sample), index, NOW).matched) is fits


@pytest.mark.parametrize(
    ("trigger", "said"),
    [
        ({"event": "customer.segment.entered", "campaign": "x"}, "must be one of event, segment"),
        (
            {"event": "customer.loyalty.tier.joined", "teir": "x"},
            'must be one of event, campaign, tier. Did you mean "tier"?',
        ),
        ({"event": "manual_distribution_schedule", "distribution": "x"}, "must be one of event"),
        ({"event": "customer.custom_event", "event_schema": 5}, "the id of one event_schema"),
    ],
)
def test_a_wrong_selector_says_which_are_right(trigger: dict[str, Any], said: str) -> None:
    with pytest.raises(DefinitionInvalid) as caught:
        parse_definition(definition(trigger=trigger, channels=[EMAIL]), CONTEXT)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "action", "channels", "said"),
    [
        ("customer.order.paid", "publish", ["webhook"], None),
        ("customer.order.paid", "promote", ["email"], None),
        ("customer.referred", "message", ["webhook", "email"], None),
        ("customer.referred", "publish", ["email"], "is not offered on customer.referred. Allowed here: message"),
        ("customer.rewarded", "promote", ["email"], "a promotion notice is not offered on customer.rewarded"),
        ("customer.publication.succeeded", "publish", ["email"], "would start itself again"),
        ("manual_distribution_schedule", "message", ["email"], None),
        ("manual_distribution_schedule", "message", ["email", "webhook"], "Over webhook it may promote, publish"),
        ("manual_distribution_schedule", "publish", ["webhook"], None),
    ],
)  # fmt: skip
def test_an_action_that_is_not_offered_is_refused(
    kind: str, action: Any, channels: list[ChannelName], said: str | None
) -> None:
    refused = why_not_offered(TRIGGERS[kind], action, channels)
    assert refused is None if said is None else said in (refused or "")


def test_a_manual_message_over_webhook_is_refused_on_save() -> None:
    with pytest.raises(DefinitionInvalid, match="does not go over webhook"):
        parse_definition(definition(trigger="manual_distribution_schedule"), CONTEXT)


def test_there_are_ten_event_topics_and_each_has_its_place() -> None:
    assert len(EVENT_TOPICS) == 10
    assert set(EVENT_TOPICS) <= set(TOPICS)
    assert len(TRIGGERS) == 27
