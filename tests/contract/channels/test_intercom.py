"""Intercom: the laws of all channels, and what is its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import msgspec
import pytest

from channels.accounts import fixed_accounts
from channels.contract import AnyChannel
from channels.fakes.http import Reply
from channels.fakes.intercom import IntercomFake
from channels.http.ssrf import OWN_NETWORKS
from channels.intercom.channel import Intercom
from channels.intercom.contacts import Contact, KnownContacts
from channels.intercom.request import IntercomRequest
from channels.status_calls import NotProven, StatusCall, StatusEvent
from schemas.account import read_account
from schemas.channels.intercom import IntercomAccountForm, IntercomAddress, IntercomDelivery, IntercomMessage
from schemas.channels.named_event import NamedEvent
from schemas.delivery import Delivery
from schemas.errors import DefinitionInvalid, RenderRefused, TemplateFailed
from schemas.receipt import Accepted, Blocked, Deferred, Postponed, Receipt, Refused, Throttled, Unanswered
from schemas.template import StoredTemplate
from streams.documents.distribution import parse_definition
from streams.index.rules import RuleIndex
from streams.match import match_event
from tests.contract.channels.case import Answer, Fake, HttpCase, says
from tests.factory import CONTEXT, NOW, context, customer, definition, delivery

TOKEN, SECRET = "hush-intercom-token", "hush-client-secret"
EMAIL, CRM = "jo@example.com", "crm-7"
FIND = f"/contacts/find_by_external_id/{CRM}"
TEXT = StoredTemplate(name="thanks", subject="Hello {{ customer.name }}", text="Thank you for {{ order.id }}.")
ATTRIBUTES: dict[str, Any] = {"last_code": {"from": "order.id"}}
TOLD = NamedEvent(name="Thanked", properties={"amount": {"from": "order.amount"}})


def form(url: str = "https://api.intercom.io", **how: Any) -> IntercomAccountForm:
    written = {"url": url, "token": TOKEN, "admin_id": "7", "client_secret": SECRET, **how}
    return cast(IntercomAccountForm, read_account("intercom", written))


def channel_for(url: str, **how: Any) -> Intercom:
    return Intercom(fixed_accounts("intercom", {"main": form(url, **how)}), reach=OWN_NETWORKS)


def matched(profile: dict[str, Any], body: dict[str, Any]) -> Any:
    author = replace(CONTEXT, accounts={"intercom": ("main",)})
    index = RuleIndex()
    written = definition(channels=[{"intercom": {"account": "main", **body}}])
    index.insert(parse_definition(written, author).distribution)
    return match_event(context(profile), index, NOW)


def delivered(**to: Any) -> IntercomDelivery:
    shared = {one: getattr(delivery("webhook"), one) for one in Delivery.__struct_fields__} | {"account": "main"}
    address = IntercomAddress(**{"external_id": CRM, "email": EMAIL, **to})
    return IntercomDelivery(intercom=address, **shared)


def mailed(*, is_email: bool = True, **to: Any) -> IntercomDelivery:
    return delivered(message=IntercomMessage(template=TEXT.ref, is_email=is_email), **to)


def sets(**to: Any) -> IntercomDelivery:
    return delivered(attributes=ATTRIBUTES, **to)


def tells(**to: Any) -> IntercomDelivery:
    return delivered(event=TOLD, **to)


def error(code: str, message: str = "no") -> bytes:
    return msgspec.json.encode({"type": "error.list", "errors": [{"code": code, "message": message}]})


def reset(seconds: int) -> Answer:
    def prepare(fake: Any) -> None:
        headers = (("x-ratelimit-remaining", "0"), ("ratelimit-reset", str(seconds)))
        fake.replies.append(Reply(429, headers=headers, body=error("rate_limit_exceeded")))

    return Answer(prepare, Throttled, float(seconds))


class IntercomCase(HttpCase):
    """Intercom before its fake."""

    name = "intercom"
    kept = ("contacts", "events", "messages")
    secrets = (TOKEN, SECRET)
    names = (CRM, EMAIL)
    account = form()
    template = None
    is_untrusted = Deferred
    answers = {
        "queued": says(202, Accepted),
        "not wanted": says(400, Refused, error("parameter_invalid", "event_name is too long")),
        "not wanted, with our token in the words": says(422, Refused, b"no hush-intercom-token"),
        "too fast": reset(7),
        "too fast, for no time that is known": says(429, Throttled, error("rate_limit_exceeded")),
        "a token that is not one": says(401, Blocked, error("unauthorized", "Access Token Invalid")),
        "a plan that has no API": says(403, Blocked, error("api_plan_restricted", "Active subscription needed.")),
        "gone, which is said of a contact": says(410, Accepted, error("contact_merged")),
        "a version that is over": says(400, Blocked, error("intercom_version_invalid", "not available")),
        "locked": says(409, Postponed, error("conflict")),
        "away": says(503, Deferred),
        "dropped": says(202, Unanswered, drop=True),
    }

    def fake(self) -> IntercomFake:
        made = IntercomFake(TOKEN)
        made.add(CRM, EMAIL)
        return made

    def channel(self, fake: Fake) -> AnyChannel:
        return channel_for(cast(IntercomFake, fake).url)

    def delivery(self, fake: Fake) -> Delivery:
        return tells()

    def elsewhere(self, host: str, port: int, *, tls: bool) -> tuple[AnyChannel, Delivery]:
        return channel_for(f"http{'s' if tls else ''}://{host}:{port}"), tells()

    def sent(self, request: IntercomRequest) -> bytes:
        """With the names by which its contact is found."""
        return super().sent(request) + f" {request.external_id} {request.email} {request.attributes!r}".encode()


CASE = IntercomCase()


@pytest.fixture
async def fake() -> AsyncIterator[IntercomFake]:
    made = IntercomFake(TOKEN, SECRET)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def channel(fake: IntercomFake) -> AsyncIterator[Intercom]:
    made = channel_for(fake.url)
    yield made
    await made.close()


async def send(channel: Intercom, made: IntercomDelivery, now: datetime | None = None) -> Receipt:
    request = channel.render(made, TEXT if made.template else None)
    return await channel.send(request, timeout=60, now=now or datetime.now(UTC))


# -- data transfers --------------------------------------------------------------------------------------------------


async def test_attributes_are_set_on_a_contact_that_is_found_once(fake: IntercomFake, channel: Intercom) -> None:
    identity = fake.add(CRM, EMAIL)
    body = {"attributes": {"last_code": "order.id", "source": {"value": "spring"}, "city": {"value": [1, True]}}}
    (made,) = matched(customer(source_id=CRM), body).deliveries
    for _ in range(2):
        assert await send(channel, made) == Accepted("HTTP 200: the attributes of the contact are set")
    assert fake.asked == [("GET", FIND), ("PUT", f"/contacts/{identity}"), ("PUT", f"/contacts/{identity}")]
    assert fake.contacts[identity]["custom_attributes"] == {"last_code": "o1", "source": "spring", "city": "1, true"}


async def test_an_event_of_somebody_who_is_known_is_one_request(fake: IntercomFake, channel: Intercom) -> None:
    identity = fake.add(CRM, EMAIL)
    properties = {"amount": "order.amount", "vip": {"value": True}, "when_date": {"value": "2026-11-20T09:00:00Z"}}
    (made,) = matched(customer(source_id=CRM), {"event": {"name": "Thanked", "properties": properties}}).deliveries
    for _ in range(2):
        assert await send(channel, made) == Accepted("HTTP 202: queued by Intercom")
    assert fake.asked == [("POST", "/events")] * 2
    at = int(made.event.created_at.timestamp())
    metadata = {"delivery_id": made.delivery_id, "amount": "5000", "vip": "true", "when_date": "1795165200"}
    told = {"event_name": "Thanked", "created_at": at, "metadata": metadata, "user_id": CRM}
    assert fake.events == [(identity, told)] * 2


async def test_attributes_and_event_are_two_calls_in_order(fake: IntercomFake, channel: Intercom) -> None:
    identity = fake.add(CRM)
    assert isinstance(await send(channel, delivered(attributes=ATTRIBUTES, event=TOLD)), Accepted)
    assert fake.asked == [("GET", FIND), ("PUT", f"/contacts/{identity}"), ("POST", "/events")]


async def test_who_has_no_external_id_there_is_found_by_their_address(fake: IntercomFake, channel: Intercom) -> None:
    fake.add("crm-8", EMAIL)
    identity = fake.add(None, EMAIL)
    for made in (sets(), tells(), mailed()):
        assert isinstance(await send(channel, made), Accepted)
    assert fake.contacts[identity]["custom_attributes"] == {"last_code": "o1"}
    assert [one for one, *_ in fake.events] == [identity]
    assert [one["to"] for one in fake.messages] == [{"type": "user", "id": identity}]


@pytest.mark.parametrize("others", [[("crm-8", EMAIL)], [(None, EMAIL), (None, EMAIL)], []])
async def test_nobody_is_taken_for_somebody_else(
    fake: IntercomFake, channel: Intercom, others: list[tuple[str | None, str]]
) -> None:
    for external_id, email in others:
        fake.add(external_id, email)
    for made in (sets(), tells(), mailed()):
        receipt = await send(channel, made)
        assert isinstance(receipt, Refused)
        assert receipt.reason == "no_address"
        assert EMAIL not in receipt.detail
    assert (fake.ids, len(fake.contacts)) == ([], len(others)), "and nobody is made"


async def test_an_unknown_customer_becomes_a_contact_where_the_account_says_so(fake: IntercomFake) -> None:
    channel = channel_for(fake.url, create_contacts="true")
    assert isinstance(await send(channel, sets()), Accepted)
    await channel.close()
    (made,) = fake.contacts.values()
    assert (made["external_id"], made["email"], made["role"]) == (CRM, EMAIL, "user")
    assert (made["custom_attributes"], fake.put_back) == ({"last_code": "o1"}, 0)


async def test_who_was_made_by_another_meanwhile_is_found_by_the_next_attempt(fake: IntercomFake) -> None:
    channel = channel_for(fake.url, create_contacts="true")
    fake.replies.extend([Reply(), Reply(), Reply(409, body=error("conflict", "already exists with id=1"))])
    assert isinstance(await send(channel, sets()), Postponed)
    identity = fake.add(CRM, EMAIL)
    assert isinstance(await send(channel, sets()), Accepted)
    await channel.close()
    assert fake.contacts[identity]["custom_attributes"] == {"last_code": "o1"}


async def test_nobody_is_waited_for_who_is_archived(fake: IntercomFake) -> None:
    fake.archived.add(CRM)
    channel = channel_for(fake.url, create_contacts="true")
    receipt = await send(channel, sets())
    await channel.close()
    assert isinstance(receipt, Refused)
    assert "unarchive" in receipt.detail


@pytest.mark.parametrize("way", ["deleted", "merged"])
async def test_a_contact_that_is_gone_is_forgotten_and_found_again(
    fake: IntercomFake, channel: Intercom, way: str
) -> None:
    before = fake.add(CRM, EMAIL)
    assert isinstance(await send(channel, sets()), Accepted)
    after = fake.add(CRM, EMAIL, id="later")
    fake.contacts["later"] = fake.contacts.pop(after)
    del fake.contacts[before]
    if way == "merged":
        fake.merged[before] = "later"
    for made in (sets(), mailed()):
        assert isinstance(await send(channel, made), Accepted)
    assert fake.contacts["later"]["custom_attributes"] == {"last_code": "o1"}
    assert [one["to"]["id"] for one in fake.messages] == ["later"]


async def test_who_was_merged_is_the_other(fake: IntercomFake, channel: Intercom) -> None:
    fake.merged[CRM] = identity = fake.add("crm-old", EMAIL)
    assert isinstance(await send(channel, sets()), Accepted)
    assert fake.contacts[identity]["custom_attributes"] == {"last_code": "o1"}


async def test_an_attribute_that_there_is_not_is_named_with_what_there_is(
    fake: IntercomFake, channel: Intercom
) -> None:
    fake.add(CRM)
    said = 'Intercom has no attribute last_coed. Did you mean "last_code"? There are: city, last_code, source'
    for _ in range(2):
        assert await send(channel, delivered(attributes={"last_coed": 1, "city": "x"})) == Refused(said)
    assert fake.asked.count(("GET", "/data_attributes")) == 1


def test_ids_are_kept_by_project_account_and_customer_and_not_without_end() -> None:
    known, channel = KnownContacts(most=3), channel_for("http://127.0.0.1:1")
    request = channel.render(sets())
    others = [replace(request, project_id="other"), replace(request, account="other"), replace(request, external_id="")]
    known.keep(request, Contact("a"))
    assert [known.get(one) for one in (request, *others)] == ["a", None, None, None]
    for one in others:
        known.keep(one, Contact("b"))
    assert [known.get(one) for one in (request, *others)] == [None, "b", "b", "b"]


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"attributes": {"gone": {"from": "customer.metadata.nothing"}}}, "nothing is left to say"),
        ({"attributes": {"whole": {"from": "order"}}}, "whole is an object: Intercom holds a text"),
        ({"attributes": {"date(at)": {"from": "order.id"}}}, "is not a date such as"),
        ({"event": NamedEvent(name="x", properties={"whole": {"from": "order"}})}, "whole is an object"),
    ],
)
def test_what_it_would_not_take_is_not_sent(how: dict[str, Any], said: str) -> None:
    with pytest.raises(RenderRefused, match=said):
        channel_for("http://127.0.0.1:1").render(delivered(**how))


# -- messages --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["user", "lead"])
async def test_a_message_is_as_its_reference_has_it(fake: IntercomFake, channel: Intercom, role: str) -> None:
    identity = fake.add(CRM, EMAIL, role=role)
    for is_email in (True, False):
        receipt = await send(channel, mailed(is_email=is_email))
        assert receipt == Accepted("HTTP 200: taken by Intercom", provider_id=str(len(fake.messages)))
    said = {
        "from": {"type": "admin", "id": 7},
        "to": {"type": role, "id": identity},
        "body": "Thank you for o1.",
    }
    email = {"message_type": "email", "subject": "Hello Jo", "template": "plain"}
    assert fake.messages == [{**said, **email}, {**said, "message_type": "in_app"}]
    assert fake.asked[2:] == [("GET", f"/contacts/{identity}"), ("POST", "/messages")], "they may have left"


@pytest.mark.parametrize(
    ("flag", "kept_from"),
    [
        ("unsubscribed_from_emails", (True, True)),
        ("marked_email_as_spam", (True, True)),
        ("has_hard_bounced", (True, False)),
    ],
)
async def test_who_left_gets_no_message(
    fake: IntercomFake, channel: Intercom, flag: str, kept_from: tuple[bool, bool]
) -> None:
    identity = fake.add(CRM, EMAIL)
    assert isinstance(await send(channel, sets()), Accepted), "the id is known by now"
    fake.contacts[identity][flag] = True
    receipts = [await send(channel, mailed(is_email=is_email)) for is_email in (True, False)]
    assert [getattr(one, "reason", None) == "suppressed" for one in receipts] == list(kept_from)
    assert (len(fake.messages), fake.put_back) == (kept_from.count(False), 0)
    assert isinstance(await send(channel, sets()), Accepted), "their attributes are no message"


async def test_a_new_contact_is_written_to_later(fake: IntercomFake, channel: Intercom) -> None:
    identity = fake.add(CRM, EMAIL, created_at=int(NOW.timestamp()))
    fake.unready.add(identity)
    assert isinstance(await send(channel, mailed(), NOW), Postponed)
    assert isinstance(await send(channel, mailed(), NOW.replace(year=NOW.year + 1)), Refused)
    fake.unready.clear()
    assert isinstance(await send(channel, mailed(), NOW), Accepted)


@pytest.mark.parametrize(
    ("made", "replies", "kind"),
    [
        (mailed(), [Reply(503)], Unanswered),
        (mailed(), [Reply(drop=True)], Unanswered),
        (mailed(), [Reply(is_lost=True)], Unanswered),
        (mailed(), [Reply(body=b"<html>")], Unanswered),
        (mailed(), [Reply(429)], Throttled),
        (tells(), [Reply(503)], Deferred),
        (tells(), [Reply(drop=True)], Unanswered),
        (sets(), [Reply(503)], Deferred),
        (sets(), [Reply(drop=True)] * 2, Deferred),
        (sets(), [Reply(drop=True)], Accepted),
        (sets(), [Reply(body=b"<html>")], Deferred),
    ],
)
async def test_what_may_be_repeated_is_said_call_by_call(
    fake: IntercomFake, channel: Intercom, made: IntercomDelivery, replies: list[Reply], kind: type[Receipt]
) -> None:
    fake.add(CRM, EMAIL)
    if not made.intercom.event:
        fake.replies.append(Reply())
    fake.replies.extend(replies)
    assert type(await send(channel, made)) is kind


@pytest.mark.parametrize("made", [sets(), mailed()])
@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(drop=True), Deferred),
        (Reply(is_lost=True), Deferred),
        (Reply(body=b"<html>"), Deferred),
        (Reply(500), Deferred),
        (Reply(429), Throttled),
        (Reply(403), Blocked),
    ],
)
async def test_a_look_up_that_fails_has_sent_nothing(
    fake: IntercomFake, channel: Intercom, made: IntercomDelivery, reply: Reply, kind: type[Receipt]
) -> None:
    fake.add(CRM, EMAIL)
    fake.replies.append(reply)
    assert type(await send(channel, made)) is kind
    assert (fake.messages, fake.ids) == ([], [] if not reply.body else [CRM])


async def test_the_end_of_a_window_is_kept_to(fake: IntercomFake, channel: Intercom) -> None:
    fake.add(CRM, EMAIL)
    fake.remaining = 0
    for made in (sets(), tells(), mailed()):
        receipt = await send(channel, made)
        assert isinstance(receipt, Accepted)
        assert receipt.retry_after is not None


def test_a_message_without_admin_or_template_is_not_sent() -> None:
    with pytest.raises(RenderRefused, match="has no admin_id"):
        channel_for("http://127.0.0.1:1", admin_id="0").render(mailed(), TEXT)
    with pytest.raises(TemplateFailed, match="is missing"):
        channel_for("http://127.0.0.1:1").render(mailed())


# -- on save, and the account ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "path", "said"),
    [
        ({"account": "mian", "event": {"name": "x"}}, ".account", 'Did you mean "main"?'),
        ({}, "", "would say nothing"),
        ({"attributes": {"x": "voucher.code"}}, ".attributes.x", "there is no voucher here"),
        ({"attributes": {"a.b": 1}}, '.attributes."a.b"', "without dot, dollar sign and brackets"),
        ({"event": {"name": "x", "properties": {"delivery_id": 1}}}, ".delivery_id", "other than delivery_id"),
        ({"event": {"name": "x", "properties": dict.fromkeys("abcdefghij", 1)}}, "properties", "at most 9 names"),
        ({"message": {"kind": "email", "text": "x"}}, ".message.subject", "is missing"),
        ({"message": {"kind": "in_app", "subject": "x", "text": "x"}}, ".message.subject", "is that of an e-mail"),
        ({"message": {"kind": "in_app"}}, ".message", "needs text, html, or template"),
        ({"message": {"kind": "in_app", "template": "none"}}, ".message.template", 'no template "none"'),
        ({"message": {"kind": "in_app", "text": "x"}, "event": {"name": "x"}}, ".message", "stands alone"),
        ({"message": {"kind": "in_app", "html": '<img src="cid:qr">'}}, ".message", "show voucher.qr_url"),
    ],
)
def test_refused_on_save_with_what_is_offered(body: dict[str, Any], path: str, said: str) -> None:
    with pytest.raises(DefinitionInvalid) as caught:
        matched(customer(), body)
    found = [(one.path, one.message) for one in caught.value.problems]
    assert any(at.endswith(path) and said in text for at, text in found), found


def test_a_message_is_planned_with_its_template() -> None:
    message = {"kind": "email", "subject": "Hello", "text": "Thank you.", "style": "personal"}
    (made,) = matched(customer(source_id=CRM), {"message": message}).deliveries
    assert (made.intercom.message.is_email, made.intercom.message.style) == (True, "personal")
    assert (made.template, made.reaches) == (made.intercom.message.template, EMAIL)


def test_who_has_no_name_that_intercom_knows_is_skipped() -> None:
    (decision,) = matched(customer(email=" "), {"event": {"name": "x"}}).decisions
    assert (decision.outcome, decision.reason) == ("skipped", "no_address")


@pytest.mark.parametrize(
    ("how", "is_well", "said"),
    [
        ({}, True, "admin 7 in The Shop (app_id ws1); attributes: city, last_code, source"),
        ({"app_id": "ws1"}, True, "app_id ws1"),
        ({"app_id": "ws2"}, False, "and not in app_id ws2"),
        ({"token": "another"}, False, "Check url (that of the workspace's region) and token"),
        ({"version": "1.0"}, False, "Check url"),
    ],
)
async def test_an_account_is_tried_by_asking_whose_it_is(
    fake: IntercomFake, how: dict[str, str], is_well: bool, said: str
) -> None:
    channel = channel_for(fake.url, **how)
    check = await channel.check("shop", "main")
    await channel.close()
    assert check.is_well == is_well
    assert said in check.said
    assert check.fields == (("city", "last_code", "source") if is_well else None)


async def test_the_kinds_of_its_attributes_are_known(fake: IntercomFake, channel: Intercom) -> None:
    fake.types = {"city": "date", "source": "integer"}
    known = (await channel.check("shop", "main")).known
    assert known is not None
    kinds = {one.name: one.kind for one in known.fields}
    assert kinds == {"date(city)": "moment", "last_code": "text", "source": "number"}


async def test_an_account_whose_attributes_cannot_be_read_may_still_send(fake: IntercomFake, channel: Intercom) -> None:
    fake.replies.extend([Reply(), Reply(403)])
    check = await channel.check("shop", "main")
    assert (check.is_well, "cannot be read" in check.said) == (True, True)


def test_an_account_whose_webhooks_nothing_would_prove_is_refused() -> None:
    with pytest.raises(DefinitionInvalid) as caught:
        form(app_id="ws1", client_secret="")
    assert [one.path for one in caught.value.problems] == ["client_secret"]


# -- what it tells ---------------------------------------------------------------------------------------------------


def told(topic: str, item: Any, secret: str = SECRET, **how: str) -> list[StatusEvent]:
    headers, body = IntercomFake(TOKEN, secret).call(topic, item, "ws1")
    return Intercom.statuses(StatusCall("https://console.example.com/", headers, body, NOW), form(**how))


JO = {"type": "contact", "email": EMAIL, "unsubscribed_from_emails": False, "has_hard_bounced": False}


@pytest.mark.parametrize(
    ("topic", "item", "kind", "is_hard"),
    [
        ("contact.unsubscribed", JO, "unsubscribed", False),
        ("contact.unsubscribed", {"contact": JO, "subscription_types": {}}, "unsubscribed", False),
        ("contact.user.updated", {**JO, "has_hard_bounced": True}, "bounced", True),
        ("contact.lead.updated", {**JO, "marked_email_as_spam": True}, "complained", False),
        ("contact.user.updated", {**JO, "unsubscribed_from_emails": True}, "unsubscribed", False),
    ],
)
def test_who_left_and_whose_mailbox_is_gone_is_told(topic: str, item: Any, kind: str, is_hard: bool) -> None:
    (event,) = told(topic, item, app_id="ws1")
    at = datetime.fromtimestamp(1_795_000_000, UTC)
    assert (event.kind, event.is_hard, event.address, event.occurred_at) == (kind, is_hard, EMAIL, at)


@pytest.mark.parametrize(
    ("topic", "item", "how"),
    [
        ("contact.user.updated", JO, {}),
        ("contact.subscribed", JO, {}),
        ("contact.unsubscribed", {**JO, "email": None}, {}),
        ("contact.unsubscribed", JO, {"app_id": "ws2"}),
        ("conversation.user.created", {**JO, "unsubscribed_from_emails": True}, {}),
        ("ping", [1], {}),
    ],
)
def test_what_is_nobodys_word_is_passed_over(topic: str, item: Any, how: dict[str, str]) -> None:
    assert told(topic, item, **how) == []


@pytest.mark.parametrize(("secret", "how"), [("other", {}), ("", {"client_secret": ""})])
def test_what_is_not_signed_is_not_believed(secret: str, how: dict[str, str]) -> None:
    with pytest.raises(NotProven):
        told("contact.unsubscribed", JO, secret, **how)
