"""A recorded stretch of events, matched in simulated time: what would be sent when, what would wait, and why not.

Matchers' own functions decide, with the rows that they would keep held in memory from event to event; what is due is
released at its moment. Profiles are those of the simulation's begin. Nothing is written, and nobody is asked.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from itertools import count

import msgspec

from agents.roles.matcher.source import Source, waits_as
from console.control.known_memberships import KnownMemberships, MembershipRows
from console.control.preview.messages import sample_event
from console.control.recording import Recorded, Recording
from console.control.simulated_digests import SimulatedDigests
from schemas.decision import Check, Decision
from schemas.delivery import DistributionRef, EventRef
from schemas.distribution import Distribution
from schemas.hold import Hold
from schemas.record import JsonObject
from streams.event_context import EventContext
from streams.index.rules import RuleIndex
from streams.match import match_due, match_event
from streams.outcome import Matched
from streams.recent import with_sent
from streams.selection import is_selected
from streams.waiting import ended_by, with_changes

MOST_ROUNDS = 1000
"""Times that one send may be held again."""
_LONGEST_CAP = int(timedelta(days=400).total_seconds())
"""Everything that may count for a cap is kept."""


@dataclass(frozen=True, slots=True)
class Step:
    """A decision at a moment of simulated time. `round` is 0 for that about the event itself.

    `code_of` is the campaign whose code it would be sent with, `place` where the event stands in the recording.
    """

    at: datetime
    place: str
    round: int
    decision: Decision
    code_of: str | None = None

    @property
    def fate(self) -> tuple[str, str]:
        """The event and the distribution that it is about."""
        return self.decision.event.id, self.decision.distribution.id


Reasons = Mapping[tuple[str, str, str], int]
"""Number of decisions by distribution, outcome and reason (empty for what is sent)."""


@dataclass(frozen=True, slots=True)
class Simulation:
    """Everything that would happen, in the order of time, and what still waits at its end: of paused distributions."""

    steps: tuple[Step, ...]
    events: int

    @property
    def totals(self) -> Reasons:
        """The number of times that each outcome came about, by reason."""
        return Counter(
            (step.decision.distribution.id, step.decision.outcome, step.decision.reason or "") for step in self.steps
        )

    @property
    def ends(self) -> dict[tuple[str, str], tuple[Step, ...]]:
        """The last decision of each event and distribution, for each of its channels."""
        last: dict[tuple[str, str], dict[str, Step]] = {}
        for step in self.steps:
            steps = last.setdefault(step.fate, {})
            if step.decision.channel is not None:
                steps.pop("", None)  # the whole waited, and its messages came of it
            steps[step.decision.channel or ""] = step
        return {fate: tuple(steps.values()) for fate, steps in last.items()}


@dataclass(frozen=True, slots=True)
class Difference:
    """An event that comes out otherwise for a distribution: its last decisions in both, in words."""

    event: str
    customer: str
    distribution: str
    before: tuple[str, ...]
    after: tuple[str, ...]


def simulate_over_time(
    recording: Recording,
    rules: Iterable[Distribution],
    rows: Mapping[str, bytes],
    zone: tzinfo = UTC,
    *,
    memberships: KnownMemberships | None = None,
    now: datetime | None = None,
) -> Simulation:
    """Match all events, each at its own time, and release what waits when it is due. `rows`: profiles by customer.

    `memberships`: which segments they are in at its begin.

    `now`: the moment at which all events come, where it is not that of each.
    """
    index = RuleIndex(zone)
    for rule in rules:
        index.insert(rule)
    timeline = _Timeline(index, rows, MembershipRows(memberships or KnownMemberships()))
    for event in recording.events:
        comes = now or event.head.created_at
        timeline.until(comes)
        timeline.event(event, comes)
    timeline.until(None)
    return Simulation(tuple(timeline.steps), len(recording.events))


def as_applied(drafts: Iterable[Distribution], live: Iterable[Distribution]) -> list[Distribution]:
    """Those that there are once drafts are applied: each in the place of its namesake, all others as they are."""
    return list({one.id: one for one in (*live, *drafts)}.values())


def samples_for(
    rules: Iterable[Distribution], project_id: str, customer: str, row: bytes | None, now: datetime
) -> list[JsonObject]:
    """A sample of what each distribution is about, of one customer and this moment."""
    profile: JsonObject = msgspec.json.decode(row) if row else {"id": customer}
    found = []
    for number, rule in enumerate(rule for rule in rules if rule.status == "LIVE"):
        sample = sample_event(rule, project_id, profile)
        found.append({**sample, "id": f"ev_sample_{number}", "created_at": now.isoformat()})
    return found


def begun_at(recording: Recording, moment: datetime) -> Recording:
    """The same, as if its first event happened at a moment, and all others as long after it as they did."""
    if not recording.events:
        return recording
    by = moment - recording.events[0].head.created_at
    return Recording(tuple(one.later(by) for one in recording.events), recording.wrong)


def of_customer(recording: Recording, customer: str) -> Recording:
    """The events about one customer."""
    events = tuple(one for one in recording.events if one.head.customer_id == customer)
    return Recording(events, recording.wrong)


def differences(before: Simulation, after: Simulation) -> list[Difference]:
    """Every event and distribution that the two do not agree about."""
    old, new = _fates(before), _fates(after)
    found = []
    for fate in dict.fromkeys((*old, *new)):
        words = old.get(fate, ((), "")), new.get(fate, ((), ""))
        if words[0][0] != words[1][0]:
            found.append(Difference(fate[0], words[0][1] or words[1][1], fate[1], words[0][0], words[1][0]))
    return found


def outcome_words(decision: Decision) -> str:
    """`email: emitted`, `skipped, consent`, `deferred until …, delayed`."""
    channel = f"{decision.channel}: " if decision.channel else ""
    until = f" until {decision.until:%Y-%m-%d %H:%M:%SZ}" if decision.until else ""
    return f"{channel}{decision.outcome}{until}{f', {decision.reason}' if decision.reason else ''}"


def _fates(simulation: Simulation) -> dict[tuple[str, str], tuple[tuple[str, ...], str]]:
    """The decisions at the end of each event and distribution, with their moments where something is sent."""
    return {
        fate: (tuple(sorted(map(_at_the_end, steps))), steps[0].decision.customer_id)
        for fate, steps in simulation.ends.items()
    }


def _at_the_end(step: Step) -> str:
    sent = f" at {step.at:%Y-%m-%d %H:%M:%SZ}" if step.decision.outcome == "emitted" else ""
    return outcome_words(step.decision) + sent


@dataclass(order=True, slots=True)
class _Due:
    at: datetime
    rank: int
    number: int
    hold: Hold = field(compare=False)
    event: Recorded = field(compare=False)


class _Timeline:
    """The rows of customers and what waits, from moment to moment."""

    def __init__(self, index: RuleIndex, rows: Mapping[str, bytes], memberships: MembershipRows) -> None:
        self.steps: list[Step] = []
        self._index, self._rows, self._memberships = index, rows, memberships
        self._recent: dict[str, bytes] = {}
        self._waiting: dict[str, bytes] = {}
        self._due: list[_Due] = []
        self._numbers = count()
        self._digests = SimulatedDigests()

    def event(self, event: Recorded, now: datetime) -> None:
        """Match an event."""
        self._memberships.take(event.head)
        context = self._context(event)
        self._take(match_event(context, self._index, now), (event,), context, now, 0)
        self.steps += [Step(now, event.place, 0, decision) for decision in self._unfit(context, now)]

    def until(self, moment: datetime | None) -> None:
        """Release all that is due up to a moment; everything there is, where none is given."""
        while self._due and (moment is None or self._due[0].at <= moment):
            due = heapq.heappop(self._due)
            hold, events = self._digests.closed(due.hold, due.event)
            context, *gathered = (self._context(one) for one in events)
            ended = ended_by(self._waiting.get(hold.customer_id), waits_as(hold))
            matched = match_due(context, hold, self._index, due.at, ended, gathered=gathered)
            self._take(matched, events, context, due.at, hold.round + 1)

    def _context(self, event: Recorded) -> EventContext:
        customer = event.head.customer_id
        return event.context(self._rows.get(customer), partial(self._recent.get, customer), self._memberships)

    def _take(
        self, matched: Matched, events: Sequence[Recorded], context: EventContext, now: datetime, number: int
    ) -> None:
        customer, by_id = context.head.customer_id, {one.head.id: one for one in events}
        made = [Step(now, by_id[one.event.id].place, number, one) for one in matched.decisions]
        for request in matched.requests:
            place = by_id[request.event.id].place
            made += [Step(now, place, number, draft.decision, request.campaign) for draft in request.drafts]
        self.steps += made
        if matched.sent:
            self._recent[customer] = with_sent(context.recent, matched.sent, _LONGEST_CAP)
        if matched.waiting:
            self._waiting[customer] = with_changes(self._waiting.get(customer), matched.waiting, now)
        source = Source("", None, b"", [], int(now.timestamp() * 1000))
        for waits in matched.holds:
            hold, event = source.hold(waits), by_id[waits.event.id]
            if (
                waits.until.reason != "paused"
                and waits.round < MOST_ROUNDS
                and (at := self._digests.opens(hold, event))
            ):
                at, rank = self._beside(hold, at), -(hold.priority or 0)
                heapq.heappush(self._due, _Due(at, rank, next(self._numbers), hold, event))

    def _beside(self, hold: Hold, at: datetime) -> datetime:
        """The moment of what is gathered: that of the first of its customer's, as holders release them together."""
        if hold.reason != "gathered":
            return at
        others = (
            one.at for one in self._due if (one.hold.reason, one.hold.customer_id) == ("gathered", hold.customer_id)
        )
        return min((at, *others))

    def _unfit(self, context: EventContext, now: datetime) -> Iterator[Decision]:
        """A decision for each distribution that is about the event and does not fit it."""
        head = context.head
        for rule in self._index:
            one = rule.distribution
            if one.status != "LIVE" or (one.project_id, one.trigger.event) != (head.project_id, head.type):
                continue
            answer, checks = rule.guard.explain(context, now) if is_selected(one, head.data) else (True, [])
            if answer is False:
                yield _no_match(one, context, checks, now)


def _no_match(rule: Distribution, context: EventContext, checks: list[Check], now: datetime) -> Decision:
    head = context.head
    failed = next((f"{check.test}: {check.seen}" for check in checks if check.passed is False), "")
    return Decision(
        decision_id="",
        project_id=head.project_id,
        distribution=DistributionRef(id=rule.id, version=rule.version, name=rule.name),
        event=EventRef(id=head.id, type=head.type, created_at=head.created_at),
        customer_id=head.customer_id,
        outcome="skipped",
        reason="no_match",
        detail=failed,
        checks=checks,
        decided_at=now,
    )
