"""Statistics: how many decisions and deliveries came out how."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import tzinfo
from typing import Annotated, Any

import typer

from console.cli.context import SERVERS, Session, in_session
from console.cli.terminal import AsJson, show_json, show_rows, show_text, warn
from console.control.results import DEFAULT_SINCE as RESULTS_SINCE
from console.control.results import DEFAULT_WITHIN, Comparison, Results, read_results_question, results
from console.control.statistics import BY, DEFAULT_SINCE, Question, Statistics, read_question, statistics
from store.read_models.counts import Bucket, Count
from store.read_models.results import Redeemed

commands = typer.Typer()

_FORMATS: Mapping[Bucket, str] = {"minute": "%Y-%m-%d %H:%M%z", "hour": "%Y-%m-%d %H:%M%z", "day": "%Y-%m-%d"}
_COMPARED = ("arm", "customers", "converted", "held_out", "converted_so", "lift", "interval_95", "relative")
_NOT_KNOWN = "Kafka does not answer: what is not recorded yet is not known"


@commands.command("stats")
def stats_command(
    distribution: Annotated[str | None, typer.Argument(help="Only this distribution.")] = None,
    since: Annotated[
        str, typer.Option(help="Events since a time, a day, or a span before now, as in 7d.")
    ] = DEFAULT_SINCE,
    until: Annotated[str | None, typer.Option(help="Events before a time, a day, or a span before now.")] = None,
    by: Annotated[list[str] | None, typer.Option(metavar="|".join(BY), help="Kept apart by; may be repeated.")] = None,
    send: Annotated[str | None, typer.Option(metavar="SEND", help="Only this manual send.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show how many decisions and deliveries came out how, by the time of their events."""
    given = {"distribution": distribution, "since": since, "until": until, "by": by, "send": send}

    async def ask(opened: Session) -> None:
        question = read_question(opened.project, given, opened.now)
        found = await statistics(opened.pool, opened.wiring.extents, question)
        missing = _NOT_KNOWN if found.behind is None else found.behind.in_words(opened.now)
        if missing:
            warn(missing)
        columns = ("of", *_columns(question))
        show_rows(columns, _rows(question, found, opened.project.zone), as_json=as_json)

    in_session(ask, *SERVERS)


@commands.command("results")
def results_command(
    distribution: Annotated[str | None, typer.Argument(help="Only this distribution, and its lift.")] = None,
    since: Annotated[str, typer.Option(help="Since a time, a day, or a span before now, as in 7d.")] = RESULTS_SINCE,
    until: Annotated[str | None, typer.Option(help="Before a time, a day, or a span before now.")] = None,
    within: Annotated[
        str, typer.Option(help="Who buys within this time of the decision has converted.")
    ] = DEFAULT_WITHIN,
    as_json: AsJson = False,
) -> None:
    """Show what was redeemed of the codes that were sent, and the lift against those who are held out."""
    given = {"distribution": distribution, "since": since, "until": until, "within": within}

    async def ask(opened: Session) -> None:
        question = read_results_question(opened.project, given, opened.now)
        found = await results(opened.pool, opened.wiring.extents, question, opened.now)
        missing = _NOT_KNOWN if found.behind is None else found.behind.in_words(opened.now, "events and deliveries")
        if missing:
            warn(missing)
        if as_json:
            _show_results_json(found)
            return
        show_rows(Redeemed._fields, map(list, found.redeemed), as_json=False)
        if found.compared:
            show_rows(_COMPARED, map(_compared_cells, found.compared), as_json=False)
        if found.open:
            show_text(f"{found.open} customers have not had {within} yet: they are in neither group")

    in_session(ask, *SERVERS)


def _show_results_json(found: Results) -> None:
    for redeemed in found.redeemed:
        show_json({"of": "redemptions", **redeemed._asdict()})
    for one in found.compared:
        groups = {"treated": one.treated._asdict(), "control": one.control._asdict()}
        show_json({"of": "lift", "arm": one.arm, **groups, "lift": one.lift})


def _compared_cells(one: Comparison) -> list[Any]:
    groups = one.treated.customers, one.treated.converted, one.control.customers, one.control.converted
    if one.lift is None:
        return [one.arm, *groups, None, None, None]
    found = one.lift
    relative = None if found.relative is None else f"{found.relative:+.1%}"
    return [one.arm, *groups, f"{found.difference:+.2%}", f"{found.low:+.2%} to {found.high:+.2%}", relative]


def _columns(question: Question) -> list[str]:
    at = [question.bucket] if question.bucket else []
    shown = {"outcome", "records", *question.by}
    return [*at, *(name for name in Count._fields if name in shown)]


def _rows(question: Question, found: Statistics, zone: tzinfo) -> Iterator[list[Any]]:
    columns = _columns(question)
    for of, counts in (("decisions", found.decisions), ("deliveries", found.deliveries)):
        for one in counts:
            cells = one._asdict()
            if question.bucket and one.at is not None:
                cells[question.bucket] = one.at.astimezone(zone).strftime(_FORMATS[question.bucket])
            yield [of, *(cells[name] for name in columns)]
