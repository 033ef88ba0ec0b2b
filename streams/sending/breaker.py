"""The breaker of a destination: open where most of what is sent there comes to nothing; then one at a time asks.

All sender processes share it: each tells what it heard, and one of them holds the probe. A probe has a number and an
end, so that neither a process that died nor an answer that comes late keeps the breaker from asking again. A pace
(`pacing.py`) slows down where a destination says that it is too much: that is an answer, so the two never count the
same thing. A breaker that opens leaves the pace as it is, and a probe waits for its turn like any message. Times are
in seconds, of one clock for all processes.

While it is open a delivery uses up no attempts but as the probe, so among many none would ever come to its last one.
The destination is paused all the same: it took nothing for as long as the attempts of one delivery take in all, which
`is_gone` tells, and the probe that finds it so has the last word, as a delivery's last attempt has where the breaker
never opened (too few are sent there). Where a channel's retries pause nothing, the probes go on, and a delivery fails
once it has been as many of them as it has attempts. What waits longer than it is valid ends where it would be the
probe, without being one.
"""

from __future__ import annotations

from typing import Literal, assert_never

import msgspec
from msgspec.structs import replace

from schemas.receipt import (
    Accepted,
    Blocked,
    Deferred,
    Gone,
    Postponed,
    Receipt,
    Refused,
    Throttled,
    Unanswered,
)

Answer = Literal["took", "spoke", "failed"]
"""`spoke`: it answers, and what it said says nothing of its health."""

WINDOW = 60.0
"""Seconds that count, in two halves of which the older one goes as a whole: the last 30 to 60."""
LEAST = 8
"""Fewer answers than this say nothing. Four connections that each time out after 30 s make as many in the window."""
SHARE = 0.5
NOTHING_KEPT = "{}"
HEARD_FROM_ALL = 2.5
"""Seconds after the first failure within which every process has told what it hears of the same destination."""
FIRST_WAIT, LONGEST_WAIT = 5.0, 300.0
WELL_AFTER = 600.0
"""Seconds that it has to be closed: until then it opens for longer each time, and its owner is not told again."""
FORGOTTEN_AFTER = 2 * 86_400.0
"""Seconds without a word, after which nothing waits for an open one: longer than any two attempts are apart."""


def answer_of(receipt: Receipt) -> Answer:
    """The health of a destination as a receipt tells it, whatever that says of the message."""
    match receipt:
        case Accepted() | Refused() | Gone():
            return "took"
        case Postponed() | Throttled() | Blocked():
            return "spoke"
        case Deferred() | Unanswered():
            return "failed"
        case _:
            assert_never(receipt)


class Report(msgspec.Struct, frozen=True):
    """Answers that a process heard since it reported last. `answer` is that of the probe of number `probe`.

    `lease`: it asks for the probe for so many seconds; 0 where it does not. `why` is the last failure in words.
    """

    took: int = 0
    failed: int = 0
    why: str = ""
    probe: int = 0
    answer: Answer | None = None
    lease: float = 0.0
    is_hurried: bool = False


class Breaker(msgspec.Struct, frozen=True, omit_defaults=True):
    """The state of one destination. `opened_at` is since when it is open without having closed, None where it is not.

    `took` and `failed` are counted since `since`, `took_before` and `failed_before` in the half before. `level` is how
    often its wait has grown. The probe of number `probe` belongs to `owner` until `until`; nobody has it without one.
    """

    since: float
    noted_at: float
    took: int = 0
    failed: int = 0
    took_before: int = 0
    failed_before: int = 0
    opened_at: float | None = None
    closed_at: float = 0.0
    level: int = 0
    next_at: float = 0.0
    probe: int = 0
    owner: str = ""
    until: float = 0.0

    @classmethod
    def new(cls, now: float) -> Breaker:
        """The breaker of a destination that has just failed for the first time."""
        return cls(since=now, noted_at=now, closed_at=now)

    @property
    def is_open(self) -> bool:
        """True where nothing but a probe may be sent."""
        return self.opened_at is not None

    @classmethod
    def read(cls, state: str, now: float) -> Breaker:
        """The breaker that is kept as JSON; a new one where nothing is, or what another release understands."""
        if state == NOTHING_KEPT:
            return cls.new(now)
        try:
            return msgspec.json.decode(state, type=cls)
        except msgspec.DecodeError:
            return cls.new(now)

    @property
    def written(self) -> str:
        """The same as JSON."""
        return msgspec.json.encode(self).decode()

    def reported(self, report: Report, owner: str, now: float) -> Breaker:
        """Take in a report of the process `owner`."""
        told = self if report.answer is None else self.answered(report.probe, report.answer, now)
        told = told.noted(report.took, report.failed, now)
        told = told.hurried(now) if report.is_hurried else told
        return told.asked(owner, now, report.lease) if report.lease else told

    def noted(self, took: int, failed: int, now: float) -> Breaker:
        """Take in what a process heard since it told last, of messages that were no probes."""
        counted = self
        if took or failed:
            rolled = self._rolled(now)
            counted = replace(rolled, took=rolled.took + took, failed=rolled.failed + failed, noted_at=now)
        return counted._opened(now) if counted._is_failing(now) else counted

    def asked(self, owner: str, now: float, lease: float) -> Breaker:
        """Let `owner` have the probe for so long, where it is free and due, or is the owner's and not under way."""
        if self.opened_at is None:
            return self
        if self.owner == owner and now < self.until:
            return replace(self, until=now + lease)
        if now < self.next_at or now < self.until:
            return self
        return replace(self, probe=self.probe + 1, owner=owner, until=now + lease)

    def answered(self, probe: int, answer: Answer, now: float) -> Breaker:
        """Take in what came of the probe of that number; another's answer is too old to count."""
        if self.opened_at is None or probe != self.probe or not self.owner:
            return self
        match answer:
            case "took" | "spoke":
                return replace(
                    self, opened_at=None, closed_at=now, noted_at=now, since=now, took=0, failed=0, took_before=0,
                    failed_before=0, owner="", until=0.0,
                )  # fmt: skip
            case "failed":
                return replace(self, noted_at=now, owner="", until=0.0)._waiting(now)
            case _:
                assert_never(answer)

    def hurried(self, now: float) -> Breaker:
        """Somebody wants it asked now."""
        return replace(self, next_at=min(self.next_at, now))

    def holds(self, owner: str, now: float) -> bool:
        """True where the probe is `owner`'s."""
        return self.is_open and self.owner == owner and now < self.until

    def may_ask(self, now: float) -> bool:
        """True where the probe is due and nobody's."""
        return self.is_open and now >= max(self.next_at, self.until)

    def is_well(self, now: float) -> bool:
        """True where it has been closed for long enough to be told of anew, and to begin with a short wait."""
        return self.opened_at is None and (not self.level or now - self.closed_at >= WELL_AFTER)

    def is_over(self, now: float) -> bool:
        """True where nothing is left to remember."""
        silent = now - self.noted_at
        return silent >= (FORGOTTEN_AFTER if self.is_open else WINDOW) and (self.is_open or self.is_well(now))

    def has_to_be_judged(self, now: float) -> bool:
        """True where time alone has made another one of it."""
        return self.is_over(now) or self._is_failing(now)

    def is_gone(self, now: float, attempts_take: float) -> bool:
        """True where it took nothing for as long as all attempts of one delivery take."""
        return self.opened_at is not None and now - self.opened_at >= attempts_take

    def _is_failing(self, now: float) -> bool:
        failed = self.failed + self.failed_before
        heard = failed + self.took + self.took_before
        is_known_to_all = now - min(self.since, self.closed_at) >= HEARD_FROM_ALL
        return self.opened_at is None and is_known_to_all and heard >= LEAST and failed >= SHARE * heard

    def _opened(self, now: float) -> Breaker:
        level = 0 if self.is_well(now) else self.level
        return replace(
            self, opened_at=now, level=level, took=0, failed=0, took_before=0, failed_before=0, since=now
        )._waiting(now)

    def _waiting(self, now: float) -> Breaker:
        wait = min(FIRST_WAIT * 2.0 ** min(self.level, 10), LONGEST_WAIT)
        return replace(self, next_at=now + wait, level=self.level + 1)

    def _rolled(self, now: float) -> Breaker:
        half = WINDOW / 2
        if now - self.since < half:
            return self
        is_recent = now - self.since < WINDOW
        before = (self.took, self.failed) if is_recent else (0, 0)
        return replace(self, since=now, took=0, failed=0, took_before=before[0], failed_before=before[1])
