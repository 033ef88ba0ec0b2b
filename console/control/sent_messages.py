"""One message: what was decided about its event, what was sent, and what became of it; no topic is read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlsplit

import asyncpg
import msgspec

from agents.roles.sender.ledger_rows import read_stored
from agents.wiring import Wiring
from console.control.explain import Asking, DeliveryStory, Story, owner_of, story
from console.control.not_found import NotFound
from console.control.preview.mailboxes import shown_mailboxes
from console.control.preview.messages import Rendering, rendered
from deploy.settings.settings import Settings
from schemas.decision import Decision
from schemas.delivery import Delivery
from schemas.errors import BadRecord
from schemas.template import StoredTemplate
from store.distributions import Control
from store.sending.deliveries import Deliveries

_SHOWN = ("subject", "text", "parts", "said", "method", "body")
"""Facts of a rendered message that are its content. Headers carry secrets of accounts, and addresses their customer."""
_RECORDED = Asking(only_recorded=True, lag=False)


@dataclass(frozen=True, slots=True)
class MessageStory:
    """A message, the story of its event as far as it is about it, and what is kept of its making.

    `distribution` is None where only its end is kept.
    """

    story: Story
    delivery: DeliveryStory | None
    customer: str
    event: str
    distribution: str | None


@dataclass(frozen=True, slots=True)
class SentContent:
    """The content of a message, made once more of what the ledger keeps; or why that cannot be done any more.

    `template` is its name and its version, where it was made of a named one.
    """

    template: str | None
    version: int | None
    facts: tuple[tuple[str, str], ...]
    failure: str | None


async def told(
    pool: asyncpg.Pool, wiring: Wiring, project_id: str, delivery_id: str, now: datetime, event: str | None = None
) -> MessageStory:
    """The story of a message. Raises NotFound, TryLater.

    `event` is the id of its event, where that is known: by it a message is found that no sender has taken yet.
    """
    found = await _found(pool, wiring, project_id, delivery_id, now, event)
    delivery = next((one for one in found.deliveries if one.delivery_id == delivery_id), None)
    decision = next(iter(found.decisions), None)
    ids = _ids(delivery, decision)
    if ids is None:
        return MessageStory(found, delivery, *await owner_of(pool, project_id, delivery_id), None)
    customer, event, distribution = ids
    about = replace(_RECORDED, who=customer, is_customer=True, event=event, distribution=distribution)
    around = await story(pool, wiring, project_id, about, now)
    channel = delivery.channel if delivery else decision.channel if decision else None
    decisions = tuple(_mine(around.decisions, delivery_id, channel))
    return MessageStory(replace(found, decisions=decisions), delivery, customer, event, distribution)


async def _found(
    pool: asyncpg.Pool, wiring: Wiring, project_id: str, delivery_id: str, now: datetime, event: str | None
) -> Story:
    """The records that name the message itself. Raises NotFound."""
    try:
        return await story(pool, wiring, project_id, replace(_RECORDED, delivery=delivery_id), now)
    except NotFound:
        if not event:
            raise
        found = await story(pool, wiring, project_id, replace(_RECORDED, event=event), now)
        decisions = tuple(one for one in found.decisions if one.delivery_id == delivery_id)
        if not decisions:
            raise
        return Story(decisions, ())


def _ids(delivery: DeliveryStory | None, decision: Decision | None) -> tuple[str, str, str] | None:
    if delivery is not None:
        return delivery.customer_id, delivery.event_id, delivery.distribution_id
    return (decision.customer_id, decision.event.id, decision.distribution.id) if decision is not None else None


def _mine(decisions: Sequence[Decision], delivery_id: str, channel: str | None) -> Iterable[Decision]:
    """Those that made it, and those that put it off: these name no delivery, and its channel or none."""
    for one in decisions:
        is_put_off = one.outcome == "deferred" and one.delivery_id is None and one.channel in (None, channel)
        if one.delivery_id == delivery_id or is_put_off:
            yield one


async def content(
    pool: asyncpg.Pool, settings: Settings, project_id: str, delivery_id: str, now: datetime
) -> SentContent | None:
    """The content of a message, rendered as the sender does it; None where its content, or its customer, is gone.

    Raises TryLater.
    """
    record = await Deliveries(pool).shown(project_id, delivery_id)
    if record is None:
        return None
    try:
        delivery = read_stored(record)
    except BadRecord as error:
        return SentContent(None, None, (), str(error))
    ref = delivery.template
    template = await Control(pool).template(ref.digest) if ref else None
    mailboxes = [delivery.account] if delivery.channel == "email" else []
    rendering = Rendering.of(settings, await shown_mailboxes(pool, settings, project_id, mailboxes))
    made = rendered(rendering, delivery, {ref.digest: template} if ref and template else {}, now)
    secret = urlsplit(getattr(getattr(delivery, delivery.channel), "url", "")).query  # which the body repeats
    texts = ((name, _text(made.facts[name])) for name in _SHOWN if name in made.facts)
    facts = tuple((name, text.replace(secret, "…") if secret else text) for name, text in texts)
    return SentContent(*_named(delivery, template), facts, made.failure)


def _named(delivery: Delivery, template: StoredTemplate | None) -> tuple[str | None, int | None]:
    name = delivery.template.name if delivery.template else None
    return name, template.version if template else None


def _text(fact: object) -> str:
    if isinstance(fact, msgspec.Raw):
        return msgspec.json.format(bytes(fact), indent=2).decode()
    return str(fact)
