"""A simulation and a story as people read them, and a story as JSON."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from rich.markup import escape

from console.cli.terminal import show_text, text
from console.control.explain import DeliveryStory, RecordedEnd, Simulated, Story
from console.control.left_with_us import choice_words
from console.control.refused_records import RefusedRecord
from schemas.decision import Check, Decision
from store.send_rows import SendRow
from streams import selection
from streams.match import Explained

_MARKS = {True: "[green]✓[/green]", False: "[red]✗[/red]", None: "[yellow]![/yellow]"}
_WIDTH = 52


def show_simulation(simulated: Simulated) -> None:
    """The whole decision about an event, distribution by distribution."""
    event = simulated.event
    show_text(f"[bold]{escape(event.type)}[/bold]  {event.id}  customer {escape(event.customer_id)}")
    if not simulated.outcomes:
        show_text("  no distribution reacts to this type")
    for one in simulated.outcomes:
        show_text(
            f"\n[bold]{escape(one.distribution.id)}[/bold] v{one.distribution.version}  {_verdict(one, simulated.left)}"
        )
        for check in one.checks:
            show_check(check)
        for decision in (*one.decisions, *(draft.decision for asked in one.requests for draft in asked.drafts)):
            show_decision(decision)


def _verdict(one: Explained, left: Collection[str]) -> str:
    if not one.selected:
        return f"selects another: {selection.in_words(one.distribution.trigger)}"
    if one.failure:
        return f"rule_error: {escape(one.failure)}"
    if not one.answer:
        return "does not match"
    if one.distribution.id in left and (one.requests or one.deliveries):
        return "would not send: the customer has left with us"
    for asked in one.requests:
        return f"would send with a code of {escape(asked.campaign)}; where none is left: {asked.when_empty}"
    return "would send" if one.deliveries else "would not send"


def show_check(check: Check) -> None:
    """A test with what it saw."""
    gap = " " * max(1, _WIDTH - len(check.test))
    show_text(f"  {_MARKS[check.passed]} {escape(check.test)}{gap}{escape(check.seen)}")


def show_decision(decision: Decision) -> None:
    """A decision: sent, or until when not, or why not."""
    channel = (decision.channel or "all channels") + (f", arm {escape(decision.arm)}" if decision.arm else "")
    if decision.outcome == "emitted":
        show_text(f"  → {channel}: {decision.outcome}, delivery {decision.delivery_id}")
    else:
        until = f" until {text(decision.until)}" if decision.until else ""
        show_text(f"  → {channel}: {decision.outcome}{until}, {decision.reason}: {escape(decision.detail or '')}")


def show_story(story: Story) -> None:
    """Each event with the decisions about it, and what became of its deliveries."""
    for letter in story.dead_letters:
        _show_refused(letter)
    for one in story.unjudged:
        show_text(f"\nsegment {escape(one.segment_id)} cannot judge this customer: {escape(one.reason)}")
    for choice in story.choices:
        show_text(f"\nchosen with us, {escape(choice_words(choice))}")
    deliveries = {one.delivery_id: one for one in story.deliveries}
    by_hand, ends = {one.send_id: one for one in story.sends}, dict[str, list[RecordedEnd]]()
    for end in story.ends:
        ends.setdefault(end.delivery_id, []).append(end)
    sends: dict[tuple[str, str], list[Decision]] = {}
    for decision in story.decisions:  # what waited is decided again later, with others in between
        sends.setdefault((decision.event.id, decision.distribution.id), []).append(decision)
    for decisions in sends.values():
        _show_send(decisions, deliveries, ends, by_hand.get(decisions[0].event.send_id or ""))
    for rest in deliveries.values():
        show_text(f"\n{text(rest.created_at)}  {rest.channel}  {rest.distribution_id}  delivery {rest.delivery_id}")
        _show_delivery(rest)
    for identity, known in ends.items():
        show_text(f"\ndelivery {identity}")
        _show_ends(known)


def _show_send(
    decisions: Sequence[Decision],
    deliveries: dict[str, DeliveryStory],
    ends: dict[str, list[RecordedEnd]],
    by_hand: SendRow | None = None,
) -> None:
    """An event and a distribution: each decision about them, those after a wait with their moments."""
    _show_heading(decisions[0])
    if by_hand is not None:
        to = f"segment {by_hand.to.segment}" if by_hand.to.segment else "a list"
        what = f"backfill {by_hand.send_id} of" if by_hand.backfill else f"{by_hand.send_id} to"
        said = f"  {what} {to}, by {by_hand.created_by} at {text(by_hand.created_at)}, {by_hand.status}"
        show_text(escape(said))
    has_waited = False
    for number, decision in enumerate(decisions):
        if has_waited:
            show_text(f"  {text(decision.decided_at)}  judged again")
        show_decision(decision)
        if decision.outcome == "deferred":
            has_waited = True
            if not any(_goes_on(decision, later) for later in decisions[number + 1 :]):
                show_text(f"    held until {text(decision.until)}; then all is judged again")
        delivery = deliveries.pop(decision.delivery_id or "", None)
        if delivery:
            _show_delivery(delivery)
        _show_ends(ends.pop(decision.delivery_id or "", ()))


def _goes_on(held: Decision, later: Decision) -> bool:
    """True for a later decision about what was held: the whole send, or one message of it."""
    return held.channel in (None, later.channel) or later.channel is None


def _show_refused(letter: RefusedRecord) -> None:
    facts = letter.facts
    line = f"{facts.failed_at}  {letter.record}  dead-lettered by the {facts.role}, {facts.kind}"
    show_text(f"\n{escape(line)}: {escape(facts.message)}")
    show_text(f"  tidings dead-letters show {letter.place}")


def _show_heading(decision: Decision) -> None:
    event, rule = decision.event, decision.distribution
    show_text(f"\n{text(event.created_at)}  {event.type}  event {escape(event.id)}   {escape(rule.id)} v{rule.version}")
    for check in decision.checks:
        show_check(check)


def _show_delivery(one: DeliveryStory) -> None:
    for attempt in one.attempts_made:
        took = f"attempt {attempt.number}, {attempt.duration_ms} ms"
        show_text(f"    {text(attempt.at)}  {attempt.outcome}  {escape(attempt.detail)}  ({took})")
    for action in one.actions:
        show_text(f"    {text(action.at)}  {action.action} by {escape(action.actor)}")
    for end in one.reported:
        show_text(f"    {text(end.at)}  {end.outcome}, as its provider reported")
    if one.state == "waiting" and one.reason:  # it is due, and its destination is not
        show_text(f"    waiting, {one.reason}: {escape(one.detail)}; see: tidings destinations")
    elif one.state == "waiting":
        show_text(f"    waiting until {text(one.due_at)}  {escape(one.detail)}")
    elif not one.attempts_made or one.attempts_made[-1].outcome != one.state:  # no attempt was its end
        reason = f"{one.reason}  " if one.reason and one.reason != one.outcome else ""
        show_text(f"    {one.outcome}  {reason}{escape(one.detail)}")


def _show_ends(ends: Iterable[RecordedEnd]) -> None:
    """The ends of a delivery that the ledger has no more."""
    for end in ends:
        reason = f"{end.reason}  " if end.reason and end.reason != end.outcome else ""
        show_text(f"    {text(end.at)}  {end.outcome}  {reason}{escape(end.detail)}")


def story_json(story: Story, read_at: datetime) -> dict[str, Any]:
    """A story for programs: the facts of a dead-letter beside its place."""
    letters = [
        {"place": one.place, "record": one.record, **msgspec.to_builtins(one.facts)} for one in story.dead_letters
    ]
    return {
        "decisions": story.decisions,
        "deliveries": story.deliveries,
        "dead_letters": letters,
        "unjudged": story.unjudged,
        "choices": story.choices,
        "sends": story.sends,
        "ends": story.ends,
        "reading": story.reading,
        "read_at": read_at,
    }
