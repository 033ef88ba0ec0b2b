"""Consent: the customer has to have given the distribution's category, unless it is transactional."""

from __future__ import annotations

from schemas.distribution import TRANSACTIONAL
from streams.checks.check import AudienceCheck, Subject
from streams.conditions.answer import misfit, with_kind
from streams.event_context import Profile
from streams.verdict import GO, Skip, Verdict


def _judge(subject: Subject) -> Verdict:
    category = subject.distribution.consent
    if category == TRANSACTIONAL or _given(subject) is True:
        return GO
    return Skip("consent", f"{category}: {_in_words(subject)}")


def _shown(subject: Subject) -> tuple[str, str]:
    category = subject.distribution.consent
    return f"consent {category}", category if category == TRANSACTIONAL else _in_words(subject)


def _given(subject: Subject) -> object:
    return given(subject.profile, subject.distribution.consent)


def given(profile: Profile, category: str) -> object:
    """The profile's value for a category: only `true` is a consent. None where it says nothing."""
    consents = profile.get("consents")
    return consents.get(category) if isinstance(consents, dict) else misfit(consents, "consents")


def all_given(profile: Profile) -> tuple[str, ...]:
    """The categories that a profile consents to, in order."""
    consents = profile.get("consents")
    return tuple(sorted(name for name, said in consents.items() if said is True)) if isinstance(consents, dict) else ()


def _in_words(subject: Subject) -> str:
    given = _given(subject)
    if given is None:
        return "never given"
    if isinstance(given, bool):
        return "given" if given else "withdrawn"
    return f"neither given nor withdrawn, but {with_kind(given)}"


CONSENT = AudienceCheck(_judge, _shown)
