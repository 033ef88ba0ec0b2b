"""Mailchimp: the laws of all channels, and what is its own."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import msgspec
import pytest

from channels.accounts import fixed_accounts
from channels.contract import AnyChannel
from channels.fakes.mailchimp import MailchimpFake, Member
from channels.http.ssrf import OWN_NETWORKS
from channels.mailchimp.channel import Mailchimp
from channels.status_calls import NotProven, StatusCall, StatusEvent
from schemas.account import read_account
from schemas.channels.mailchimp import MailchimpAccountForm, MailchimpAddress, MailchimpDelivery
from schemas.delivery import Delivery
from schemas.errors import DefinitionInvalid, RenderRefused
from schemas.receipt import Accepted, Blocked, Deferred, Receipt, Refused, Throttled, Unanswered
from streams.documents.distribution import parse_definition
from streams.index.rules import RuleIndex
from streams.match import match_event
from tests.contract.channels.case import Fake, HttpCase, says
from tests.factory import CONTEXT, NOW, context, customer, definition, delivery

KEY, LIST, SECRET = "hush-mailchimp-key-us6", "a1b2c3d4e5", "hush-webhook"
EMAIL = "Jo@example.com"
MEMBER = hashlib.md5(b"jo@example.com", usedforsecurity=False).hexdigest()
BODY: dict[str, Any] = {"account": "main", "attributes": {"CODE": "order.id", "SOURCE": {"value": "spring"}}}


def form(**how: Any) -> MailchimpAccountForm:
    written = {"api_key": KEY, "list_id": LIST, "webhook_secrets": ["older", SECRET], **how}
    return cast(MailchimpAccountForm, read_account("mailchimp", written))


def channel_for(url: str, **how: Any) -> Mailchimp:
    accounts = fixed_accounts("mailchimp", {"main": Mailchimp.account("main", form(url=url, **how))})
    return Mailchimp(accounts, reach=OWN_NETWORKS)


def matched(profile: dict[str, Any], body: dict[str, Any] = BODY) -> Any:
    author = replace(CONTEXT, accounts={"mailchimp": ("main",)})
    index = RuleIndex()
    index.insert(parse_definition(definition(channels=[{"mailchimp": body}]), author).distribution)
    return match_event(context(profile), index, NOW)


def message(**attributes: Any) -> MailchimpDelivery:
    mapped = attributes or {"CODE": {"from": "order.id"}}
    shared = {one: getattr(delivery("webhook"), one) for one in Delivery.__struct_fields__} | {"account": "main"}
    return MailchimpDelivery(mailchimp=MailchimpAddress(email=EMAIL, attributes=mapped), **shared)


class MailchimpCase(HttpCase):
    """Mailchimp before its fake."""

    name = "mailchimp"
    kept = ("members",)
    secrets = (KEY, SECRET)
    names = (EMAIL,)
    account = form()
    template = None
    is_untrusted = Deferred
    answers = {
        "taken": says(200, Accepted, b'{"id": "x", "status": "unsubscribed"}'),
        "a page of somebody else's": says(200, Unanswered, b"<html>"),
        "a success that lacks what is documented": says(200, Unanswered, b'{"done": true}'),
        "not wanted": says(400, Refused, b'{"title": "Invalid Resource", "detail": "jo looks fake"}'),
        "forgotten": says(400, Refused, b'{"title": "Forgotten Email Not Subscribed", "status": 400}'),
        "not wanted, with our secret in the words": says(400, Refused, b"unknown key: hush-mailchimp-key-us6"),
        "the key is not known": says(401, Blocked, b'{"title": "API Key Invalid"}'),
        "the key may not": says(403, Blocked, b'{"title": "Forbidden", "status": 403}'),
        "too much at once, says a server before it": says(403, Deferred, b"<html>Access Denied"),
        "too much at once, without a word": says(403, Deferred),
        "too many connections": says(429, Throttled, b'{"title": "Too Many Requests"}'),
        "no such audience": says(404, Blocked, b'{"title": "Resource Not Found"}'),
        "a deep error": says(500, Deferred, b'{"title": "Internal Server Error"}'),
        "dropped": says(200, Unanswered, drop=True),
    }

    def fake(self) -> MailchimpFake:
        return MailchimpFake(KEY, LIST)

    def channel(self, fake: Fake) -> AnyChannel:
        return channel_for(cast(MailchimpFake, fake).url)

    def delivery(self, fake: Fake) -> Delivery:
        return message()

    def key(self, delivery: Delivery) -> str:
        return MEMBER

    def elsewhere(self, host: str, port: int, *, tls: bool) -> tuple[AnyChannel, Delivery]:
        return channel_for(f"http{'s' if tls else ''}://{host}:{port}"), message()


CASE = MailchimpCase()


@pytest.fixture
async def fake() -> AsyncIterator[MailchimpFake]:
    made = MailchimpFake(KEY, LIST, SECRET)
    await made.start()
    yield made
    await made.stop()


async def send(fake: MailchimpFake, made: MailchimpDelivery) -> Receipt:
    channel = channel_for(fake.url)
    receipt = await channel.send(channel.render(made), timeout=60, now=datetime.now(UTC))
    await channel.close()
    return receipt


async def test_a_request_is_as_its_reference_has_it(fake: MailchimpFake) -> None:
    (made,) = matched(customer(email=EMAIL)).deliveries
    request = channel_for(fake.url).render(made)
    at = f"{fake.url}/3.0/lists/{LIST}/members/{MEMBER}?skip_merge_validation=true"
    assert (request.method, request.url) == ("PUT", at)
    assert msgspec.json.decode(request.body) == {
        "email_address": EMAIL,
        "status_if_new": "transactional",
        "merge_fields": {"CODE": "o1", "SOURCE": "spring"},
    }
    said = "HTTP 200: the fields of the member, whose status is transactional, are set"
    fake.required = {"FNAME"}
    assert await send(fake, made) == Accepted(said)
    assert fake.members == {MEMBER: Member(EMAIL, "transactional", {"CODE": "o1"})}


@pytest.mark.parametrize("status", ["unsubscribed", "cleaned", "subscribed"])
async def test_nobody_is_put_back_who_left(fake: MailchimpFake, status: str) -> None:
    fake.members[MEMBER] = Member(EMAIL, status)
    assert isinstance(await send(fake, message()), Accepted)
    assert (fake.members[MEMBER].status, fake.put_back) == (status, 0)


async def test_who_had_themselves_deleted_is_not_written_to_again(fake: MailchimpFake) -> None:
    fake.forgotten.add(EMAIL)
    receipt = await send(fake, message())
    assert isinstance(receipt, Refused)
    assert receipt.reason == "suppressed"


def test_a_merge_field_holds_a_text_or_a_number() -> None:
    request = channel_for("http://127.0.0.1:1").render(message(A=True, B=[1, "x", False], C=1.5, D={"zip": "1"}))
    fields = msgspec.json.decode(request.body)["merge_fields"]
    assert fields == {"A": "true", "B": "1, x, false", "C": 1.5, "D": {"zip": "1"}}


def test_where_nothing_is_left_to_say_nothing_is_sent() -> None:
    with pytest.raises(RenderRefused, match="nothing is left"):
        channel_for("http://127.0.0.1:1").render(message(CODE={"from": "voucher.code"}))


@pytest.mark.parametrize(
    ("attributes", "path"),
    [
        ({"code": "order.id"}, "attributes.code"),
        ({"ELEVENCHARS": "order.id"}, "attributes.ELEVENCHARS"),
        ({"EMAIL": "customer.email"}, "attributes.EMAIL"),
        ({"CODE": "voucher.code"}, "attributes.CODE"),
        (None, ""),
    ],
)
def test_its_author_is_told_what_is_wrong(attributes: Any, path: str) -> None:
    body = {"account": "main", **({} if attributes is None else {"attributes": attributes})}
    with pytest.raises(DefinitionInvalid) as caught:
        matched(customer(), body)
    assert [one.path for one in caught.value.problems] == [f"channels[0].mailchimp.{path}".rstrip(".")]


@pytest.mark.parametrize("email", [None, " ", "jo@example"])
def test_who_has_no_mailbox_is_skipped(email: str | None) -> None:
    (decision,) = matched(customer(email=email)).decisions
    assert (decision.outcome, decision.reason) == ("skipped", "no_address")


@pytest.mark.parametrize(
    ("how", "address"),
    [
        ({}, "https://us6.api.mailchimp.com"),
        ({"data_center": "us20"}, "https://us20.api.mailchimp.com"),
        ({"url": "https://proxy.example/m/"}, "https://proxy.example/m"),
    ],
)
def test_the_data_center_stands_at_the_end_of_the_key(how: dict[str, str], address: str) -> None:
    assert Mailchimp.account("main", form(**how)).url == address


@pytest.mark.parametrize(
    ("how", "field"),
    [
        ({"api_key": "no-center-here"}, "data_center"),
        ({"data_center": "us6.evil.example"}, "data_center"),
        ({"list_id": "../x"}, "list_id"),
        ({"status_if_new": "unsubscribed"}, "status_if_new"),
    ],
)
def test_an_account_that_cannot_be_is_refused(how: dict[str, str], field: str) -> None:
    with pytest.raises(DefinitionInvalid) as caught:
        form(**how)
    assert [one.path for one in caught.value.problems] == [field]


async def test_an_account_is_tried_by_reading_its_merge_tags(fake: MailchimpFake) -> None:
    for how, is_well in (({}, True), ({"api_key": "other-us6"}, False), ({"list_id": "other"}, False)):
        channel = channel_for(fake.url, **how)
        check = await channel.check("shop", "main")
        await channel.close()
        assert (check.is_well, check.fields) == (is_well, ("CODE", "FNAME", "QR", "VALUE") if is_well else None)
    assert not (await channel.check("shop", "mian")).is_well


async def test_the_kinds_of_its_merge_fields_are_known(fake: MailchimpFake) -> None:
    fake.tags, fake.types = {"CODE", "SUM", "BORN", "HOME"}, {"SUM": "number", "BORN": "birthday", "HOME": "address"}
    channel = channel_for(fake.url)
    known = (await channel.check("shop", "main")).known
    await channel.close()
    assert known is not None
    assert {one.name: (one.kind, one.longest) for one in known.fields} == {
        "BORN": ("date", None),
        "CODE": ("text", 255),
        "HOME": ("any", None),
        "SUM": ("number", None),
    }


SAID = {"fired_at": "2026-11-20 11:59:00", "data__list_id": LIST, "data__email": EMAIL}
AT = datetime(2026, 11, 20, 11, 59, tzinfo=UTC)


def told(said: dict[str, str], signed_at: datetime = NOW, secret: str = SECRET) -> list[StatusEvent]:
    headers, body = MailchimpFake(KEY, LIST, secret).call(int(signed_at.timestamp()), **{**SAID, **said})
    return Mailchimp.statuses(StatusCall("https://console.example.com/", headers, body, NOW), form())


@pytest.mark.parametrize(
    ("said", "kind", "is_hard"),
    [
        ({"type": "unsubscribe", "data__action": "unsub", "data__reason": "manual"}, "unsubscribed", False),
        ({"type": "unsubscribe", "data__action": "unsub", "data__reason": "abuse"}, "complained", False),
        ({"type": "cleaned", "data__reason": "hard"}, "bounced", True),
        ({"type": "cleaned", "data__reason": "abuse"}, "complained", False),
    ],
)
def test_who_left_and_whose_mailbox_is_gone_is_told(said: dict[str, str], kind: str, is_hard: bool) -> None:
    (event,) = told(said)
    assert (event.kind, event.is_hard, event.address, event.occurred_at) == (kind, is_hard, EMAIL, AT)


@pytest.mark.parametrize(
    "said",
    [
        {"type": "unsubscribe", "data__action": "delete"},
        {"type": "subscribe"},
        {"type": "cleaned", "data__list_id": "other"},
        {"type": "cleaned", "data__email": ""},
    ],
)
def test_what_is_nobodys_word_is_passed_over(said: dict[str, str]) -> None:
    assert told(said) == []


@pytest.mark.parametrize(
    ("age", "secret"), [(timedelta(minutes=6), SECRET), (-timedelta(minutes=6), SECRET), (timedelta(), "other")]
)
def test_what_is_old_or_not_signed_is_not_believed(age: timedelta, secret: str) -> None:
    with pytest.raises(NotProven):
        told({"type": "cleaned"}, NOW - age, secret)
