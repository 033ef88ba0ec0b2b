"""`/p/<project>/messages`: messages by what became of them, and what was decided to send none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import web

from console.control import deliveries, explain
from console.control.decision_search import read_cursor
from console.control.deliveries import NO_REASON, STATUSES, DeliverySummary
from console.control.explain import Asking
from console.control.moments import moment_or_ago
from console.web.customers import joined
from console.web.pages import FieldProblem, respond
from console.web.project_pages import MessageRow, MessagesPage
from console.web.projects import ProjectRoute, ProjectVisit, base_of, customer_path, distribution_path, message_path
from console.web.reasons import REASONS, sentence
from console.web.tables import address, csv_file, json_file
from console.web.words import inert
from schemas.decision import Decision
from schemas.errors import BadQuestion
from schemas.formats.cursors import parse_cursor, write_cursor
from schemas.names import ROUGHLY_LIKE, did_you_mean
from store.sending.deliveries import Deliveries

_ON_A_PAGE = 50
_LONGEST = 256
_DECIDED: Mapping[str, str] = {"emitted": "decided", "deferred": "held", "skipped": "skipped"}
"""Outcomes of decisions, which recorders keep; others are those of the ledger."""
_LABELS: Mapping[str, str] = {
    "distribution": "Distribution", "outcome": "What became of it", "reason": "Why", "since": "From", "until": "Until",
}  # fmt: skip
_COLUMNS = ("delivery", "word", "text", "distribution", "customer", "at")


@dataclass(frozen=True, slots=True)
class _Found:
    """The parameters of the list, a page of it and the cursor of the next one, or what is wrong."""

    asked: Mapping[str, str]
    rows: Sequence[MessageRow] = ()
    following: str | None = None
    problems: Sequence[FieldProblem] = ()

    @property
    def is_of_decisions(self) -> bool:
        return self.asked["outcome"] in _DECIDED


async def show_list(mine: ProjectVisit) -> web.Response:
    """A page of them. Raises TryLater."""
    found = await _find(mine)
    path, cursor = f"{base_of(mine.project_id)}/messages", mine.query.get("cursor")
    page = MessagesPage(
        here=path,
        problems=found.problems,
        rows=found.rows,
        caption=_CAPTION_OF_DECISIONS if found.is_of_decisions else _CAPTION_OF_LEDGER,
        outcomes=[*_DECIDED.items(), *((one, one) for one in STATUSES)],
        reasons=[(NO_REASON, "none: the answer of its provider"), *REASONS.items()],
        is_first=not cursor,
        first=address(path, found.asked),
        next=address(path, {**found.asked, "cursor": found.following}) if found.following else None,
        table_json=address(f"{path}.json", {**found.asked, "cursor": cursor}),
        table_csv=address(f"{path}.csv", {**found.asked, "cursor": cursor}),
        missing=await mine.lag.in_words(mine.pool, mine.now) if found.is_of_decisions and found.rows else None,
        distribution=found.asked["distribution"],
        outcome=found.asked["outcome"],
        reason=found.asked["reason"],
        since=found.asked["since"],
        until=found.asked["until"],
        **mine.frame,
    )
    return respond(page, 422 if found.problems else 200)


async def list_as_json(mine: ProjectVisit) -> web.Response:
    """The page's rows for programs."""
    found = await _find(mine)
    return _refused(found) if found.problems else json_file(list(map(_cells, found.rows)), found.following)


async def list_as_csv(mine: ProjectVisit) -> web.Response:
    """The page's rows."""
    found = await _find(mine)
    rows = ([cells[name] for name in _COLUMNS] for cells in map(_cells, found.rows))
    return _refused(found) if found.problems else csv_file("messages", _COLUMNS, rows)


def _cells(row: MessageRow) -> dict[str, object]:
    return {name: getattr(row, name) for name in _COLUMNS} | {"at": row.at.isoformat()}


def _refused(found: _Found) -> web.Response:
    return web.Response(status=422, text="\n".join(one.message for one in found.problems))


async def _find(mine: ProjectVisit) -> _Found:
    asked = {name: mine.query.get(name, "").strip() for name in _LABELS}
    if problems := _problems(asked):
        return _Found(asked, problems=problems)
    find = _decided if asked["outcome"] in _DECIDED else _in_ledger
    try:
        return _Found(asked, *await find(mine, asked))
    except BadQuestion as error:
        field = error.option if error.option in _LABELS else "distribution"
        return _Found(asked, problems=[FieldProblem(field, f"{_LABELS[field]}: {inert(error.message)}")])


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
            raise ValueError("names what no record has")
        return at.astimezone(UTC), delivery
    except (ValueError, OverflowError):
        raise BadQuestion("this page's address was changed: begin with the first page", "distribution") from None


async def _decided(mine: ProjectVisit, asked: Mapping[str, str]) -> tuple[list[MessageRow], str | None]:
    """Decisions as recorders keep them: what was skipped has no message."""
    reason, cursor = asked["reason"] if asked["reason"] != NO_REASON else None, mine.query.get("cursor")
    if reason and reason not in REASONS:
        raise BadQuestion(f"must be one of {', '.join(REASONS)}", "reason")
    asking = Asking(
        distribution=asked["distribution"],
        outcome=asked["outcome"],
        reason=reason or None,
        after=read_cursor(cursor) if cursor else None,
        limit=_ON_A_PAGE,
        only_recorded=True,
        lag=False,
        since=_moment(mine, asked, "since"),
        until=_moment(mine, asked, "until"),
    )
    found = await explain.story(mine.pool, mine.wiring, mine.project_id, asking, mine.now)
    return [_of_decision(mine, one) for one in reversed(found.decisions)], found.reading.older


def _moment(mine: ProjectVisit, asked: Mapping[str, str], name: str) -> datetime | None:
    return moment_or_ago(name, asked[name], mine.now, mine.context.zone) if asked[name] else None


def _of_summary(mine: ProjectVisit, one: DeliverySummary) -> MessageRow:
    return MessageRow(
        one.created_at, one.status, joined(sentence(one.reason), one.detail), one.distribution_id,
        distribution_path(mine.project_id, one.distribution_id), one.customer_id,
        customer_path(mine.project_id, one.customer_id), one.delivery_id,
        message_path(mine.project_id, one.delivery_id),
    )  # fmt: skip


def _of_decision(mine: ProjectVisit, one: Decision) -> MessageRow:
    path = message_path(mine.project_id, one.delivery_id, one.event.id) if one.delivery_id else None
    return MessageRow(
        one.event.created_at, _DECIDED.get(one.outcome, one.outcome), joined(sentence(one.reason), one.detail or ""),
        one.distribution.id, distribution_path(mine.project_id, one.distribution.id), one.customer_id,
        customer_path(mine.project_id, one.customer_id), one.delivery_id, path,
    )  # fmt: skip


ROUTES: tuple[ProjectRoute, ...] = (
    ProjectRoute("/messages", "deliveries:read", show_list),
    ProjectRoute("/messages.json", "deliveries:read", list_as_json),
    ProjectRoute("/messages.csv", "deliveries:read", list_as_csv),
)
