"""Domains: a gate before that of the account, for recipients' domains that want less than the account takes.

What cannot pass soon is put back into the ledger, due by the rate of its domain, so that neither memory nor a slot is
taken from mail to others.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping

import structlog

from agents.roles.sender.pacing import Paces
from agents.roles.sender.slices import Slices
from agents.roles.sender.work import Work
from schemas.destination import Destination
from schemas.limit import Limit
from schemas.receipt import Accepted, DomainThrottled, Gone, Postponed, Receipt, Refused, Throttled
from streams.sending.domains import Said, account_of, comes_back, domain_of, gate_of, whose
from streams.sending.grants import LASTS

log = structlog.get_logger()

_MOST = 200
"""Domains that are slowed down at once; at more, an answer counts for its account."""
_PART = 2
"""Of what is held for an account, one in so many may wait for a turn of its domain."""
_LATE = 1.0
"""Seconds after its domain's turn in which a message may have its account's."""
_COUNTED_FOR, _MOST_COUNTED = 30.0, 10_000
"""Of what each domain takes, for the rate that it begins with: so many seconds and domains."""


class Domains:
    """The pace of each domain at each account, as far as it is held back; shared by all senders like those of accounts.

    `limit_of` is that of a domain as its account says it; `row_of` where an account's limit is shared; `most` are held
    in memory for one.
    """

    def __init__(
        self,
        limit_of: Callable[[Destination], Limit],
        row_of: Callable[[Destination], Destination],
        most: Callable[[], int],
        slices: Slices,
        *,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most, self._ticks = most, ticks
        self.slices = Slices(
            limit_of,
            lambda gate: gate._replace(project_id=row_of(account_of(gate)).project_id),
            is_wanted=slices.is_wanted,
            ticks=ticks,
        )
        self.paces = Paces(self.slices, ticks=ticks)
        self._passed: dict[str, float] = {}
        self._waiting: Counter[Destination] = Counter()
        self._asked: Counter[Destination] = Counter()
        self._booked: dict[Destination, float] = {}
        self._said: dict[Destination, Said] = {}
        self._taken = _Taken(ticks)

    async def put_off(self, work: Work) -> float | None:
        """Wait for a turn of its domain; where that is not soon, the seconds after which it is to come back."""
        gate = self.gate(work)
        if gate is None:
            return None
        account = work.leaves_for
        patience = LASTS if self._waiting[account] * _PART < self._most() else 0.0
        self._asked[gate] += 1
        self._waiting[account] += 1
        try:
            passed = await self.paces.turn(gate, patience)
        finally:
            self._waiting[account] -= 1
        if passed is None:
            return self.later(gate)
        self._passed[work.delivery.delivery_id] = passed
        return None

    def is_missed(self, work: Work) -> bool:
        """True where the turn of its domain is over by now."""
        passed = self._passed.get(work.delivery.delivery_id) if self._passed else None
        return passed is not None and self._ticks() - passed > _LATE

    def heard(self, work: Work, left_at: float, receipt: Receipt | None, asked: float) -> Receipt | None:
        """Take in what came back: the same, as its account is to hear it."""
        domain = domain_of(work.delivery)
        if not domain:
            return receipt
        if isinstance(receipt, DomainThrottled):
            return self._throttled(work, domain, self._passed.pop(work.delivery.delivery_id, left_at), receipt, asked)
        if isinstance(receipt, Accepted | Refused | Gone):
            self._taken.add(work.leaves_for, domain)
        if (gate := self.gate(work)) is None:
            return receipt
        passed = self._passed.pop(work.delivery.delivery_id, None)
        if passed is not None or isinstance(receipt, Accepted | Refused | Gone):
            of_domain = Postponed(receipt.detail) if isinstance(receipt, Throttled) else receipt
            self.paces.heard(gate, left_at if passed is None else passed, of_domain)
        return receipt

    def release(self, work: Work) -> None:
        """It is over; where it has not left, its turn is free."""
        passed = self._passed.pop(work.delivery.delivery_id, None) if self._passed else None
        if passed is not None and (gate := self.gate(work)) is not None:
            self.paces.heard(gate, passed, None)

    def gate(self, work: Work) -> Destination | None:
        """The domain at the account that it leaves for; None where that is not held back."""
        domain = domain_of(work.delivery)
        if not domain:
            return None
        gate = gate_of(work.leaves_for, domain)
        return gate if self.slices.of(gate) is not None else None

    def later(self, gate: Destination) -> float:
        """Seconds after which one that cannot pass is to come back."""
        now = self._ticks()
        opens_at = now + self.paces.until_next(gate)
        wait, self._booked[gate] = comes_back(self._booked.get(gate, 0.0), opens_at, self._gap(gate), now)
        return wait

    def asking(self) -> Mapping[Destination, int]:
        """The messages that came to each gate since this was asked last."""
        asked, self._asked, now = self._asked, Counter(), self._ticks()
        self._booked = {gate: until for gate, until in self._booked.items() if until > now}
        return asked

    def hurry(self, account: Destination) -> None:
        """Try all domains of an account now."""
        for gate in self.slices.users:
            if account_of(gate) == account:
                self.paces.hurry(gate)
                self._booked.pop(gate, None)

    def _gap(self, gate: Destination) -> float:
        one = self.slices.of(gate)
        if one is None or one.gap < math.inf:
            return one.gap if one else 1.0
        return 1.0 / (one.limit.rate.per_second if one.limit.rate else max(1.0, one.measured))

    def _throttled(self, work: Work, domain: str, left_at: float, receipt: DomainThrottled, asked: float) -> Receipt:
        account, now = work.leaves_for, self._ticks()
        said = self._said.get(account, ())
        owner, self._said[account] = whose(domain, said, now, names_it=receipt.names_it)
        gate = gate_of(account, domain)
        is_one_too_many = self.slices.count >= _MOST and self.slices.of(gate) is None
        if owner == "account" or is_one_too_many:
            return Throttled(receipt.detail, receipt.retry_after)
        if self.slices.of(gate) is None:
            self.slices.learn(gate, self._taken.rate(account, domain))
        self.paces.heard(gate, left_at, receipt, asked)
        return Postponed(receipt.detail)


class _Taken:
    """Messages that each domain took lately, for the rate that it bore before it was too much."""

    def __init__(self, ticks: Callable[[], float]) -> None:
        self._ticks = ticks
        self._now: Counter[tuple[Destination, str]] = Counter()
        self._before: Counter[tuple[Destination, str]] = Counter()
        self._since = self._before_since = ticks()

    def add(self, account: Destination, domain: str) -> None:
        """One more."""
        now = self._ticks()
        if now - self._since > _COUNTED_FOR or len(self._now) >= _MOST_COUNTED:
            self._before, self._now = self._now, Counter()
            self._before_since, self._since = self._since, now
        self._now[account, domain] += 1

    def rate(self, account: Destination, domain: str) -> float:
        """Messages a second."""
        both = self._now[account, domain] + self._before[account, domain]
        return both / max(1.0, self._ticks() - self._before_since)
