"""Pages of a project: for those who are in it, and whose role may; to others it is not there."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any, Literal, TypedDict
from urllib.parse import quote

import asyncpg
from aiohttp import web

from agents.clock import Clock
from agents.wiring import Wiring
from console.control.context import ProjectContext, stored_project
from console.control.distributions import Announce
from console.control.not_found import NotFound
from console.control.user_links import actor_of
from console.web.announcer import Announcer
from console.web.lag import Lag
from console.web.pages import respond
from console.web.project_pages import NAVIGATION, ProjectMessagePage
from console.web.visit import Visit
from console.web.words import as_sentence, inert
from schemas.access import GRANTS, AccessRole, Permission, may, roles_with
from schemas.errors import BadQuestion
from store.managed import Locked
from store.users import Member

_NAMES_SECONDS = 30.0
"""Names of a project's users may be so old: else each page, file and live part would read all of them."""


class Frame(TypedDict):
    """The fields of a page that all pages of a project have."""

    who: str
    project: str
    projects: list[str]
    navigation: list[tuple[str, str]]
    now: datetime
    zone: Any
    granted: frozenset[Permission]
    people: Mapping[str, str]
    live: str | None


@dataclass(frozen=True, slots=True)
class ProjectVisit:
    """A request for a page of a project that its user is in."""

    visit: Visit
    role: AccessRole
    projects: tuple[str, ...]
    context: ProjectContext
    wiring: Wiring
    now: datetime
    lag: Lag
    people: Mapping[str, str]
    announce: Announce
    """Announces to Kafka what was saved; where it is away, workers do that later."""
    is_live: bool = False

    @property
    def pool(self) -> asyncpg.Pool:
        """Connections to the database."""
        return self.visit.pool

    def lock(self, *, insists: bool = False) -> Locked:
        """The lock on what is managed from Git, as the project has it; nobody is kept out who `insists`."""
        return Locked(insists, is_off=not self.context.git_lock)

    @property
    def project_id(self) -> str:
        """The project of the address."""
        return self.context.project_id

    @property
    def query(self) -> Mapping[str, str]:
        """The parameters of the address; of one that is given twice the first."""
        return self.visit.request.query

    def text(self, name: str) -> str:
        """A part of the path, or a parameter; empty where it is not there. Raises BadQuestion."""
        found = self.visit.request.match_info.get(name) or self.query.get(name, "")
        if "\0" in found:
            raise BadQuestion("must not contain U+0000", name)
        return found

    @property
    def actor(self) -> str:
        """The user, as the audit log names who does something."""
        return actor_of(self.visit.signed_in.session.user_id)

    @property
    def frame(self) -> Frame:
        """Whatever stands around a page."""
        base = base_of(self.project_id)
        return Frame(
            who=self.visit.signed_in.display_name,
            project=self.project_id,
            projects=list(self.projects),
            navigation=[(base + path, text) for path, text, asks in NAVIGATION if may(self.role, asks)],
            now=self.now,
            zone=self.context.zone,
            granted=GRANTS[self.role],
            people=self.people,
            live=self.visit.request.path_qs if self.is_live else None,
        )


PageAnswer = Callable[[ProjectVisit], Awaitable[web.Response]]


@dataclass(frozen=True, slots=True)
class ProjectRoute:
    """A page below `/p/<project>`, or what a form there does, and the permission that it asks for."""

    path: str
    permission: Permission
    answer: PageAnswer
    method: Literal["GET", "POST"] = "GET"
    is_live: bool = False
    """Its page has parts that stay true while somebody looks."""
    is_followed: bool = False
    """It is a permit to follow a topic, and not a page."""


class Projects:
    """Answers of pages of projects."""

    def __init__(self, wiring: Wiring, now: Clock) -> None:
        self._wiring, self._now, self._lag = wiring, now, Lag(wiring)
        self.announcer = Announcer(wiring)
        self._people: dict[str, tuple[float, Mapping[str, str]]] = {}

    async def close(self) -> None:
        """Let go of Kafka."""
        self.announcer.close()
        await self._lag.close()

    def answer(self, route: ProjectRoute) -> Callable[[Visit], Awaitable[web.Response]]:
        """The answer of a page to whoever is signed in."""

        async def answer(visit: Visit) -> web.Response:
            roles = await visit.door.users.roles(visit.signed_in.session.user_id)
            project_id = visit.request.match_info["project"]
            if project_id not in roles:
                raise web.HTTPNotFound
            context = await stored_project(visit.pool, self._wiring.settings, project_id)
            role, people = roles[project_id], await self._people_in(visit, project_id)
            mine = ProjectVisit(
                visit, role, tuple(sorted(roles)), context, self._wiring, self._now(), self._lag, people,
                self.announcer, route.is_live,
            )  # fmt: skip
            if not may(role, route.permission):
                return _refused(mine, route.permission)
            try:
                return await route.answer(mine)
            except NotFound as error:
                return message(mine, "Nothing of this name", as_sentence(str(error)), 404)
            except BadQuestion as error:
                return message(mine, "This cannot be asked", as_sentence(str(error)), 422)

        return answer

    async def _people_in(self, visit: Visit, project_id: str) -> Mapping[str, str]:
        """The names of a project's users as they were some seconds ago, and that of who looks. Raises TryLater."""
        until, people = self._people.get(project_id, (-math.inf, {}))
        if (at := monotonic()) > until:
            people = people_of(await visit.door.users.of_project(project_id))
            self._people[project_id] = at + _NAMES_SECONDS, people
        who = visit.signed_in
        return {actor_of(who.session.user_id): who.display_name, **people}


def people_of(members: Sequence[Member]) -> Mapping[str, str]:
    """The names of a project's users, by whom the audit log says did something; two of one name have their ids, too."""
    names = {actor_of(one.user_id): one.display_name for one in members if one.display_name}
    times = Counter(names.values())
    return {actor: name if times[name] == 1 else f"{name} ({actor})" for actor, name in names.items()}


def base_of(project_id: str) -> str:
    """The address that the pages of a project stand below."""
    return f"/p/{quote(project_id, safe='')}"


def distribution_path(project_id: str, distribution: str) -> str:
    """The address of a distribution's page."""
    return _named_path(project_id, "distribution", distribution)


def campaign_path(project_id: str, campaign: str) -> str:
    """The address of a campaign's page."""
    return _named_path(project_id, "campaign", campaign)


def segment_path(project_id: str, segment: str) -> str:
    """The address of a segment's page."""
    return _named_path(project_id, "segment", segment)


def template_path(project_id: str, template: str) -> str:
    """The address of a template's page."""
    return _named_path(project_id, "template", template)


def send_path(project_id: str, send: str) -> str:
    """The address of a send's page."""
    return f"{base_of(project_id)}/sends/{quote(send, safe='')}"


def _named_path(project_id: str, noun: str, name: str) -> str:
    """The address of a thing by its name. Browsers take away a part of a path that is of dots; `new` is a page."""
    if name.strip(".") and name != "new":
        return f"{base_of(project_id)}/{noun}s/{quote(name, safe='')}"
    return f"{base_of(project_id)}/{noun}?id={name}"


def named_routes(
    noun: str, permission: Permission, answer: PageAnswer, *, is_live: bool = False
) -> tuple[ProjectRoute, ...]:
    """The two addresses of a thing that is found by its name."""
    return (
        ProjectRoute(f"/{noun}s/{{id}}", permission, answer, is_live=is_live),
        ProjectRoute(f"/{noun}", permission, answer, is_live=is_live),
    )


def customer_path(project_id: str, customer: str) -> str:
    """The address of a customer's page."""
    return f"{base_of(project_id)}/customers?id={quote(customer, safe='')}"


def message_path(project_id: str, delivery: str, event: str | None = None) -> str:
    """The address of a message's page; the event finds it while no sender has taken it."""
    of = f"?event={quote(event, safe='')}" if event else ""
    return f"{base_of(project_id)}/messages/{quote(delivery, safe='')}{of}"


def message(mine: ProjectVisit, title: str, text: str, status: int) -> web.Response:
    """A sentence in place of a page."""
    frame = mine.frame
    frame["live"] = None
    return respond(ProjectMessagePage(title=title, text=inert(text), **frame), status)


def _refused(mine: ProjectVisit, permission: Permission) -> web.Response:
    who = " and ".join(roles_with(permission))
    text = f"Your role here is {mine.role}. This page is for {who}. An admin can change your role."
    return message(mine, "Not for your role", text, 403)
