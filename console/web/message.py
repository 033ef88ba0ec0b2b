"""`/p/<project>/messages/<id>`: one message, from its event to what its provider said of it."""

from __future__ import annotations

from aiohttp import web

from console.control import sent_messages
from console.control.explain import DeliveryStory
from console.control.sent_messages import MessageStory
from console.web.customers import joined, letters
from console.web.pages import respond
from console.web.project_pages import ChainLink, SentMessagePage, ShownAttempt, ShownContent
from console.web.projects import ProjectRoute, ProjectVisit, base_of, customer_path, distribution_path
from console.web.reasons import sentence
from console.web.words import exact, is_never
from schemas.access import Permission, may, roles_with

_SEES_CONTENT: Permission = "customers:export"
"""What a message says is as much as an export tells of its customer: codes, names, links to leave by."""
_GRAVEST = ("complained", "bounced", "clicked", "opened", "delivered")


async def show_message(mine: ProjectVisit) -> web.Response:
    """One message. Raises NotFound, TryLater."""
    identity, event = mine.text("id"), mine.text("event") or None
    found = await sent_messages.told(mine.pool, mine.wiring, mine.project_id, identity, mine.now, event)
    content, note = await _content(mine, found.delivery)
    word, text = _standing(found)
    page = SentMessagePage(
        here=f"{base_of(mine.project_id)}/messages",
        delivery=identity,
        word=word,
        text=text,
        sentences=_sentences(mine, found),
        chain=_chain(mine, found, identity),
        attempts=_attempts(found.delivery),
        letters=letters(mine, found.story),
        content=content,
        content_note=note,
        missing=await mine.lag.in_words(mine.pool, mine.now),
        **mine.frame,
    )
    return respond(page)


async def _content(mine: ProjectVisit, delivery: DeliveryStory | None) -> tuple[ShownContent | None, str]:
    """Its content, for those who may see it; or why it is not shown."""
    if not may(mine.role, _SEES_CONTENT):
        who = " and ".join(roles_with(_SEES_CONTENT))
        return None, f"What a message says is shown to {who}: it may hold codes, and what only its customer is to know."
    if delivery is None:
        return None, "No sender has its content, or not any more."
    found = await sent_messages.content(
        mine.pool, mine.wiring.settings, mine.project_id, delivery.delivery_id, mine.now
    )
    if found is None:
        return None, "Its content is not kept any more, or its customer was erased."
    return ShownContent(found.template, found.version, found.facts, found.failure), ""


def _standing(found: MessageStory) -> tuple[str, str]:
    """Its standing, in a word and a sentence: the gravest that was reported goes over that it was sent."""
    delivery = found.delivery
    if delivery is not None:
        reported = [one.outcome for one in delivery.reported if one.outcome in _GRAVEST]
        if reported and delivery.state in ("sent", "recovered"):
            return min(reported, key=_GRAVEST.index), "as was reported since it was sent"
        return delivery.outcome, joined(sentence(delivery.reason), delivery.detail)
    if found.story.ends:
        end = max(found.story.ends, key=lambda one: one.at)
        return end.outcome, joined(sentence(end.reason), end.detail)
    return "decided", "no sender has taken it yet, or it is kept no longer"


def _sentences(mine: ProjectVisit, found: MessageStory) -> list[str]:
    delivery, said = found.delivery, list[str]()
    if delivery is not None:
        tries = "1 attempt" if delivery.attempts == 1 else f"{delivery.attempts} attempts"
        said.append(f"Over {delivery.channel}, {delivery.destination}: {tries}.")
        if delivery.state == "waiting":
            until = "somebody lets it go on" if is_never(delivery.due_at) else exact(delivery.due_at, mine.context.zone)
            said.append(f"It waits until {until}.")
    held = [one for one in found.story.decisions if one.outcome == "deferred"]
    for one in held:
        until = f" until {exact(one.until, mine.context.zone)}" if one.until else ""
        said.append(f"It was held{until}: {joined(sentence(one.reason), one.detail or '')}.")
    return said


def _chain(mine: ProjectVisit, found: MessageStory, identity: str) -> list[ChainLink]:
    """The ids by which it is found, from its event to its provider."""
    project, first = mine.project_id, next(iter(found.story.decisions), None)
    chain = [
        ChainLink("Event", found.event, first.event.type if first else ""),
        ChainLink("Customer", found.customer, "", customer_path(project, found.customer)),
        ChainLink(
            "Distribution", found.distribution, f"version {_version(found)}" if _version(found) else "",
            distribution_path(project, found.distribution) if found.distribution else None,
        ),
    ]  # fmt: skip
    made = [one for one in found.story.decisions if one.delivery_id == identity]
    chain += [ChainLink("Decision", one.decision_id, "") for one in made] or [ChainLink("Decision", None, "")]
    chain.append(ChainLink("Delivery", identity, found.delivery.channel if found.delivery else ""))
    provider = found.delivery.provider_id if found.delivery else None
    chain.append(ChainLink("Id at its provider", provider, found.delivery.destination if found.delivery else ""))
    return chain


def _version(found: MessageStory) -> int | None:
    if found.delivery is not None:
        return found.delivery.distribution_version
    return found.story.decisions[0].distribution.version if found.story.decisions else None


def _attempts(delivery: DeliveryStory | None) -> list[ShownAttempt]:
    made = delivery.attempts_made if delivery else ()
    return [ShownAttempt(one.number, one.at, one.outcome, one.detail, one.duration_ms) for one in made]


ROUTES: tuple[ProjectRoute, ...] = (ProjectRoute("/messages/{id}", "deliveries:read", show_message),)
