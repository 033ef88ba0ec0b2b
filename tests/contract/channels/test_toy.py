"""A channel is five files and a line in each table: one that the product does not know goes the whole way.

The tables are arguments, so that nothing of it is left for another test.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from channels.accounts import AccountBook
from channels.context import ChannelContext
from channels.contract import AnyChannel
from channels.http.api import HttpRequest
from channels.http.ssrf import OWN_NETWORKS
from channels.registry import CHANNEL_TYPES, build_channels
from channels.status_calls import NotProven, StatusCall, StatusEvent
from schemas.channels.tables import DELIVERY_TYPES
from schemas.closed import CHANNELS, ChannelName
from schemas.delivery import Delivery
from schemas.errors import DefinitionInvalid
from schemas.receipt import Accepted, Blocked, Deferred, Refused, Throttled, Unanswered
from schemas.wire.avro_schema import avro_schema
from schemas.wire.codec import TopicCodec
from schemas.wire.read_as import read_as
from streams.channels.rules import ChannelTable
from streams.channels.tables import CHANNEL_RULES
from streams.documents.distribution import parse_definition
from streams.index.rules import RuleIndex
from streams.match import explain_event, match_event
from streams.outcome import Matched
from tests.contract.channels.case import Fake, HttpCase, says
from tests.contract.channels.laws import LAWS, Law
from tests.contract.channels.toy.channel import Toy, ToyAccount
from tests.contract.channels.toy.fake import ToyFake
from tests.contract.channels.toy.records import TOY, ToyAddress, ToyDelivery
from tests.contract.channels.toy.rules import TOY_RULES
from tests.factory import CONTEXT, NOW, context, customer, definition

TOKEN = "hush-token"
RULES: ChannelTable = {**CHANNEL_RULES, "toy": TOY_RULES}
TYPES: Mapping[ChannelName, type[AnyChannel]] = {**CHANNEL_TYPES, TOY: Toy}
AUTHOR = replace(CONTEXT, channels=RULES, accounts={"toy": ("main",)})
TEXT = {"toy": {"account": "main", "text": "Thank you"}}


def matched(profile: dict[str, Any], channel: dict[str, Any] = TEXT) -> Matched:
    index = RuleIndex()
    index.insert(parse_definition(definition(channels=[channel]), AUTHOR).distribution)
    return match_event(context(profile), index, NOW, channels=RULES)


def message() -> Delivery:
    (made,) = matched(customer(phone="+48600100200")).deliveries
    return made


def channel_for(url: str) -> AnyChannel:
    accounts = {"toy": {"main": ToyAccount(url, TOKEN)}}
    return build_channels(ChannelContext(accounts=AccountBook(cast(Any, accounts)), reach=OWN_NETWORKS), TYPES)[TOY]


class ToyCase(HttpCase):
    """The toy before its fake."""

    name = "toy"
    kept = ("by_key",)
    secrets = (TOKEN,)
    names = ("+48600100200",)
    account = ToyAccount("http://127.0.0.1:1/", TOKEN)
    template = None
    is_untrusted = Deferred
    answers = {
        "taken": says(200, Accepted, b'{"id": "toy-7"}'),
        "refused under a 200": says(200, Refused, b'{"error": "no such number"}'),
        "a page of somebody else's": says(200, Unanswered, b"<html>"),
        "a success that lacks what is documented": says(200, Unanswered, b'{"delayed": "yes"}'),
        "busy": says(503, Deferred),
        "too fast, in words for people": says(429, Throttled, b"<html>slow down</html>"),
        "access refused": says(401, Blocked),
        "not wanted, with our secret in the words": says(422, Refused, b"unknown token: hush-token"),
        "dropped": says(200, Unanswered, drop=True),
    }

    def fake(self) -> ToyFake:
        return ToyFake(TOKEN)

    def channel(self, fake: Fake) -> AnyChannel:
        return channel_for(cast(ToyFake, fake).url)

    def delivery(self, fake: Fake) -> Delivery:
        return message()

    def elsewhere(self, host: str, port: int, *, tls: bool) -> tuple[AnyChannel, Delivery]:
        return channel_for(f"http{'s' if tls else ''}://{host}:{port}/texts"), message()

    def sent(self, request: HttpRequest) -> bytes:
        return repr(dict(request.headers)).encode() + request.body


CASE = ToyCase()


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
async def test_a_channel_from_outside_keeps(law: Law) -> None:
    await law(CASE)


async def test_it_goes_from_the_document_to_its_provider() -> None:
    fake = ToyFake(TOKEN)
    await fake.start()
    outcome = matched(customer(phone=" +48600100200 "))
    (delivery,), (decision,) = outcome.deliveries, outcome.decisions
    assert isinstance(delivery, ToyDelivery)
    assert delivery.toy == ToyAddress(phone="+48600100200", text="Thank you")
    assert (decision.outcome, decision.channel, decision.delivery_id) == ("emitted", "toy", delivery.delivery_id)
    codec = TopicCodec("deliveries.toy", avro_schema(ToyDelivery), "avro")
    carried = read_as(codec.decode(codec.encode(delivery)), ToyDelivery)
    channel = channel_for(fake.url)
    receipt = await channel.send(channel.render(carried, None), timeout=60, now=datetime.now(UTC))
    await channel.close()
    await fake.stop()
    assert receipt == Accepted("HTTP 200", "toy-1")
    assert [(one.id, one.body) for one in fake.received] == [
        (delivery.delivery_id, b'{"phone":"+48600100200","text":"Thank you"}')
    ]


def test_who_has_no_address_on_it_is_skipped_with_the_reason() -> None:
    outcome = matched(customer())
    (decision,) = outcome.decisions
    assert (outcome.deliveries, decision.outcome, decision.reason) == ([], "skipped", "no_address")
    assert (decision.channel, decision.detail) == ("toy", "the customer has no phone")


@pytest.mark.parametrize(
    ("toy", "path", "said"),
    [
        ({"account": "mian", "text": "x"}, "account", 'Did you mean'),
        ({"account": "main"}, "text", "missing"),
        ({"account": "main", "text": "x" * 161}, "text", "at most 160 characters"),
        ({"account": "main", "text": "x", "txet": "y"}, "txet", 'Did you mean'),
    ],
)  # fmt: skip
def test_its_author_is_told_as_by_every_other(toy: dict[str, Any], path: str, said: str) -> None:
    with pytest.raises(DefinitionInvalid) as caught:
        matched(customer(), {"toy": toy})
    assert [problem.path for problem in caught.value.problems] == [f"channels[0].toy.{path}"]
    assert said in caught.value.problems[0].message


def test_an_explanation_knows_it() -> None:
    index = RuleIndex()
    index.insert(parse_definition(definition(channels=[TEXT]), AUTHOR).distribution)
    (explained,) = explain_event(context(customer(phone="1")), index, NOW, channels=RULES)
    assert [delivery.channel for delivery in explained.deliveries] == ["toy"]


def test_what_its_provider_reports_is_proved_and_put_in_our_words() -> None:
    body = b'{"id": "toy-1"}'
    proof = hmac.new(TOKEN.encode(), body, hashlib.sha256).hexdigest()
    account = ToyAccount("http://127.0.0.1:1/", TOKEN)
    call = StatusCall("https://console.example.com/callbacks/default/toy/main", {"x-proof": proof}, body, NOW)
    told = StatusEvent("delivered", provider_id="toy-1", detail="the toy has arrived")
    assert Toy.statuses(call, account) == [told]
    with pytest.raises(NotProven):
        Toy.statuses(replace(call, headers={}), account)


def test_nothing_of_it_is_left_in_the_tables_of_the_product() -> None:
    assert [table for table in (CHANNELS, DELIVERY_TYPES, CHANNEL_RULES, CHANNEL_TYPES) if "toy" in table] == []
    with pytest.raises(DefinitionInvalid, match='"?toy"?'):
        parse_definition(definition(channels=[TEXT]), CONTEXT)
