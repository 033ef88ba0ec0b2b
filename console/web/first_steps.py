"""`/p/<project>/start`: the way to the first message, step by step, each with the page that does it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from console.control.first_steps import FirstStep, FirstSteps, StepName, first_steps
from console.web.pages import respond
from console.web.project_pages import FirstStepsPage, ShownFirstStep
from console.web.projects import ProjectRoute, ProjectVisit, base_of
from console.web.tables import address
from schemas.access import Permission, may, roles_with

PATH = "/start"


@dataclass(frozen=True, slots=True)
class _Said:
    """A step in words: what it is for, the page that does it and its permission, and the command that does it, too."""

    title: str
    text: str
    path: str
    link: str
    asks: Permission
    command: str = ""


_STEPS: Mapping[StepName, _Said] = {
    "account": _Said(
        "A way out",
        "Messages leave through an account at a provider: for e-mail a mailbox and its password are enough. "
        "A webhook needs none, its address stands in the distribution.",
        "/accounts/new", "Add an account", "accounts:write", "tidings accounts add email main --project {project}",
    ),
    "brand": _Said(
        "Who sends it",
        "The sender's name, address and pages stand below every e-mail, as the law asks. A webhook needs none.",
        "/brand", "Write the brand", "project:write",
    ),
    "template": _Said(
        "What it says",
        "E-mails and text messages are made of a template: begin with a design, write your own words. "
        "A webhook needs none.",
        "/new-template", "Begin a template", "templates:write",
    ),
    "customer": _Said(
        "Somebody to send to", "Your systems write customers into a topic; a file with one line does for the first. "
        "Who is there is found a moment later.",
        "/imports/customers", "Hand in a file of customers", "customers:write",
        "tidings customers import FILE.csv --project {project}",
    ),
    "distribution": _Said(
        "When it is sent", "A distribution says which event sends which message to whom. Set it live at its last step.",
        "/distributions/new", "Build a distribution", "distributions:write",
    ),
    "test": _Said(
        "A test of it", "Look at it as senders make it, and send it to yourself as a test.",
        "/preview", "Preview, and send a test", "distributions:read",
    ),
    "event": _Said(
        "The first message", "Your systems publish the events, into topics or over the API. For the first a command "
        "does: put the id of your customer in the place of CUSTOMER. The message is there a moment later.",
        "/messages", "See what became of it", "deliveries:read",
        "tidings sample --distribution {distribution} --customer CUSTOMER --project {project} > event.json\n"
        "tidings publish event.json --project {project}",
    ),
}  # fmt: skip
_BY_HAND = _Said(
    "The first message", "No event starts it: somebody sends it, to one customer or to a segment.",
    "/sends/new", "Send it", "sends:write",
)  # fmt: skip


async def show(mine: ProjectVisit) -> web.Response:
    """The steps. Raises TryLater."""
    found = await first_steps(mine.pool, mine.wiring.settings, mine.project_id)
    page = FirstStepsPage(
        here=f"{base_of(mine.project_id)}{PATH}",
        steps=[_step(mine, found, one) for one in found.steps],
        done=sum(one.is_done for one in found.steps),
        messages_path=f"{base_of(mine.project_id)}/messages" if may(mine.role, "deliveries:read") else None,
        **mine.frame,
    )
    return respond(page)


def _step(mine: ProjectVisit, found: FirstSteps, one: FirstStep) -> ShownFirstStep:
    said = _BY_HAND if one.name == "event" and found.is_by_hand else _STEPS[one.name]
    state = "done" if one.is_done else "next" if one.name == found.next else "open"
    path, waits_for = f"{base_of(mine.project_id)}{said.path}", ""
    if one.name in ("test", "event"):
        path = address(path, {"distribution": found.distribution})
        waits_for = "" if found.distribution else "There has to be a distribution first."
    if not waits_for and not may(mine.role, said.asks):
        waits_for = f"This is for {' and '.join(roles_with(said.asks))}."
    names = {"project": mine.project_id, "distribution": found.distribution}
    command = said.command.format(**names) if said.command and not (one.name == "event" and waits_for) else ""
    return ShownFirstStep(said.title, said.text, state, None if waits_for else path, said.link, command, waits_for)


ROUTES: tuple[ProjectRoute, ...] = (ProjectRoute(PATH, "distributions:read", show, is_live=True),)
