"""Explanations: why."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer
from rich.markup import escape

from console.cli.context import SERVERS, Session, in_session
from console.cli.explained import show_story, story_json
from console.cli.terminal import AsJson, show_json, show_text, warn
from console.control import explain
from console.control.decision_search import PAGE, read_cursor
from console.control.explain import Asking
from console.control.moments import moment_or_ago

commands = typer.Typer()


@commands.command("why")
def why_command(
    who: Annotated[
        str | None, typer.Argument(metavar="[CUSTOMER|DELIVERY]", help="A customer's id, or a delivery id.")
    ] = None,
    distribution: Annotated[str | None, typer.Option(help="Only this distribution.")] = None,
    event: Annotated[str | None, typer.Option(help="Only what this event caused.")] = None,
    code: Annotated[str | None, typer.Option(help="By which this code went out, and to whom.")] = None,
    since: Annotated[str | None, typer.Option(help="Events since a time, or a span before now, as in 12h.")] = None,
    until: Annotated[str | None, typer.Option(help="Events before a time, or a span before now.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="The newest so many decisions.")] = PAGE,
    cursor: Annotated[str | None, typer.Option(help="What is older, as the page before names it.")] = None,
    from_topics: Annotated[
        bool, typer.Option("--from-topics", help="Read the decisions' topic instead of what recorders keep.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what was decided about a customer, and what became of each delivery."""

    async def tell(opened: Session) -> None:
        asking = Asking(
            who,
            distribution,
            event,
            code,
            moment_or_ago("since", since, opened.now) if since else None,
            moment_or_ago("until", until, opened.now) if until else None,
            read_cursor(cursor) if cursor else None,
            limit,
            from_topics,
        )
        story = await explain.story(opened.pool, opened.wiring, opened.project_id, asking, opened.now)
        if as_json:
            show_json(story_json(story, opened.now))
            return
        for note in story.reading.notes:
            warn(note)
        if story.is_empty:
            _show_nothing(asking)
        else:
            show_story(story)
        if story.reading.older:
            show_text(f"\nthere are older ones: {_asked_again(asking, story.reading.older)}")

    in_session(tell, *SERVERS)


def _show_nothing(asking: Asking) -> None:
    if asking.is_all:
        said = f"nothing is known about {escape(asking.who or '')}: no distribution fitted an event of theirs"
        show_text(f"{said}. Try: tidings simulate")
    else:
        show_text("nothing is known of that: no distribution fitted such an event. Try: tidings simulate")


def _asked_again(asking: Asking, older: str) -> str:
    """The command for the next page."""
    named = {"distribution": asking.distribution, "event": asking.event, "code": asking.code}
    words = ["tidings", "why", *([asking.who] if asking.who else [])]
    words += [word for name, value in named.items() if value for word in (f"--{name}", value)]
    if asking.since:
        words += ["--since", asking.since.isoformat()]
    return escape(shlex.join([*words, "--cursor", older]))
