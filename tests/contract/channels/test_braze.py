"""Braze: the laws of all channels, and what is its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import msgspec
import pytest

from channels.accounts import AccountBook, fixed_accounts
from channels.braze import Braze
from channels.codes.links import no_links
from channels.contract import AnyChannel
from channels.fakes.braze import BrazeFake
from channels.fakes.http import Reply
from channels.http.ssrf import OWN_NETWORKS
from schemas.account import read_account
from schemas.channels.braze import BrazeAccountForm, BrazeAddress, BrazeDelivery
from schemas.channels.named_event import NamedEvent
from schemas.delivery import Delivery
from schemas.errors import DefinitionInvalid, RenderRefused
from schemas.receipt import Accepted, Blocked, Deferred, Receipt, Refused, Throttled, Unanswered
from streams.documents.distribution import parse_definition
from streams.index.rules import RuleIndex
from streams.match import match_event
from tests.contract.channels.case import Answer, Fake, HttpCase, says
from tests.factory import CONTEXT, NOW, context, customer, definition, delivery

KEY = "hush-braze-key"
BODY: dict[str, Any] = {
    "account": "main",
    "attributes": {"last_order": "order.id", "city": "customer.address.city", "source": {"value": "spring"}},
    "event": {"name": "Thanked", "properties": {"amount": "order.amount"}},
}


def form(url: str, **how: Any) -> BrazeAccountForm:
    return cast(BrazeAccountForm, read_account("braze", {"url": url, "api_key": KEY, **how}))


def channel_for(url: str, **how: Any) -> Braze:
    accounts = fixed_accounts("braze", {"main": form(url, **how)})
    return Braze(accounts, reach=OWN_NETWORKS, links=no_links)


def matched(profile: dict[str, Any], body: dict[str, Any] | None = None) -> Any:
    author = replace(CONTEXT, accounts={"braze": ("main",)})
    index = RuleIndex()
    index.insert(parse_definition(definition(channels=[{"braze": body or BODY}]), author).distribution)
    return match_event(context(profile), index, NOW)


def message(name: str = "dlv_1", *, event: bool = True, **attributes: Any) -> BrazeDelivery:
    mapped = attributes or {"last_order": {"from": "order.id"}, "source": "spring"}
    told = NamedEvent(name="Thanked", properties={"amount": {"from": "order.amount"}}) if event else None
    shared = {one: getattr(delivery("webhook"), one) for one in Delivery.__struct_fields__}
    shared |= {"delivery_id": name, "account": "main"}
    return BrazeDelivery(braze=BrazeAddress(external_id="crm-7", attributes=mapped, event=told), **shared)


INDEXED = b'{"message":"success","errors":[{"type":"bad","input_array":"events","index":0}]}'
RESET = Reply(429, headers=(("x-ratelimit-reset", "7"),))


class BrazeCase(HttpCase):
    """Braze before its fake."""

    name = "braze"
    kept = ("profiles", "events")
    secrets = (KEY,)
    names = ("crm-7", "jo@example.com")
    account = form("https://rest.iad-01.braze.com")
    template = None
    is_untrusted = Deferred
    answers = {
        "in trouble under a 201": says(201, Refused, b'{"message":"fatal: try again"}'),
        "queued": says(201, Accepted, b'{"message":"success","attributes_processed":1}'),
        "refused under a 201": says(201, Refused, INDEXED),
        "refused under a 201, without an index": says(201, Refused, b'{"message":"success","errors":["bad"]}'),
        "refused whole": says(400, Refused, b'{"message":"Valid data must be provided"}'),
        "refused whole, in words for people": says(400, Refused, b"<html>"),
        "a success in words for people": says(201, Unanswered, b"<html>"),
        "too fast": Answer(lambda fake: fake.replies.append(RESET), Throttled, 7.0),
        "too fast, for no time that is known": says(429, Throttled),
        "access refused": says(401, Blocked, b'{"message":"Invalid API key: hush-braze-key"}'),
        "too large by itself": says(413, Refused),
        "nothing is there": says(404, Blocked, b"<html>"),
        "away": says(503, Deferred),
        "dropped": says(201, Unanswered, drop=True),
    }  # fmt: skip

    def fake(self) -> BrazeFake:
        return BrazeFake(KEY)

    def channel(self, fake: Fake) -> AnyChannel:
        return channel_for(cast(BrazeFake, fake).url)

    def delivery(self, fake: Fake) -> Delivery:
        return message()

    def elsewhere(self, host: str, port: int, *, tls: bool) -> tuple[AnyChannel, Delivery]:
        return channel_for(f"http{'s' if tls else ''}://{host}:{port}"), message()


CASE = BrazeCase()


@pytest.fixture
async def fake() -> AsyncIterator[BrazeFake]:
    made = BrazeFake(KEY)
    await made.start()
    yield made
    await made.stop()


async def send_all(channel: Braze, *messages: BrazeDelivery) -> list[Receipt]:
    now = datetime.now(UTC)
    receipts = await asyncio.gather(*(channel.send(channel.render(one), timeout=60, now=now) for one in messages))
    await channel.close()
    return list(receipts)


def many(*kinds: str) -> list[BrazeDelivery]:
    """A message for each: one with an attribute `bad` is not wanted."""
    return [message(f"dlv_{index}", **cast(Any, {kind: index})) for index, kind in enumerate(kinds)]


async def test_a_request_is_as_its_reference_has_it(fake: BrazeFake) -> None:
    (made,) = matched(customer(source_id="crm-7")).deliveries
    channel = channel_for(fake.url + "/", update_existing_only="true")
    request = channel.render(made)
    assert (request.method, request.url) == ("POST", f"{fake.url}/users/track")
    assert msgspec.json.decode(request.body) == {
        "attributes": [
            {"external_id": "crm-7", "_update_existing_only": True, "last_order": "o1", "source": "spring"},
        ],
        "events": [
            {
                "external_id": "crm-7",
                "_update_existing_only": True,
                "name": "Thanked",
                "time": "2026-11-20T12:00:00+00:00",
                "properties": {"amount": 5000, "delivery_id": made.delivery_id},
            }
        ],
    }
    assert await send_all(channel_for(fake.url), made) == [Accepted("HTTP 201: queued by Braze")]
    assert fake.profiles == {"crm-7": {"last_order": "o1", "source": "spring"}}
    assert [who for who, _ in fake.events] == ["crm-7"]


@pytest.mark.parametrize(
    ("profile", "label", "identity"),
    [
        ({"source_id": " crm-7 "}, "", {"external_id": "crm-7"}),
        ({"source_id": "crm-7"}, "tidings", {"external_id": "crm-7"}),
        ({}, "tidings", {"user_alias": {"alias_name": "c1", "alias_label": "tidings"}}),
        ({"phone": "+48600100200"}, "", {"email": "jo@example.com"}),
        ({"email": None, "phone": "+48 600 100 200"}, "", {"phone": "+48600100200"}),
    ],
)
def test_a_profile_is_known_by_one_name(profile: dict[str, Any], label: str, identity: Any) -> None:
    body = {**BODY, **({"alias_label": label} if label else {})}
    (made,) = matched(customer(**profile), body).deliveries
    sent = msgspec.json.decode(channel_for("http://127.0.0.1:1").render(made).body)
    names = ("external_id", "user_alias", "email", "phone")
    assert [{name: one[name] for name in names if name in one} for part in sent.values() for one in part] == [
        identity
    ] * 2


@pytest.mark.parametrize(
    ("profile", "detail"),
    [
        ({"email": None}, "the customer has no source_id, e-mail address or phone number to be known by"),
        ({"email": None, "phone": "call me"}, "Braze cannot know the customer, who has no source_id: it has letters"),
    ],
)
def test_who_cannot_be_known_is_skipped_with_the_reason(profile: dict[str, Any], detail: str) -> None:
    (decision,) = matched(customer(**profile)).decisions
    assert (decision.outcome, decision.reason, decision.detail) == ("skipped", "no_address", detail)


@pytest.mark.parametrize("is_strict", [False, True])
@pytest.mark.parametrize("says_index", [False, True])
async def test_each_object_of_a_batch_has_its_own_outcome(fake: BrazeFake, says_index: bool, is_strict: bool) -> None:
    fake.invalid, fake.says_index, fake.is_strict = {"bad"}, says_index, is_strict
    receipts = await send_all(channel_for(fake.url), *many("a", "bad", "b", "bad", "c"))
    assert [type(one) for one in receipts] == [Accepted, Refused, Accepted, Refused, Accepted]
    assert receipts[1].detail == f"HTTP {400 if is_strict else 201}: bad is not valid"
    assert fake.profiles["crm-7"] == {"a": 0, "b": 2, "c": 4}
    assert set(fake.ids) >= {"dlv_0", "dlv_2", "dlv_4"}
    assert fake.requests == {(True, False): 1, (True, True): 2}.get((says_index, is_strict), 6)


async def test_a_batch_holds_as_many_objects_as_its_account_says(fake: BrazeFake) -> None:
    await send_all(channel_for(fake.url), *(message(f"dlv_{index}") for index in range(30)))
    assert fake.requests == 2, "50 objects are 25 messages of an attribute and an event each"
    await send_all(channel_for(fake.url, batch_size=75), *(message(f"d_{n}", event=False) for n in range(75)))
    assert fake.requests == 3


async def test_a_limit_is_waited_for_until_its_window_ends(fake: BrazeFake) -> None:
    fake.throttle(20)
    first, second = await send_all(channel_for(fake.url), *many("a", "b"))
    assert isinstance(first, Throttled)
    assert first == second
    assert first.retry_after is not None
    assert 15 < first.retry_after <= 21


async def test_one_that_is_too_long_is_refused_alone(fake: BrazeFake) -> None:
    huge = message("dlv_huge", text="x" * 4_100_000)
    receipts = await send_all(channel_for(fake.url), message("dlv_1"), huge, message("dlv_2"))
    assert [type(one) for one in receipts] == [Accepted, Refused, Accepted]


async def test_projects_prove_themselves_each_by_its_own_key(fake: BrazeFake) -> None:
    book = AccountBook({"braze": {"main": form(fake.url)}})
    book.replace({("braze", "other", "main"): replace(form(fake.url), api_key="another-key")})
    channel = Braze(book.of("braze"), reach=OWN_NETWORKS, links=no_links)
    foreign = msgspec.structs.replace(message("dlv_2"), project_id="other")
    receipts = await send_all(channel, message("dlv_1"), foreign)
    assert [type(one) for one in receipts] == [Accepted, Blocked]
    assert fake.ids == ["dlv_1"]


def test_nothing_to_say_is_not_sent() -> None:
    with pytest.raises(RenderRefused, match="nothing is left to say"):
        channel_for("http://127.0.0.1:1").render(message(event=False, gone={"from": "customer.metadata.nothing"}))


def test_nothing_null_leaves() -> None:
    made = msgspec.structs.replace(
        message(event=False, a={"from": "order"}), data={"order": {"x": None, "y": [None, 1]}}
    )
    sent = msgspec.json.decode(channel_for("http://127.0.0.1:1").render(made).body)
    assert sent == {"attributes": [{"external_id": "crm-7", "a": {"y": [1]}}]}


@pytest.mark.parametrize(
    ("body", "path", "said"),
    [
        ({"account": "mian"}, ".account", 'Did you mean "main"?'),
        ({"event": {"name": "x"}}, ".account", "is missing"),
        ({}, "", "would say nothing"),
        ({"attributes": {}}, "", "would say nothing"),
        ({"attributes": {"x": "voucher.code"}}, ".attributes.x", "there is no voucher here"),
        ({"attributes": {"email_subscribe": 1}}, ".attributes.email_subscribe", "subscribe somebody again"),
        ({"attributes": {"external_id": "customer.id"}}, ".attributes.external_id", "none of external_id"),
        ({"event": {"name": "x" * 256}}, ".event.name", "at most 255 characters"),
        ({"event": {"name": "x", "properties": {"time": 1}}}, ".event.properties.time", "neither time nor"),
    ],
)  # fmt: skip
def test_refused_on_save_with_what_is_offered(body: dict[str, Any], path: str, said: str) -> None:
    with pytest.raises(DefinitionInvalid) as caught:
        matched(customer(), body if path == ".account" else {"account": "main", **body})
    assert any(one.path == f"channels[0].braze{path}" and said in one.message for one in caught.value.problems)


@pytest.mark.parametrize(
    ("prepare", "is_well", "said"),
    [
        (lambda fake: None, True, "lets the key track users, 50 objects in one request"),
        (lambda fake: setattr(fake, "may_track", False), False, "that it has the permission users.track"),
        (lambda fake: fake.replies.append(Reply(404)), False, "answers HTTP 404. Check url"),
        (lambda fake: fake.replies.append(Reply(drop=True)), False, "Check url"),
    ],
)
async def test_an_account_is_tried_with_an_empty_request(
    fake: BrazeFake, prepare: Any, is_well: bool, said: str
) -> None:
    prepare(fake)
    channel = channel_for(fake.url)
    found = await channel.check("shop", "main")
    await channel.close()
    assert (found.is_well, fake.ids) == (is_well, [])
    assert said in found.said
    assert KEY not in found.said
    assert "there are: main" in (await channel.check("shop", "mian")).said


@pytest.mark.parametrize(
    ("written", "path", "said"),
    [
        ({"api_key": KEY}, "url", "is missing"),
        ({"url": "rest.iad-01.braze.com", "api_key": KEY}, "url", "must be an address"),
        ({"url": "https://x.example", "api_key": KEY, "batch_size": 76}, "batch_size", "from 1 to 75"),
        ({"url": "https://x.example"}, "api_key", "is missing"),
    ],
)
def test_an_account_is_refused_with_what_is_allowed(written: dict[str, Any], path: str, said: str) -> None:
    with pytest.raises(DefinitionInvalid) as caught:
        read_account("braze", written)
    assert [one.path for one in caught.value.problems] == [path]
    assert said in caught.value.problems[0].message
    assert KEY not in repr(form("https://x.example"))
