"""Text messages: the laws of all channels, and what is their own."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from urllib.parse import parse_qs

import msgspec
import pytest

from channels.accounts import fixed_accounts
from channels.contract import AnyChannel
from channels.fakes.http import HttpFake, Reply
from channels.fakes.raw import RawReceiver
from channels.fakes.sms import SmsFake
from channels.http.ssrf import OWN_NETWORKS, Reach
from channels.sms.channel import Sms
from channels.sms.request import SmsRequest
from channels.sms.twilio import _LEAVING
from channels.status_calls import NotProven, StatusCall, StatusEvent
from channels.templates.engine import Templates
from schemas.channels.sms import SmsAccountForm, SmsDelivery
from schemas.delivery import Delivery
from schemas.errors import RenderRefused, TemplateFailed, TryLater
from schemas.receipt import Accepted, Blocked, Deferred, Postponed, Receipt, Refused, Throttled, Unanswered
from schemas.template import LocalText, StoredTemplate
from tests.contract.channels.case import Answer, Fake, HttpCase
from tests.factory import NOW, customer, delivery

SID, TOKEN, PHONE = "AC0123456789abcdef0123456789abcdef", "hush-auth-token", "+48600100200"
PUBLIC = "https://codes.shop.example"
TEXT = StoredTemplate(
    name="thanks",
    subject="",
    text="Thank you, {{ customer.name }}\n",
    locales={"pl": LocalText(text="Dziękujemy, {{ customer.name }}")},
)
TWILIO = SmsAccountForm(account_sid=SID, auth_token=TOKEN, sender="+15005550006")


def channel_of(account: SmsAccountForm, *, reach: Reach = OWN_NETWORKS, public_url: str = PUBLIC) -> Sms:
    return Sms(fixed_accounts("sms", {"main": account}), Templates(), reach=reach, public_url=public_url)


def message(template: StoredTemplate = TEXT, **profile: Any) -> SmsDelivery:
    made: SmsDelivery = delivery("sms", customer(phone=PHONE, **profile))
    return msgspec.structs.replace(made, sms=msgspec.structs.replace(made.sms, template=template.ref))


def says(status: int, kind: type[Receipt], code: int = 0, words: str = "no", **how: Any) -> Answer:
    body = json.dumps({"code": code, "message": words, "status": status}).encode() if code else b""
    reply = Reply(status, **{"body": body, **how})
    return Answer(lambda fake: fake.replies.append(reply), kind)


def refuses(field: str, kind: type[Receipt] = Refused) -> Answer:
    return Answer(lambda fake: getattr(fake, field).add(PHONE), kind)


class SmsCase(HttpCase):
    """Twilio's API before its fake."""

    name = "sms"
    kept = ("texts",)
    secrets = (TOKEN,)
    names = (PHONE,)
    account = TWILIO
    template = TEXT
    is_untrusted = Deferred
    answers = {
        "taken": Answer(lambda fake: None, Accepted),
        "the receiver wrote STOP": refuses("stopped"),
        "no number": refuses("invalid"),
        "a landline": refuses("landlines"),
        "too fast": says(429, Throttled, 20429),
        "too fast, with a time": Answer(
            lambda fake: fake.replies.append(Reply(429, headers=(("retry-after", "3"),))), Throttled, 3.0
        ),
        "its queue is full": says(400, Throttled, 21611),
        "wrong login": says(401, Blocked, 20003, "Authenticate"),
        "no such account": says(404, Blocked, 20404),
        "not our sender": says(400, Blocked, 21606),
        "a messaging service without senders": says(400, Blocked, 21703),
        "refused, with our secret in the words": says(400, Refused, 21999, f"unknown {TOKEN}"),
        "somebody else's page": says(200, Unanswered, body=b"<html>"),
        "a success without an id": says(201, Unanswered, body=b'{"status": "queued"}'),
        "a list where an error stands": says(400, Refused, body=b"[1]"),
        "busy, and perhaps only after it was taken": says(503, Unanswered),
        "broken in the middle of it": says(500, Unanswered, 20500),
        "locked": says(409, Postponed),
        "taken, and nothing heard of it": Answer(lambda fake: setattr(fake, "lost", 1), Unanswered),
        "dropped": says(200, Unanswered, drop=True),
    }

    def fake(self) -> SmsFake:
        return SmsFake(SID, TOKEN)

    def channel(self, fake: Fake) -> AnyChannel:
        return channel_of(replace(TWILIO, base_url=cast(SmsFake, fake).base_url))

    def delivery(self, fake: Fake) -> Delivery:
        return message()

    def elsewhere(self, host: str, port: int, *, tls: bool) -> tuple[AnyChannel, Delivery]:
        return channel_of(replace(TWILIO, base_url=f"http{'s' if tls else ''}://{host}:{port}")), message()

    def sent(self, request: SmsRequest) -> bytes:
        """Of a form its fields, as they are meant."""
        form = parse_qs(request.body.decode())
        return f"{request.method} {request.url} {dict(request.headers)} {form}".encode()


CASE = SmsCase()


@pytest.fixture
async def fake() -> AsyncIterator[SmsFake]:
    made = SmsFake(SID, TOKEN)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def sms(fake: SmsFake) -> AsyncIterator[Sms]:
    made = channel_of(replace(TWILIO, base_url=fake.base_url))
    yield made
    await made.close()


def now() -> datetime:
    return datetime.now(UTC)


async def send(channel: Sms, made: SmsDelivery, template: StoredTemplate = TEXT) -> Receipt:
    return await channel.send(channel.render(made, template), timeout=60.0, now=now())


# -- what is sent ---------------------------------------------------------------------------------------------------


async def test_a_text_is_posted_as_twilio_takes_it(sms: Sms, fake: SmsFake) -> None:
    made = message(locale="pl-PL")
    receipt = await send(sms, made)
    (text,) = fake.texts
    assert receipt == Accepted("HTTP 201: queued", text.sid)
    assert (text.to, text.sender, text.body) == (PHONE, "+15005550006", "Dziękujemy, Jo")
    assert text.callback == f"{PUBLIC}/callbacks/shop/sms/main?delivery={made.delivery_id}#rc=5&rp=all"
    assert (fake.unverified, fake.ids) == (0, [made.delivery_id])


async def test_a_key_signs_in_and_a_messaging_service_sends(fake: SmsFake) -> None:
    keyed = SmsFake(SID, "key-secret", username="SK1")
    await keyed.start()
    account = replace(
        TWILIO, base_url=keyed.base_url, sender="", messaging_service_sid="MG1", api_key="SK1", api_secret="key-secret",
        validity=600,
    )  # fmt: skip
    channel = channel_of(account)
    assert isinstance(await send(channel, message()), Accepted)
    assert (await channel.check("shop", "main")).is_well
    assert keyed.texts[0].sender == "MG1"
    await channel.close()
    await keyed.stop()


@pytest.mark.parametrize("public_url", ["", "http://localhost:8080", "https://my_shop.example"])
async def test_where_nobody_can_report_no_address_is_named(fake: SmsFake, public_url: str) -> None:
    channel = channel_of(replace(TWILIO, base_url=fake.base_url), public_url=public_url)
    assert isinstance(await send(channel, message()), Accepted)
    assert fake.texts[0].callback == ""
    await channel.close()


@pytest.mark.parametrize(
    ("text", "most", "account_most", "said"),
    [
        ("a" * 161, 1, 0, "the text takes 2 parts of SMS, 161 units of at most 153 each, in GSM 03.38; at most 1 are"),
        ("a" * 161, None, 1, "at most 1 are sent"),
        ("ł" + "a" * 70, 1, 5, 'in UCS-2 because of "ł" (U+0142), for which "l" costs less, at character 1; at most 1'),
        ("a" * 1600, None, 0, "takes 11 parts of SMS"),
    ],
)
def test_a_text_of_too_many_parts_is_refused(text: str, most: int | None, account_most: int, said: str) -> None:
    template = StoredTemplate(name="long", subject="", text="{{ customer.name }}")
    made = message(template)
    made = msgspec.structs.replace(
        made,
        sms=msgspec.structs.replace(made.sms, max_parts=most),
        data={**made.data, "customer": {"id": "c1", "name": text}},
    )
    channel = channel_of(replace(TWILIO, max_parts=account_most))
    with pytest.raises(RenderRefused) as caught:
        channel.render(made, template)
    assert said in str(caught.value)
    assert caught.value.reason == "limit"
    enough = msgspec.structs.replace(made, data={**made.data, "customer": {"id": "c1", "name": text[:60]}})
    assert channel.render(enough, template).text == text[:60]


def test_what_cannot_be_written_is_not_sent() -> None:
    channel = channel_of(TWILIO)
    with pytest.raises(TemplateFailed, match="thanks .* is missing"):
        channel.render(message(), None)
    with pytest.raises(RenderRefused, match='there is no sms account "main"; there are: none'):
        Sms(fixed_accounts("sms", {}), Templates(), reach=OWN_NETWORKS).render(message(), TEXT)
    with pytest.raises(RenderRefused, match="the text is empty"):
        channel.render(message(), StoredTemplate(name="none", subject="", text="{% if voucher %}x{% endif %}"))


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "https://169.254.169.254"])
async def test_private_addresses_are_not_called(url: str) -> None:
    for account in (
        replace(TWILIO, base_url=url),
        SmsAccountForm(provider="http", url=f"{url}/?to={{to}}&text={{text}}"),
    ):
        channel = channel_of(account, reach=Reach())
        assert isinstance(await send(channel, message()), Refused)
        await channel.close()


OWN_GATEWAY = SmsAccountForm(provider="http", url="{}/{to}/{text}", headers='{"x-key": "hush-key"}')


@pytest.mark.parametrize(
    ("before", "changes", "is_told"),
    [
        (TWILIO, {"auth_token": "hush-newer-token"}, True),
        (TWILIO, {"base_url": "http://127.0.0.1:2"}, False),
        (TWILIO, {"account_sid": SID.replace("0", "1")}, False),
        (TWILIO, {"provider": "http", "url": "{}/{to}/{text}", "headers": '{"x-key": "hush-key"}'}, False),
        (OWN_GATEWAY, {"headers": '{"x-key": "hush-newer-key"}'}, True),
        (OWN_GATEWAY, {"url": "http://127.0.0.1:2/{to}/{text}"}, False),
        (OWN_GATEWAY, {"url": "{}/{text}/{to}"}, False),
        (OWN_GATEWAY, {"provider": "twilio", "account_sid": SID, "auth_token": TOKEN}, False),
    ],
)
async def test_a_secret_goes_only_where_its_account_was_when_the_text_was_rendered(
    before: SmsAccountForm, changes: dict[str, str], is_told: bool
) -> None:
    server = RawReceiver()
    await server.start()
    place = f"http://127.0.0.1:{server.port}"
    account = replace(before, base_url=place, url=before.url.replace("{}", place))
    channel, changed = channel_of(account), {name: value.replace("{}", place) for name, value in changes.items()}
    request = channel.render(message(), TEXT)
    channel._accounts.book.replace({("sms", "shop", "main"): replace(account, **cast(Any, changed))})
    if is_told:
        await channel.send(request, timeout=60, now=now())
    else:
        with pytest.raises(TryLater, match="account sms/main was changed while the message was on its way"):
            await channel.send(request, timeout=60, now=now())
        with pytest.raises(TryLater):
            await channel.look_up(request, since=now(), timeout=60, now=now())
    assert bool(server.requests) == is_told
    await channel.close()
    await server.stop()


async def test_the_owner_who_left_is_suppressed_and_a_wrong_number_is_not(sms: Sms, fake: SmsFake) -> None:
    fake.stopped.add(PHONE)
    assert await send(sms, message()) == Refused(
        "HTTP 400: 21610 Attempt to send to unsubscribed recipient", "suppressed"
    )
    fake.stopped.clear()
    fake.landlines.add(PHONE)
    assert getattr(await send(sms, message()), "reason", "") is None


async def test_an_account_is_tried_without_a_message(sms: Sms, fake: SmsFake) -> None:
    assert await sms.check("shop", "main") == await sms.check("shop", "main")
    assert (await sms.check("shop", "main")).is_well
    wrong = channel_of(replace(TWILIO, base_url=fake.base_url, auth_token="hush-wrong"))
    found = await wrong.check("shop", "main")
    assert (found.is_well, found.said) == (False, "HTTP 401: 20003 Authenticate")
    await wrong.close()
    assert fake.texts == []


# -- what may have been accepted ------------------------------------------------------------------------------------


async def test_what_was_accepted_unheard_is_found_before_it_is_repeated(sms: Sms, fake: SmsFake) -> None:
    began, made = now(), message()
    request, fake.lost = sms.render(made, TEXT), 1
    other = sms.render(message(name="Ann"), TEXT)
    assert await sms.look_up(request, since=began, timeout=60, now=now()) == []
    assert isinstance(await sms.send(request, timeout=60, now=now()), Unanswered)
    await sms.send(other, timeout=60, now=now())
    (mine, _) = fake.texts
    found = [Accepted("found at the provider: queued", mine.sid)]
    assert await sms.look_up(request, since=began, timeout=60, now=now()) == found
    assert await sms.look_up(request, since=now() + timedelta(hours=1), timeout=60, now=now()) == []


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(503), Deferred),
        (Reply(429), Throttled),
        (Reply(401), Blocked),
        (Reply(404), Deferred),
        (Reply(200, body=b"<html>"), Unanswered),
    ],
)
async def test_where_nobody_can_tell_it_waits(sms: Sms, fake: SmsFake, reply: Reply, kind: type[Receipt]) -> None:
    fake.look_ups.append(reply)
    found = await sms.look_up(sms.render(message(), TEXT), since=now(), timeout=60, now=now())
    assert type(found) is kind


# -- what is reported -----------------------------------------------------------------------------------------------


def call(fake: SmsFake, form: dict[str, str], url: str = f"{PUBLIC}/callbacks/shop/sms/main") -> StatusCall:
    headers, body = fake.signed(url, form)
    return StatusCall(url, headers, body, NOW)


@pytest.mark.parametrize(
    ("status", "error", "told"),
    [
        ("queued", "", StatusEvent("delayed", detail="queued")),
        ("sent", "", StatusEvent("delayed", detail="sent")),
        ("partially_delivered", "", StatusEvent("delayed", detail="partially_delivered")),
        ("a status of next year", "", StatusEvent("delayed", detail="a status of next year")),
        ("delivered", "", StatusEvent("delivered", detail="delivered")),
        ("read", "", StatusEvent("delivered", detail="read")),
        ("undelivered", "30003", StatusEvent("bounced", detail="undelivered: error 30003")),
        ("undelivered", "30005", StatusEvent("bounced", detail="undelivered: error 30005", is_hard=True)),
        ("failed", "30008", StatusEvent("bounced", detail="failed: error 30008")),
    ],
)
async def test_each_status_is_put_in_our_words(sms: Sms, fake: SmsFake, status: str, error: str, told: Any) -> None:
    made = message()
    await send(sms, made)
    (text,) = fake.texts
    url, headers, body = fake.status_call(text, status, error)
    found = Sms.statuses(StatusCall(url, headers, body, NOW), TWILIO)
    assert found == [replace(told, delivery_id=made.delivery_id, provider_id=text.sid)]


async def test_one_who_left_at_the_provider_is_told_after_the_message_was_taken(sms: Sms, fake: SmsFake) -> None:
    await send(sms, message())
    url, headers, body = fake.status_call(fake.texts[0], "failed", "21610")
    ended, left = Sms.statuses(StatusCall(url, headers, body, NOW), TWILIO)
    assert (ended.kind, left) == (
        "bounced", StatusEvent("unsubscribed", address=PHONE, detail="STOP to the provider")
    )  # fmt: skip


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        *((word, "unsubscribed") for word in
          ("STOP", "unsubscribe", " Cancel ", "end", "QUIT", "stopall", "Revoke", "OPTOUT", "Stop.", '"stop"')),
        *((word, "unsubscribed") for word in
          ("Opt out", "OPT-OUT", "stop all", " STOP\u200b ", "stop \U0001f6d1", "\uff33\uff34\uff2f\uff30",
           "\u2018Stop\u2019", "(end)", "un-subscribe", "S.T.O.P.", "\u00a1Stop!", "*revoke*", "Quit\u2026")),
        *((word, "resubscribed") for word in ("START", "start!", "Unstop")),
        *((word, None) for word in
          ("please stop", "STOP IT", "HELP", "", "unstoppable", "STOP 2", "st art", "un-stop", "end" + " " * 500,
           "stop it all", "cancel my order", "the end", "\U0001f6d1", "\u0421\u0422\u041e\u041f")),
    ],
)  # fmt: skip
def test_the_words_that_count(body: str, kind: Any) -> None:
    form = {"From": PHONE, "To": "+15005550006", "Body": body, "SmsStatus": "received", "MessageSid": "SM1"}
    found = Sms.statuses(call(SmsFake(SID, TOKEN), form), TWILIO)
    assert [(one.kind, one.address) for one in found] == ([(kind, PHONE)] if kind else [])


@pytest.mark.parametrize("word", sorted(_LEAVING))
@pytest.mark.parametrize(
    "form", ["{}", " {} ", "{}.", "{}!!", '"{}"', "{}\r\n", "({})", "{} .", "- {}", "\u00a0{}\u00a0"]
)
@pytest.mark.parametrize("case", [str.upper, str.lower, str.capitalize, str.swapcase])
def test_each_word_counts_in_any_case_and_with_any_signs(word: str, form: str, case: Callable[[str], str]) -> None:
    sent = {"From": PHONE, "Body": form.format(case(word))}
    (found,) = Sms.statuses(call(SmsFake(SID, TOKEN), sent), TWILIO)
    assert found == StatusEvent("unsubscribed", address=PHONE, detail=word)


def test_what_the_provider_makes_of_a_word_counts_over_the_word() -> None:
    form = {"From": PHONE, "Body": "arrêt", "OptOutType": "STOP"}
    (found,) = Sms.statuses(call(SmsFake(SID, TOKEN), form), TWILIO)
    assert found == StatusEvent("unsubscribed", address=PHONE, detail="STOP")


def _unsigned(made: StatusCall) -> StatusCall:
    return replace(made, headers={name: text for name, text in made.headers.items() if "signature" not in name})


FORGED: dict[str, Callable[[StatusCall], StatusCall]] = {
    "another number": lambda made: replace(made, body=made.body.replace(b"600100200", b"600100201")),
    "another field": lambda made: replace(made, body=made.body + b"&OptOutType=STOP"),
    "another address": lambda made: replace(made, url=made.url.replace("shop", "other")),
    "no signature": _unsigned,
    "a signature that is not text": lambda made: replace(made, headers={**made.headers, "x-twilio-signature": "é"}),
}


@pytest.mark.parametrize("how", FORGED)
def test_what_is_forged_is_not_proven(how: str) -> None:
    made = call(SmsFake(SID, TOKEN), {"From": PHONE, "Body": "STOP"})
    assert Sms.statuses(made, TWILIO)
    with pytest.raises(NotProven):
        Sms.statuses(FORGED[how](made), TWILIO)
    with pytest.raises(NotProven):
        Sms.statuses(call(SmsFake(SID, ""), {"From": PHONE, "Body": "STOP"}), replace(TWILIO, auth_token=""))


@pytest.mark.parametrize("signed", ["https://codes.shop.example:8443/in?a=1", "https://codes.shop.example/in?a=1"])
def test_a_port_may_be_signed_or_left_out(signed: str) -> None:
    headers, body = SmsFake(SID, TOKEN).signed(signed, {"From": PHONE, "Body": "STOP"})
    assert Sms.statuses(StatusCall("https://codes.shop.example:8443/in?a=1", headers, body, NOW), TWILIO)


def test_the_signature_is_that_of_the_providers_own_example() -> None:
    """Source: the tests of Twilio's client for Python (MIT)."""
    place = {"City": "OAKLAND", "Country": "US", "State": "CA", "Zip": "94612"}
    caller = {"City": "SOUTH LAKE TAHOE", "Country": "US", "State": "CA", "Zip": "89449"}
    form = {
        "AccountSid": "AC9a9f9392lad99kla0sklakjs90j092j3", "ApiVersion": "2010-04-01", "Direction": "inbound",
        "CallSid": "CAd800bb12c0426a7ea4230e492fef2a4f", "CallStatus": "ringing", "CallerName": "CA Wireless Call",
        "Called": "+15306384866", "To": "+15306384866", "Caller": "+15306666666", "From": "+15306666666",
        **{f"{who}{name}": text for who in ("Called", "To") for name, text in place.items()},
        **{f"{who}{name}": text for who in ("Caller", "From") for name, text in caller.items()},
    }  # fmt: skip
    headers, _ = SmsFake(SID, "1c892n40nd03kdnc0112slzkl3091j20").signed("http://www.postbin.org/1ed898x", form)
    assert headers["x-twilio-signature"] == "fF+xx6dTinOaCdZ0aIeNkHr/ZAA="


# -- a gateway of one's own -----------------------------------------------------------------------------------------


class Gateway(HttpFake):
    """Any server that takes messages; `asked` is what it was sent."""

    path = "/send"

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []

    def message_id(self, request: Any, body: bytes) -> str:
        return ""

    def refusal(self, request: Any, body: bytes) -> None:
        headers = {name.lower(): text for name, text in request.headers.items()}
        self.asked.append((request.method, request.path_qs, headers, body))


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    made = Gateway()
    await made.start()
    yield made
    await made.stop()


def own(gateway: Gateway, **how: Any) -> SmsAccountForm:
    body = (
        '{"messages": [{"to": "{to}", "text": "{text}", "ref": "{delivery_id}", "flash": false}], "from": "{sender}"}'
    )
    base = SmsAccountForm(provider="http", url=gateway.url, body=body, sender="Shop")
    return replace(base, headers='{"Authorization": "Bearer hush-key"}', **how)


async def test_a_gateway_gets_the_body_that_its_owner_wrote(gateway: Gateway) -> None:
    channel, made = channel_of(own(gateway)), message(name='{to} "Jo"')
    assert await send(channel, made) == Accepted("HTTP 200")
    ((method, path, headers, body),) = gateway.asked
    assert (method, path, headers["authorization"], headers["content-type"]) == (
        "POST", "/send", "Bearer hush-key", "application/json",
    )  # fmt: skip
    assert json.loads(body) == {
        "messages": [{"to": PHONE, "text": 'Thank you, {to} "Jo"', "ref": made.delivery_id, "flash": False}],
        "from": "Shop",
    }
    assert "hush-key" not in repr(channel.render(made, TEXT))
    await channel.close()


async def test_a_gateway_may_take_a_form_or_an_address(gateway: Gateway) -> None:
    form = channel_of(own(gateway, content="form", body="to={to}&msg={text}&key=1"))
    assert isinstance(await send(form, message(name="a&b=c")), Accepted)
    got = channel_of(own(gateway, method="GET", body="", url=gateway.url + "?to={to}&msg={text}"))
    assert isinstance(await send(got, message(name="a&b=ł")), Accepted)
    (_, _, _, body), (method, path, _, nothing) = gateway.asked
    assert parse_qs(body.decode()) == {"to": [PHONE], "msg": ["Thank you, a&b=c"], "key": ["1"]}
    assert (method, nothing) == ("GET", b"")
    assert parse_qs(path.partition("?")[2]) == {"to": [PHONE], "msg": ["Thank you, a&b=ł"]}
    await form.close()
    await got.close()


@pytest.mark.parametrize(
    ("how", "reply", "kind", "provider_id"),
    [
        ({}, Reply(202), Accepted, None),
        ({"accepted_status": 202}, Reply(200), Refused, None),
        ({"id_path": "messages.0.id"}, Reply(200, body=b'{"messages": [{"id": 17}]}'), Accepted, "17"),
        ({"id_path": "id"}, Reply(200, body=b"OK"), Unanswered, None),
        ({"accepted_path": "ok", "accepted_value": "true"}, Reply(200, body=b'{"ok": true}'), Accepted, None),
        ({"accepted_path": "ok", "accepted_value": "true"}, Reply(200, body=b'{"ok": false}'), Refused, None),
        ({"accepted_path": "ok", "accepted_value": "true"}, Reply(200, body=b'{"error": 1}'), Unanswered, None),
        ({}, Reply(400, body=b"hush-key is wrong"), Refused, None),
        ({}, Reply(401), Blocked, None),
        ({}, Reply(429), Throttled, None),
        ({}, Reply(500), Deferred, None),
        ({}, Reply(drop=True), Unanswered, None),
    ],
)
async def test_its_owner_says_which_reply_means_accepted(
    gateway: Gateway, how: dict[str, Any], reply: Reply, kind: type[Receipt], provider_id: str | None
) -> None:
    gateway.replies.append(reply)
    channel = channel_of(own(gateway, **how))
    receipt = await send(channel, message())
    assert type(receipt) is kind
    assert "hush-key" not in receipt.detail
    assert getattr(receipt, "provider_id", None) == provider_id
    assert await channel.look_up(channel.render(message(), TEXT), since=NOW, timeout=60, now=now()) is None
    await channel.close()
