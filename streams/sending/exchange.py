"""All that senders share of one destination: each reports once a second, and is answered.

One row a destination holds it. It is read, judged here and written in one transaction, one sender after the other.
Times are seconds of the database's clock.
"""

from __future__ import annotations

import msgspec

from schemas.limit import NO_LIMIT, Limit
from streams.sending.grants import Grant, Schedule, Wish, granted
from streams.sending.learned import Heard, Learned, learned


class Shared(msgspec.Struct, frozen=True, omit_defaults=True):
    """The state of one destination. `closed_until`: it asked not to be asked before.

    Fields have defaults: a row may have been written by a release that did not know them.
    """

    schedule: Schedule = Schedule()
    learned: Learned = Learned()
    closed_until: float = 0.0

    @classmethod
    def read(cls, text: str) -> Shared:
        """The state as it was written; that of a release which writes it in another way is begun anew."""
        try:
            return msgspec.json.decode(text, type=cls)
        except msgspec.DecodeError:
            return cls()

    @property
    def written(self) -> str:
        """The same as text."""
        return msgspec.json.encode(self).decode()


class Report(msgspec.Struct, frozen=True):
    """The words of a sender on a destination: how much waits with it, and what came back since it reported last.

    `closed_for`: seconds for which the destination wants not to be asked, from now. `measured`: messages a second that
    it took until it said so. `is_hurried`: somebody wants it tried now, whatever it said.
    """

    owner: str
    wanted: int
    in_flight: int = 0
    limit: Limit = NO_LIMIT
    accepted: int = 0
    throttled: int = 0
    closed_for: float = 0.0
    measured: float = 0.0
    is_hurried: bool = False


class Answer(msgspec.Struct, frozen=True):
    """The answer: its turns and connections, and until when the destination is closed."""

    grant: Grant
    closed_until: float = 0.0


def exchanged(shared: Shared, report: Report, now: float) -> tuple[Shared, Answer]:
    """The state after a report, and the answer to it."""
    closed_until = 0.0 if report.is_hurried else shared.closed_until
    if report.closed_for > 0:
        closed_until = max(closed_until, now + report.closed_for)
    limit = report.limit.rate.per_second if report.limit.rate else None
    heard = Heard(report.accepted, report.throttled, report.measured)
    known = Learned() if report.is_hurried else learned(shared.learned, heard, now, limit)
    rate = min(limit or known.rate, known.rate or limit or 0.0) or None
    wish = Wish(report.owner, report.wanted, report.in_flight, rate, report.limit.concurrency)
    schedule, grant = granted(shared.schedule, wish, now)
    return Shared(schedule, known, closed_until), Answer(grant, closed_until)
