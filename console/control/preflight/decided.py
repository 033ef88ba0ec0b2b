"""The audience as matchers would decide about it, and what becomes of what has to wait: who gets it, and why not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo

import msgspec

from console.control.preflight.audience import Audience
from console.control.preflight.finding import Finding, FindingKind, found
from console.control.simulation import Step, simulate_over_time
from schemas.decision import Decision
from schemas.distribution import Distribution

_NAMED = 4
"""Reasons that are named, at most."""
_HELD = ("quiet_hours", "capped", "gathered")
_OF_REASON: Mapping[str, tuple[FindingKind, str, str]] = {
    "consent": ("consent_missing", "consent", "have not given it"),
    "rule_error": ("cannot_judge", "when", "cannot be judged"),
    "capped": ("capped", "cap", "are kept from it by a cap"),
    "expired": ("expires_waiting", "expires_after", "have it expire before it is sent"),
}
"""By the reason of a decision: the finding, its key, and what becomes of so many."""

Ends = Mapping[str, Mapping[str, Step]]
"""By event, the last decision of each channel; of the whole where none of a channel came of it."""


@dataclass(frozen=True, slots=True)
class Decided:
    """Everything that was decided. `gets` are the events of those who are sent something, by event and channel."""

    size: int
    ends: Ends
    firsts: Ends

    @property
    def gets(self) -> dict[str, frozenset[str]]:
        """The channels that each one is sent something over, of those who are sent anything."""
        sent = {
            event: frozenset(channel for channel, step in steps.items() if step.decision.outcome == "emitted")
            for event, steps in self.ends.items()
        }
        return {event: channels for event, channels in sent.items() if channels}


def decide(rule: Distribution, audience: Audience, zone: tzinfo, moment: datetime) -> Decided:
    """Decide about everybody, as if it were live."""
    live = msgspec.structs.replace(rule, status="LIVE")
    simulation = simulate_over_time(
        audience.recording, [live], audience.rows, zone, memberships=audience.memberships, now=moment
    )
    ends: dict[str, dict[str, Step]] = {}
    firsts: dict[str, dict[str, Step]] = {}
    for step in simulation.steps:
        event, channel = step.decision.event.id, step.decision.channel or ""
        steps = ends.setdefault(event, {})
        if channel:
            steps.pop("", None)  # the whole waited, and its messages came of it
        steps[channel] = step
        firsts.setdefault(event, {}).setdefault(channel, step)
    return Decided(audience.size, ends, firsts)


def findings(rule: Distribution, decided: Decided) -> Iterator[Finding]:
    """Everything that would keep it from somebody, or from all."""
    gets = decided.gets
    left_out = [steps for event, steps in decided.ends.items() if event not in gets]
    if not gets:
        yield found("nobody_gets_it", _key_of_all(left_out), _why(left_out), count=0, of=decided.size)
    reasons = Counter(reason for steps in left_out for reason in {_reason(step) for step in steps.values()})
    for reason, (kind, at, said) in _OF_REASON.items():
        if number := reasons[reason]:
            detail = _detail(left_out, reason)
            text = f"{number:,} of {decided.size:,} {said}{f': {detail}' if detail else ''}"
            yield found(kind, at, text, count=number, of=decided.size)
    yield from _without_address(rule, decided)
    if gets:
        yield from _waiting(rule, decided, gets)


def _without_address(rule: Distribution, decided: Decided) -> Iterator[Finding]:
    """A finding for each channel of its own that some have no address on."""
    counted = Counter(
        channel
        for steps in decided.ends.values()
        for channel, step in steps.items()
        if channel and _reason(step) == "no_address"
    )
    for channel, number in counted.items():
        at = next((place for place, plan in rule.plans() if plan.channel == channel), "channels")
        text = f"{number:,} of {decided.size:,} cannot be reached over {channel}"
        yield found("address_missing", at, text, count=number, of=decided.size)


def _waiting(rule: Distribution, decided: Decided, gets: Mapping[str, frozenset[str]]) -> Iterator[Finding]:
    """A finding where everybody who gets it has to wait first, for the hours or for a cap."""
    waits = [_first_wait(decided.firsts[event].values()) for event in gets]
    held = [one for one in waits if one is not None]
    if len(held) < len(waits):
        return
    reasons = Counter(str(one.reason) for one in held)
    until = min(one.until for one in held if one.until is not None)
    said = ", ".join(f"{reason} ({number})" for reason, number in reasons.most_common())
    by_cap = set(reasons) <= {"capped", "gathered"}
    key = "cap" if by_cap else "window" if rule.window is not None else ""
    text = f"all of {len(held):,} wait, the first until {until:%Y-%m-%d %H:%M}Z: {said}"
    yield found("all_wait", key, text, count=len(held), of=len(held))


def _first_wait(steps: Iterable[Step]) -> Decision | None:
    """The decision by which a customer's message waits for the hours or a cap; None where one leaves at once."""
    made = [step.decision for step in steps]
    if any(one.outcome == "emitted" for one in made):
        return None
    return next((one for one in made if one.outcome == "deferred" and one.reason in _HELD and one.until), None)


def _key_of_all(left_out: Iterable[Mapping[str, Step]]) -> str:
    """The key that keeps it from everybody, where it is the same for all."""
    reasons = {_reason(step) for steps in left_out for step in steps.values()}
    keys = {
        "no_match": "when",
        "consent": "consent",
        "rule_error": "when",
        "ended": "ends_at",
        "expired": "expires_after",
    }
    return keys.get(next(iter(reasons)), "") if len(reasons) == 1 else ""


def _why(left_out: Iterable[Mapping[str, Step]]) -> str:
    reasons = Counter(_words(steps) for steps in left_out)
    return "; ".join(f"{number:,}: {words}" for words, number in reasons.most_common(_NAMED)) or "nothing was decided"


def _words(steps: Mapping[str, Step]) -> str:
    """The reasons of one customer, without what differs from customer to customer."""
    return ", ".join(dict.fromkeys(f"{channel} {_reason(step)}".strip() for channel, step in steps.items()))


def _detail(left_out: Iterable[Mapping[str, Step]], reason: str) -> str:
    """The first detail of decisions for a reason: no detail holds an address."""
    details = (step.decision.detail for steps in left_out for step in steps.values() if _reason(step) == reason)
    return next((one for one in details if one), "")


def _reason(step: Step) -> str:
    return str(step.decision.reason or step.decision.outcome)
