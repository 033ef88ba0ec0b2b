"""The base of channels over HTTP, through one that keeps to it: accounts, connections and bodies that are wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import ClassVar

import pytest

from channels.accounts import fixed_accounts
from channels.contract import Repeats
from channels.fakes.raw import RawReceiver, RawReply
from channels.http.ssrf import OWN_NETWORKS
from channels.http.transport import BodyLimits
from schemas.receipt import Accepted, Blocked, Receipt, Unanswered
from tests.contract.channels.test_toy import TOKEN, message
from tests.contract.channels.toy.channel import Toy, ToyAccount
from tests.contract.channels.toy.records import TOY


class Forgetful(Toy):
    """A provider that does not know a message again."""

    repeats: ClassVar[Repeats] = "none"


class Brief(Toy):
    """A channel that reads little of what it is told."""

    body_limits: ClassVar[BodyLimits] = BodyLimits(kept=20, read=20)


def said(body: bytes, *headers: bytes) -> RawReply:
    lines = (b"HTTP/1.1 200 OK", b"content-length: %d" % len(body), *headers)
    return RawReply((b"\r\n".join(lines) + b"\r\n\r\n" + body,))


TAKEN = said(b'{"id": "toy-1"}')


@pytest.fixture
async def raw() -> AsyncIterator[RawReceiver]:
    made = RawReceiver()
    await made.start()
    yield made
    await made.stop()


async def sent(kind: type[Toy], raw: RawReceiver, *, times: int = 1, token: str = TOKEN) -> Receipt:
    """The receipt of the last."""
    channel = kind(fixed_accounts(TOY, {"main": ToyAccount(raw.url, token)}), reach=OWN_NETWORKS)
    request = channel.render(message())  # type: ignore[arg-type]  # the toy's own
    receipts = [await channel.send(request, timeout=60, now=datetime.now(UTC)) for _ in range(times)]
    await channel.close()
    return receipts[-1]


@pytest.mark.parametrize("token", ["hush-token\n", "hush\r\nx-admin: yes", "hush-tökén", "hush\x00token"])
async def test_a_secret_that_no_header_can_hold_pauses_its_account_and_is_not_shown(
    raw: RawReceiver, token: str
) -> None:
    receipt = await sent(Toy, raw, token=token)
    assert isinstance(receipt, Blocked)
    assert "authorization" in receipt.detail
    assert "hush" not in receipt.detail
    assert raw.requests == []


async def test_where_a_connection_ends_at_rest_only_who_knows_the_message_is_asked_again(
    raw: RawReceiver,
) -> None:
    raw.replies += [TAKEN, RawReply((b"",), ends=True), TAKEN]
    assert isinstance(await sent(Toy, raw, times=2), Accepted)
    raw.replies.clear()
    raw.requests.clear()
    raw.replies += [TAKEN, RawReply((b"",), ends=True), TAKEN]
    assert isinstance(await sent(Forgetful, raw, times=2), Unanswered)
    assert len(raw.requests) == 2


@pytest.mark.parametrize(
    "reply",
    [
        said(b'{"id": "toy-1", "more": "of it"}'),
        said(b"\x1f\x8b", b"content-encoding: gzip"),
        RawReply((b'HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{"id": "toy-1"',), ends=True),
        RawReply((b"HTTP/1.1 200 OK\r\nnonsense\x00\r\n\r\n",), ends=True),
    ],
    ids=["longer than it reads", "encoded though nobody asked", "cut short", "unreadable headers"],
)
async def test_a_success_whose_body_is_needed_and_missing_is_not_taken_for_one(
    raw: RawReceiver, reply: RawReply
) -> None:
    raw.replies.append(reply)
    assert isinstance(await sent(Brief, raw), Unanswered)


async def test_a_body_that_is_read_to_its_end_decides(raw: RawReceiver) -> None:
    raw.replies.append(TAKEN)
    assert await sent(Brief, raw) == Accepted("HTTP 200", "toy-1")
