"""Consent: the customer has to have given the distribution's category, unless it is transactional."""

from __future__ import annotations

from schemas.distribution import TRANSACTIONAL
from streams.checks.check import AudienceCheck, Finding, Subject
from streams.conditions.answer import misfit, with_kind
from streams.event_context import Profile
from streams.verdict import GO, Skip


def _judge(subject: Subject) -> Finding:
    category = subject.distribution.consent
    test = f"consent {category}"
    if category == TRANSACTIONAL:
        return Finding(GO, test, category)
    said = given(subject.profile, category)
    seen = _in_words(said)
    return Finding(GO if said is True else Skip("consent", f"{category}: {seen}"), test, seen)


def given(profile: Profile, category: str) -> object:
    """The profile's value for a category: only `true` is a consent. None where it says nothing."""
    consents = profile.get("consents")
    return consents.get(category) if isinstance(consents, dict) else misfit(consents, "consents")


def all_given(profile: Profile) -> tuple[str, ...]:
    """The categories that a profile consents to, in order."""
    consents = profile.get("consents")
    return tuple(sorted(name for name, said in consents.items() if said is True)) if isinstance(consents, dict) else ()


def _in_words(said: object) -> str:
    if said is None:
        return "never given"
    if isinstance(said, bool):
        return "given" if said else "withdrawn"
    return f"neither given nor withdrawn, but {with_kind(said)}"


CONSENT = AudienceCheck(_judge)
