"""E-mail: the laws of all channels, and what is its own."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from html import unescape
from typing import Any, cast

import dkim
import msgspec
import pytest
import trustme

from channels.accounts import AccountBook, HeldAccount, fixed_accounts
from channels.contract import AnyChannel
from channels.email.channel import Email, EmailRequest
from channels.email.check import check_mailbox
from channels.email.smtp_session import EmailAccount, NotTaken, must_fit
from channels.fakes.email import SmtpSink
from channels.templates.bundle import bundled
from channels.templates.engine import Templates
from channels.unsubscribe import UnsubscribeLinks
from schemas.channels.email import EmailAccountForm
from schemas.delivery import Delivery
from schemas.errors import AccountHeld, RenderRefused, TemplateFailed, TryLater
from schemas.receipt import (
    Accepted,
    Blocked,
    Deferred,
    DomainThrottled,
    Postponed,
    Receipt,
    Refused,
    Throttled,
    Unanswered,
)
from schemas.template import LocalText, StoredTemplate
from tests.contract.channels.case import Answer, ChannelCase, Fake
from tests.factory import SECRET, TEMPLATE, customer, delivery
from tests.unit.channels.email.dkim_keys import record, signer

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


def account(port: int, **changes: Any) -> EmailAccount:
    plain = EmailAccount("main", "127.0.0.1", port, "none", "shop@example.com", "The Shop")
    return replace(plain, **changes)


def says(reply: str, kind: type[Receipt], stage: str = "data", retry_after: float | None = None) -> Answer:
    """An answer of the server to the next message, at a stage."""

    def prepare(fake: SmtpSink) -> None:
        fake.at_stage = stage
        fake.replies.append(reply)

    return Answer(prepare, kind, retry_after)


class EmailCase(ChannelCase):
    """E-mail before a server without encryption that knows a login."""

    name = "email"
    kept = ("mails",)
    secrets = ("hush-password",)
    names = ("jo@example.com", "Jo")
    account = EmailAccountForm(host="mail.example", sender="shop@example.com", callback_secrets=(SECRET,))
    template = TEMPLATE
    is_untrusted = Blocked
    answers = {
        "taken": says("250 2.0.0 queued", Accepted),
        "busy": says("451 4.3.0 try again in 7 seconds", Postponed, retry_after=7.0),
        "too fast": says("450 4.7.1 too many messages, try again in 5 minutes", Throttled, "mail", 300.0),
        "too fast, for ever": says(
            "450 4.7.1 too fast, try again in 99999 hours", DomainThrottled, "rcpt", 359_996_400.0
        ),
        "we are not wanted": says("550 5.7.1 go away", Blocked, "mail"),
        "no such mailbox": says("550 5.1.1 no such user", Refused, "rcpt"),
        "hostile words": says("554 5.7.1 a\x07b" + "\u2028\u202e" + "x" * 400, Refused),
        "a code that nobody has defined": says("999 hm", Deferred),
        "no code": says("hello?", Unanswered),
    }

    def fake(self) -> SmtpSink:
        return SmtpSink(login=("user", "hush-password"))

    def slow(self, fake: Any, seconds: float) -> None:
        fake.delay = seconds

    def channel(self, fake: Fake) -> Email:
        return self._email(fake.port)

    def delivery(self, fake: Fake) -> Delivery:
        return cast(Delivery, delivery("email", customer()))

    def elsewhere(self, host: str, port: int, *, tls: bool) -> tuple[AnyChannel, Delivery]:
        security = {"security": "tls", "tls": ssl.create_default_context()} if tls else {}
        return self._email(port, host=host, **security), delivery("email", customer())

    def sent(self, request: EmailRequest) -> bytes:
        return request.sender.encode() + request.recipient.encode() + request.message

    def _email(self, port: int, **changes: Any) -> Email:
        made = account(port, username="user", password="hush-password", **changes)
        return Email(fixed_accounts("email", {"main": made}), Templates())


CASE = EmailCase()


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
async def sink() -> AsyncIterator[SmtpSink]:
    made = SmtpSink()
    await made.start()
    yield made
    await made.stop()


async def mail(sink: SmtpSink, profile: dict[str, Any] | None = None, timeout: float = 60.0, **changes: Any) -> Any:
    channel = Email(fixed_accounts("email", {"main": account(sink.port, **changes)}), Templates())
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
    request = Email(fixed_accounts("email", {"main": sending}), Templates()).render(made, TEMPLATE)
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
    channel = Email(
        fixed_accounts("email", {"main": account(sink.port, unsubscribe_url="https://shop.example.com/u")}),
        Templates(),
    )
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


async def test_a_distribution_says_who_writes_where_answers_go_and_what_links_have(sink: SmtpSink) -> None:
    made = delivery("email")
    said = {
        "sender_name": 'Ann "Z" of The Shop',
        "reply_to": "help@shop.example",
        "link_parameters": {"utm_source": "n"},
    }
    made = msgspec.structs.replace(made, email=msgspec.structs.replace(made.email, **said))
    links = UnsubscribeLinks("https://t.example", ("a secret of many characters",))
    text = "https://shop.example/a?b=1 {{ unsubscribe_url }}"
    html = '<a href="{{ "https://shop.example/a?b=1&c=2" }}">x</a><a href="{{ unsubscribe_url }}">y</a>'
    template = StoredTemplate(name="t", subject="s", text=text, html=html)
    channel = Email(fixed_accounts("email", {"main": account(sink.port)}), Templates(), unsubscribe=links)
    assert isinstance(await channel.send(channel.render(made, template), timeout=60, now=now()), Accepted)
    await channel.close()
    message = sink.mails[0].parsed()
    assert message["From"].addresses[0].display_name == 'Ann "Z" of The Shop'
    assert message["From"].addresses[0].addr_spec == "shop@example.com"
    assert message["Reply-To"] == "help@shop.example"
    own = links.of(made)["unsubscribe_url"]
    plain, page = (message.get_body((kind,)).get_content().strip() for kind in ("plain", "html"))  # type: ignore[union-attr]
    assert plain == f"https://shop.example/a?b=1&utm_source=n {own}"
    assert unescape(page) == f'<a href="https://shop.example/a?b=1&c=2&utm_source=n">x</a><a href="{own}">y</a>'


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
    channel = Email(fixed_accounts("email", {"main": account(sink.port)}), Templates())
    with pytest.raises(RenderRefused):
        channel.render(hostile, TEMPLATE)
    assert not sink.mails


def test_a_missing_variable_is_named() -> None:
    template = StoredTemplate(name="t", subject="s", text="a\n{{ customer.nickname }}")
    channel = Email(fixed_accounts("email", {"main": account(1)}), Templates())
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


async def test_a_message_larger_than_its_server_states_is_not_begun(sink: SmtpSink) -> None:
    sink.most_bytes = 4000
    channel = Email(fixed_accounts("email", {"main": account(sink.port)}), Templates())
    request = channel.render(delivery("email", customer(name="x" * 5000)), TEMPLATE)
    receipt = await channel.send(request, timeout=60.0, now=now())
    assert isinstance(receipt, Refused)
    assert receipt.detail.endswith("bytes: the server takes at most 4,000 (SIZE)")
    assert isinstance(await again(channel), Accepted)
    await channel.close()
    assert (len(sink.mails), sink.connections) == (1, 1)


@pytest.mark.parametrize(("stated", "fits"), [("", True), ("0", True), ("many", True), ("10", True), ("9", False)])
def test_a_size_is_a_limit_where_it_is_a_number_above_zero(stated: str, fits: bool) -> None:
    said = "" if fits else "the message has 10 bytes: the server takes at most 9 (SIZE)"
    try:
        must_fit(b"x" * 10, stated)
    except NotTaken as error:
        assert str(error) == said
    else:
        assert fits


async def test_connections_are_used_again(sink: SmtpSink) -> None:
    channel = Email(fixed_accounts("email", {"main": account(sink.port)}), Templates())
    for _ in range(5):
        assert isinstance(await again(channel), Accepted)
    await channel.close()
    assert sink.connections == 1


async def test_connections_that_were_closed_at_rest_cost_no_attempt(sink: SmtpSink) -> None:
    channel = Email(fixed_accounts("email", {"main": account(sink.port)}), Templates())
    await asyncio.gather(*(again(channel) for _ in range(3)))
    sink.hang_up()
    assert isinstance(await again(channel), Accepted)
    assert len(sink.mails) == 4
    await channel.close()


async def test_a_server_that_wants_a_new_connection_gets_one(sink: SmtpSink) -> None:
    """Some take so many messages on each, and say 421 to the next."""
    channel = Email(fixed_accounts("email", {"main": account(sink.port)}), Templates())
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
    channel = Email(fixed_accounts("email", {"main": account(sink.port)}), Templates())
    await again(channel)
    sink.at_stage = "mail"
    sink.replies.append(said)
    assert isinstance(await again(channel), Accepted)
    await channel.close()


async def test_an_account_does_with_the_sessions_that_its_server_lets_in(sink: SmtpSink) -> None:
    sink.most_at_once, sink.delay = 2, 0.05
    channel = Email(fixed_accounts("email", {"main": account(sink.port, connections=6)}), Templates())
    receipts = await asyncio.gather(*(again(channel) for _ in range(30)))
    assert {type(receipt) for receipt in receipts} == {Accepted}
    assert sink.connections <= 8
    await channel.close()


CHANGES: Mapping[str, tuple[Any, type[Exception]]] = {
    "paused": (HeldAccount("it is paused"), AccountHeld),
    "with another password": (account(1, username="u", password="other"), TryLater),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_what_waits_for_a_session_does_not_leave_through_an_account_that_was_changed(
    sink: SmtpSink, change: str
) -> None:
    now_, raised = CHANGES[change]
    book, place = AccountBook(), ("email", delivery("email").project_id, "main")
    book.replace({place: account(sink.port, connections=1)})  # type: ignore[dict-item]
    channel = Email(book.of("email"), Templates())
    sink.delay = 0.2
    sending = [asyncio.create_task(again(channel)) for _ in range(4)]
    async with asyncio.timeout(60):
        while not sink.connections:
            await asyncio.sleep(0)
    book.replace({place: now_})  # type: ignore[dict-item]
    first, *others = await asyncio.gather(*sending, return_exceptions=True)
    assert isinstance(first, Accepted)
    assert {type(one) for one in others} == {raised}
    assert len(sink.mails) == 1
    assert not channel._pools


@pytest.mark.parametrize(
    "changes",
    [{"host": "x" * 64 + ".example"}, {"host": "smtp..example"}, {"host": "127.0.0.1\r\n"}, {"host": "\0"},
     {"port": 70_000}, {"port": -1}, {"username": "u", "password": "\udc80"}],
)  # fmt: skip
async def test_an_account_that_no_connection_can_be_made_with_pauses_and_fails_no_message(
    changes: dict[str, Any],
) -> None:
    sink = SmtpSink(login=("u", "right"))
    await sink.start()
    wrong = replace(account(sink.port), **changes)
    channel = Email(fixed_accounts("email", {"main": wrong}), Templates())
    receipt = await again(channel)
    assert isinstance(receipt, Blocked)
    assert "the account cannot be used" in receipt.detail
    found = await check_mailbox(wrong, 60)
    assert not found.is_well
    assert "Check " in found.said
    await sink.stop()


async def test_credentials_in_a_host_and_a_password_are_not_shown(sink: SmtpSink) -> None:
    receipt = await mail(sink, host="hush-user:hush-word@127.0.0.1")
    assert isinstance(receipt, Deferred)
    assert "hush" not in receipt.detail
    assert "hush" not in (await check_mailbox(account(sink.port, host="hush:hush@x.invalid"), 60)).said
    short = account(1, username="u", password="c")
    assert short.without_secrets("535 cannot check") == "535 cannot check"


async def test_a_login_that_is_refused_once_it_was_replaced_pauses_nothing() -> None:
    sink = SmtpSink(login=("u", "right"))
    await sink.start()
    before = account(sink.port, username="u", password="wrong")
    book = AccountBook({"email": {"main": before}})
    channel = Email(book.of("email"), Templates())
    assert isinstance(await again(channel), Blocked)
    sending = asyncio.create_task(again(channel))
    await asyncio.sleep(0)
    book.replace({("email", delivery("email").project_id, "main"): replace(before, password="right")})
    with pytest.raises(TryLater, match="account email/main was changed"):
        await sending
    assert isinstance(await again(channel), Accepted)
    await channel.close()
    await sink.stop()


async def test_a_server_without_the_encryption_that_the_account_asks_for_blocks_it(sink: SmtpSink) -> None:
    receipt = await mail(sink, security="starttls", username="u", password="hush")
    assert receipt == Blocked("starttls: the server does not offer STARTTLS; security is starttls, tls or none")


@pytest.mark.parametrize("said", ["hello?", "25", "250-" + "x" * 70_000])
async def test_an_answer_that_is_none_is_possibly_accepted_and_ends_the_session(sink: SmtpSink, said: str) -> None:
    channel = Email(fixed_accounts("email", {"main": account(sink.port)}), Templates())
    sink.replies.append(said)
    receipt = await channel.send(channel.render(delivery("email"), TEMPLATE), timeout=3, now=now())
    assert isinstance(receipt, Unanswered)
    assert isinstance(await again(channel), Accepted)
    assert sink.connections == 2
    await channel.close()


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


def test_a_mailbox_that_is_read_takes_a_token_beside_the_link() -> None:
    links = UnsubscribeLinks("https://t.example", ("a secret of many characters",), frozenset({"u@example.com"}))
    sending, made = account(25, unsubscribe_mailto="u@example.com"), delivery("email")
    template = StoredTemplate(name="t", subject="s", text="x", html=None)
    channel = Email(fixed_accounts("email", {"main": sending}), Templates(), unsubscribe=links)
    message = message_from_bytes(channel.render(made, template).message, policy=policy.default)
    url, mailto = message["List-Unsubscribe"].strip("<>").split(">, <")
    token = mailto.removeprefix("mailto:u@example.com?subject=unsubscribe.")
    assert url == f"https://t.example/unsubscribe/{token}"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


@pytest.mark.parametrize(
    ("own", "category", "expected"),
    [
        ("", "marketing", "https://t.example/unsubscribe/"),
        ("https://shop.example.com/u/{delivery_id}", "marketing", "https://shop.example.com/u/dlv_"),
        ("", "transactional", None),
    ],
)
def test_without_an_address_of_its_own_an_account_has_our_link(own: str, category: str, expected: str | None) -> None:
    made = msgspec.structs.replace(delivery("email"), category=category)
    sending = account(25, unsubscribe_url=own, unsubscribe_mailto="u@example.com")
    links = UnsubscribeLinks("https://t.example", ("a secret of many characters",))
    template = StoredTemplate(name="t", subject="s", text="{{ unsubscribe_url }} {{ preferences_url }}", html=None)
    channel = Email(fixed_accounts("email", {"main": sending}), Templates(), unsubscribe=links)
    message = message_from_bytes(channel.render(made, template).message, policy=policy.default)
    header = message["List-Unsubscribe"]
    text = cast(Any, message).get_body().get_content()
    assert "https://t.example/preferences/" in text
    if expected is None:
        assert (header, message["List-Unsubscribe-Post"]) == (None, None)
    else:
        assert header.startswith(f"<{expected}") and header.endswith("<mailto:u@example.com>")
        assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert expected in text


async def test_signed_mail_leaves_in_seven_bits_signed_as_of_its_attempt(sink: SmtpSink) -> None:
    one = signer("ed25519")
    for name in ("Zażółć", "Jo"):
        assert isinstance(await mail(sink, customer(name=name), signer=one), Accepted)
    for taken in sink.mails:
        assert taken.content.isascii()
        assert b"8bit" not in taken.content
        assert dkim.verify(taken.content, dnsfunc=lambda _name, timeout=5: record(one).encode())
        assert b"date" in taken.content.partition(b"bh=")[0]


@pytest.mark.parametrize("is_signed", [False, True])
async def test_an_address_outside_ascii_is_sent_to_where_it_is_offered(sink: SmtpSink, is_signed: bool) -> None:
    one = signer("ed25519") if is_signed else None
    assert isinstance(await mail(sink, customer(name="Zoë", email="zoe\u0308@faß.example"), signer=one), Accepted)
    (taken,) = sink.mails
    assert taken.recipients == ("zoë@xn--fa-hia.example",)
    assert " <zoë@xn--fa-hia.example>\r\n".encode() in taken.content
    key = record(signer("ed25519")).encode()
    assert not is_signed or dkim.verify(taken.content, dnsfunc=lambda _name, timeout=5: key)


async def test_an_address_outside_ascii_fails_with_the_reason_where_it_is_not_offered(
    sink: SmtpSink,
) -> None:
    sink.takes_utf8 = False
    channel = Email(fixed_accounts("email", {"main": account(sink.port)}), Templates())
    refused = channel.render(delivery("email", customer(email="zoë@example.com")), TEMPLATE)
    taken = channel.render(delivery("email", customer()), TEMPLATE)
    receipts = [await channel.send(one, timeout=60.0, now=now()) for one in (refused, taken)]
    await channel.close()
    assert receipts[0] == Refused("the server takes ASCII alone before the @ of an address: it offers no SMTPUTF8")
    assert isinstance(receipts[1], Accepted)
    assert (sink.connections, len(sink.mails)) == (1, 1)
