"""Laws of every channel, as functions of its case: `LAWS`."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any, cast, get_args

import msgspec
import pytest
import trustme

from channels.accounts import HeldAccount
from channels.contract import DETAIL, AnyChannel, NotOffered
from channels.http.reply_heads import Exchange  # noqa: F401 - aiohttp is loaded once, before anything is timed
from channels.status_calls import NotProven, StatusCall
from schemas.channels.webhook import SIGNING
from schemas.delivery import Delivery
from schemas.errors import AccountHeld
from schemas.limit import NO_LIMIT
from schemas.receipt import Accepted, Blocked, Deferred, Receipt, Unanswered, Unreached
from streams.sending.retry import asked_wait
from tests.contract.channels.case import ChannelCase, Fake, revoked
from tests.factory import NOW

LONG = 60.0
"""Seconds that nothing here takes unless it hangs."""


@asynccontextmanager
async def set_up(case: ChannelCase) -> AsyncIterator[tuple[Fake, AnyChannel]]:
    """The fake, and the channel that sends to it."""
    fake = case.fake()
    await fake.start()
    channel = case.channel(fake)
    try:
        yield fake, channel
    finally:
        await channel.close()
        await fake.stop()


async def send(case: ChannelCase, channel: AnyChannel, delivery: Delivery, timeout: float = LONG) -> Receipt:
    """Render and send."""
    request = channel.render(delivery, case.template)
    return await channel.send(request, timeout=timeout, now=datetime.now(UTC))


def state(case: ChannelCase, fake: Fake) -> dict[str, Any]:
    """All that a fake keeps of messages now."""
    return deepcopy({name: getattr(fake, name) for name in case.kept})


# -- what is rendered -----------------------------------------------------------------------------------------------


async def render_is_pure_and_repeats(case: ChannelCase) -> None:
    async with set_up(case) as (fake, channel):
        delivery = case.delivery(fake)
        before = msgspec.json.encode(delivery)
        first, second = (channel.render(delivery, case.template) for _ in range(2))
        assert first == second
        assert case.sent(first) == case.sent(second)
        assert msgspec.json.encode(delivery) == before
        assert fake.ids == []


async def the_key_is_in_the_request_and_known_to_the_provider(case: ChannelCase) -> None:
    async with set_up(case) as (fake, channel):
        delivery = case.delivery(fake)
        receipts = [await send(case, channel, delivery) for _ in range(2)]
        assert case.key(delivery).encode() in case.sent(channel.render(delivery, case.template))
        assert {type(receipt) for receipt in receipts} == {Accepted}
        assert fake.ids == [case.key(delivery)] * 2


async def a_repeat_comes_to_what_the_channel_says(case: ChannelCase) -> None:
    async with set_up(case) as (fake, channel):
        delivery, found = case.delivery(fake), [state(case, fake)]
        for _ in range(2):
            assert isinstance(await send(case, channel, delivery), Accepted)
            found.append(state(case, fake))
        before, once, twice = found
        assert before != once, "a message leaves something at its provider"
        assert (once == twice) == (channel.repeats != "none")
        another = msgspec.structs.replace(delivery, delivery_id=delivery.delivery_id + "0")
        assert isinstance(await send(case, channel, another), Accepted)
        assert (state(case, fake) == once) == (channel.repeats == "natural"), (
            "by a key the same of another delivery is more"
        )


async def no_secret_is_shown(case: ChannelCase) -> None:
    async with set_up(case) as (fake, channel):
        delivery = case.delivery(fake)
        request = channel.render(delivery, case.template)
        shown = [repr(channel), repr(request)]
        for answer in case.answers.values():
            answer.prepare(fake)
            shown.append(repr(await send(case, channel, delivery)))
        for secret in case.secrets:
            assert not [text for text in shown if secret in text]
            assert secret.encode() not in case.sent(request)


# -- what comes back ------------------------------------------------------------------------------------------------


async def access_that_is_revoked_blocks_and_takes_nothing(case: ChannelCase) -> None:
    async with set_up(case) as (fake, channel):
        delivery, before = case.delivery(fake), state(case, fake)
        with revoked(fake):
            assert isinstance(await send(case, channel, delivery), Blocked)
        assert state(case, fake) == before
        assert isinstance(await send(case, channel, delivery), Accepted)


async def each_answer_gives_its_receipt(case: ChannelCase) -> None:
    found = {}
    for name, answer in case.answers.items():
        async with set_up(case) as (fake, channel):
            answer.prepare(fake)
            receipt = await send(case, channel, case.delivery(fake))
            found[name] = type(receipt), getattr(receipt, "retry_after", None)
            assert isinstance(receipt, get_args(Receipt))
    assert found == {name: (answer.kind, answer.retry_after) for name, answer in case.answers.items()}


async def what_a_provider_asks_for_is_bounded(case: ChannelCase) -> None:
    for answer in case.answers.values():
        async with set_up(case) as (fake, channel):
            answer.prepare(fake)
            receipt = await send(case, channel, case.delivery(fake))
            asked = getattr(receipt, "retry_after", None)
            assert timedelta() <= asked_wait(channel.policy.retries, asked) <= timedelta(days=1)


async def details_are_one_line_that_every_store_keeps(case: ChannelCase) -> None:
    for answer in case.answers.values():
        async with set_up(case) as (fake, channel):
            answer.prepare(fake)
            detail = (await send(case, channel, case.delivery(fake))).detail
            assert detail.strip()
            assert len(detail) <= DETAIL
            assert detail.isprintable()
            detail.encode()


# -- what goes wrong on the way -------------------------------------------------------------------------------------


async def a_timeout_after_the_request_was_written_is_unanswered(case: ChannelCase) -> None:
    async with set_up(case) as (fake, channel):
        case.slow(fake, 30.0)
        receipt = await asyncio.wait_for(send(case, channel, case.delivery(fake), timeout=2.0), LONG)
        assert isinstance(receipt, Unanswered)


async def a_timeout_before_anything_was_written_is_deferred(case: ChannelCase) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        channel, delivery = case.elsewhere("127.0.0.1", silent.getsockname()[1], tls=True)
        receipt = await asyncio.wait_for(send(case, channel, delivery, timeout=0.5), LONG)
        await channel.close()
    assert isinstance(receipt, Deferred)


async def a_server_that_is_away_is_deferred(case: ChannelCase) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    for host in ("127.0.0.1", "nowhere.invalid"):
        channel, delivery = case.elsewhere(host, port, tls=False)
        assert isinstance(await send(case, channel, delivery), Unreached)
        await channel.close()


async def a_connection_that_is_reset_may_pass(case: ChannelCase) -> None:
    def reset(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    server = await asyncio.start_server(reset, "127.0.0.1", 0)
    async with server:
        channel, delivery = case.elsewhere("127.0.0.1", server.sockets[0].getsockname()[1], tls=False)
        receipt = await send(case, channel, delivery)
        await channel.close()
    assert isinstance(receipt, Deferred | Unanswered)


async def a_server_that_is_not_trusted_is_told_nothing(case: ChannelCase) -> None:
    heard: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read())
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    server = await asyncio.start_server(listen, "127.0.0.1", 0, ssl=context)
    async with server:
        channel, delivery = case.elsewhere("127.0.0.1", server.sockets[0].getsockname()[1], tls=True)
        receipt = await send(case, channel, delivery)
        await channel.close()
    assert isinstance(receipt, case.is_untrusted)
    assert b"".join(heard) == b""


async def a_send_that_is_cancelled_leaves_the_channel_as_it_was(case: ChannelCase) -> None:
    async with set_up(case) as (fake, channel):
        case.slow(fake, 30.0)
        sending = asyncio.create_task(send(case, channel, case.delivery(fake)))
        await asyncio.sleep(0.05)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        case.slow(fake, 0.0)
        assert isinstance(await send(case, channel, case.delivery(fake)), Accepted)


# -- the channel itself ---------------------------------------------------------------------------------------------


async def closing_may_be_repeated_and_comes_to_no_end(case: ChannelCase) -> None:
    async with set_up(case) as (fake, channel):
        await channel.close()
        for _ in range(2):
            assert isinstance(await send(case, channel, case.delivery(fake)), Accepted)
            await channel.close()
            await channel.close()


async def an_account_that_is_held_lets_nothing_leave(case: ChannelCase) -> None:
    async with set_up(case) as (fake, channel):
        delivery, book = case.delivery(fake), cast(Any, channel)._accounts.book
        request = channel.render(delivery, case.template)
        name = SIGNING if case.name == "webhook" else delivery.account
        book.replace({(case.name, delivery.project_id, name): HeldAccount("it is paused")})
        assert channel.at_once(delivery.project_id, name) is None
        assert channel.limit(delivery.project_id, name) == NO_LIMIT
        with pytest.raises(AccountHeld, match="^it is paused$"):
            await send(case, channel, delivery)
        with pytest.raises(AccountHeld, match="^it is paused$"):
            await channel.send(request, timeout=LONG, now=datetime.now(UTC))
        assert fake.ids == []
        book.replace({})
        assert isinstance(await send(case, channel, delivery), Accepted)


async def many_are_sent_side_by_side(case: ChannelCase) -> None:
    async with set_up(case) as (fake, channel):
        one = case.delivery(fake)
        many = [msgspec.structs.replace(one, delivery_id=f"dlv_{number}") for number in range(20)]
        receipts = await asyncio.gather(*(send(case, channel, delivery) for delivery in many))
        assert {type(receipt) for receipt in receipts} == {Accepted}
        assert sorted(fake.ids) == sorted(map(case.key, many))


async def its_name_and_its_policy_are_those_of_its_records(case: ChannelCase) -> None:
    async with set_up(case) as (fake, channel):
        delivery, policy = case.delivery(fake), channel.policy
        at_once = channel.at_once(delivery.project_id, delivery.account)
        assert (channel.name, delivery.channel) == (case.name, case.name)
        assert msgspec.json.decode(msgspec.json.encode(delivery), type=type(delivery)) == delivery
        assert (delivery.template is None) == (case.template is None)
        assert timedelta() < policy.timeout
        assert timedelta() < policy.retries[0]
        assert list(policy.retries) == sorted(policy.retries)
        assert all(bound is None or bound > 0 for bound in (policy.rate, policy.concurrency, at_once))
        assert channel.at_once(delivery.project_id, "an account that is not known") is None


async def what_it_does_not_offer_it_says(case: ChannelCase) -> None:
    async with set_up(case) as (fake, channel):
        delivery = case.delivery(fake)
        try:
            found = await channel.check(delivery.project_id, delivery.account)
            assert found.said
            assert not any(secret in found.said for secret in case.secrets)
        except NotOffered as error:
            assert str(error).startswith(f"{case.name}: ")


async def nothing_is_reported_without_a_proof(case: ChannelCase) -> None:
    async with set_up(case) as (_, channel):
        for headers in ({}, {"content-type": "application/json", "webhook-signature": "v1,é"}):
            with pytest.raises(NotProven):
                channel.statuses(StatusCall("https://console.example.com/", headers, b"{}", NOW), case.account)


async def what_it_reaches_is_where_it_is_sent(case: ChannelCase) -> None:
    async with set_up(case) as (fake, channel):
        delivery = case.delivery(fake)
        assert delivery.reaches, "suppressions and sandboxes judge a delivery by it"
        assert delivery.reaches.encode() in case.sent(channel.render(delivery, case.template))


async def nothing_of_an_erased_customer_is_left(case: ChannelCase) -> None:
    async with set_up(case) as (fake, _):
        delivery = case.delivery(fake)
        whole, left = (msgspec.json.encode(one) for one in (delivery, delivery.redacted()))
        assert [name for name in case.names if name.encode() not in whole] == []
        assert [name for name in case.names if name.encode() in left] == []
        again: Any = msgspec.json.decode(left, type=type(delivery))
        assert (again.delivery_id, again.customer.id) == (delivery.delivery_id, delivery.customer.id)
        assert again.redacted() == again


Law = Callable[[ChannelCase], Awaitable[None]]

LAWS: tuple[Law, ...] = (
    render_is_pure_and_repeats,
    the_key_is_in_the_request_and_known_to_the_provider,
    a_repeat_comes_to_what_the_channel_says,
    no_secret_is_shown,
    access_that_is_revoked_blocks_and_takes_nothing,
    each_answer_gives_its_receipt,
    what_a_provider_asks_for_is_bounded,
    details_are_one_line_that_every_store_keeps,
    a_timeout_after_the_request_was_written_is_unanswered,
    a_timeout_before_anything_was_written_is_deferred,
    a_server_that_is_away_is_deferred,
    a_connection_that_is_reset_may_pass,
    a_server_that_is_not_trusted_is_told_nothing,
    a_send_that_is_cancelled_leaves_the_channel_as_it_was,
    closing_may_be_repeated_and_comes_to_no_end,
    an_account_that_is_held_lets_nothing_leave,
    many_are_sent_side_by_side,
    its_name_and_its_policy_are_those_of_its_records,
    what_it_does_not_offer_it_says,
    nothing_is_reported_without_a_proof,
    what_it_reaches_is_where_it_is_sent,
    nothing_of_an_erased_customer_is_left,
)
