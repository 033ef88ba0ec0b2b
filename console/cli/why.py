"""Explanations: why."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from console.cli.context import SERVERS, Session, in_session
from console.cli.explained import show_story, story_json
from console.cli.terminal import AsJson, show_json, show_text
from console.control import explain

commands = typer.Typer()


@commands.command("why")
def why_command(
    who: Annotated[str, typer.Argument(metavar="CUSTOMER|DELIVERY", help="A customer's id, or a delivery id.")],
    distribution: Annotated[str | None, typer.Option(help="Only this distribution.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what was decided about a customer, and what became of each delivery."""

    async def tell(opened: Session) -> None:
        story = await explain.story(opened.pool, opened.wiring, opened.project_id, who, distribution)
        if as_json:
            show_json(story_json(story, opened.now))
        elif story.is_empty:
            show_text(
                f"nothing is known about {escape(who)}: no distribution fitted an event of theirs. "
                "Try: tidings simulate"
            )
        else:
            show_story(story)

    in_session(tell, *SERVERS)
