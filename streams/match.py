"""From an event to its deliveries, and a decision for every distribution that fitted or could not be judged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from zlib import crc32

from schemas.decision import Check, Decision
from schemas.delivery import Delivery, DistributionRef, EventRef
from schemas.distribution import Distribution
from schemas.hold import Hold
from schemas.publication_request import PublicationRequest
from streams.channels.rules import ChannelTable
from streams.channels.tables import CHANNEL_RULES
from streams.checks.order import CHECKS, AudienceChecks
from streams.conditions.answer import Failure
from streams.digest import digest_of, shared_out, sifted
from streams.evaluation import Evaluation
from streams.event_context import EventContext, is_addressed, is_backfilled
from streams.identity import decision_id
from streams.index.rules import RuleIndex
from streams.index.table import Candidate
from streams.outcome import Matched, canceled, ended_meanwhile, event_ref, no_longer_fits, place_of, was_due
from streams.recent import Sent
from streams.rule import Rule
from streams.selection import is_selected, same_type
from streams.verdict import Skip
from streams.waiting import Ending

_MOST_SAMPLED = 20
"""Rules that one event of the sample says something about, of each selection."""


@dataclass(frozen=True, slots=True)
class Explained:
    """All about one rule and one event, for `simulate`."""

    distribution: Distribution
    selected: bool
    answer: bool | None
    failure: str | None
    checks: list[Check]
    decisions: list[Decision]
    deliveries: list[Delivery]
    requests: list[PublicationRequest]


def match_event(
    context: EventContext,
    rules: RuleIndex,
    now: datetime,
    *,
    channels: ChannelTable = CHANNEL_RULES,
    checks: AudienceChecks = CHECKS,
) -> Matched:
    """Match one event. Everything but `decided_at` is a function of event, profile and rules alone."""
    if is_addressed(context.head):
        return _match_addressed(context, rules, now, channels, checks)
    candidates, passed_over = rules.candidates(context)
    outcome = Matched(no_match=passed_over)
    if ending := rules.ending(context):
        _end(ending, context, rules, now, outcome)
    if not candidates:
        return outcome
    fitting: list[Rule] = []
    for candidate in candidates:
        answer = candidate.answer(context, now)
        if answer is False:
            outcome.no_match += 1
        elif answer is True:
            fitting.append(rules.of(candidate.guard))
        else:
            outcome.decisions.append(Evaluation(rules.of(candidate.guard), context, now).failed(answer))
    if fitting:
        outcome.matched = len(fitting)
        fitting.sort(key=_by_priority)
        for rule in fitting:
            Evaluation(rule, context, now, channels, checks).decide(outcome)
    return outcome


def _match_addressed(
    context: EventContext, rules: RuleIndex, now: datetime, channels: ChannelTable, checks: AudienceChecks
) -> Matched:
    """Match an event with the one distribution that it names, which gets a decision whatever becomes of it."""
    head, outcome = context.head, Matched()
    if not is_backfilled(head) and (ending := rules.ending(context)):
        _end(ending, context, rules, now, outcome)
    rule = rules.find(head.project_id, head.data.distribution.id)
    if rule is None:
        name, send = head.data.distribution.id, head.data.send
        ref = DistributionRef(id=name, version=send.version if send else 0, name=name)
        why = Skip("stopped", "there is no such distribution, or no longer")
        outcome.decisions.append(_without_rule(head.project_id, ref, event_ref(head), head.customer_id, why, now))
    else:
        Evaluation(rule, context, now, channels, checks).decide_addressed(outcome)
    return outcome


def _without_rule(
    project_id: str,
    ref: DistributionRef,
    event: EventRef,
    customer_id: str,
    why: Skip,
    now: datetime,
    hold: Hold | None = None,
) -> Decision:
    """The decision about a distribution that the table of rules does not have, for an event or for what waited."""
    channel, step = place_of(hold)
    number = hold.round + 1 if hold else 0
    return Decision(
        decision_id=decision_id(project_id, ref.id, event.id, customer_id, channel, step, number),
        project_id=project_id,
        distribution=ref,
        event=event,
        customer_id=customer_id,
        outcome="skipped",
        reason=why.reason,
        detail=why.detail,
        channel=channel,
        due_at=was_due(hold),
        decided_at=now,
    )


def _end(ending: Iterable[Candidate], context: EventContext, rules: RuleIndex, now: datetime, outcome: Matched) -> None:
    """Note of which distributions an event ends what waits."""
    for candidate in ending:
        answer = candidate.answer(context, now)
        if answer is not False:
            Evaluation(rules.of(candidate.guard), context, now).end(answer, outcome)


def match_due(
    context: EventContext,
    hold: Hold,
    rules: RuleIndex,
    now: datetime,
    ended: Ending | None = None,
    *,
    gathered: Sequence[EventContext] = (),
    channels: ChannelTable = CHANNEL_RULES,
    checks: AudienceChecks = CHECKS,
) -> Matched:
    """Judge again what has waited, a whole send or one message: by its distribution and the profile as they are now.

    `ended` is the event that has ended it meanwhile; `gathered` are the other events of a digest, as the hold has them.

    Start, end and expiry count by the moment that it was due at; how often a customer may get it was decided before.
    """
    outcome = Matched()
    rule = rules.find(hold.project_id, hold.distribution.id)
    if rule is None:
        why = canceled(hold) or Skip("stopped", "the distribution was deleted while this waited")
        at = hold.project_id, hold.distribution, hold.event, hold.customer_id
        outcome.decisions.append(_without_rule(*at, why, now, hold))
    elif hold.events is None:
        Evaluation(rule, context, now, channels, checks, hold).decide_due(hold, ended, outcome)
    else:
        return _digest_due([context, *gathered], hold, rule, now, ended, (channels, checks))
    return outcome if hold.events is None else _for_all(hold, outcome)


def _digest_due(
    contexts: Sequence[EventContext],
    hold: Hold,
    rule: Rule,
    now: datetime,
    ended: Ending | None,
    told: tuple[ChannelTable, AudienceChecks],
) -> Matched:
    """Judge a digest: without the events that were ended or no longer fit, as one message of all others."""
    may_fit = hold.canceled_by is None and rule.distribution.status == "LIVE"

    def objection(context: EventContext) -> Skip | None:
        if ended is not None and rule.distribution.unless and context.head.created_at <= ended.at:
            return ended_meanwhile(rule.distribution.unless, ended)
        return no_longer_fits(rule.guard, context, now) if may_fit else None

    led, left, decisions = sifted(hold, contexts, objection, now)
    outcome = Matched()
    if left:
        evaluation = Evaluation(rule, left[0], now, *told, led)
        evaluation.digest = digest_of(left, led.events or len(left))
        evaluation.decide_due(led, None, outcome)
    outcome = _for_all(led, outcome)
    outcome.decisions += decisions
    return outcome


def _for_all(hold: Hold, outcome: Matched) -> Matched:
    outcome.decisions = shared_out(hold, outcome.decisions)
    return outcome


def sample_no_match(context: EventContext, rules: RuleIndex, now: datetime, one_in: int) -> list[Decision]:
    """For one event in so many, and some of the rules that do not fit it: a decision that says by which test.

    What the id decides beyond whether it is chosen, is where among the rules to begin.
    """
    begin, rest = divmod(crc32(context.head.id.encode()), one_in)
    found: list[Decision] = []
    for rule in () if rest or is_backfilled(context.head) else rules.some_for(context.head, begin, _MOST_SAMPLED):
        answer, checks = rule.guard.explain(context, now)
        if answer is False:
            found.append(Evaluation(rule, context, now).unfit(checks))
    return found


def explain_event(
    context: EventContext, rules: RuleIndex, now: datetime, *, channels: ChannelTable = CHANNEL_RULES
) -> list[Explained]:
    """Every rule of the event's project and type, fitting or not, with each test that was made."""
    of_type = [rule for rule in rules if same_type(rule.distribution, context.head)]
    places: list[Sent] = []
    return [_explain(rule, context, now, channels, places) for rule in sorted(of_type, key=_by_priority)]


def _explain(rule: Rule, context: EventContext, now: datetime, channels: ChannelTable, places: list[Sent]) -> Explained:
    """`places` are those that earlier rules have taken; its own come to them."""
    answer, checks = rule.guard.explain(context, now)
    selected = is_selected(rule.distribution, context.head.data)
    outcome = Matched(sent=places)
    evaluation = Evaluation(rule, context, now, channels)
    if selected and answer is True:
        evaluation.decide(outcome)
        checks = evaluation.checks
    elif selected and isinstance(answer, Failure):
        outcome.decisions.append(evaluation.failed(answer))
    failure = answer.reason if isinstance(answer, Failure) else None
    plain = answer if isinstance(answer, bool) else None
    return Explained(
        rule.distribution, selected, plain, failure, checks, outcome.decisions, outcome.deliveries, outcome.requests
    )


def _by_priority(rule: Rule) -> tuple[int, str]:
    return -rule.distribution.priority, rule.distribution.id
