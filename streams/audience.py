"""Whether a distribution that fits an event may be sent to this customer: checks in order, the first refusal wins."""

from __future__ import annotations

from datetime import UTC, datetime

from schemas.decision import Check
from schemas.distribution import TRANSACTIONAL, Distribution
from streams.conditions.compile import Recorder
from streams.conditions.kinds import misfit, with_kind
from streams.event_context import Profile
from streams.recent import Sent, other_event_sent
from streams.verdict import Skip


def may_send(rule: Distribution, happened: datetime, profile: Profile, record: Recorder | None = None) -> Skip | None:
    """The checks that concern the whole distribution. The event's own time counts: a replay decides the same."""
    refusal = _out_of_time(rule, happened)
    if record and (rule.starts_at or rule.ends_at):
        record(Check(test="within its time", passed=refusal is None, seen=happened.isoformat()))
    refusal = refusal or _without_consent(rule, profile)
    if record:
        seen = "transactional" if rule.consent == TRANSACTIONAL else _consent(rule, profile)
        record(Check(test=f"consent {rule.consent}", passed=_without_consent(rule, profile) is None, seen=seen))
    return refusal


def already_sent(recent: list[Sent], delivery_id: str, event_id: str) -> Skip | None:
    """Whether another event has caused the same delivery before: `again` says which sends are the same."""
    found = other_event_sent(recent, delivery_id, event_id)
    if found is None:
        return None
    when = datetime.fromtimestamp(found.at, UTC).isoformat()
    return Skip("duplicate", f"sent already, for an event of {when}")


def _out_of_time(rule: Distribution, happened: datetime) -> Skip | None:
    if rule.status == "PAUSED":
        return Skip("paused", "the distribution is paused")
    if rule.starts_at and happened < rule.starts_at:
        return Skip("not_started", f"starts at {rule.starts_at.isoformat()}")
    if rule.ends_at and happened >= rule.ends_at:
        return Skip("ended", f"ended at {rule.ends_at.isoformat()}")
    return None


def _without_consent(rule: Distribution, profile: Profile) -> Skip | None:
    if rule.consent == TRANSACTIONAL or _given(rule, profile) is True:
        return None
    return Skip("consent", f"{rule.consent}: {_consent(rule, profile)}")


def _given(rule: Distribution, profile: Profile) -> object:
    """What the profile says of a consent: true alone is one. None where it says nothing."""
    consents = profile.get("consents")
    return consents.get(rule.consent) if isinstance(consents, dict) else misfit(consents, "consents")


def _consent(rule: Distribution, profile: Profile) -> str:
    match _given(rule, profile):
        case None:
            return "never given"
        case bool(given):
            return "given" if given else "withdrawn"
        case other:
            return f"neither given nor withdrawn, but {with_kind(other)}"
