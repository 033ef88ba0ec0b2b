"""Webhook: the laws of all channels, and what is its own."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from standardwebhooks import Webhook as Reference

from channels.accounts import AccountBook, HeldAccount
from channels.contract import AnyChannel
from channels.fakes.http import Reply
from channels.fakes.webhook import WebhookReceiver
from channels.http.api import HttpRequest
from channels.http.ssrf import OWN_NETWORKS, Reach
from channels.webhook.channel import Webhook
from channels.webhook.signing import Signer, is_signed
from schemas.channels.webhook import WebhookAccountForm, WebhookDelivery
from schemas.contract import topic_codec
from schemas.delivery import Delivery
from schemas.errors import AccountHeld, CannotStart, RenderRefused
from schemas.events.triggers import MANUAL
from schemas.receipt import Accepted, Blocked, Deferred, Gone, Postponed, Receipt, Refused, Throttled, Unanswered
from streams.index.rules import RuleIndex
from streams.match import match_event
from tests.contract.channels.case import Answer, ChannelCase, Fake
from tests.factory import NOW, SECRET, context, customer, delivery, rule

GOLDEN = Path(__file__).parent / "golden" / "webhook-order-paid.json"
GOLDEN_MANUAL = GOLDEN.with_name("webhook-manual-distribution-schedule.json")
OTHER_SECRET, OWN_SECRET = (f"whsec_{base64.b64encode(letter * 24).decode()}" for letter in (b"o", b"e"))
HOSTILE = b"a\x00b\r\n\xff" + "\u2028\u202e".encode() + b"x" * 9999
"""Words that a receiver may say of a request, and no log should show as it is."""


def answers(
    status: int, kind: type[Receipt], asked: str = "", retry_after: float | None = None, body: bytes = b""
) -> Answer:
    """A status, with a Retry-After where one is asked."""
    headers = (("retry-after", asked),) if asked else ()
    return Answer(lambda fake: fake.replies.append(Reply(status, headers=headers, body=body)), kind, retry_after)


def spent(name: str, until: str, retry_after: float | None) -> Answer:
    """A message that is taken, and nothing is left of a window."""
    reply = Reply(202, headers=(("X-RateLimit-Remaining", "0"), (name, until)))
    return Answer(lambda fake: fake.replies.append(reply), Accepted, retry_after)


class WebhookCase(ChannelCase):
    """A webhook before a receiver that checks both signatures."""

    name = "webhook"
    kept = ("by_key",)
    secrets = (SECRET, SECRET.removeprefix("whsec_"), "hush-legacy")
    names = ("jo@example.com", "hooks-of-jo", "x-of-jo")
    account = WebhookAccountForm(secrets=(SECRET,), callback_secrets=(SECRET,))
    template = None
    is_untrusted = Deferred
    answers = {
        "taken": answers(200, Accepted),
        "taken as the last of a window": spent("X-RateLimit-Reset", "7", 7.0),
        "taken as the last until a moment before": spent("X-RateLimit-Reset", "1600000000", None),
        "busy": answers(503, Deferred, "7", 7.0),
        "too fast": answers(429, Throttled, "7", 7.0),
        "too fast, until a moment before": answers(429, Throttled, "Fri, 01 Jan 2021 00:00:00 GMT", 0.0),
        "too fast, for ever": answers(429, Throttled, "999999999", 999_999_999.0),
        "too fast, for no time that is known": answers(429, Throttled, "soon"),
        "access refused": answers(401, Blocked),
        "gone": answers(410, Gone),
        "not wanted, and hostile words": answers(400, Refused, body=HOSTILE),
        "led elsewhere": answers(302, Refused),
        "a status that nobody has defined": answers(799, Deferred),
        "dropped": Answer(lambda fake: fake.replies.append(Reply(drop=True)), Unanswered),
    }

    def fake(self) -> WebhookReceiver:
        return WebhookReceiver(SECRET, "hush-legacy")

    def slow(self, fake: Any, seconds: float) -> None:
        fake.usually = Reply(delay=seconds)

    def channel(self, fake: Fake) -> Webhook:
        return Webhook(Signer([SECRET], "hush-legacy"), reach=OWN_NETWORKS, max_bytes=100_000)

    def delivery(self, fake: Fake) -> Delivery:
        return self._to(f"http://127.0.0.1:{fake.port}/hook")

    def elsewhere(self, host: str, port: int, *, tls: bool) -> tuple[AnyChannel, Delivery]:
        channel = Webhook(Signer([SECRET], "hush-legacy"), reach=OWN_NETWORKS, max_bytes=100_000)
        return channel, self._to(f"http{'s' if tls else ''}://{host}:{port}/hook")

    def sent(self, request: HttpRequest) -> bytes:
        return request.url.encode() + request.delivery_id.encode() + repr(dict(request.headers)).encode() + request.body

    def _to(self, url: str) -> Delivery:
        made = delivery("webhook", customer(), url=f"{url}?hooks-of-jo")
        address = msgspec.structs.replace(made.webhook, headers={"x-team": "x-of-jo"})
        return cast(Delivery, msgspec.structs.replace(made, webhook=address))


CASE = WebhookCase()


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    made = WebhookReceiver(SECRET, "legacy")
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def webhook() -> AsyncIterator[Webhook]:
    made = Webhook(Signer([SECRET], "legacy"), reach=OWN_NETWORKS, max_bytes=100_000)
    yield made
    await made.close()


async def post(webhook: Webhook, receiver: WebhookReceiver, timeout: float = 60.0) -> Any:
    return await webhook.send(webhook.render(delivery("webhook", url=receiver.url)), timeout=timeout, now=now())


async def test_a_webhook_is_accepted_and_both_signatures_hold(webhook: Webhook, receiver: WebhookReceiver) -> None:
    assert await post(webhook, receiver) == Accepted("HTTP 200")
    assert (len(receiver.received), receiver.unverified) == (1, 0)


async def test_a_refusal_names_the_message_as_the_receiver_did_but_not_its_signature(
    webhook: Webhook, receiver: WebhookReceiver
) -> None:
    made, at = webhook.render(delivery("webhook", url=receiver.url)), now()
    added = webhook.attempt_headers(made, at)
    named = f"{added['webhook-id']} of {added['webhook-timestamp']}"
    receiver.replies.append(Reply(400, body=f"{named}: {added['webhook-signature']}".encode()))
    assert await webhook.send(made, timeout=60.0, now=at) == Refused(f"HTTP 400: {named}: [secret]")


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
    channel = Webhook(Signer([SECRET], ""), reach=OWN_NETWORKS, max_bytes=100_000)
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


def signed_by(webhook: Webhook, url: str, at: datetime) -> list[str]:
    """The secrets that prove a request, in the order of its signatures."""
    request = webhook.render(delivery("webhook", url=url))
    headers, known = webhook.attempt_headers(request, at), (SECRET, OTHER_SECRET, OWN_SECRET)
    singles = [{**headers, "webhook-signature": one} for one in headers["webhook-signature"].split(" ")]
    return [secret for one in singles for secret in known if is_signed((secret,), one, request.body, now=at)]


async def test_an_endpoint_with_an_account_of_its_own_is_signed_for_by_it_alone() -> None:
    book, project = AccountBook(), delivery("webhook").project_id
    webhook = Webhook(Signer([SECRET], "legacy"), reach=OWN_NETWORKS, max_bytes=100_000, accounts=book.of("webhook"))
    own = Webhook.account("hooks.example:8443", WebhookAccountForm(secrets=(OWN_SECRET,), concurrency=3))
    at, urls = now(), ("https://HOOKS.example:8443/a", "https://hooks.example/b")
    assert [signed_by(webhook, url, at) for url in urls] == [[SECRET], [SECRET]]
    book.replace({("webhook", project, "hooks.example:8443"): own})
    assert [signed_by(webhook, url, at) for url in urls] == [[OWN_SECRET], [SECRET]]
    legacy = [webhook.attempt_headers(webhook.render(delivery("webhook", url=url)), at) for url in urls]
    assert ["x-voucherify-signature" in one for one in legacy] == [False, True]
    shop = Webhook.account("main", WebhookAccountForm(secrets=(OTHER_SECRET,), rate="7"))
    book.replace({("webhook", project, "hooks.example:8443"): own, ("webhook", project, "main"): shop})
    assert [signed_by(webhook, url, at) for url in urls] == [[OWN_SECRET], [OTHER_SECRET]]
    limits = [webhook.limit(project, endpoint) for endpoint in ("hooks.example:8443", "hooks.example")]
    assert [one.concurrency for one in limits] == [3, None]
    book.replace({("webhook", project, "hooks.example:8443"): HeldAccount("it is paused")})
    with pytest.raises(AccountHeld, match="^it is paused$"):
        signed_by(webhook, urls[0], at)
    assert signed_by(webhook, urls[1], at) == [SECRET]


async def test_each_attempt_has_its_own_time_and_signature_and_the_same_id(
    webhook: Webhook, receiver: WebhookReceiver
) -> None:
    made, first = webhook.render(delivery("webhook", url=receiver.url)), now() - timedelta(minutes=10)
    receiver.replies.append(Reply(503))
    assert isinstance(await webhook.send(made, timeout=60.0, now=first), Blocked)  # its clock says ten minutes ago
    assert isinstance(await webhook.send(made, timeout=60.0, now=now()), Deferred)
    assert isinstance(await webhook.send(made, timeout=60.0, now=now()), Accepted)
    early, late = (webhook.attempt_headers(made, at) for at in (first, first + timedelta(minutes=10)))
    assert early["webhook-id"] == late["webhook-id"] == made.delivery_id
    assert int(late["webhook-timestamp"]) - int(early["webhook-timestamp"]) == 600
    assert is_signed((SECRET,), early, made.body, now=first)
    assert is_signed((SECRET,), late, made.body, now=first + timedelta(minutes=10))
    assert not is_signed((SECRET,), early, made.body, now=first + timedelta(minutes=10))


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
    kind = Postponed if status < 500 else Deferred
    assert await post(webhook, receiver) == kind(f"HTTP {status}", 7.0)


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


async def test_a_dropped_connection_is_possibly_accepted(webhook: Webhook, receiver: WebhookReceiver) -> None:
    receiver.replies.append(Reply(drop=True))
    receipt = await post(webhook, receiver)
    assert isinstance(receipt, Unanswered)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "10.0.0.1", "0x7f.1", "2130706433"],
)
@pytest.mark.parametrize("reach", [Reach(), Reach(http=True), Reach(networks=(ip_network("10.9.0.0/16"),))])
async def test_private_addresses_are_not_called(receiver: WebhookReceiver, reach: Reach, host: str) -> None:
    careful = Webhook(Signer([SECRET]), reach=reach, max_bytes=1000_000)
    url = receiver.url.replace("127.0.0.1", host)
    receipt = await careful.send(careful.render(delivery("webhook", url=url)), timeout=60, now=now())
    await careful.close()
    assert isinstance(receipt, Refused)
    assert not receiver.tried


def test_a_body_over_the_limit_is_refused() -> None:
    small = Webhook(Signer([]), reach=OWN_NETWORKS, max_bytes=100)
    with pytest.raises(RenderRefused, match="at most 100"):
        small.render(delivery("webhook"))
