"""The fate of a request for a code, and of what asks for one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from agents.roles.publisher import _claim
from schemas.campaign import Campaign, Tier
from schemas.closed import WhenEmpty
from schemas.contract import topic_codec
from schemas.errors import DefinitionInvalid
from schemas.events.triggers import began_in
from schemas.publication_request import PublicationRequest
from streams.documents.distribution import parse_definition
from streams.index.rules import RuleIndex
from streams.match import match_event
from streams.outcome import Matched
from streams.publication import after_waiting, erased, is_expired, not_wanted, too_late, with_code, without_code
from tests.factory import CONTEXT, NOW, context, customer, definition

CAMPAIGNS = {
    "spring": Campaign(
        id="spring", project_id="shop", version=1, name="Spring", kind="DISCOUNT_COUPONS", type="STATIC", created_at=NOW
    ),
    "tiers": Campaign(
        id="tiers", project_id="shop", version=1, name="Tiers", kind="PROMOTION", type="STATIC", created_at=NOW,
        tiers=(Tier(id="gold", name="Gold"), Tier(id="silver", name="Silver")),
    ),
}  # fmt: skip
EMAIL = {"email": {"account": "main", "subject": "Hi", "template": "hello"}}
WEBHOOK = {"webhook": {"url": "https://hooks.example.com/x", "type": "t"}}
OBJECTS: dict[str, Any] = {
    "campaign": {"id": "spring"},
    "voucher": {"code": "SPRING-1"},
    "publication": {"id": "?", "created_at": "2026-11-20T09:12:04.000Z"},
}


def match(profile: dict[str, Any] | None = None, **changes: Any) -> Matched:
    index = RuleIndex()
    source = definition(**{"publish": {"campaign": "spring"}, "channels": [WEBHOOK, EMAIL], **changes})
    index.insert(parse_definition(source, replace(CONTEXT, campaigns=CAMPAIGNS)).distribution)
    return match_event(context(profile), index, NOW)


def request(**changes: Any) -> PublicationRequest:
    return match(**changes).requests[0]


def objects_for(one: PublicationRequest) -> dict[str, Any]:
    return {**OBJECTS, "publication": {**OBJECTS["publication"], "id": one.publication_id}}


def test_a_send_that_needs_a_code_is_one_request_for_all_its_channels() -> None:
    matched = match()
    assert (matched.deliveries, matched.decisions) == ([], [])
    assert [(one.lasts, one.channel > 0) for one in matched.sent] == [(False, True)] * 2, "it takes its places now"
    (one,) = matched.requests
    assert [draft.decision.channel for draft in one.drafts] == ["webhook", "email"]
    assert matched == match(), "a replay asks the same"


def test_a_request_crosses_the_topic_unchanged() -> None:
    codec, one = topic_codec("publications.requests", "avro"), request(expires_after="3d")
    assert msgspec.convert(codec.decode(codec.encode(one)), PublicationRequest) == one


def test_a_channel_that_does_not_reach_the_customer_asks_for_no_code() -> None:
    matched = match(customer(email=None))
    assert [decision.reason for decision in matched.decisions] == ["no_address"]
    assert [draft.decision.channel for draft in matched.requests[0].drafts] == ["webhook"]
    assert match(customer(email=None), channels=[EMAIL]).requests == []
    assert match(customer(consents={})).requests == []


def test_messages_carry_the_events_objects_and_those_of_the_code() -> None:
    one = request()
    settled = with_code(one, objects_for(one), one.event.id, NOW)
    assert [delivery.channel for delivery in settled.deliveries] == ["webhook", "email"]
    for delivery in settled.deliveries:
        assert delivery.data.keys() == {"customer", "order", "campaign", "voucher", "publication"}
    assert {decision.outcome for decision in settled.decisions} == {"emitted"}
    assert [d.delivery_id for d in settled.decisions] == [d.delivery_id for d in settled.deliveries]
    assert settled.event is not None
    assert settled.event.data.keys() == {"customer", "campaign", "voucher", "publication"}
    assert with_code(one, objects_for(one), one.event.id, NOW) == settled, "the same each time, the event too"


def test_another_event_that_asks_for_the_same_send_is_a_duplicate() -> None:
    one = request(again="once_per_customer")
    settled = with_code(one, objects_for(one), "an earlier event", NOW)
    assert (settled.deliveries, settled.event) == ([], None)
    assert {(decision.outcome, decision.reason) for decision in settled.decisions} == {("skipped", "duplicate")}


def test_a_first_code_given_again_is_sent_and_not_published_again() -> None:
    one = request()
    settled = with_code(one, OBJECTS, "an earlier event", NOW)
    assert len(settled.deliveries) == 2
    assert settled.event is None


@pytest.mark.parametrize(
    ("when_empty", "sends", "decided", "held", "stops"),
    [
        ("stop", 0, ("skipped", "no_code"), False, True),
        ("skip", 0, ("skipped", "no_code"), False, False),
        ("wait", 0, ("deferred", "no_code"), True, False),
        ("send_without", 2, ("emitted", None), False, False),
    ],
)
def test_an_empty_pool_does_what_the_distribution_says(
    when_empty: WhenEmpty, sends: int, decided: Any, held: bool, stops: bool
) -> None:
    one = request(publish={"campaign": "spring", "when_empty": when_empty})
    settled = without_code(one, "no code left", NOW)
    assert len(settled.deliveries) == sends
    assert all(delivery.data.keys() == {"customer", "order"} for delivery in settled.deliveries)
    assert {(decision.outcome, decision.reason) for decision in settled.decisions} == {decided}
    assert (settled.held, settled.stops) == (held, stops)


def test_no_code_is_spent_on_what_is_too_late() -> None:
    one = request(expires_after="1h")
    assert not is_expired(one, NOW)
    assert is_expired(one, NOW + timedelta(hours=1))
    assert {decision.reason for decision in too_late(one, NOW).decisions} == {"expired"}


GOES_ON: Any = {"status": "LIVE", "ends_at": None, "send": None}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": None}, "stopped"),
        ({"status": "STOPPED"}, "stopped"),
        ({"status": "DRAFT"}, "stopped"),
        ({"status": "ENDED"}, "ended"),
        ({"ends_at": NOW}, "ended"),
        ({"send": "STOPPED"}, "canceled"),
        ({"status": "PAUSED", "send": "STOPPED"}, "canceled"),
        ({"now": NOW + timedelta(hours=1)}, "expired"),
        ({"now": NOW + timedelta(hours=1), "status": "PAUSED"}, "expired"),
    ],
)
def test_what_waits_for_a_code_ends_with_its_distribution_or_its_send(changes: dict[str, Any], reason: str) -> None:
    now, standing = changes.get("now", NOW), {**GOES_ON, **{key: of for key, of in changes.items() if key != "now"}}
    settled = after_waiting(request(expires_after="1h"), now, **standing)
    assert settled is not None
    assert {(one.outcome, one.reason) for one in settled.decisions} == {("skipped", reason)}
    assert (len(settled.decisions), settled.deliveries, settled.held, settled.stops) == (2, [], False, False)


@pytest.mark.parametrize("paused", [{"status": "PAUSED"}, {"send": "PAUSED"}], ids=["distribution", "send"])
def test_what_waits_for_a_code_waits_on_through_a_pause(paused: dict[str, Any]) -> None:
    settled = after_waiting(request(), NOW, **{**GOES_ON, **paused})
    assert settled is not None
    assert (settled.held, settled.decisions, settled.deliveries) == (True, [], [])


@pytest.mark.parametrize("send", [None, "SENDING", "DONE"])
def test_what_waits_for_a_code_asks_again_while_nothing_stands_against_it(send: Any) -> None:
    assert after_waiting(request(), NOW, **{**GOES_ON, "ends_at": NOW + timedelta(seconds=1), "send": send}) is None


def test_nothing_is_told_of_an_erased_customer_but_that_they_were() -> None:
    one = request(when={"customer.email": {"is_set": True}})
    assert any(draft.decision.checks for draft in one.drafts)
    settled = erased(one, NOW)
    assert {(said.outcome, said.reason, said.delivery_id) for said in settled.decisions} == {
        ("skipped", "erased", None)
    }
    assert (settled.deliveries, settled.event, settled.held) == ([], None, False)
    assert all(said.checks == [] for said in settled.decisions)


@pytest.mark.parametrize("when_empty", ["wait", "send_without", "skip", "stop"])
def test_who_has_left_gets_nothing_whatever_the_distribution_says_of_empty_pools(when_empty: WhenEmpty) -> None:
    one = request(publish={"campaign": "spring", "when_empty": when_empty})
    settled = not_wanted(one, "marketing: withdrawn by the customer on 2026-11-20", NOW)
    assert (settled.deliveries, settled.event, settled.held, settled.stops) == ([], None, False, False)
    decided = {(one.outcome, one.reason, one.delivery_id, one.detail) for one in settled.decisions}
    assert decided == {("skipped", "consent", None, "marketing: withdrawn by the customer on 2026-11-20")}


@pytest.mark.parametrize("consent", ["marketing", "transactional"])
def test_a_request_knows_the_consent_that_its_messages_need(consent: str) -> None:
    one = request(consent=consent)
    assert (one.category, _claim(one).category) == (consent, consent)
    assert msgspec.structs.replace(one, drafts=[]).category == "transactional"


def test_the_publications_channel_says_how_the_sending_began() -> None:
    one = request()
    manual = msgspec.structs.replace(one.event, type="manual_distribution_schedule")
    assert began_in(one.event.type) == "Automation"
    assert began_in(manual.type) == "Dashboard"


def test_word_of_a_promotion_carries_its_tier_and_campaign() -> None:
    matched = match(publish=None, promote={"campaign": "tiers", "tier": "gold"})
    assert {delivery.data["promotion_tier"]["id"] for delivery in matched.deliveries} == {"gold"}
    assert {delivery.data["campaign"]["id"] for delivery in matched.deliveries} == {"tiers"}


@pytest.mark.parametrize(
    ("changes", "path", "said"),
    [
        ({"publish": {"campaign": "sprin"}}, "publish.campaign", 'Did you mean "spring"?'),
        ({"publish": {}}, "publish.campaign", "must be one of spring"),
        ({"publish": {"campaign": "tiers"}}, "publish.campaign", "gives no codes. Fitting are: spring"),
        ({"publish": {"campaign": "spring", "when_emty": "skip"}}, "publish.when_emty", 'Did you mean "when_empty"?'),
        ({"publish": {"campaign": "spring", "when_empty": "retry"}}, "publish.when_empty", "must be one of stop, wait"),
        ({"publish": "spring"}, "publish", "must be a mapping"),
        ({"promote": {"campaign": "spring", "tier": "gold"}}, "promote.campaign", "Fitting are: tiers"),
        ({"promote": {"campaign": "tiers", "tier": "golden"}}, "promote.tier", 'Did you mean "gold"?'),
        ({"promote": "gold"}, "promote", "must be a mapping"),
        (
            {"publish": {"campaign": "spring"}, "promote": {"campaign": "tiers", "tier": "gold"}},
            "promote",
            "instead of publish",
        ),
        (
            {"publish": {"campaign": "spring"}, "trigger": {"event": "customer.publication.succeeded"}},
            "publish",
            "would start itself again",
        ),
        (
            {"publish": {"campaign": "spring"}, "trigger": {"event": "customer.loyalty.tier.joined"}},
            "publish",
            "Allowed here: message",
        ),
        ({"action": "publish"}, "action", "is not a key"),
    ],
)
def test_what_cannot_be_published_is_refused_with_what_can(changes: dict[str, Any], path: str, said: str) -> None:
    with pytest.raises(DefinitionInvalid) as caught:
        parse_definition(definition(**changes), replace(CONTEXT, campaigns=CAMPAIGNS))
    assert any(one.path == path and said in one.message for one in caught.value.problems), caught.value.problems
