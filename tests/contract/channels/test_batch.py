"""Batch: the laws of all channels, and what is its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import msgspec
import pytest

from channels.accounts import AccountBook, fixed_accounts
from channels.batch.channel import Batch
from channels.contract import AnyChannel
from channels.fakes.batch import BatchFake
from channels.fakes.http import Reply
from channels.http.ssrf import OWN_NETWORKS
from schemas.account import read_account
from schemas.channels.batch import BatchAccountForm, BatchAddress, BatchDelivery
from schemas.channels.named_event import NamedEvent
from schemas.delivery import Delivery
from schemas.errors import DefinitionInvalid, RenderRefused
from schemas.receipt import Accepted, Blocked, Deferred, Receipt, Refused, Throttled, Unanswered
from streams.channels.batch import KEYS
from streams.channels.mapping import DEFAULTS, Attributes
from streams.documents.distribution import parse_definition
from streams.index.rules import RuleIndex
from streams.match import match_event
from tests.contract.channels.case import Fake, HttpCase, says
from tests.factory import CONTEXT, NOW, context, customer, definition, delivery

KEY, PROJECT = "hush-batch-key", "project_0664"
BODY: dict[str, Any] = {
    "account": "main",
    "attributes": {
        "last_order": "order.id",
        "date(last_seen)": "event.created_at",
        "city": "customer.address.city",
        "shops": {"$add": [{"value": "web"}, "customer.metadata.nothing"], "$remove": ["customer.metadata.nothing"]},
    },
    "event": {"name": "thanked", "properties": {"amount": "order.amount"}},
}


def form(url: str, **how: Any) -> BatchAccountForm:
    written = {"url": url, "rest_key": KEY, "project_key": PROJECT, **how}
    return cast(BatchAccountForm, read_account("batch", written))


def channel_for(url: str, **how: Any) -> Batch:
    return Batch(fixed_accounts("batch", {"main": form(url, **how)}), reach=OWN_NETWORKS)


def matched(profile: dict[str, Any], body: dict[str, Any] = BODY) -> Any:
    author = replace(CONTEXT, accounts={"batch": ("main",)})
    index = RuleIndex()
    index.insert(parse_definition(definition(channels=[{"batch": body}]), author).distribution)
    return match_event(context(profile), index, NOW)


def message(name: str = "dlv_1", *, event: bool = True, who: str = "crm-7", **attributes: Any) -> BatchDelivery:
    told = NamedEvent(name="thanked", properties={"amount": {"from": "order.amount"}}) if event else None
    shared = {one: getattr(delivery("webhook"), one) for one in Delivery.__struct_fields__}
    shared |= {"delivery_id": name, "account": "main"}
    mapped = attributes or {"last_order": {"from": "order.id"}}
    return BatchDelivery(batch=BatchAddress(custom_id=who, attributes=mapped, event=told), **shared)


class BatchCase(HttpCase):
    """Batch before its fake."""

    name = "batch"
    kept = ("profiles", "events")
    secrets = (KEY,)
    names = ("crm-7", "jo@example.com")
    account = form("https://api.batch.com")
    template = None
    is_untrusted = Deferred
    answers = {
        "queued": says(202, Accepted, b'{"code":"SUCCESS"}'),
        "refused under a 202": says(202, Refused, b'{"code":"SUCCESS","errors":[{"index":0,"reason":"bad"}]}'),
        "refused under a 202, by its id": says(202, Refused, b'{"code":"SUCCESS","errors":[{"custom_id":"crm-7"}]}'),
        "refused under a 202, by nothing": says(202, Refused, b'{"code":"SUCCESS","errors":["bad"]}'),
        "in trouble under a 202": says(202, Refused, b'{"code":"SERVER_ERROR"}'),
        "refused whole": says(400, Refused, b'{"code":"MALFORMED_PARAMETER","message":"bad"}'),
        "refused whole, in words for people": says(400, Refused, b"<html>"),
        "a success in words for people": says(202, Unanswered, b"<html>"),
        "too fast": says(429, Throttled, b'{"code":"TOO_MANY_REQUESTS"}'),
        "access refused": says(401, Blocked, b'{"code":"AUTHENTICATION_INVALID","message":"hush-batch-key"}'),
        "too large by itself": says(413, Refused),
        "no such version": says(404, Blocked, b'{"code":"ROUTE_NOT_FOUND"}'),
        "away": says(503, Deferred),
        "dropped": says(202, Unanswered, drop=True),
    }

    def fake(self) -> BatchFake:
        return BatchFake(KEY, PROJECT)

    def channel(self, fake: Fake) -> AnyChannel:
        return channel_for(cast(BatchFake, fake).url)

    def delivery(self, fake: Fake) -> Delivery:
        return message()

    def elsewhere(self, host: str, port: int, *, tls: bool) -> tuple[AnyChannel, Delivery]:
        return channel_for(f"http{'s' if tls else ''}://{host}:{port}"), message()


CASE = BatchCase()


@pytest.fixture
async def fake() -> AsyncIterator[BatchFake]:
    made = BatchFake(KEY, PROJECT)
    await made.start()
    yield made
    await made.stop()


async def send_all(channel: Batch, *messages: BatchDelivery) -> list[Receipt]:
    now = datetime.now(UTC)
    receipts = await asyncio.gather(*(channel.send(channel.render(one), timeout=60, now=now) for one in messages))
    await channel.close()
    return list(receipts)


async def test_a_request_is_as_its_reference_has_it(fake: BatchFake) -> None:
    (made,) = matched(customer(source_id=" crm-7 ")).deliveries
    request = channel_for(fake.url).render(made)
    assert (request.method, request.url) == ("POST", f"{fake.url}/2.11/profiles/update")
    assert request.headers == {"x-batch-project": PROJECT}
    attributes = {"last_order": "o1", "date(last_seen)": "2026-11-20T12:00:00Z", "shops": {"$add": ["web"]}}
    event = {"name": "thanked", "attributes": {"amount": 5000, "delivery_id": made.delivery_id}}
    assert msgspec.json.decode(request.body) == [
        {"identifiers": {"custom_id": "crm-7"}, "attributes": attributes, "events": [event]}
    ]
    assert await send_all(channel_for(fake.url), made) == [Accepted("HTTP 202: queued by Batch")]
    assert fake.profiles["crm-7"]["shops"] == ["web"]
    assert fake.events == [("crm-7", event)]


@pytest.mark.parametrize("is_strict", [False, True])
@pytest.mark.parametrize("says_which", [False, True])
async def test_each_profile_of_a_batch_has_its_own_outcome(fake: BatchFake, says_which: bool, is_strict: bool) -> None:
    fake.invalid, fake.says_which, fake.is_strict = {"bad"}, says_which, is_strict
    kinds = ("a", "bad", "b", "bad", "c")
    messages = [message(f"dlv_{n}", who=f"crm-{n}", **cast(Any, {kind: n})) for n, kind in enumerate(kinds)]
    receipts = await send_all(channel_for(fake.url), *messages)
    assert [type(one) for one in receipts] == [Accepted, Refused, Accepted, Refused, Accepted]
    assert "bad is not valid" in receipts[1].detail
    assert fake.profiles == {"crm-0": {"a": 0}, "crm-2": {"b": 2}, "crm-4": {"c": 4}}
    assert fake.requests == {(True, False): 1, (True, True): 2}.get((says_which, is_strict), 6)


async def test_a_request_holds_200_profiles_or_what_its_account_says(fake: BatchFake) -> None:
    await send_all(channel_for(fake.url), *(message(f"dlv_{n}", who=f"crm-{n}") for n in range(250)))
    assert (fake.requests, len(fake.profiles)) == (2, 250)
    await send_all(channel_for(fake.url, batch_size=10), *(message(f"d_{n}", who=f"crm-{n}") for n in range(30)))
    assert fake.requests == 5


async def test_projects_prove_themselves_each_by_its_own_key(fake: BatchFake) -> None:
    book = AccountBook({"batch": {"main": form(fake.url)}})
    book.replace({("batch", "other", "main"): replace(form(fake.url), rest_key="another-key")})
    foreign = msgspec.structs.replace(message("dlv_2"), project_id="other")
    receipts = await send_all(Batch(book.of("batch"), reach=OWN_NETWORKS), message("dlv_1"), foreign)
    assert [type(one) for one in receipts] == [Accepted, Blocked]
    assert fake.ids == ["dlv_1"]


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"gone": {"from": "customer.metadata.nothing"}}, "nothing is left to say"),
        ({"tags": {"$add": [{"from": "customer.metadata.nothing"}]}}, "nothing is left to say"),
        ({"date(x)": {"from": "order.id"}}, r"date\(x\) is not a date such as"),
        ({"date(x)": 7}, r"date\(x\) is not a date such as"),
    ],
)
def test_what_cannot_be_said_is_not_sent(attributes: Any, said: str) -> None:
    with pytest.raises(RenderRefused, match=said):
        channel_for("http://127.0.0.1:1").render(message(event=False, **attributes))


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("2026-11-20", "2026-11-20T00:00:00Z"),
        ("2026-11-20T09:00:00.5+02:00", "2026-11-20T07:00:00Z"),
        ("2026-11-20T09:00:00Z", "2026-11-20T09:00:00Z"),
    ],
)
def test_dates_are_written_as_batch_reads_them(written: str, sent: str) -> None:
    request = channel_for("http://127.0.0.1:1").render(message(event=False, **cast(Any, {"date(x)": written})))
    assert msgspec.json.decode(request.body)[0]["attributes"] == {"date(x)": sent}


def test_the_default_has_typed_names() -> None:
    attributes = KEYS.keys["attributes"].holds
    assert isinstance(attributes, Attributes)
    assert set(attributes.defaults.values()) == set(DEFAULTS.values())
    problems: list[str] = []
    assert attributes.read(dict(attributes.defaults), "at", lambda at, said: problems.append(said))
    assert problems == []


@pytest.mark.parametrize(
    ("body", "path", "said"),
    [
        ({"account": "mian", "event": {"name": "x"}}, ".account", 'Did you mean "main"?'),
        ({}, "", "would say nothing"),
        ({"attributes": {"x": "voucher.code"}}, ".attributes.x", "there is no voucher here"),
        ({"attributes": {"x": {"$add": ["voucher.code"]}}}, '.attributes.x."$add"[0]', "there is no voucher here"),
        ({"attributes": {"x": {"$add": []}}}, '.attributes.x."$add"', "must be a list of at least one of"),
        ({"attributes": {"x": {"$put": ["order.id"]}}}, ".attributes.x", "must be a path such as"),
        ({"attributes": {"$email_marketing": 1}}, '.attributes."$email_marketing"', "nothing that subscribes somebody"),
        ({"attributes": {"x" * 31: 1}}, f".attributes.{'x' * 31}", "at most 30 letters"),
        ({"attributes": {"time(x)": 1}}, '.attributes."time(x)"', "or date(name) or url(name)"),
        ({"event": {"name": "Code published"}}, ".event.name", "as in code_published"),
        ({"event": {"name": "x", "properties": {"$email_address": 1}}}, '.event.properties."$email_address"', "$tags"),
    ],
)  # fmt: skip
def test_refused_on_save_with_what_is_offered(body: dict[str, Any], path: str, said: str) -> None:
    with pytest.raises(DefinitionInvalid) as caught:
        matched(customer(), {"account": "main", **body})
    found = [(one.path, one.message) for one in caught.value.problems]
    assert any(at == f"channels[0].batch{path}" and said in words for at, words in found), found


def test_who_is_not_known_there_is_skipped_with_the_reason() -> None:
    (decision,) = matched(customer()).decisions
    assert (decision.outcome, decision.reason) == ("skipped", "no_address")
    assert decision.detail == "the customer has no source_id, by which Batch knows its profiles"


@pytest.mark.parametrize(
    ("how", "reply", "is_well", "said"),
    [
        ({}, None, True, "lets the key update profiles of project_0664"),
        ({"rest_key": "another"}, None, False, "Check rest_key, project_key"),
        ({"project_key": "another"}, None, False, "Check rest_key, project_key"),
        ({}, Reply(404), False, "answers HTTP 404. Check url, version"),
        ({}, Reply(drop=True), False, "Check url"),
    ],
)
async def test_an_account_is_tried_with_an_empty_list(
    fake: BatchFake, how: Any, reply: Reply | None, is_well: bool, said: str
) -> None:
    fake.replies.extend([reply] if reply else [])
    channel = channel_for(fake.url, **how)
    found = await channel.check("shop", "main")
    await channel.close()
    assert (found.is_well, fake.ids) == (is_well, [])
    assert said in found.said
    assert KEY not in found.said
