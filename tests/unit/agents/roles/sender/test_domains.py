"""The gate of recipients' domains in one process."""

from __future__ import annotations

from itertools import pairwise

import pytest
from msgspec.structs import replace

from agents.roles.sender import domains as module
from agents.roles.sender.domains import Domains
from agents.roles.sender.slices import Slices
from agents.roles.sender.work import Work
from schemas.destination import Destination
from schemas.limit import NO_LIMIT, Limit, Rate
from schemas.receipt import Accepted, DomainThrottled, Postponed, Throttled
from streams.sending.exchange import Answer
from streams.sending.grants import Grant
from tests.factory import NOW, delivery

MAIN = Destination("shop", "email", "main")
SLOW = DomainThrottled("451 4.7.0 slow down")
TOOK = Accepted("250 ok")
LIMITS = {MAIN._replace(name="main@limited.example"): Limit(Rate(4, 1.0))}


class Ticks:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


@pytest.fixture
def domains(ticks: Ticks) -> Domains:
    return Domains(lambda one: LIMITS.get(one, NO_LIMIT), lambda one: one, lambda: 8, Slices(ticks=ticks), ticks=ticks)


def mail(domain: str, number: int = 0, account: str = "main") -> Work:
    made = delivery("email")
    email = replace(made.email, to=f"c{number}@{domain}")
    made = replace(made, delivery_id=f"{domain}_{number}", project_id="shop", account=account, email=email)
    return Work(made, 0, NOW)


def paced(domains: Domains, ticks: Ticks, domain: str, rate: float) -> None:
    """The domain is open again at a rate, and has no turn now."""
    one = domains.slices.of(MAIN._replace(name=f"main@{domain}"))
    assert one is not None
    report = one.report("a", 0, 0, ticks.now)
    one.take_in(report, Answer(Grant((), 0, None, rate, 1)), ticks.now, lambda moment: moment)


async def test_only_the_domain_that_was_too_much_is_put_off_and_only_at_its_account(domains: Domains) -> None:
    assert domains.heard(mail("gmail.com"), 1000.0, SLOW, 30.0) == Postponed(SLOW.detail)
    later = await domains.put_off(mail("gmail.com", 1))
    assert later is not None
    assert later >= 30.0
    assert await domains.put_off(mail("gmx.de")) is None
    assert await domains.put_off(mail("gmail.com", account="other")) is None


async def test_each_that_is_put_back_comes_behind_the_one_before(domains: Domains, ticks: Ticks) -> None:
    domains.heard(mail("gmail.com"), 1000.0, SLOW, 0.0)
    ticks.now += 10
    paced(domains, ticks, "gmail.com", 40.0)
    waits = [domains.later(MAIN._replace(name="main@gmail.com")) for _ in range(100)]
    assert all(later - before == pytest.approx(1 / (40.0 * 0.97 * 1.5)) for before, later in pairwise(waits))


def test_a_domain_begins_at_what_it_took(domains: Domains, ticks: Ticks) -> None:
    for number in range(400):
        domains.heard(mail("gmail.com", number), ticks.now, TOOK, 0.0)
        ticks.now += 0.05
    domains.heard(mail("gmail.com", 400), ticks.now, SLOW, 0.0)
    one = domains.slices.of(MAIN._replace(name="main@gmail.com"))
    assert one is not None
    assert one.measured == pytest.approx(20.0, rel=0.01)


def test_three_domains_together_are_the_accounts_and_so_are_domains_beyond_the_bound(
    domains: Domains, ticks: Ticks, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = [domains.heard(mail(name), 1000.0, SLOW, 0.0) for name in ("a.example", "b.example", "c.example")]
    assert heard == [Postponed(SLOW.detail), Postponed(SLOW.detail), Throttled(SLOW.detail)]
    monkeypatch.setattr(module, "_MOST", 2)
    ticks.now += 100
    named = DomainThrottled("451 4.7.0 not to d.example", names_it=True)
    assert domains.heard(mail("d.example"), ticks.now, named, 0.0) == Throttled(named.detail)


def test_a_hurry_of_the_account_opens_all_its_domains(domains: Domains) -> None:
    gate = MAIN._replace(name="main@gmail.com")
    domains.heard(mail("gmail.com"), 1000.0, SLOW, 300.0)
    domains.hurry(MAIN._replace(name="other"))
    assert domains.paces.until_next(gate) == 300.0
    domains.hurry(MAIN)
    assert domains.paces.until_next(gate) == 0.0


async def test_what_has_its_domains_turn_and_waits_for_long_has_it_no_more(domains: Domains, ticks: Ticks) -> None:
    domains.heard(mail("gmail.com"), 1000.0, SLOW, 0.0)
    ticks.now += 100
    work = mail("gmail.com", 1)
    assert await domains.put_off(work) is None
    assert not domains.is_missed(work)
    ticks.now += 2
    assert domains.is_missed(work)
    domains.release(work)
    assert not domains.is_missed(work)


async def test_a_limit_that_is_written_down_is_kept_before_anything_is_too_much(domains: Domains, ticks: Ticks) -> None:
    gate = MAIN._replace(name="main@limited.example")
    assert domains.gate(mail("limited.example")) == gate
    assert domains.gate(mail("limited.example", account="other")) is None
    one = domains.slices.of(gate)
    assert one is not None
    at = tuple(ticks.now + 0.01 * number for number in range(2))
    report = one.report("a", 0, 0, ticks.now)
    one.take_in(report, Answer(Grant(at, 2, None, 4.0, 1)), ticks.now, lambda moment: moment)
    assert await domains.put_off(mail("limited.example", 1)) is None
    waiting = [domains.later(gate) for _ in range(20)]
    assert waiting == sorted(waiting)
