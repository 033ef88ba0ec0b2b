"""Klaviyo: the laws of all channels, and what is its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import msgspec
import pytest

from channels.accounts import fixed_accounts
from channels.contract import AnyChannel
from channels.fakes.http import Reply
from channels.fakes.klaviyo import KlaviyoFake
from channels.http.ssrf import OWN_NETWORKS
from channels.klaviyo import bulk
from channels.klaviyo.channel import BULK, Klaviyo
from schemas.account import read_account
from schemas.channels.klaviyo import KlaviyoAccountForm, KlaviyoAddress, KlaviyoDelivery
from schemas.channels.named_event import NamedEvent
from schemas.delivery import Delivery
from schemas.errors import DefinitionInvalid, RenderRefused
from schemas.limit import NO_LIMIT, rate_of
from schemas.receipt import Accepted, Blocked, Deferred, Postponed, Receipt, Refused, Throttled, Unanswered
from streams.documents.distribution import parse_definition
from streams.index.rules import RuleIndex
from streams.match import match_event
from tests.contract.channels.case import Answer, Fake, HttpCase, says
from tests.factory import CONTEXT, NOW, context, customer, definition, delivery

KEY = "hush-klaviyo-key"
BODY: dict[str, Any] = {
    "account": "main",
    "attributes": {"last_order": "order.id", "city": "customer.address.city", "source": {"value": "spring"}},
    "event": {"name": "Thanked", "properties": {"amount": "order.amount"}},
}
HEADERS = {"revision": "2026-10-15", "x-klaviyo-revision-fall-forward-opt-out": "1"}


def form(url: str, **how: Any) -> KlaviyoAccountForm:
    return cast(KlaviyoAccountForm, read_account("klaviyo", {"url": url, "api_key": KEY, **how}))


def channel_for(url: str, **how: Any) -> Klaviyo:
    return Klaviyo(fixed_accounts("klaviyo", {"main": form(url, **how)}), reach=OWN_NETWORKS)


def matched(profile: dict[str, Any], body: dict[str, Any] | None = None) -> Any:
    author = replace(CONTEXT, accounts={"klaviyo": ("main",)})
    index = RuleIndex()
    index.insert(parse_definition(definition(channels=[{"klaviyo": body or BODY}]), author).distribution)
    return match_event(context(profile), index, NOW)


def message(*, event: bool = True, **attributes: Any) -> KlaviyoDelivery:
    told = NamedEvent(name="Thanked", properties={"amount": {"from": "order.amount"}}) if event else None
    shared = {one: getattr(delivery("webhook"), one) for one in Delivery.__struct_fields__} | {"account": "main"}
    to = KlaviyoAddress(external_id="crm-7", email="jo@example.com", attributes=attributes, event=told)
    return KlaviyoDelivery(klaviyo=to, **shared)


WRONG = b'{"errors":[{"title":"Invalid","detail":"Invalid email","source":{"pointer":"/data/attributes/email"}}]}'

TOO_FAST = Reply(429, headers=(("retry-after", "7"),))


class KlaviyoCase(HttpCase):
    """Klaviyo before its fake."""

    name = "klaviyo"
    kept = ("profiles", "events")
    secrets = (KEY,)
    names = ("crm-7", "jo@example.com")
    account = form("https://a.klaviyo.com")
    template = None
    is_untrusted = Deferred
    answers = {
        "queued": says(202, Accepted),
        "made": says(201, Accepted, b"{}"),
        "refused": says(400, Refused, WRONG),
        "refused in words for people": says(400, Refused, b"<html>"),
        "too fast": Answer(
            lambda fake: fake.replies.append(Reply(429, headers=(("retry-after", "7"),))), Throttled, 7.0
        ),
        "too fast, for no time that is known": says(429, Throttled),
        "a key that is not one": says(401, Blocked),
        "a key that may not": says(403, Blocked),
        "in conflict": says(409, Postponed),
        "nothing is there": says(404, Blocked),
        "a revision that is over": says(410, Blocked),
        "away": says(503, Deferred),
        "dropped": says(202, Unanswered, drop=True),
    }

    def fake(self) -> KlaviyoFake:
        return KlaviyoFake(KEY)

    def channel(self, fake: Fake) -> AnyChannel:
        return channel_for(cast(KlaviyoFake, fake).url)

    def delivery(self, fake: Fake) -> Delivery:
        return message()

    def elsewhere(self, host: str, port: int, *, tls: bool) -> tuple[AnyChannel, Delivery]:
        return channel_for(f"http{'s' if tls else ''}://{host}:{port}"), message()


CASE = KlaviyoCase()


@pytest.fixture
async def fake() -> AsyncIterator[KlaviyoFake]:
    made = KlaviyoFake(KEY)
    await made.start()
    yield made
    await made.stop()


async def send(channel: Klaviyo, made: KlaviyoDelivery) -> Receipt:
    try:
        return await channel.send(channel.render(made), timeout=60, now=datetime.now(UTC))
    finally:
        await channel.close()


async def test_an_event_is_as_its_reference_has_it_and_kept_once(fake: KlaviyoFake) -> None:
    (made,) = matched(customer(source_id="crm-7", phone="+48 600 100 200")).deliveries
    request = channel_for(fake.url + "/").render(made)
    assert (request.method, request.url, request.headers) == ("POST", f"{fake.url}/api/events", HEADERS)
    profile = {
        "external_id": "crm-7",
        "email": "jo@example.com",
        "phone_number": "+48600100200",
        "properties": {"last_order": "o1", "source": "spring"},
    }
    assert msgspec.json.decode(request.body)["data"] == {
        "type": "event",
        "attributes": {
            "metric": {"data": {"type": "metric", "attributes": {"name": "Thanked"}}},
            "profile": {"data": {"type": "profile", "attributes": profile}},
            "properties": {"amount": 5000, "delivery_id": made.delivery_id},
            "time": "2026-11-20T12:00:00+00:00",
            "unique_id": made.delivery_id,
        },
    }
    for _ in range(2):
        assert await send(channel_for(fake.url), made) == Accepted("HTTP 202: queued by Klaviyo")
    assert list(fake.events) == [made.delivery_id]
    assert fake.profiles == {"crm-7": {"last_order": "o1", "source": "spring"}}
    assert fake.subscribed == 0


async def test_attributes_alone_set_a_profile(fake: KlaviyoFake) -> None:
    body = {name: BODY[name] for name in ("account", "attributes")}
    (made,) = matched(customer(phone="call me"), body).deliveries
    request = channel_for(fake.url).render(made)
    assert request.url == f"{fake.url}/api/profile-import"
    said = msgspec.json.decode(request.body)["data"]
    assert said["type"] == "profile"
    assert set(said["attributes"]) == {"external_id", "email", "properties"}, "a number that is none would refuse all"
    assert await send(channel_for(fake.url), made) == Accepted("HTTP 201")
    assert fake.profiles == {"c1": {"last_order": "o1", "source": "spring"}}


async def test_a_refusal_says_where_and_what(fake: KlaviyoFake) -> None:
    fake.invalid = {"jo@example.com"}
    receipt = await send(channel_for(fake.url), message())
    assert receipt == Refused("HTTP 400: Invalid email. (/data/attributes/profile/data/attributes/email)")
    assert fake.ids == []


async def test_a_window_that_is_used_up_and_a_conflict_are_said(fake: KlaviyoFake) -> None:
    headers = (("ratelimit-remaining", "0"), ("ratelimit-reset", "9"))
    error = b'{"errors":[{"title":"Conflict.","detail":"A profile already exists","source":{"pointer":"/data"}}]}'
    fake.replies.extend([Reply(202, headers=headers, body=b"{}"), Reply(409, body=error)])
    assert await send(channel_for(fake.url), message()) == Accepted("HTTP 202: queued by Klaviyo", retry_after=9.0)
    assert await send(channel_for(fake.url), message()) == Postponed("HTTP 409: A profile already exists (/data)")


async def test_a_retired_revision_is_said_and_never_replaced(fake: KlaviyoFake) -> None:
    receipt = await send(channel_for(fake.url, revision="2020-01-01"), message())
    assert not isinstance(receipt, Accepted)
    found = await channel_for(fake.url, revision="2020-01-01").check("shop", "main")
    assert (found.is_well, "HTTP 410" in found.said) == (False, True)


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"gone": {"from": "customer.metadata.nothing"}}, "nothing is left to say"),
        ({"long": "x" * 100_001}, "Klaviyo takes at most 100000"),
    ],
)
def test_what_it_would_not_take_is_not_sent(attributes: dict[str, Any], said: str) -> None:
    with pytest.raises(RenderRefused, match=said):
        channel_for("http://127.0.0.1:1").render(message(event=False, **attributes))


def test_a_text_of_an_event_has_an_end() -> None:
    made = msgspec.structs.replace(message(), data={"order": {"amount": "x" * 100_001}})
    with pytest.raises(RenderRefused, match="amount has more than 100000 bytes"):
        channel_for("http://127.0.0.1:1").render(made)


@pytest.mark.parametrize(
    ("body", "path", "said"),
    [
        ({"account": "mian"}, ".account", 'Did you mean "main"?'),
        ({"attributes": {}}, "", "would say nothing"),
        ({"attributes": {"x": "voucher.code"}}, ".attributes.x", "there is no voucher here"),
        ({"attributes": {"$consent": 1}}, ".attributes.$consent", "does not begin with $"),
        ({"event": {"name": "x" * 128}}, ".event.name", "at most 127 characters"),
    ],
)
def test_refused_on_save_with_what_is_offered(body: dict[str, Any], path: str, said: str) -> None:
    with pytest.raises(DefinitionInvalid) as caught:
        matched(customer(), body if path == ".account" else {"account": "main", **body})
    found = [(one.path, one.message) for one in caught.value.problems]
    assert any(at.startswith("channels[0].klaviyo") and said in text for at, text in found), found


@pytest.mark.parametrize(
    ("prepare", "is_well", "said"),
    [
        (lambda fake: None, True, "the key is that of The Shop, revision 2026-10-15"),
        (lambda fake: setattr(fake, "_key", "another"), False, "Check url and api_key, and its scope accounts:read"),
        (lambda fake: fake.replies.append(Reply(drop=True)), False, "Check url"),
        (lambda fake: setattr(fake, "answered", lambda *_: (Reply(body=b"<html>"), [])), False, "is not klaviyo"),
    ],
)
async def test_an_account_is_tried_by_asking_whose_it_is(
    fake: KlaviyoFake, prepare: Any, is_well: bool, said: str
) -> None:
    prepare(fake)
    channel = channel_for(fake.url)
    found = await channel.check("shop", "main")
    await channel.close()
    assert (found.is_well, fake.ids) == (is_well, [])
    assert said in found.said
    assert KEY not in found.said
    assert "there are: main" in (await channel.check("shop", "mian")).said


# -- in bulk ---------------------------------------------------------------------------------------------------------


def named(identity: str, *, event: bool) -> KlaviyoDelivery:
    made = message(event=event, number=identity)
    to = msgspec.structs.replace(made.klaviyo, external_id=identity, email=f"{identity}@example.com")
    return msgspec.structs.replace(made, klaviyo=to, delivery_id=f"dlv_{identity}")


async def together(fake: KlaviyoFake, made: list[KlaviyoDelivery]) -> list[Receipt]:
    channel = channel_for(fake.url, bulk="true")
    now = datetime.now(UTC)
    try:
        return await asyncio.gather(*(channel.send(channel.render(one), timeout=60, now=now) for one in made))
    finally:
        await channel.close()


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting for others or for jobs: the messages of a test are there already."""
    monkeypatch.setattr(Klaviyo, "batch_wait", 0.05)
    monkeypatch.setattr(bulk, "LOOKS", (0.01, 0.01))


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("event", [True, False])
async def test_in_bulk_many_are_one_job_and_each_is_as_it_is_alone(fake: KlaviyoFake, event: bool) -> None:
    made = [named(f"c{number}", event=event) for number in range(5)]
    receipts = await together(fake, made)
    assert receipts == [Accepted("HTTP 202: queued by Klaviyo")] * 5
    assert len(fake.jobs) == 1
    inside = {name: dict(one) for name, one in fake.profiles.items()}, dict(fake.events)
    fake.profiles.clear()
    fake.events.clear()
    for one in made:
        assert isinstance(await send(channel_for(fake.url), one), Accepted)
    assert (fake.profiles, fake.events) == inside
    assert (len(fake.jobs), fake.subscribed) == (1, 0)


@pytest.mark.usefixtures("at_once")
async def test_in_bulk_one_that_is_alone_is_no_job(fake: KlaviyoFake) -> None:
    assert await together(fake, [named("c1", event=False)]) == [Accepted("HTTP 201")]
    assert fake.jobs == []


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("event", [True, False])
async def test_who_is_not_as_documented_is_refused_alone(fake: KlaviyoFake, event: bool) -> None:
    fake.invalid = {"c3@example.com"}
    receipts = await together(fake, [named(f"c{number}", event=event) for number in range(5)])
    assert [type(one) for one in receipts] == [Accepted, Accepted, Accepted, Refused, Accepted]
    assert "Invalid email" in receipts[3].detail
    assert sorted(fake.profiles) == ["c0", "c1", "c2", "c4"]


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(
    ("looks", "names_whom", "kinds"),
    [
        (1, True, [Accepted, Refused, Accepted]),
        (9, True, [Accepted] * 3),
        (1, False, [Accepted] * 3),
    ],
    ids=["as it names", "not done within a moment", "whom it does not name, sent again alone"],
)
async def test_who_is_refused_later_is_refused_where_the_job_says_so_in_time(
    fake: KlaviyoFake, looks: int, names_whom: bool, kinds: list[type[Receipt]]
) -> None:
    fake.invalid_late, fake.looks, fake.names_whom = {"c1@example.com"}, looks, names_whom
    receipts = await together(fake, [named(f"c{number}", event=False) for number in range(3)])
    assert [type(one) for one in receipts] == kinds
    assert ("c1" in fake.profiles) == (not names_whom)


@pytest.mark.usefixtures("at_once")
async def test_a_job_that_cannot_be_asked_for_was_taken(fake: KlaviyoFake) -> None:
    fake.looks = 9
    fake.replies.extend([Reply(202), Reply(429)])
    receipts = await together(fake, [named(f"c{number}", event=False) for number in range(3)])
    assert [type(one) for one in receipts] == [Accepted] * 3
    assert len(fake.jobs) == 1


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(
    ("reply", "kind"), [(Reply(429, headers=(("retry-after", "7"),)), Throttled), (Reply(503), Deferred)]
)
async def test_a_job_that_is_not_taken_now_is_none_of_its_messages(
    fake: KlaviyoFake, reply: Reply, kind: type[Receipt]
) -> None:
    fake.replies.append(reply)
    receipts = await together(fake, [named(f"c{number}", event=True) for number in range(3)])
    assert [type(one) for one in receipts] == [kind] * 3


def test_an_account_in_bulk_has_bounds_of_its_own() -> None:
    one, many = (channel_for("http://127.0.0.1:1", **how).limit("shop", "main") for how in ({}, {"bulk": "true"}))
    assert (one, many) == (NO_LIMIT, BULK)
    assert channel_for("http://127.0.0.1:1", bulk="true", rate="5").limit("shop", "main").rate == rate_of(5)
