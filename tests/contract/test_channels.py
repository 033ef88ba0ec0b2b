"""Laws of every channel, held by the real one against a receiver that behaves and misbehaves."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from html import unescape
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trustme
from standardwebhooks import Webhook as Reference

from channels.email.channel import Email
from channels.email.smtp_session import EmailAccount
from channels.fakes.email import SmtpSink
from channels.fakes.http import Reply
from channels.fakes.webhook import WebhookReceiver
from channels.http.ssrf import is_public
from channels.templates.bundle import bundled
from channels.templates.engine import Templates
from channels.webhook.channel import Webhook
from channels.webhook.signing import Signer
from schemas.channels.email import EmailDelivery
from schemas.channels.webhook import WebhookDelivery
from schemas.contract import topic_codec
from schemas.errors import CannotStart, RenderRefused, TemplateFailed
from schemas.events.triggers import MANUAL
from schemas.receipt import Accepted, Blocked, Deferred, Gone, Receipt, Refused, Throttled, Unanswered
from schemas.template import LocalText, StoredTemplate
from streams.index.rules import RuleIndex
from streams.match import match_event
from tests.factory import NOW, SECRET, TEMPLATE, context, customer, delivery, rule

GOLDEN = Path(__file__).parent / "golden" / "webhook-order-paid.json"
GOLDEN_MANUAL = GOLDEN.with_name("webhook-manual-distribution-schedule.json")
_VALUES = "{{ 1234.5 | number }} %s {{ event.created_at | date }}"
LOCAL = bundled(
    StoredTemplate(
        name="local",
        subject="Hi {{ customer.name }}",
        html=f"<p>Order {_VALUES % 'of'}</p>",
        locales={"pl": LocalText(subject="Cześć {{ customer.name }}", html=f"<p>Zamówienie {_VALUES % 'z'}</p>")},
    ),
    {
        "name": "The Shop",
        "address": "Long Street 1",
        "contact": "shop@example.com",
        "privacy_url": "https://shop.example.com/privacy",
        "terms_url": "https://shop.example.com/terms",
        "permission_reminder": "You asked for it.",
    },
)


def now() -> datetime:
    return datetime.now(UTC)


# -- webhook ------------------------------------------------------------------------------------------------------


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    made = WebhookReceiver(SECRET, "legacy")
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def webhook() -> AsyncIterator[Webhook]:
    made = Webhook(Signer([SECRET], "legacy"), allow_private=True, max_bytes=100_000)
    yield made
    await made.close()


async def post(webhook: Webhook, receiver: WebhookReceiver, timeout: float = 60.0) -> Any:
    return await webhook.send(webhook.render(delivery("webhook", url=receiver.url)), timeout=timeout, now=now())


async def test_a_webhook_is_accepted_and_both_signatures_hold(webhook: Webhook, receiver: WebhookReceiver) -> None:
    assert await post(webhook, receiver) == Accepted("HTTP 200")
    assert (len(receiver.received), receiver.unverified) == (1, 0)


async def test_the_body_is_the_envelope_and_the_same_each_time(webhook: Webhook, receiver: WebhookReceiver) -> None:
    made = delivery("webhook", url=receiver.url)
    body = json.loads(webhook.render(made).body)
    assert webhook.render(made) == webhook.render(made)
    assert set(body) == {"id", "project_id", "created_at", "type", "data", "source", "event"}
    assert body["id"].startswith("whs_")
    assert (body["type"], body["source"]["id"], body["source"]["object"]) == ("thanks", "thanks", "distribution")
    assert body["data"]["order"]["items"] == [{"sku": "GIFT-1", "price": 100}]
    assert body["event"]["entity_id"] == "c1"


async def test_the_body_is_the_recorded_one(webhook: Webhook) -> None:
    made = delivery("webhook")
    assert json.loads(webhook.render(made).body) == json.loads(GOLDEN.read_text())


def test_a_webhook_goes_to_the_host_of_idna_2008_however_it_is_stored() -> None:
    channel = Webhook(Signer([SECRET], ""), allow_private=True, max_bytes=100_000)
    made, old = delivery("webhook", url="https://faß.example/x"), "https://faß.example/x"
    assert made.webhook.url == "https://xn--fa-hia.example/x"
    kept = msgspec.structs.replace(made, webhook=msgspec.structs.replace(made.webhook, url=old))
    assert channel.render(kept).url == "https://xn--fa-hia.example/x"
    never = msgspec.structs.replace(made, webhook=msgspec.structs.replace(made.webhook, url="https://i❤.example/x"))
    with pytest.raises(RenderRefused, match="IDNA 2008"):
        channel.render(never)


async def test_a_schedule_made_by_hand_is_posted_with_its_objects_as_they_are(webhook: Webhook) -> None:
    recorded = json.loads(GOLDEN_MANUAL.read_text())
    made = delivery("webhook")
    event = msgspec.structs.replace(made.event, type=MANUAL)
    body = json.loads(webhook.render(msgspec.structs.replace(made, event=event, data=recorded["data"])).body)
    assert body == recorded
    assert list(body["data"]) == ["distribution", "campaign", "voucher", "customer", "publication"]


@pytest.mark.parametrize(
    ("event_type", "said"), [(MANUAL, "Dashboard"), ("customer.order.paid", "Automation"), (MANUAL + "d", "Automation")]
)
async def test_the_event_source_says_who_set_it_off(webhook: Webhook, event_type: str, said: str) -> None:
    made = delivery("webhook")
    made = msgspec.structs.replace(made, event=msgspec.structs.replace(made.event, type=event_type))
    assert json.loads(webhook.render(made).body)["event"]["event_source"] == {"channel": said}


DESIGNED = {
    "customer_id": {"from": "customer.id"},
    "amount": {"from": "order.amount"},
    "first_sku": {"from": "order.items[0].sku"},
    "country": {"from": "customer.metadata.country", "default": "unknown"},
    "phone": {"from": "customer.phone"},
    "source": "tidings",
    "at": {"from": "event.created_at"},
    "nested": {"tags": ["a", {"from": "customer.name"}], "flag": True, "items": {"from": "order.items"}},
}


def designed(url: str, **design: Any) -> WebhookDelivery:
    index = RuleIndex()
    index.insert(rule(channels=[{"webhook": {"url": url, "type": "thanks", **design}}]))
    (made,) = match_event(context(), index, NOW).deliveries
    codec = topic_codec("deliveries.webhook", "avro")
    return msgspec.convert(codec.decode(codec.encode(made)), WebhookDelivery)


@pytest.mark.parametrize("envelope", [True, False])
async def test_the_designed_body_is_what_is_signed_and_received(
    webhook: Webhook, receiver: WebhookReceiver, envelope: bool
) -> None:
    made = designed(receiver.url, payload=DESIGNED, envelope=envelope)
    assert await webhook.send(webhook.render(made), timeout=60.0, now=now()) == Accepted("HTTP 200")
    (received,) = receiver.received
    assert (receiver.unverified, received.body) == (0, webhook.render(made).body)
    assert b'"amount":5000,' in received.body
    golden = GOLDEN.with_name(f"webhook-designed{'' if envelope else '-alone'}.json")
    assert json.loads(received.body.replace(receiver.url.encode(), b"https://hooks.example.com/x")) == json.loads(
        golden.read_text()
    )


async def test_without_the_envelope_the_objects_go_out_alone(webhook: Webhook) -> None:
    made = designed("https://hooks.example.com/x", envelope=False)
    assert json.loads(webhook.render(made).body) == json.loads(GOLDEN.read_text())["data"]


async def test_a_code_that_joins_after_matching_is_in_the_designed_body(webhook: Webhook) -> None:
    made = designed("https://hooks.example.com/x", attributes=["order.id"])
    address = msgspec.structs.replace(made.webhook, payload={"code": {"from": "voucher.code"}}, envelope=False)
    assert webhook.render(msgspec.structs.replace(made, webhook=address)).body == b"{}"
    joined = msgspec.structs.replace(made, webhook=address, data={**made.data, "voucher": {"code": "SPRING"}})
    assert webhook.render(joined).body == b'{"code":"SPRING"}'


def test_the_signature_is_that_of_the_reference_library() -> None:
    body, at = b'{"a":1}', now()
    headers = Signer([SECRET, "whsec_" + "QUFB" * 8]).headers("msg_1", int(at.timestamp()), body)
    assert Reference(SECRET).verify(body, headers) == {"a": 1}
    assert headers["webhook-signature"].count("v1,") == 2


def test_a_secret_that_is_none_is_refused_without_being_shown() -> None:
    with pytest.raises(CannotStart) as caught:
        Signer(["whsec_not base64!"])
    assert "not base64!" not in str(caught.value)
    assert "MDEy" not in repr(Signer([SECRET]))


@pytest.mark.parametrize(
    "status", [408, 409, 423, 425, 500, 501, 502, 503, 504, 507, 508, 511, 520, 530, 599, 600, 999]
)
async def test_what_may_pass_is_deferred(webhook: Webhook, receiver: WebhookReceiver, status: int) -> None:
    receiver.replies.append(Reply(status, headers=(("retry-after", "7"),)))
    assert await post(webhook, receiver) == Deferred(f"HTTP {status}", 7.0)


async def test_too_many_requests_slow_the_destination_down(webhook: Webhook, receiver: WebhookReceiver) -> None:
    receiver.replies += [Reply(429, headers=(("retry-after", "7"),)), Reply(429)]
    assert [await post(webhook, receiver) for _ in range(2)] == [Throttled("HTTP 429", 7.0), Throttled("HTTP 429")]


@pytest.mark.parametrize(
    ("status", "kind"), [(400, Refused), (404, Refused), (422, Refused), (505, Refused), (410, Gone), (302, Refused)]
)
async def test_what_will_not_pass_is_refused(
    webhook: Webhook, receiver: WebhookReceiver, status: int, kind: type[Receipt]
) -> None:
    receiver.replies.append(Reply(status, headers=(("location", receiver.url),)))
    assert isinstance(await post(webhook, receiver), kind)
    assert sum(receiver.tried.values()) == 1


@pytest.mark.parametrize("status", [401, 403])
async def test_where_our_access_is_refused_the_delivery_is_not_burnt(
    webhook: Webhook, receiver: WebhookReceiver, status: int
) -> None:
    receiver.replies.append(Reply(status))
    assert isinstance(await post(webhook, receiver), Blocked)


async def test_a_slow_receiver_is_left_in_time(webhook: Webhook, receiver: WebhookReceiver) -> None:
    receiver.replies.append(Reply(delay=30))
    assert await asyncio.wait_for(post(webhook, receiver, timeout=0.2), 60) == Unanswered("no answer within 0.2 s")


async def test_a_dropped_connection_is_possibly_accepted(webhook: Webhook, receiver: WebhookReceiver) -> None:
    receiver.replies.append(Reply(drop=True))
    receipt = await post(webhook, receiver)
    assert isinstance(receipt, Unanswered)


async def test_nobody_there_is_deferred(webhook: Webhook, receiver: WebhookReceiver) -> None:
    await receiver.stop()
    receipt = await post(webhook, receiver)
    assert isinstance(receipt, Deferred)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "169.254.169.254", "10.0.0.1", "0x7f.1", "2130706433"]
)
async def test_private_addresses_are_not_called(receiver: WebhookReceiver, host: str) -> None:
    careful = Webhook(Signer([SECRET]), allow_private=False, max_bytes=1000_000)
    url = receiver.url.replace("127.0.0.1", host)
    receipt = await careful.send(careful.render(delivery("webhook", url=url)), timeout=60, now=now())
    await careful.close()
    assert isinstance(receipt, Refused | Deferred)
    assert not receiver.tried
    if host not in ("0x7f.1", "2130706433"):
        assert isinstance(receipt, Refused)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("::ffff:127.0.0.1", False),
        ("fe80::1%eth0", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_a_body_over_the_limit_is_refused() -> None:
    small = Webhook(Signer([]), allow_private=True, max_bytes=100)
    with pytest.raises(RenderRefused, match="at most 100"):
        small.render(delivery("webhook"))


# -- e-mail -------------------------------------------------------------------------------------------------------


def account(port: int, **changes: Any) -> EmailAccount:
    plain = EmailAccount("main", "127.0.0.1", port, "none", "shop@example.com", "The Shop")
    return replace(plain, **changes)


@pytest.fixture
async def sink() -> AsyncIterator[SmtpSink]:
    made = SmtpSink()
    await made.start()
    yield made
    await made.stop()


async def mail(sink: SmtpSink, profile: dict[str, Any] | None = None, timeout: float = 60.0, **changes: Any) -> Any:
    channel = Email({"main": account(sink.port, **changes)}, Templates())
    try:
        request = channel.render(delivery("email", profile), TEMPLATE)
        return await channel.send(request, timeout=timeout, now=now())
    finally:
        await channel.close()


async def test_a_mail_is_accepted_with_both_parts(sink: SmtpSink) -> None:
    receipt = await mail(
        sink, unsubscribe_url="https://shop.example.com/u/{delivery_id}", unsubscribe_mailto="u@example.com"
    )
    assert isinstance(receipt, Accepted)
    message = sink.mails[0].parsed()
    made = delivery("email")
    assert message["Subject"] == "Hi Jo"
    assert message["From"] == "The Shop <shop@example.com>"
    assert message["Message-ID"] == f"<{made.delivery_id}@example.com>"
    assert message["List-Unsubscribe"] == f"<https://shop.example.com/u/{made.delivery_id}>, <mailto:u@example.com>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert sink.mails[0].message_id == made.delivery_id


@pytest.mark.parametrize(
    ("category", "headers"),
    [
        ("marketing", {"List-Unsubscribe", "List-Unsubscribe-Post"}),
        ("newsletter", {"List-Unsubscribe", "List-Unsubscribe-Post"}),
        ("transactional", set()),
    ],
)
@pytest.mark.parametrize("mailto", ["", "u@example.com"])
async def test_only_mail_that_needs_consent_can_be_unsubscribed_from(
    category: str, headers: set[str], mailto: str
) -> None:
    made = msgspec.structs.replace(delivery("email"), category=category)
    sending = account(25, unsubscribe_url="https://shop.example.com/u/{delivery_id}", unsubscribe_mailto=mailto)
    request = Email({"main": sending}, Templates()).render(made, TEMPLATE)
    there = {name for name in message_from_bytes(request.message) if name.startswith("List-")}
    assert there == headers


@pytest.mark.parametrize("category", ["marketing", "transactional"])
@pytest.mark.parametrize(
    ("locale", "subject", "text", "unsubscribe"),
    [
        ("pl-PL", "Cześć Jo", "Zamówienie 1\u00a0234,5 z 20 lis 2026", "Wypisz się"),
        ("pl-US", "Cześć Jo", "Zamówienie 1\u00a0234,5 z 20 lis 2026", "Wypisz się"),
        ("de-DE", "Hi Jo", "Order 1.234,5 of 20.11.2026", "Unsubscribe"),
        (None, "Hi Jo", "Order 1,234.5 of Nov 20, 2026", "Unsubscribe"),
    ],
)
async def test_a_mail_arrives_in_the_locale_of_its_customer_with_the_footer_in_both_parts(
    sink: SmtpSink, locale: str | None, subject: str, text: str, unsubscribe: str, category: str
) -> None:
    made = delivery("email")
    made = msgspec.structs.replace(
        made, category=category, customer=msgspec.structs.replace(made.customer, locale=locale)
    )
    channel = Email({"main": account(sink.port, unsubscribe_url="https://shop.example.com/u")}, Templates())
    assert isinstance(await channel.send(channel.render(made, LOCAL), timeout=60, now=now()), Accepted)
    await channel.close()
    message = sink.mails[0].parsed()
    assert message["Subject"] == subject
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    for kind in ("plain", "html"):
        said = unescape(message.get_body((kind,)).get_content())  # type: ignore[union-attr]
        assert text in said
        assert "The Shop, Long Street 1" in said
        assert (unsubscribe in said, "https://shop.example.com/u" in said) == (category == "marketing",) * 2


async def test_other_alphabets_arrive(sink: SmtpSink) -> None:
    await mail(sink, customer(name="Zażółć Ґ 漢字"))
    message = sink.mails[0].parsed()
    assert message["Subject"] == "Hi Zażółć Ґ 漢字"
    assert "Zażółć Ґ 漢字" in message.get_body(("html",)).get_content()  # type: ignore[union-attr]


async def test_no_value_can_add_a_header_or_markup(sink: SmtpSink) -> None:
    await mail(sink, customer(name="Jo\r\nBcc: evil@example.com\r\n\r\n<script>x</script>"))
    message = sink.mails[0].parsed()
    assert message["Bcc"] is None
    assert sink.mails[0].recipients == ("jo@example.com",)
    assert "<script>" not in message.get_body(("html",)).get_content()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "address", ["jo@example.com>, evil@example.com", "jo@example.com\r\nRCPT TO:<evil@example.com>", "@", "jo"]
)
async def test_a_hostile_address_is_refused(sink: SmtpSink, address: str) -> None:
    made = delivery("email")
    hostile = msgspec.structs.replace(made, email=msgspec.structs.replace(made.email, to=address))
    channel = Email({"main": account(sink.port)}, Templates())
    with pytest.raises(RenderRefused):
        channel.render(hostile, TEMPLATE)
    assert not sink.mails


def test_a_missing_variable_is_named() -> None:
    template = StoredTemplate(name="t", subject="s", text="a\n{{ customer.nickname }}")
    channel = Email({"main": account(1)}, Templates())
    with pytest.raises(TemplateFailed, match="template t, text, line 2: `customer.nickname` is undefined"):
        channel.render(delivery("email"), template)


def test_a_template_that_works_too_much_is_stopped() -> None:
    template = StoredTemplate(
        name="t", subject="{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}"
    )
    with pytest.raises(TemplateFailed, match="too much work"):
        Templates().render(template, {})


async def test_an_international_domain_is_written_in_ascii(sink: SmtpSink) -> None:
    await mail(sink, customer(email="jo@bücher.example"))
    assert sink.mails[0].recipients == ("jo@xn--bcher-kva.example",)


async def test_long_lines_and_dots_arrive_as_they_were_written(sink: SmtpSink) -> None:
    text = ".\n..a\n" + "x" * 5000 + "\nż"
    await mail(sink, customer(name=text))
    html = sink.mails[0].parsed().get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert html.strip() == f"<b>{text}</b>"


@pytest.mark.parametrize("stage", ["mail", "rcpt", "data"])
@pytest.mark.parametrize("reply", ["421 4.3.2 closing", "450 4.2.1 busy", "451 4.3.0 later", "452 4.2.2 full"])
async def test_a_temporary_answer_is_deferred(sink: SmtpSink, stage: str, reply: str) -> None:
    sink.at_stage = stage
    sink.replies.append(reply)
    receipt = await mail(sink)
    assert isinstance(receipt, Deferred)
    assert receipt.detail.startswith(reply[:3])


@pytest.mark.parametrize(
    ("reply", "reason"),
    [("550 5.1.1 no such user", "suppressed"), ("550 5.7.1 policy", None), ("554 5.0.0 no", None)],
)
async def test_a_final_answer_is_refused(sink: SmtpSink, reply: str, reason: Any) -> None:
    sink.replies.append(reply)
    assert await mail(sink) == Refused(reply, reason)


async def test_a_slow_server_is_left_in_time(sink: SmtpSink) -> None:
    sink.delay = 30
    receipt = await asyncio.wait_for(mail(sink, timeout=0.3), 60)
    assert isinstance(receipt, Unanswered)


async def test_connections_are_used_again(sink: SmtpSink) -> None:
    channel = Email({"main": account(sink.port)}, Templates())
    for _ in range(5):
        assert isinstance(await again(channel), Accepted)
    await channel.close()
    assert sink.connections == 1


async def test_connections_that_were_closed_at_rest_cost_no_attempt(sink: SmtpSink) -> None:
    channel = Email({"main": account(sink.port)}, Templates())
    await asyncio.gather(*(again(channel) for _ in range(3)))
    sink.hang_up()
    assert isinstance(await again(channel), Accepted)
    assert len(sink.mails) == 4
    await channel.close()


async def test_a_server_that_wants_a_new_connection_gets_one(sink: SmtpSink) -> None:
    """Some take so many messages on each, and say 421 to the next."""
    channel = Email({"main": account(sink.port)}, Templates())
    await again(channel)
    sink.at_stage = "mail"
    sink.replies.append("421 4.7.0 too many messages on this connection")
    assert isinstance(await again(channel), Accepted)
    assert sink.connections == 2
    await channel.close()


@pytest.mark.parametrize(
    "said", ["452 4.5.3 Too many messages in this session", "550 5.7.0 Limit of messages per connection reached",
             "451 4.4.2 Timeout - closing connection", "421 SMTP session maximum lifetime has been reached"],
)  # fmt: skip
async def test_what_is_said_of_a_used_session_is_not_about_the_message(sink: SmtpSink, said: str) -> None:
    channel = Email({"main": account(sink.port)}, Templates())
    await again(channel)
    sink.at_stage = "mail"
    sink.replies.append(said)
    assert isinstance(await again(channel), Accepted)
    await channel.close()


async def test_an_account_does_with_the_sessions_that_its_server_lets_in(sink: SmtpSink) -> None:
    sink.most_at_once, sink.delay = 2, 0.05
    channel = Email({"main": account(sink.port, connections=6)}, Templates())
    receipts = await asyncio.gather(*(again(channel) for _ in range(30)))
    assert {type(receipt) for receipt in receipts} == {Accepted}
    assert sink.connections <= 8
    await channel.close()


async def test_a_server_without_the_encryption_that_the_account_asks_for_blocks_it(sink: SmtpSink) -> None:
    receipt = await mail(sink, security="starttls", username="u", password="hush")
    assert receipt == Blocked("starttls: the server does not offer STARTTLS; security is starttls, tls or none")


@pytest.mark.parametrize("said", ["hello?", "25", "250-" + "x" * 70_000])
async def test_an_answer_that_is_none_is_possibly_accepted_and_ends_the_session(sink: SmtpSink, said: str) -> None:
    channel = Email({"main": account(sink.port)}, Templates())
    sink.replies.append(said)
    receipt = await channel.send(channel.render(delivery("email"), TEMPLATE), timeout=1, now=now())
    assert isinstance(receipt, Unanswered)
    assert isinstance(await again(channel), Accepted)
    assert sink.connections == 2
    await channel.close()


async def test_a_name_that_leads_nowhere_and_a_server_that_is_away_may_pass(sink: SmtpSink) -> None:
    for host in ("mail.invalid", "127.0.0.3"):
        receipt = await mail(sink, host=host)
        assert isinstance(receipt, Deferred)


async def again(channel: Email) -> Any:
    return await channel.send(channel.render(delivery("email"), TEMPLATE), timeout=60, now=now())


@pytest.mark.parametrize("implicit", [False, True])
async def test_tls_and_login(implicit: bool) -> None:
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    sink = SmtpSink(tls=server, implicit_tls=implicit, login=("u", "p"))
    await sink.start()
    security = "tls" if implicit else "starttls"
    good = await mail(sink, security=security, tls=client, username="u", password="p")
    bad = await mail(sink, security=security, tls=client, username="u", password="wrong")
    distrusting = await mail(sink, security=security, tls=ssl.create_default_context(), username="u", password="p")
    await sink.stop()
    assert isinstance(good, Accepted)
    assert isinstance(bad, Blocked)
    assert "wrong" not in bad.detail
    assert isinstance(distrusting, Blocked)
    assert len(sink.mails) == 1


def test_deliveries_have_the_type_of_their_channel() -> None:
    assert isinstance(delivery("webhook"), WebhookDelivery)
    assert isinstance(delivery("email"), EmailDelivery)
    assert "password" not in repr(account(1, password="hush")) or "hush" not in repr(account(1, password="hush"))
