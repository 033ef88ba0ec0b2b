"""Batches of one channel: what leaves together, and that each message gets its own receipt."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, cast

import msgspec
import pytest

from channels.accounts import AccountBook
from channels.contract import Policy, Repeats
from channels.http.api import HttpRequest
from channels.http.batches import BatchingChannel, BatchLimits
from channels.http.ssrf import OWN_NETWORKS
from channels.http.transport import Reply
from schemas.closed import ChannelName
from schemas.errors import AccountHeld
from schemas.receipt import Accepted, Blocked, Deferred, Postponed, Receipt, Refused, Throttled, Unanswered
from tests.factory import NOW

LONG = 30.0
Names = list[str]
Answers = Callable[[Names], Reply | Receipt]


@dataclass
class Provider:
    """The other end, in this process: names of the messages of each request, and what is answered."""

    answers: Answers
    asked: list[tuple[str, Names]] = field(default_factory=list)
    holds: asyncio.Event | None = None
    cancelled: int = 0


class Toy(BatchingChannel[Any]):
    """Takes lists of names. Replies name the index of what they refuse; one that names nothing says `bad`."""

    name: ClassVar[ChannelName] = cast(ChannelName, "toy")
    policy: ClassVar[Policy] = Policy(timeout=timedelta(seconds=LONG), retries=(timedelta(seconds=1),))
    repeats: ClassVar[Repeats] = "none"
    taken: ClassVar[str] = "on its shelf"
    batch_wait = 0.01

    def __init__(self, provider: Provider, limits: BatchLimits) -> None:
        super().__init__(AccountBook().of(self.name), reach=OWN_NETWORKS)
        self.provider, self.limits = provider, limits
        self.held = False

    def batch_limits(self, request: HttpRequest) -> BatchLimits:
        if self.held:
            raise AccountHeld("it is paused")
        return self.limits

    def objects(self, request: HttpRequest) -> int:
        return 2 if b"two" in request.body else 1

    def joined(self, bodies: Sequence[bytes]) -> bytes:
        return msgspec.json.encode([one for body in bodies for one in msgspec.json.decode(body)])

    def attempt_headers(self, request: HttpRequest, now: datetime) -> Mapping[str, str]:
        return {"authorization": f"{request.project_id}/{request.account}"}

    def outcomes(self, reply: Reply, bodies: Sequence[bytes], receipt: Receipt) -> Sequence[Receipt | None]:
        said = msgspec.json.decode(reply.body or b"{}", type=dict[str, list[int]])
        other = receipt if isinstance(receipt, Accepted) and "unknown" not in said else None
        return [Refused("named") if index in said.get("bad", ()) else other for index in range(len(bodies))]

    async def ask(self, request: HttpRequest, *, timeout: float, now: datetime) -> Reply | Receipt:
        names = msgspec.json.decode(request.body, type=Names)
        if self.held:
            raise AccountHeld("it is paused")
        self.provider.asked.append((self.attempt_headers(request, now)["authorization"], names))
        try:
            async with asyncio.timeout(timeout):
                if self.provider.holds is not None:
                    await self.provider.holds.wait()
        except TimeoutError:
            return Unanswered("no answer")
        except asyncio.CancelledError:
            self.provider.cancelled += 1
            raise
        return self.provider.answers(names)


def reply(status: int, body: bytes = b"") -> Reply:
    return Reply(status, {}, body, is_whole=True)


def taken(_: Names) -> Reply:
    return reply(201)


def toy(answers: Answers = taken, *, objects: int = 10, max_bytes: int = 10_000) -> tuple[Toy, Provider]:
    provider = Provider(answers)
    return Toy(provider, BatchLimits(objects, max_bytes)), provider


def request(name: str, account: str = "main", project: str = "shop", **how: Any) -> HttpRequest:
    body = msgspec.json.encode([name])
    return HttpRequest("http://127.0.0.1/x", account, name, {}, body, project_id=project, **how)


async def sent(channel: Toy, *names: str, timeout: float = LONG) -> dict[str, Receipt]:
    receipts = await asyncio.gather(*(channel.send(request(one), timeout=timeout, now=NOW) for one in names))
    return dict(zip(names, receipts, strict=True))


def kinds(receipts: Mapping[str, Receipt]) -> dict[str, type[Receipt]]:
    return {name: type(receipt) for name, receipt in receipts.items()}


def refuses(*bad: str, status: int = 400, indexed: bool = True, unknown: bool = False) -> Answers:
    """A provider that does not want some names; `indexed` says so, or else the whole request is refused."""

    def answer(names: Names) -> Reply:
        wrong = [index for index, name in enumerate(names) if name in bad]
        if not wrong:
            return reply(201)
        said = {"bad": wrong if indexed else [], **({"unknown": [1]} if unknown else {})}
        return reply(status, msgspec.json.encode(said))

    return answer


@pytest.mark.parametrize(
    ("answers", "receipts", "asked"),
    [
        (taken, (Accepted, Accepted, Accepted), ["abc"]),
        (refuses("b", status=201), (Accepted, Refused, Accepted), ["abc"]),
        (refuses("b", status=400), (Accepted, Refused, Accepted), ["abc", "ac"]),
        (refuses("a", "b", status=400), (Refused, Refused, Accepted), ["abc", "c"]),
        (refuses("a", "b", "c", status=400), (Refused, Refused, Refused), ["abc"]),
        (refuses("b", status=400, indexed=False), (Accepted, Refused, Accepted), ["abc", "a", "b", "c"]),
        (refuses("b", status=201, indexed=False, unknown=True), (Accepted, Accepted, Accepted), ["abc", "a", "b", "c"]),
        (lambda names: reply(500), (Deferred, Deferred, Deferred), ["abc"]),
        (lambda names: reply(401), (Blocked, Blocked, Blocked), ["abc"]),
        (lambda names: Reply(429, {"retry-after": "7"}), (Throttled, Throttled, Throttled), ["abc"]),
        (lambda names: reply(201, b"<html>"), (Unanswered, Unanswered, Unanswered), ["abc"]),
        (lambda names: reply(400, b"<html>"), (Refused, Refused, Refused), ["abc", "a", "b", "c"]),
        (lambda names: Unanswered("lost"), (Unanswered, Unanswered, Unanswered), ["abc"]),
        (lambda all: reply(413 if len(all) > 1 else 201), (Accepted, Accepted, Accepted), ["abc", "a", "bc", "b", "c"]),
        (lambda all: reply(413 if "b" in all else 201), (Accepted, Refused, Accepted), ["abc", "a", "bc", "b", "c"]),
    ],
)  # fmt: skip
async def test_each_message_has_its_own_outcome(answers: Answers, receipts: Any, asked: list[str]) -> None:
    channel, provider = toy(answers)
    assert tuple(kinds(await sent(channel, "a", "b", "c")).values()) == receipts
    assert sorted("".join(names) for _, names in provider.asked) == sorted(asked)
    assert "".join(provider.asked[0][1]) == "abc"


@pytest.mark.parametrize(
    ("names", "objects", "max_bytes", "expected"),
    [
        ("abcde", 2, 10_000, ["ab", "cd", "e"]),
        ("abc", 10, 10_000, ["abc"]),
        ("abc", 10, 10, ["ab", "c"]),
        ("abc", 10, 1, ["a", "b", "c"]),
        ("abc", 1, 10_000, ["a", "b", "c"]),
    ],
)
async def test_a_batch_holds_what_its_account_lets_it(
    names: str, objects: int, max_bytes: int, expected: list[str]
) -> None:
    channel, provider = toy(objects=objects, max_bytes=max_bytes)
    assert set(kinds(await sent(channel, *names)).values()) == {Accepted}
    assert ["".join(one) for _, one in provider.asked] == expected


async def test_a_message_of_two_objects_counts_twice() -> None:
    channel, provider = toy(objects=3)
    await sent(channel, "a", "two", "two!", "b")
    assert [names for _, names in provider.asked] == [["a", "two"], ["two!", "b"]]


async def test_accounts_and_projects_are_never_mixed_and_each_proves_itself() -> None:
    channel, provider = toy()
    places = [("main", "shop"), ("main", "other"), ("second", "shop")] * 2
    requests = [request(f"n{index}", *place) for index, place in enumerate(places)]
    requests.append(HttpRequest("http://127.0.0.1/y", "main", "n6", {}, b'["n6"]', project_id="shop"))
    await asyncio.gather(*(channel.send(one, timeout=LONG, now=NOW) for one in requests))
    assert sorted(provider.asked) == [
        ("other/main", ["n1", "n4"]),
        ("shop/main", ["n0", "n3"]),
        ("shop/main", ["n6"]),
        ("shop/second", ["n2", "n5"]),
    ]


async def test_a_full_batch_waits_for_nobody() -> None:
    channel, provider = toy(objects=2)
    channel.batch_wait = 3600.0  # type: ignore[misc]
    assert set(kinds(await asyncio.wait_for(sent(channel, "a", "b"), LONG)).values()) == {Accepted}
    assert provider.asked == [("shop/main", ["a", "b"])]


async def test_closing_sends_what_waits_for_others() -> None:
    channel, _ = toy()
    channel.batch_wait = 3600.0  # type: ignore[misc]
    sending = asyncio.create_task(sent(channel, "a", "b"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await channel.close()
    assert set(kinds(await asyncio.wait_for(sending, LONG)).values()) == {Accepted}
    await channel.close()


async def under_way(channel: Toy, provider: Provider, *names: str) -> list[asyncio.Task[Receipt]]:
    """Messages whose batch has left and is not answered yet."""
    provider.holds = asyncio.Event()
    tasks = [asyncio.create_task(channel.send(request(one), timeout=LONG, now=NOW)) for one in names]
    async with asyncio.timeout(LONG):
        while not provider.asked:
            await asyncio.sleep(0)
    return tasks


async def test_one_that_is_cancelled_leaves_the_others() -> None:
    channel, provider = toy(objects=3)
    first, second, third = await under_way(channel, provider, "a", "b", "c")
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    assert provider.holds is not None
    provider.holds.set()
    assert [type(await one) for one in (first, third)] == [Accepted, Accepted]
    assert provider.cancelled == 0


async def test_a_request_that_nobody_waits_for_ends() -> None:
    channel, provider = toy(objects=2)
    tasks = await under_way(channel, provider, "a", "b")
    for one in tasks:
        one.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    async with asyncio.timeout(LONG):
        while not provider.cancelled:
            await asyncio.sleep(0)
    provider.holds = None
    assert set(kinds(await sent(channel, "c", "d")).values()) == {Accepted}


async def test_one_that_is_cancelled_before_its_batch_leaves_is_not_sent() -> None:
    channel, provider = toy()
    first, second = (asyncio.create_task(channel.send(request(one), timeout=LONG, now=NOW)) for one in "ab")
    await asyncio.sleep(0)
    first.cancel()
    assert isinstance(await second, Accepted)
    assert provider.asked == [("shop/main", ["b"])]


async def test_a_time_out_is_unanswered_for_each() -> None:
    channel, provider = toy()
    provider.holds = asyncio.Event()
    assert set(kinds(await sent(channel, "a", "b", timeout=0.1)).values()) == {Unanswered}


async def test_what_no_time_is_left_for_is_not_sent_again() -> None:
    def late(names: Names) -> Reply:
        time.sleep(0.12)
        return reply(400, b'{"bad": []}')

    channel, provider = toy(late)
    assert set(kinds(await sent(channel, "a", "b", timeout=0.1)).values()) == {Postponed}
    assert len(provider.asked) == 1


@pytest.mark.parametrize("while_waiting", [False, True])
async def test_an_account_that_is_held_is_said_to_each(while_waiting: bool) -> None:
    channel, provider = toy()
    channel.held = not while_waiting
    sending = [asyncio.create_task(channel.send(request(one), timeout=LONG, now=NOW)) for one in "ab"]
    await asyncio.sleep(0)
    channel.held = True
    for one in sending:
        with pytest.raises(AccountHeld, match="^it is paused$"):
            await one
    assert provider.asked == []
