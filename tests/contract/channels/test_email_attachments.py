"""Files of e-mails, fetched from real servers on loopback: what arrives, and what becomes of a message without one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from agents.channels import channels_of
from channels.accounts import fixed_accounts
from channels.attachments import Attachments
from channels.email.channel import Email
from channels.email.mime import FileLimits
from channels.email.smtp_session import EmailAccount
from channels.fakes.email import SmtpSink
from channels.fakes.raw import RawReceiver, RawReply
from channels.http.ssrf import OWN_NETWORKS, Reach
from channels.templates.engine import Templates
from deploy.settings.messages import EmailAccountSettings
from deploy.settings.settings import Settings
from deploy.settings.workers import Sender
from schemas.channels.email import AttachedUrl, EmailDelivery
from schemas.errors import TemplateFailed
from schemas.receipt import Accepted, Postponed, Receipt, Refused
from schemas.template import TemplateFile
from tests.factory import TEMPLATE, customer, delivery

PDF = b"%PDF-1.7 \0\xff"
LIMITS = FileLimits(each=1000, together=1500)


@pytest.fixture
async def sink() -> AsyncIterator[SmtpSink]:
    made = SmtpSink()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def files() -> AsyncIterator[RawReceiver]:
    made = RawReceiver()
    await made.start()
    yield made
    await made.stop()


def reply(body: bytes = PDF, kind: str = "application/pdf", status: str = "200 OK", more: str = "") -> RawReply:
    head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n{more}\r\n"
    return RawReply((head.encode() + body,))


def of(port: int, *urls: AttachedUrl, **profile: Any) -> EmailDelivery:
    made = delivery("email", customer(**profile))
    filled = [replace(one, url=one.url.replace("HOST", f"127.0.0.1:{port}")) for one in urls]
    return replace(made, email=replace(made.email, attachments=filled))  # type: ignore[no-any-return]


def channel(sink: SmtpSink, reach: Reach = OWN_NETWORKS, limits: FileLimits = LIMITS) -> Email:
    account = EmailAccount("main", "127.0.0.1", sink.port, "none", "shop@example.com", "The Shop")
    return Email(fixed_accounts("email", {"main": account}), Templates(), attachments=Attachments(reach, limits))


async def sent(
    sink: SmtpSink, made: EmailDelivery, reach: Reach = OWN_NETWORKS, limits: FileLimits = LIMITS, timeout: float = 60.0
) -> Receipt:
    email = channel(sink, reach, limits)
    try:
        return await email.send(email.render(made, TEMPLATE), timeout=timeout, now=datetime.now(UTC))
    finally:
        await email.close()


URL = AttachedUrl(url="http://HOST/invoices/{{ customer.id }}.pdf")


async def test_a_file_arrives_beside_the_texts(sink: SmtpSink, files: RawReceiver) -> None:
    files.replies += [reply(), reply(b"a;b", "text/csv; charset=utf-8")]
    named = AttachedUrl(url="http://HOST/x?a={{ customer.name }}", name="{{ customer.name }}.csv")
    assert isinstance(await sent(sink, of(files.port, URL, named, id="c/1", name="Zoë & Co")), Accepted)
    assert [one.split(b" ")[1] for one in files.requests] == [b"/invoices/c%2F1.pdf", b"/x?a=Zo%C3%AB%20%26%20Co"]
    assert files.connections == 1
    message = sink.mails[0].parsed()
    found = list(message.iter_attachments())
    assert [(one.get_filename(), one.get_content_type()) for one in found] == [
        ("1.pdf", "application/pdf"),
        ("Zoë & Co.csv", "text/csv"),
    ]
    assert [one.get_payload(decode=True) for one in found] == [PDF, b"a;b"]
    body = message.get_body(("plain",))
    assert body is not None
    assert body.get_content_type() == "text/plain"


async def test_a_file_that_was_applied_arrives_byte_for_byte_and_is_read_once(
    sink: SmtpSink, files: RawReceiver
) -> None:
    data, asked = bytes(range(256)) * 3, list[str]()
    files.replies.append(reply())

    async def kept(digest: str) -> bytes | None:
        asked.append(digest)
        return data if digest == "d" * 64 else None

    terms = TemplateFile(name="Terms ż.pdf", content_type="application/pdf", size=len(data), digest="d" * 64)
    account = EmailAccount("main", "127.0.0.1", sink.port, "none", "shop@example.com", "The Shop")
    attachments = Attachments(OWN_NETWORKS, LIMITS, kept)
    email = Email(fixed_accounts("email", {"main": account}), Templates(), attachments=attachments)
    template = replace(TEMPLATE, files=[terms])
    try:
        for made in (of(files.port, URL), of(files.port)):
            request = email.render(made, template)
            assert isinstance(await email.send(request, timeout=60.0, now=datetime.now(UTC)), Accepted)
        gone = replace(template, files=[replace(terms, digest="e" * 64)])
        receipt = await email.send(email.render(of(files.port), gone), timeout=60.0, now=datetime.now(UTC))
    finally:
        await email.close()
    assert receipt == Refused("attachment Terms ż.pdf (eeeeeeee) is missing")
    assert asked == ["d" * 64, "e" * 64]
    both, alone = ([*mail.parsed().iter_attachments()] for mail in sink.mails)
    assert [one.get_filename() for one in both] == ["Terms ż.pdf", "c1.pdf"]
    assert [one.get_payload(decode=True) for one in both] == [data, PDF]
    assert [one.get_payload(decode=True) for one in alone] == [data]


async def test_a_value_may_be_the_address_itself(sink: SmtpSink, files: RawReceiver) -> None:
    files.replies.append(reply())
    made = of(files.port, AttachedUrl(url="{{ customer.metadata.invoice }}&v={{ customer.id }}"), id="a b",
              metadata={"invoice": f"http://127.0.0.1:{files.port}/i/9.pdf?sig=A%2Fb%3D"})  # fmt: skip
    assert isinstance(await sent(sink, made), Accepted)
    assert files.requests[0].startswith(b"GET /i/9.pdf?sig=A%2Fb%3D&v=a%20b HTTP/1.1")


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (reply(status="404 Not Found"), Refused, "HTTP 404: there is no such file"),
        (reply(status="410 Gone"), Refused, "HTTP 410: there is no such file"),
        (reply(status="302 Found", more="location: http://127.0.0.1/\r\n"), Refused, "redirects are not followed"),
        (reply(status="403 Forbidden"), Refused, "HTTP 403"),
        (reply(status="503 Unavailable", more="retry-after: 7\r\n"), Postponed, "HTTP 503"),
        (reply(status="429 Slow", more="retry-after: 7\r\n"), Postponed, "HTTP 429"),
        (reply(status="202 Accepted"), Postponed, "it is not there yet"),
        (reply(b""), Postponed, "nothing came"),
        (reply(b"x" * 1001), Refused, "it has more than 1,000 bytes (sender.attachment_max_bytes)"),
        (reply(b"<p>Log in", "text/html"), Refused, "a web page came, a login mostly, and no application/pdf"),
        (reply(more="content-encoding: gzip\r\n"), Refused, "it comes compressed"),
        (RawReply((b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n%PDF",), ends=True), Postponed, "it broke off"),
        (RawReply((), resets=True), Postponed, "connection lost"),
    ],
)
async def test_a_message_without_its_file_is_not_sent(
    sink: SmtpSink, files: RawReceiver, answer: RawReply, kind: type[Receipt], said: str
) -> None:
    """It is said of the message alone: its mail server was not asked."""
    files.replies.append(answer)
    receipt = await sent(sink, of(files.port, URL))
    assert isinstance(receipt, kind)
    assert "attachment 1 (127.0.0.1): " in receipt.detail
    assert said in receipt.detail
    assert "invoices" not in receipt.detail
    assert (sink.mails, sink.connections) == ([], 0)
    if b"retry-after" in b"".join(answer.parts):
        assert isinstance(receipt, Postponed)
        assert receipt.retry_after == 7.0


async def test_a_file_that_does_not_come_in_time_is_asked_for_later(sink: SmtpSink, files: RawReceiver) -> None:
    files.replies.append(RawReply((), stays=30.0))
    assert await sent(sink, of(files.port, URL), timeout=0.4) == Postponed(
        "attachment 1 (127.0.0.1): not there within 0.2 s"
    )


async def test_all_files_together_have_a_limit(sink: SmtpSink, files: RawReceiver) -> None:
    files.replies += [reply(b"x" * 900), reply(b"x" * 900)]
    receipt = await sent(sink, of(files.port, URL, URL))
    assert receipt == Refused(
        "attachment 2 (127.0.0.1): the files have more than 1,500 bytes (sender.attachments_max_bytes)"
    )


async def test_a_body_without_end_is_cut_off_at_the_limit(sink: SmtpSink, files: RawReceiver) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/pdf\r\ncontent-length: 99999999\r\n\r\n"
    files.replies.append(RawReply((head + b"x" * 5000,)))
    receipt = await sent(sink, of(files.port, URL))
    assert isinstance(receipt, Refused)
    assert "more than 1,000 bytes" in receipt.detail


async def test_a_connection_that_was_closed_at_rest_costs_no_attempt(sink: SmtpSink, files: RawReceiver) -> None:
    email = channel(sink)
    request = email.render(of(files.port, URL), TEMPLATE)
    for _ in range(2):
        files.replies.append(reply())
        assert isinstance(await email.send(request, timeout=60.0, now=datetime.now(UTC)), Accepted)
        files.hang_up()
    await email.close()
    assert len(sink.mails) == 2


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1/x.pdf", "127.0.0.1 is an address that is not public"),
        ("https://169.254.169.254/x.pdf", "is an address that is not public"),
        ("http://files.example/x.pdf", "http is not allowed"),
        ("https://files.example:22/x.pdf", "port 22 is not allowed"),
        ("https://u:hush@files.example/x.pdf", "holds a user name or password"),
    ],
)
async def test_only_what_webhooks_may_reach_is_asked(sink: SmtpSink, url: str, said: str) -> None:
    receipt = await sent(sink, of(0, AttachedUrl(url=url)), Reach())
    assert isinstance(receipt, Refused)
    assert said in receipt.detail
    assert "hush" not in receipt.detail
    assert sink.connections == 0


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (
            AttachedUrl(url="https://x.example/{{ customer.metadata.no }}"),
            "attachments: `customer.metadata.no` is undefined",
        ),
        (AttachedUrl(url="https://x.example/{{ customer.id }}/a.pdf"), "lead to another folder"),
        (AttachedUrl(url="https://x.example/a", name="a.{{ customer.name }}"), "files of the type .exe are refused"),
        (AttachedUrl(url="https://x.example/a.{{ customer.name }}"), "files of the type .exe are refused"),
        (AttachedUrl(url="https://[x/{{ customer.email }}"), "is not an address"),
    ],
)
def test_what_no_value_may_make_of_an_address_fails_the_message(sink: SmtpSink, one: AttachedUrl, said: str) -> None:
    with pytest.raises(TemplateFailed, match=said):
        channel(sink).render(of(0, one, id="..", name="exe"), TEMPLATE)


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [
        ("application/pdf", "x", ("x.pdf", "application/pdf")),
        ("application/octet-stream", "x.pdf", ("x.pdf", "application/pdf")),
        ("nothing", "x", ("x", "application/octet-stream")),
        ("message/rfc822", "x.eml", ("x.eml", "application/octet-stream")),
        ("text/html", "terms.html", ("terms.html", "text/html")),
        ("application/x-msdos-program", "x", ("x", "application/x-msdos-program")),
    ],
)
async def test_the_type_is_what_the_reply_says_and_else_the_name(
    sink: SmtpSink, files: RawReceiver, kind: str, name: str, expected: tuple[str, str]
) -> None:
    files.replies.append(reply(kind=kind))
    assert isinstance(await sent(sink, of(files.port, AttachedUrl(url="http://HOST/x", name=name))), Accepted)
    (part,) = sink.mails[0].parsed().iter_attachments()
    assert (part.get_filename(), part.get_content_type()) == expected


async def test_the_settings_bound_what_a_worker_fetches(sink: SmtpSink, files: RawReceiver) -> None:
    account = EmailAccountSettings("127.0.0.1", "shop@example.com", port=sink.port, security="none")
    sender = Sender(webhook_allow_private=True, attachment_max_bytes=len(PDF), attachments_max_bytes=2 * len(PDF))
    email = channels_of(Settings(email_accounts={"main": account}, sender=sender))["email"]
    files.replies += [reply(), reply(), reply(PDF + b"x")]
    receipts = [
        await email.send(email.render(of(files.port, *urls), TEMPLATE), timeout=60.0, now=datetime.now(UTC))
        for urls in ([URL, URL], [URL])
    ]
    await email.close()
    assert isinstance(receipts[0], Accepted)
    assert isinstance(receipts[1], Refused)
    assert "it has more than 11 bytes" in receipts[1].detail
