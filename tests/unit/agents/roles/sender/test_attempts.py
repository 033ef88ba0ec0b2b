"""Attempts as they are carried out: a turn is used or given back, and what came of it is handed on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, cast

import msgspec
import pytest

from agents.clock import utc_now
from agents.roles.sender.asking import Asking
from agents.roles.sender.attempts import Attempts
from agents.roles.sender.breakers import Breakers
from agents.roles.sender.pacing import Paces
from agents.roles.sender.turns import Turns
from agents.roles.sender.work import Work
from agents.telemetry.metrics import Metrics
from channels.accounts import AccountBook
from channels.contract import Policy
from schemas.closed import HoldKind
from schemas.destination import Destination
from schemas.errors import AccountHeld, RenderRefused, TryLater
from schemas.failover import NO_FAILOVER, Failover
from schemas.limit import NO_LIMIT, Limit
from schemas.receipt import Accepted, Blocked, Deferred, Gone, Refused, Throttled, Unreached
from store.sending.ledger import Settlement, Stop
from tests.factory import NOW, delivery

GOOD = delivery("webhook")
HOST = Destination(GOOD.project_id, "webhook", GOOD.account)


class Provider:
    """A channel with one answer: a receipt, or an error in place of it."""

    def __init__(self, answer: Any, *, at_render: bool = False) -> None:
        self.answer, self.at_render, self.asked = answer, at_render, 0

    def at_once(self, *_: str) -> int | None:
        return None

    def limit(self, *_: str) -> Limit:
        return NO_LIMIT

    def failover(self, *_: str) -> Failover:
        return NO_FAILOVER

    def render(self, *_: Any) -> str:
        if self.at_render or isinstance(self.answer, RenderRefused | TryLater):
            raise self.answer
        return "request"

    async def send(self, *_: Any, **__: Any) -> Any:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


NOTHING: Mapping[str, Stop] = {}


class Told:
    """Outcomes that note what they are told."""

    def __init__(self) -> None:
        self.settlements: list[Settlement] = []
        self.paused: list[tuple[Destination, HoldKind, str]] = []

    async def wait_for_ledger(self) -> None:
        """It is never behind."""

    def put(self, settlement: Settlement, _: Any) -> None:
        self.settlements.append(settlement)

    async def pause(self, destination: Destination, kind: HoldKind, why: str) -> None:
        self.paused.append((destination, kind, why))


async def carried_out(
    work: Work,
    answer: Any,
    *,
    is_ours: bool = True,
    is_paused: bool = False,
    stopped: Mapping[str, Stop] | Exception = NOTHING,
    policy: Policy | None = None,
    breakers: Breakers | None = None,
    accounts: Any = None,
    at_render: bool = False,
) -> Any:
    told, provider = Told(), Provider(answer, at_render=at_render)

    async def still(delivery_ids: list[str]) -> Mapping[str, Stop]:
        if isinstance(stopped, Exception):
            raise stopped
        return stopped

    policies = {"webhook": policy or Policy(timedelta(seconds=1), (timedelta(minutes=1),))}
    channels, is_shared = cast(Any, {"webhook": provider}), accounts.is_shared if accounts else lambda _: False
    turns = Turns(channels, cast(Any, policies), concurrency=2, breakers=breakers, is_shared=is_shared)
    asking = Asking(
        channels, cast(Any, policies), cast(Any, None), told.pause, Metrics(), clock=utc_now, accounts=accounts
    )
    attempts = Attempts(turns, asking, lambda _: is_ours, still, cast(Any, told), Metrics(), clock=utc_now)
    if is_paused:
        attempts._turns.capacity.paused.add(HOST)
    attempts.start(work)
    async with asyncio.timeout(60):
        while attempts.held:
            await asyncio.sleep(0)
    return told, provider, attempts


@pytest.mark.parametrize(
    ("answer", "state", "reason", "tried", "asked"),
    [
        (Accepted("HTTP 200", "id"), "sent", None, True, 1),
        (Deferred("HTTP 503"), "waiting", None, True, 1),
        (Throttled("HTTP 429"), "waiting", "throttled", False, 1),
        (Refused("HTTP 400"), "failed", None, True, 1),
        (RenderRefused("no_address", "no address"), "failed", "no_address", False, 0),
        (TryLater("Postgres is away"), "waiting", None, False, 0),
        (ValueError("a defect"), "waiting", None, True, 1),
    ],
)
async def test_each_answer_is_settled_once(answer: Any, state: str, reason: Any, tried: bool, asked: int) -> None:
    told, provider, _ = await carried_out(Work(GOOD, 0, NOW), answer)
    (settlement,) = told.settlements
    assert (settlement.state, settlement.reason, settlement.tried) == (state, reason, tried)
    assert (provider.asked, told.paused) == (asked, [])


@pytest.mark.parametrize(("asked", "least", "most"), [(None, 0, 0), (0.0, 0, 0), (30.0, 25, 30), (1e9, 3000, 3600)])
async def test_one_that_takes_a_message_and_then_no_other_is_let_alone(
    asked: float | None, least: float, most: float
) -> None:
    told, _, attempts = await carried_out(Work(GOOD, 0, NOW), Accepted("HTTP 200", retry_after=asked))
    assert [one.state for one in told.settlements] == ["sent"]
    assert least <= attempts._turns.paces.until_next(HOST) <= most


class Accounts:
    """The accounts of a process, of which the one in use is changed while a refusal of it is noted."""

    def __init__(self, *changed: int) -> None:
        self.changed, self.held, self.released = list(changed), list[str](), list[Any]()
        self.book = AccountBook()

    def is_shared(self, _: Destination) -> bool:
        return False

    async def hold(self, _: Any, why: str) -> bool:
        self.held.append(why)
        return True

    def changed_at(self, _: Any) -> int:
        return self.changed[0]

    async def release_changed_since(self, _: Any, since: int) -> None:
        if self.changed[-1] != since:
            self.released.append(since)


@pytest.mark.parametrize("at", ["render", "send"])
async def test_an_account_that_is_held_holds_its_delivery_without_an_attempt(at: str) -> None:
    accounts, held = Accounts(1), AccountHeld("account email/main is paused")
    told, provider, attempts = await carried_out(Work(GOOD, 0, NOW), held, accounts=accounts, at_render=at == "render")
    (settlement,) = told.settlements
    assert (settlement.state, settlement.reason, settlement.tried) == ("waiting", "paused", False)
    assert (provider.asked, accounts.held, told.paused) == (int(at == "send"), [str(held)], [])
    assert attempts._turns.paces.taken_by(HOST) == 0


@pytest.mark.parametrize(("changed", "released"), [((1,), []), ((1, 2), [1])])
async def test_a_refusal_that_is_noted_after_its_account_was_changed_pauses_no_longer(
    changed: tuple[int, ...], released: list[int]
) -> None:
    accounts = Accounts(*changed)
    told, _, _ = await carried_out(Work(GOOD, 0, NOW), Blocked("535"), accounts=accounts)
    assert (told.paused, accounts.released) == ([(HOST, "refused", "535")], released)


@pytest.mark.parametrize(
    ("answer", "state", "kind"),
    [(Blocked("HTTP 401"), "waiting", "refused"), (Gone("HTTP 410"), "failed", "gone")],
)
async def test_what_pauses_is_paused_at_once_and_in_the_ledger(answer: Any, state: str, kind: HoldKind) -> None:
    told, _, attempts = await carried_out(Work(GOOD, 0, NOW), answer)
    assert [one.state for one in told.settlements] == [state]
    assert told.paused == [(HOST, kind, answer.detail)]
    assert attempts._turns.capacity.paused == {HOST}


async def test_what_is_paused_or_expired_is_not_asked_about() -> None:
    told, provider, _ = await carried_out(Work(GOOD, 0, NOW), Accepted(""), is_paused=True)
    assert ([one.reason for one in told.settlements], provider.asked) == (["paused"], 0)
    expiring = Work(msgspec.structs.replace(GOOD, expires_at=NOW), 0, NOW, expires=time.monotonic() - 1)
    told, provider, _ = await carried_out(expiring, Accepted(""))
    assert ([one.reason for one in told.settlements], provider.asked) == (["expired"], 0)


@pytest.mark.parametrize(
    ("kind", "pauses", "taken", "state", "reason", "paused"),
    [
        (Deferred, True, False, "waiting", "paused", 1),
        (Deferred, True, True, "failed", None, 0),
        (Deferred, False, False, "failed", None, 0),
        (Unreached, False, False, "waiting", "paused", 1),
        (Unreached, False, True, "failed", None, 0),
    ],
)
async def test_attempts_that_are_used_up_pause_a_destination_that_took_nothing_else(
    kind: type[Deferred], pauses: bool, taken: bool, state: str, reason: str | None, paused: int
) -> None:
    policy = Policy(timedelta(seconds=1), (timedelta(minutes=1),), pauses=pauses)
    told, provider, attempts = await carried_out(
        Work(GOOD, 0, NOW), Accepted("HTTP 200") if taken else kind("HTTP 503"), policy=policy
    )
    provider.answer = kind("HTTP 503")
    attempts.start(Work(GOOD, 1, NOW))
    async with asyncio.timeout(60):
        while attempts.held:
            await asyncio.sleep(0)
    last = told.settlements[-1]
    assert (last.state, last.reason, last.tried, last.wait) == (state, reason, True, None)
    assert "retries exhausted after 2 attempts: HTTP 503" in last.detail
    assert len(told.paused) == paused


async def test_what_is_no_longer_ours_is_left_to_whoever_has_it_and_its_turn_is_free() -> None:
    told, provider, attempts = await carried_out(Work(GOOD, 0, NOW), Accepted(""), is_ours=False)
    assert (told.settlements, provider.asked, attempts._turns.paces.taken_by(HOST)) == ([], 0, 0)


@pytest.mark.parametrize(("after", "state", "asked"), [(0.0, "failed", 0), (3600.0, "sent", 1)])
async def test_what_waited_in_memory_is_held_beside_the_list_again(
    monkeypatch: pytest.MonkeyPatch, after: float, state: str, asked: int
) -> None:
    monkeypatch.setattr("agents.roles.sender.attempts.ASKED_AGAIN_AFTER", after)
    listed = {GOOD.delivery_id: Stop("suppressed", "its address is suppressed")}
    told, provider, _ = await carried_out(Work(GOOD, 0, NOW), Accepted(""), stopped=listed)
    assert ([one.state for one in told.settlements], provider.asked) == ([state], asked)


@pytest.mark.parametrize(("missed", "state", "asked"), [(False, "sent", 1), (True, "waiting", 0)])
async def test_a_turn_that_is_over_once_the_list_was_looked_at_is_not_used(
    monkeypatch: pytest.MonkeyPatch, missed: bool, state: str, asked: int
) -> None:
    monkeypatch.setattr("agents.roles.sender.attempts.ASKED_AGAIN_AFTER", 0.0)
    monkeypatch.setattr(Paces, "is_missed", lambda *_: missed)
    told, provider, _ = await carried_out(Work(GOOD, 0, NOW), Accepted(""))
    assert ([(one.state, one.tried) for one in told.settlements], provider.asked) == ([(state, not missed)], asked)


class Open(Breakers):
    """One breaker that is open, and has been for so many seconds."""

    def __init__(self, *, has_probe: bool, for_seconds: float = 0.0) -> None:
        super().__init__()
        self._open, self._has_probe, self._for_seconds = {HOST: "HTTP 503"}, has_probe, for_seconds
        self.answers: list[Any] = []

    def capacity(self, destination: Destination, most: int) -> int:
        return int(self._has_probe)

    def leave(self, destination: Destination, delivery_id: str) -> bool:
        return self._has_probe

    def heard(self, destination: Destination, delivery_id: str, receipt: Any) -> None:
        self.answers.append(receipt)

    def is_gone(self, destination: Destination, attempts_take: float) -> bool:
        return self._for_seconds >= attempts_take


async def test_what_is_for_a_destination_that_fails_waits_without_an_attempt() -> None:
    told, provider, attempts = await carried_out(Work(GOOD, 0, NOW), Accepted(""), breakers=Open(has_probe=False))
    (settlement,) = told.settlements
    assert (settlement.reason, settlement.tried, settlement.wait, provider.asked) == ("breaker_open", False, None, 0)
    assert attempts._turns.paces.taken_by(HOST) == 0


@pytest.mark.parametrize(("for_seconds", "pauses", "paused"), [(59.0, True, 0), (60.0, True, 1), (60.0, False, 0)])
async def test_a_probe_has_the_last_word_of_a_destination_that_took_nothing_for_as_long_as_attempts_take(
    for_seconds: float, pauses: bool, paused: int
) -> None:
    policy = Policy(timedelta(seconds=1), (timedelta(minutes=1),), pauses=pauses)
    breakers = Open(has_probe=True, for_seconds=for_seconds)
    told, _, _ = await carried_out(Work(GOOD, 0, NOW), Deferred("HTTP 503"), policy=policy, breakers=breakers)
    (settlement,) = told.settlements
    assert (settlement.state, settlement.tried, len(told.paused)) == ("waiting", True, paused)
    assert breakers.answers == [Deferred("HTTP 503")]


async def test_a_probe_that_expired_meanwhile_ends_and_leaves_the_probe_to_another() -> None:
    expiring = Work(msgspec.structs.replace(GOOD, expires_at=NOW), 0, NOW, expires=time.monotonic() - 1)
    breakers = Open(has_probe=True)
    told, provider, _ = await carried_out(expiring, Accepted(""), breakers=breakers)
    assert ([one.reason for one in told.settlements], provider.asked) == (["expired"], 0)
    assert breakers.answers == [None]


async def test_a_turn_is_given_back_where_the_list_cannot_be_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.roles.sender.attempts.ASKED_AGAIN_AFTER", 0.0)
    breakers = Open(has_probe=True)
    told, provider, _ = await carried_out(
        Work(GOOD, 0, NOW), Accepted(""), stopped=TryLater("Postgres is away"), breakers=breakers
    )
    assert ([one.state for one in told.settlements], provider.asked) == (["waiting"], 0)
    assert breakers.answers == [None]
