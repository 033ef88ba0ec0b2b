"""Those of the audience to whom nothing leaves although it is decided: suppressed, withdrawn with us, out of reach."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import asyncpg

from console.control.preflight.audience import Audience
from console.control.preflight.finding import Finding, found
from console.control.preflight.written import Written
from schemas.distribution import TRANSACTIONAL, Distribution
from schemas.suppression import delivery_keys, key_hash, suppression_key
from store.consent_choices import ConsentChoices
from store.projects import Projects
from store.sending.suppressions import Suppressions

Gets = Mapping[str, frozenset[str]]
"""By event, the channels that something is sent over."""


@dataclass(frozen=True, slots=True)
class Reached:
    """Those whom something leaves for in the end, and what keeps the others from it."""

    gets: Gets
    findings: tuple[Finding, ...]


async def reach(
    pool: asyncpg.Pool, rule: Distribution, audience: Audience, written: Sequence[Written], gets: Gets
) -> Reached:
    """Those who would be sent something, but for those whom nothing leaves for. Raises TryLater."""
    if not audience.is_known:
        return Reached(gets, ())
    left = await _who_left(pool, rule, audience, gets)
    suppressed = await _suppressed(pool, rule, written)
    stopped = {(one.event_id, one.delivery.channel) for one in suppressed}
    sent = {
        event: frozenset(channel for channel in channels if (event, channel) not in stopped)
        for event, channels in gets.items()
        if event not in left
    }
    made = _said(rule, audience, written, left, suppressed)
    still = {event: channels for event, channels in sent.items() if channels}
    if gets and not still:
        text = f"all of {len(gets):,} have withdrawn {rule.consent} with us, or are suppressed"
        made.append(found("nobody_gets_it", "", text, count=0, of=audience.size))
    sandboxed = await _sandboxed(pool, rule, written)
    return Reached(still, (*made, *(() if sandboxed is None else (sandboxed,))))


def _said(
    rule: Distribution,
    audience: Audience,
    written: Sequence[Written],
    left: Collection[str],
    suppressed: Sequence[Written],
) -> list[Finding]:
    made = []
    if left:
        said = f"have withdrawn {rule.consent} with us, which their profiles do not say yet"
        text = f"{len(left):,} of {audience.size:,} {said}"
        made.append(found("consent_missing", "consent", text, count=len(left), of=audience.size))
    if suppressed:
        text = f"{len(suppressed):,} of {len(written):,} messages go where nothing is sent to"
        made.append(found("suppressed", suppressed[0].at, text, count=len(suppressed), of=len(written)))
    return made


async def _who_left(pool: asyncpg.Pool, rule: Distribution, audience: Audience, gets: Gets) -> set[str]:
    """The events of those whose profile still gives the consent that they have withdrawn on our pages."""
    if rule.consent == TRANSACTIONAL:
        return set()
    customers = {one.head.id: one.head.customer_id for one in audience.recording.events if one.head.id in gets}
    left = await ConsentChoices(pool).who_withdrew(rule.project_id, list(customers.values()), rule.consent)
    return {event for event, customer in customers.items() if customer in left}


async def _suppressed(pool: asyncpg.Pool, rule: Distribution, written: Sequence[Written]) -> list[Written]:
    keys = [delivery_keys(one.delivery) for one in written]
    every = sorted({key for of_one in keys for key in of_one})
    entries = await Suppressions(pool).find(rule.project_id, every) if every else []
    hit = {(key_hash(entry.key), entry.channel) for entry in entries}
    return [
        one
        for one, of_one in zip(written, keys, strict=True)
        if any((key_hash(key), channel) in hit for key in of_one for channel in (None, one.delivery.channel))
    ]


async def _sandboxed(pool: asyncpg.Pool, rule: Distribution, written: Sequence[Written]) -> Finding | None:
    stored = await Projects(pool).get(rule.project_id)
    sandbox = stored.project.sandbox if stored else None
    if sandbox is None:
        return None
    allowed = {suppression_key(one) for one in sandbox.allow}
    out = sum(allowed.isdisjoint(delivery_keys(one.delivery)) for one in written)
    text = f"{out:,} of {len(written):,} messages go to whom it does not reach"
    return found("sandboxed", "", text, count=out, of=len(written))
