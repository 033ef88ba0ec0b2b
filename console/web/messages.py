"""`/p/<project>/messages`: messages by what became of them, and one of them from its event to its provider."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from aiohttp import web

from console.control import deliveries, explain, sent_messages
from console.control.decision_search import read_cursor
from console.control.deliveries import NO_REASON, STATUSES, DeliverySummary
from console.control.explain import Asking, DeliveryStory
from console.control.moments import moment_or_ago
from console.control.sent_messages import MessageStory
from console.web.customers import letters
from console.web.pages import FieldProblem, respond
from console.web.project_pages import (
    ChainLink,
    MessageRow,
    MessagesPage,
    SentMessagePage,
    ShownAttempt,
    ShownContent,
)
from console.web.projects import ProjectRoute, ProjectVisit, base_of, customer_path, distribution_path, message_path
from console.web.reasons import REASONS, sentence
from console.web.tables import address
from console.web.words import exact, inert
from schemas.access import Permission, may, roles_with
from schemas.decision import Decision
from schemas.errors import BadQuestion
from schemas.formats.cursors import parse_cursor, write_cursor
from schemas.names import ROUGHLY_LIKE, did_you_mean
from store.sending.deliveries import Deliveries

_ON_A_PAGE = 50
_LONGEST = 256
_SEES_CONTENT: Permission = "customers:export"
"""What a message says is as much as an export tells of its customer: codes, names, links to leave by."""
_DECIDED: Mapping[str, str] = {"emitted": "decided", "deferred": "held", "skipped": "skipped"}
"""Outcomes of decisions, which recorders keep; others are those of the ledger."""
_FILTERS = ("distribution", "outcome", "reason", "since", "until")
_LABELS: Mapping[str, str] = {
    "distribution": "Distribution", "outcome": "What became of it", "reason": "Why", "since": "From", "until": "Until",
}  # fmt: skip


# -- the list --------------------------------------------------------------------------------------------------------


async def show_list(mine: ProjectVisit) -> web.Response:
    """A page of them. Raises TryLater."""
    asked = {name: mine.query.get(name, "").strip() for name in _FILTERS}
    problems, rows, following = _problems(asked), list[MessageRow](), None
    is_of_decisions = asked["outcome"] in _DECIDED
    if not problems:
        try:
            rows, following = await (_decided(mine, asked) if is_of_decisions else _in_ledger(mine, asked))
        except BadQuestion as error:
            field = error.option if error.option in _LABELS else "distribution"
            problems = [FieldProblem(field, f"{_LABELS[field]}: {inert(error.message)}")]
    path = f"{base_of(mine.project_id)}/messages"
    page = MessagesPage(
        here=path,
        problems=problems,
        rows=rows,
        caption=_CAPTION_OF_DECISIONS if is_of_decisions else _CAPTION_OF_LEDGER,
        outcomes=[*_DECIDED.items(), *((one, one) for one in STATUSES)],
        reasons=[(NO_REASON, "none: the answer of its provider"), *REASONS.items()],
        is_first="cursor" not in mine.query,
        first=address(path, asked),
        next=address(path, {**asked, "cursor": following}) if following else None,
        missing=await mine.lag.in_words(mine.pool, mine.now) if is_of_decisions and not problems else None,
        **asked,
        **mine.frame,
    )
    return respond(page, 422 if problems else 200)


_CAPTION_OF_DECISIONS = "Decisions, the newest event first"
_CAPTION_OF_LEDGER = "Messages, those that were taken in last first"


def _problems(asked: Mapping[str, str]) -> list[FieldProblem]:
    found = [
        FieldProblem(name, f"{_LABELS[name]}: must have at most {_LONGEST} characters, and not U+0000")
        for name, text in asked.items()
        if len(text) > _LONGEST or "\0" in text
    ]
    outcomes = (*_DECIDED, *STATUSES)
    if asked["outcome"] and asked["outcome"] not in outcomes:
        hint = did_you_mean(asked["outcome"], outcomes, ROUGHLY_LIKE)
        found.append(FieldProblem("outcome", f"What became of it: must be one of {', '.join(outcomes)}.{hint}"))
    if asked["outcome"] in _DECIDED and not asked["distribution"]:
        said = "Distribution: must be named where it is decisions that are asked for"
        found.append(FieldProblem("distribution", said))
    return found


async def _in_ledger(mine: ProjectVisit, asked: Mapping[str, str]) -> tuple[list[MessageRow], str | None]:
    """Messages that senders took in."""
    store = Deliveries(mine.pool)
    chosen = deliveries.read_filter(mine.project_id, {**asked, "status": asked["outcome"]}, await store.now())
    found = await deliveries.newest(store, chosen, _ON_A_PAGE + 1, _place(mine.query.get("cursor")))
    page = found[:_ON_A_PAGE]
    following = write_cursor((page[-1].created_at, page[-1].delivery_id)) if len(found) > _ON_A_PAGE else None
    return [_of_summary(mine, one) for one in page], following


def _place(cursor: str | None) -> tuple[datetime, str] | None:
    """The place behind which a page begins. Raises BadQuestion."""
    if not cursor:
        return None
    try:
        at, delivery = parse_cursor(cursor, tuple[datetime, str])
        if at.tzinfo is None or "\0" in delivery:
            raise ValueError("made by nobody of us")
    except ValueError:
        raise BadQuestion("this page's address was changed: begin with the first page", "distribution") from None
    return at, delivery


async def _decided(mine: ProjectVisit, asked: Mapping[str, str]) -> tuple[list[MessageRow], str | None]:
    """Decisions as recorders keep them: of what was skipped there is no message."""
    reason, cursor = asked["reason"] if asked["reason"] != NO_REASON else None, mine.query.get("cursor")
    if reason and reason not in REASONS:
        raise BadQuestion(f"must be one of {', '.join(REASONS)}", "reason")
    limits = {
        name: moment_or_ago(name, asked[name], mine.now, mine.context.zone)
        for name in ("since", "until")
        if asked[name]
    }
    asking = Asking(
        distribution=asked["distribution"],
        outcome=asked["outcome"],
        reason=reason or None,
        after=read_cursor(cursor) if cursor else None,
        limit=_ON_A_PAGE,
        only_recorded=True,
        lag=False,
        **limits,
    )
    found = await explain.story(mine.pool, mine.wiring, mine.project_id, asking, mine.now)
    return [_of_decision(mine, one) for one in reversed(found.decisions)], found.reading.older


def _of_summary(mine: ProjectVisit, one: DeliverySummary) -> MessageRow:
    return MessageRow(
        one.created_at, one.status, _joined(sentence(one.reason), one.detail), one.distribution_id,
        distribution_path(mine.project_id, one.distribution_id), one.customer_id,
        customer_path(mine.project_id, one.customer_id), one.delivery_id,
        message_path(mine.project_id, one.delivery_id),
    )  # fmt: skip


def _of_decision(mine: ProjectVisit, one: Decision) -> MessageRow:
    path = message_path(mine.project_id, one.delivery_id, one.event.id) if one.delivery_id else None
    return MessageRow(
        one.event.created_at, _DECIDED.get(one.outcome, one.outcome), _joined(sentence(one.reason), one.detail or ""),
        one.distribution.id, distribution_path(mine.project_id, one.distribution.id), one.customer_id,
        customer_path(mine.project_id, one.customer_id), one.delivery_id, path,
    )  # fmt: skip


# -- one of them -----------------------------------------------------------------------------------------------------


async def show_one(mine: ProjectVisit) -> web.Response:
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
    """What it says, for those who may see it; or why it is not shown."""
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
    """Where it stands, in a word and a sentence: what its provider reported last goes over that it was sent."""
    delivery = found.delivery
    if delivery is not None:
        if delivery.reported:
            last = max(delivery.reported, key=lambda one: one.at)
            return last.outcome, "as its provider reported"
        return delivery.outcome, _joined(sentence(delivery.reason), delivery.detail)
    if found.story.ends:
        end = max(found.story.ends, key=lambda one: one.at)
        return end.outcome, _joined(sentence(end.reason), end.detail)
    return "decided", "no sender has taken it yet, or it is kept no longer"


def _sentences(mine: ProjectVisit, found: MessageStory) -> list[str]:
    delivery, said = found.delivery, list[str]()
    if delivery is not None:
        tries = "1 attempt" if delivery.attempts == 1 else f"{delivery.attempts} attempts"
        said.append(f"Over {delivery.channel}, {delivery.destination}: {tries}.")
        if delivery.state == "waiting":
            said.append(f"It waits until {exact(delivery.due_at, mine.context.zone)}.")
    held = [one for one in found.story.decisions if one.outcome == "deferred"]
    for one in held:
        until = f" until {exact(one.until, mine.context.zone)}" if one.until else ""
        said.append(f"It was held{until}: {_joined(sentence(one.reason), one.detail or '')}.")
    return said


def _chain(mine: ProjectVisit, found: MessageStory, identity: str) -> list[ChainLink]:
    """The ids by which it is found, from its event to its provider."""
    project, first = mine.project_id, next(iter(found.story.decisions), None)
    chain = [
        ChainLink("Event", found.event, first.event.type if first else ""),
        ChainLink(
            "Customer", found.customer, "", customer_path(project, found.customer) if found.customer else None
        ),
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


def _joined(*parts: str) -> str:
    return "; ".join(dict.fromkeys(part for part in parts if part))


ROUTES: tuple[ProjectRoute, ...] = (
    ProjectRoute("/messages", "deliveries:read", show_list),
    ProjectRoute("/messages/{id}", "deliveries:read", show_one),
)
