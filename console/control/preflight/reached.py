"""Those of the audience to whom nothing leaves although it is decided: suppressed, withdrawn with us, out of reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import asyncpg

from console.control.preflight.audience import Audience
from console.control.preflight.finding import Finding, found
from console.control.preflight.written import Written
from schemas.distribution import TRANSACTIONAL, Distribution
from schemas.suppression import delivery_keys, key_hash, suppression_key
from store.consent_choices import ConsentChoices
from store.projects import Projects
from store.sending.suppressions import Suppressions


async def findings(
    pool: asyncpg.Pool,
    rule: Distribution,
    audience: Audience,
    written: Sequence[Written],
    gets: Mapping[str, frozenset[str]],
) -> list[Finding]:
    """Each reason, with how many it is true of. Raises TryLater."""
    if not audience.is_known:
        return []
    made = [await _withdrawn(pool, rule, audience, gets), await _suppressed(pool, rule, written)]
    return [one for one in (*made, await _sandboxed(pool, rule, written)) if one is not None]


async def _withdrawn(
    pool: asyncpg.Pool, rule: Distribution, audience: Audience, gets: Mapping[str, frozenset[str]]
) -> Finding | None:
    """Those whose profile still gives the consent that they have withdrawn on our pages."""
    if rule.consent == TRANSACTIONAL:
        return None
    customers = [one.head.customer_id for one in audience.recording.events if one.head.id in gets]
    left = await ConsentChoices(pool).who_withdrew(rule.project_id, customers, rule.consent)
    if not left:
        return None
    text = (
        f"{len(left):,} of {audience.size:,} have withdrawn {rule.consent} with us, which their profiles do not say yet"
    )
    return found("consent_missing", "consent", text, count=len(left), of=audience.size)


async def _suppressed(pool: asyncpg.Pool, rule: Distribution, written: Sequence[Written]) -> Finding | None:
    keys = {one.event_id + one.at: (one, delivery_keys(one.delivery)) for one in written}
    every = sorted({key for _, of_one in keys.values() for key in of_one})
    entries = await Suppressions(pool).find(rule.project_id, every) if every else []
    hit = {(key_hash(entry.key), entry.channel) for entry in entries}
    stopped = [
        one
        for one, of_one in keys.values()
        if any((key_hash(key), channel) in hit for key in of_one for channel in (None, one.delivery.channel))
    ]
    if not stopped:
        return None
    text = f"{len(stopped):,} of {len(written):,} messages go where nothing is sent to"
    return found("suppressed", stopped[0].at, text, count=len(stopped), of=len(written))


async def _sandboxed(pool: asyncpg.Pool, rule: Distribution, written: Sequence[Written]) -> Finding | None:
    stored = await Projects(pool).get(rule.project_id)
    sandbox = stored.project.sandbox if stored else None
    if sandbox is None:
        return None
    allowed = {suppression_key(one) for one in sandbox.allow}
    out = sum(allowed.isdisjoint(delivery_keys(one.delivery)) for one in written)
    text = f"{out:,} of {len(written):,} messages go to whom it does not reach"
    return found("sandboxed", "", text, count=out, of=len(written))
