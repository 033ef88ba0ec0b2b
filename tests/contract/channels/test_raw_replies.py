"""Receipts of a webhook for replies that are not as they should be: the status decides, and nothing after it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from channels.fakes.raw import OK, RawReceiver, RawReply
from channels.http.ssrf import OWN_NETWORKS
from channels.webhook.channel import Webhook
from channels.webhook.signing import Signer
from schemas.receipt import Accepted, Deferred, Receipt, Refused, Throttled, Unanswered
from tests.factory import SECRET, delivery

HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture
async def raw() -> AsyncIterator[RawReceiver]:
    made = RawReceiver()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def webhook() -> AsyncIterator[Webhook]:
    made = Webhook(Signer([SECRET]), reach=OWN_NETWORKS, max_bytes=100_000)
    yield made
    await made.close()


async def post(webhook: Webhook, raw: RawReceiver, timeout: float = 60.0) -> Any:
    return await webhook.send(webhook.render(delivery("webhook", url=raw.url)), timeout=timeout, now=datetime.now(UTC))


def reply(*parts: bytes, **how: Any) -> RawReply:
    return RawReply(parts, **how)


UNREADABLE = {
    "false gzip": reply(HEAD + b"content-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc"),
    "false br": reply(HEAD + b"content-encoding: br\r\ncontent-length: 3\r\n\r\nabc"),
    "false zstd": reply(HEAD + b"content-encoding: zstd\r\ncontent-length: 3\r\n\r\nabc"),
    "no encoding": reply(HEAD + b"content-encoding: \r\ncontent-length: 3\r\n\r\nabc"),
    "an encoding that nobody knows": reply(HEAD + b"content-encoding: x-own\r\ncontent-length: 3\r\n\r\nabc"),
    "cut gzip in chunks": reply(
        HEAD + b"content-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n2\r\n\x1f\x8b\r\n0\r\n\r\n"
    ),
    "a header of 9 KB": reply(HEAD + b"x-long: " + b"x" * 9000 + b"\r\ncontent-length: 2\r\n\r\nok"),
    "a header of 100 KB": reply(HEAD + b"x-long: " + b"x" * 100_000 + b"\r\ncontent-length: 2\r\n\r\nok"),
    "500 headers": reply(HEAD + b"".join(b"x-%d: y\r\n" % n for n in range(500)) + b"content-length: 2\r\n\r\nok"),
    "5,000 headers": reply(HEAD + b"".join(b"x-%d: y\r\n" % n for n in range(5000)) + b"content-length: 2\r\n\r\nok"),
    "a doubled length": reply(HEAD + b"content-length: 2\r\ncontent-length: 2\r\n\r\nok"),
    "lengths in conflict": reply(HEAD + b"content-length: 2\r\ncontent-length: 5\r\n\r\nok", ends=True),
    "a length that is no number": reply(HEAD + b"content-length: many\r\n\r\nok", ends=True),
    "a negative length": reply(HEAD + b"content-length: -1\r\n\r\nok", ends=True),
    "length and chunks": reply(HEAD + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
    "a body cut short": reply(HEAD + b"content-length: 10\r\n\r\nok", ends=True),
    "a body reset": reply(HEAD + b"content-length: 10\r\n\r\nok", resets=True),
    "a chunk that is no number": reply(HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\nok\r\n0\r\n\r\n"),
    "a chunk cut short": reply(HEAD + b"transfer-encoding: chunked\r\n\r\n10\r\nok", ends=True),
    "no body at all": reply(HEAD + b"\r\n", ends=True),
    "a body that does not come": reply(HEAD + b"content-length: 5\r\n\r\n", stays=20),
    "a body without end": reply(HEAD + b"transfer-encoding: chunked\r\n\r\n" + b"400\r\n" + b"x" * 1024, stays=20),
    "headers without end": reply(HEAD + b"x-a: b\r\n", ends=True),
    "nothing after the status": reply(HEAD, ends=True),
    "HTTP/1.0": reply(b"HTTP/1.0 200 OK\r\n\r\nok", ends=True),
    "HTTP/1.0 kept open": reply(b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nok"),
    "a version that there is not": reply(b"HTTP/1.9 200 OK\r\ncontent-length: 2\r\n\r\nok"),
    "no reason": reply(b"HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nok"),
    "a space for a reason": reply(b"HTTP/1.1 200 \r\ncontent-length: 2\r\n\r\nok"),
    "a reason in latin-1": reply(b"HTTP/1.1 200 tr\xe8s bien\r\ncontent-length: 2\r\n\r\nok"),
    "line feeds alone": reply(b"HTTP/1.1 200 OK\ncontent-length: 2\n\nok"),
    "a header without a colon": reply(HEAD + b"nonsense\r\ncontent-length: 2\r\n\r\nok"),
    "a space before the colon": reply(HEAD + b"x-a : b\r\ncontent-length: 2\r\n\r\nok"),
    "a header with control characters": reply(HEAD + b"x-a: \x00\x01\r\ncontent-length: 2\r\n\r\nok"),
    "a header that is not ASCII": reply(HEAD + "x-ż: ó\r\n".encode() + b"content-length: 2\r\n\r\nok"),
    "a folded header": reply(HEAD + b"x-a: b\r\n c\r\ncontent-length: 2\r\n\r\nok"),
    "garbage after": reply(HEAD + b"content-length: 2\r\n\r\nok\x00garbage\r\n\r\n"),
    "another reply after": reply(HEAD + b"content-length: 2\r\n\r\nokHTTP/1.1 500 no\r\n\r\n"),
    "an interim reply before": reply(
        b"HTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\n", HEAD + b"content-length: 0\r\n\r\n"
    ),
    "an interim reply before unreadable headers": reply(
        b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + b"nonsense\x00\r\n\r\n", ends=True
    ),
    "byte by byte": reply(*(bytes([one]) for one in HEAD + b"content-length: 0\r\n\r\n")),
    "204 with a body": reply(b"HTTP/1.1 204 No Content\r\ncontent-length: 2\r\n\r\nok"),
    "an upgrade nobody asked for": reply(HEAD + b"upgrade: h2c\r\nconnection: upgrade\r\ncontent-length: 0\r\n\r\n"),
    "cookies that are none": reply(HEAD + b"set-cookie: ;;;=\x7f\r\nset-cookie: \r\ncontent-length: 0\r\n\r\n"),
    "a charset that there is not": reply(HEAD + b"content-type: text/x; charset=nope\r\ncontent-length: 1\r\n\r\n\xff"),
}


@pytest.mark.parametrize("name", UNREADABLE)
async def test_what_was_accepted_is_accepted_whatever_comes_after_the_status(
    webhook: Webhook, raw: RawReceiver, name: str
) -> None:
    raw.replies.append(UNREADABLE[name])
    receipt = await post(webhook, raw)
    assert isinstance(receipt, Accepted)
    assert receipt.detail.startswith("HTTP 20")
    assert isinstance(await post(webhook, raw), Accepted)
    assert len(raw.requests) == 2


@pytest.mark.parametrize(
    ("raw_reply", "receipt"),
    [
        (reply(b"HTTP/1.1 429 slow\r\nretry-after: 7\r\nbad\x00\r\n\r\n", ends=True), Throttled("HTTP 429", 7.0)),
        (
            reply(b"HTTP/1.1 429 slow\r\nX-RateLimit-Reset: 8\r\nbad\x00\r\n\r\n", ends=True),
            Throttled("HTTP 429", 8.0),
        ),
        (
            reply(b"HTTP/1.1 503 x\r\nRetry-After: 9\r\ncontent-encoding: br\r\n\r\nzz", ends=True),
            Deferred("HTTP 503", 9.0),
        ),
        (reply(b"HTTP/1.1 503 x\r\n", ends=True), Deferred("HTTP 503")),
        (
            reply(b"HTTP/1.1 400 x\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\nzz"),
            Refused("HTTP 400: the receiver does not want this request"),
        ),
        (
            reply(b"HTTP/1.1 400 x\r\ncontent-length: 6\r\n\r\na\x00b\xff\nc"),
            Refused("HTTP 400: a b\ufffd c"),
        ),
        (
            reply(b"HTTP/1.1 101 Switching\r\nupgrade: ws\r\nconnection: upgrade\r\n\r\n"),
            Refused("HTTP 101: the receiver speaks another protocol here"),
        ),
        (reply(b"HTTP/1.1 777 x\r\ncontent-length: 0\r\n\r\n"), Deferred("HTTP 777")),
    ],
)  # fmt: skip
async def test_any_other_status_decides_as_well(
    webhook: Webhook, raw: RawReceiver, raw_reply: RawReply, receipt: Receipt
) -> None:
    raw.replies.append(raw_reply)
    assert await post(webhook, raw) == receipt


@pytest.mark.parametrize(
    "raw_reply",
    [
        reply(b"", ends=True),
        reply(b"HTTP/1.1 20", ends=True),
        reply(b"220 mail.example.com ESMTP\r\n", ends=True),
        reply(b"\x15\x03\x01\x00\x02\x02\x0a", ends=True),
        reply(b"HTTP/1.1 2000 OK\r\n\r\n", ends=True),
        reply(b"HTTP/1.1 100 Continue\r\n\r\n", ends=True),
        reply(b"HTTP/1.1 100 Continue\r\n", ends=True),
        reply(b"HTTP/1.1 103 x\r\n\r\n" * 5000, ends=True),
        reply(b"0)TP/1.1 200 OK\r\n\r\n", ends=True),
        reply(b"", resets=True),
    ],
)
async def test_without_a_status_it_is_possibly_accepted(
    webhook: Webhook, raw: RawReceiver, raw_reply: RawReply
) -> None:
    raw.replies.append(raw_reply)
    receipt = await post(webhook, raw)
    assert isinstance(receipt, Unanswered)
    assert len(raw.requests) == 1


@pytest.mark.parametrize("name", ["a body that does not come", "a body without end"])
async def test_a_body_is_not_waited_for(webhook: Webhook, raw: RawReceiver, name: str) -> None:
    """Within a time-out that such a body would use up."""
    raw.replies.append(replace(UNREADABLE[name], stays=250.0))
    assert await asyncio.wait_for(post(webhook, raw, timeout=200), 90) == Accepted("HTTP 200")


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (b"HTTP/1.1" + b" " * 60_000, Unanswered),
        (b"HTTP/1.1 503 later\r\nx-a: " + b"x" * 60_000, Deferred),
        (HEAD + b"x-a: " + b"x" * 60_000, Accepted),
    ],
    ids=["no status", "a refusal", "a success"],
)
async def test_a_byte_now_and_then_takes_no_longer_than_silence(
    webhook: Webhook, raw: RawReceiver, said: bytes, kind: type[Receipt]
) -> None:
    """Whoever writes so would keep a time-out that begins again with each byte waiting for ten minutes."""
    raw.replies.append(reply(*(bytes([one]) for one in said)))
    assert isinstance(await asyncio.wait_for(post(webhook, raw, timeout=1.0), 60), kind)


# -- connections that were used before ---------------------------------------------------------------------------------


async def used(webhook: Webhook, raw: RawReceiver) -> None:
    assert await post(webhook, raw) == Accepted("HTTP 200")
    assert (raw.connections, len(raw.requests)) == (1, 1)


@pytest.mark.parametrize(
    "stale",
    [
        reply(b"", ends=True),
        reply(b"", resets=True),
        reply(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", ends=True),
        reply(b"HTTP/1.1 421 Misdirected\r\ncontent-length: 0\r\n\r\n"),
    ],
)
async def test_a_connection_that_ends_as_the_next_request_leaves_costs_no_attempt(
    webhook: Webhook, raw: RawReceiver, stale: RawReply
) -> None:
    await used(webhook, raw)
    raw.replies.append(stale)
    assert await post(webhook, raw) == Accepted("HTTP 200")
    assert (raw.connections, len(raw.requests)) == (2, 3)


async def test_it_is_asked_again_once_and_on_a_connection_of_its_own(webhook: Webhook, raw: RawReceiver) -> None:
    await asyncio.gather(*(post(webhook, raw) for _ in range(5)))
    before = len(raw.requests)
    raw.replies += [reply(b"", ends=True)] * 3
    receipt = await post(webhook, raw)
    assert isinstance(receipt, Unanswered)
    assert len(raw.requests) - before == 2


async def test_many_that_were_closed_at_rest_cost_no_attempt(webhook: Webhook, raw: RawReceiver) -> None:
    await asyncio.gather(*(post(webhook, raw) for _ in range(10)))
    raw.hang_up()
    assert await asyncio.gather(*(post(webhook, raw) for _ in range(10))) == [Accepted("HTTP 200")] * 10
    assert len(raw.requests) == 20


async def test_an_answer_that_began_is_not_asked_for_again(webhook: Webhook, raw: RawReceiver) -> None:
    await used(webhook, raw)
    raw.replies.append(reply(b"HTTP/1.1 2", resets=True))
    receipt = await post(webhook, raw)
    assert isinstance(receipt, Unanswered)
    assert len(raw.requests) == 2


async def test_a_connection_is_used_again_after_a_long_answer(webhook: Webhook, raw: RawReceiver) -> None:
    raw.replies.append(reply(HEAD + b"content-length: 50000\r\n\r\n" + b"x" * 50_000))
    for _ in range(3):
        assert await post(webhook, raw) == Accepted("HTTP 200")
    assert raw.connections == 1
    assert OK
