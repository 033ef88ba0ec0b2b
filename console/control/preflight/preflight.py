"""The preflight of a distribution: everything that would stop it from sending well, found before it is set live.

Matchers' own functions decide about its audience, senders' own channels write its messages, and its accounts, its links
and its sender's domains are asked, unless it is `offline`. Nothing is sent, claimed or written down.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

import asyncpg

from agents.wiring import Wiring
from channels.email.dkim_record import published
from channels.email.sender_records import LookUp
from channels.tracked import TrackedLinks
from console.control.context import ProjectContext
from console.control.distribution_check import email_problems
from console.control.preflight import decided as decisions
from console.control.preflight import links, stock, texts, written
from console.control.preflight.audience import MOST, Audience, Sought, audience_of
from console.control.preflight.decided import Decided, decide
from console.control.preflight.finding import Finding, found, in_order
from console.control.preflight.reached import Gets, reach
from console.control.preflight.ways import Ways
from console.control.preflight.written import Written
from console.control.preview.messages import Candidate, Rendering
from console.control.preview.trial import perhaps_problems
from schemas.channels.email import EmailPlan
from streams.documents.distribution import Definition

_ENGLISH = "en"
"""The language of default texts, where the brand names none."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The preflight that is asked for: over a segment's members, where one is named, and at most so many customers.

    `offline`: neither providers, DNS nor links are asked. `sms_price` is what one part of a text message costs.
    """

    segment: str | None = None
    most: int = MOST
    offline: bool = False
    sms_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Preflight:
    """The findings, the worst first. Of an `audience` so many were `looked_at`, and `gets` of them would be sent it."""

    distribution: str
    version: int
    status: str
    audience: int
    whence: str
    looked_at: int
    gets: int
    findings: tuple[Finding, ...]

    @property
    def is_clear(self) -> bool:
        """True where nothing would stop it."""
        return not any(one.severity == "blocker" for one in self.findings)


@dataclass(frozen=True, slots=True)
class _Looked:
    """The audience, what was decided about it, what was written to it, and who gets it in the end."""

    audience: Audience
    decided: Decided
    messages: list[Written]
    gets: Gets

    @property
    def expected(self) -> int:
        """Those of the whole audience who would be sent something, as far as a part of it tells."""
        of = self.audience.size
        return -(-len(self.gets) * self.audience.total // of) if of else 0


async def preflight(
    pool: asyncpg.Pool,
    wiring: Wiring,
    project: ProjectContext,
    candidate: Candidate,
    asked: Asked,
    now: datetime,
    *,
    look_up: LookUp = published,
) -> Preflight:
    """Look over a distribution, applied or not. `look_up` asks DNS. Raises NotFound, CannotStart, TryLater."""
    rule = candidate.distribution
    moment = max(now, rule.starts_at or now)
    ways = await Ways.of(pool, rule, wiring.settings)
    audience, made = await audience_of(pool, wiring, rule, Sought(asked.segment, asked.most, moment))
    rendering = Rendering.of(wiring.settings, ways.own)
    looked = await asyncio.to_thread(_look, candidate, audience, rendering, project, moment)
    out = await reach(pool, rule, audience, looked.messages, looked.decided.gets)
    looked = replace(looked, gets=out.gets)
    made += out.findings
    made += await asyncio.to_thread(_of_messages, candidate, looked, wiring, ways, project, asked, moment)
    made += [*ways.missing(), *ways.refused_addresses(project.reach), *ways.slow(looked.expected, rendering.channels)]
    made += await ways.held(pool, looked.messages)
    made += await _of_stock(pool, candidate, project, looked, now)
    if not asked.offline:
        made += await ways.ask(pool, look_up)
        made += await _of_links(candidate, project)
    gets = len(looked.gets) if audience.is_known else 0
    looked_at = audience.size if audience.is_known else 0
    return Preflight(
        rule.id, rule.version, str(rule.status), audience.total, audience.whence, looked_at, gets, in_order(made)
    )


def _look(
    candidate: Candidate, audience: Audience, rendering: Rendering, project: ProjectContext, moment: datetime
) -> _Looked:
    decided = decide(candidate.distribution, audience, project.zone, moment)
    messages = written.write_all(candidate, audience, rendering, project.zone, moment)
    return _Looked(audience, decided, messages, decided.gets)


def _of_messages(
    candidate: Candidate,
    looked: _Looked,
    wiring: Wiring,
    ways: Ways,
    project: ProjectContext,
    asked: Asked,
    moment: datetime,
) -> list[Finding]:
    """Everything that decisions and messages say, without asking anybody."""
    rule, audience, messages = candidate.distribution, looked.audience, looked.messages
    made = list(_of_templates(candidate, project))
    if audience.is_known:
        made += decisions.findings(rule, looked.decided)
    made += written.findings(candidate, messages, audience, project.brand.locale or _ENGLISH)
    tracked = Rendering.of(wiring.settings, ways.own, _tracked(wiring, project))
    clipped = written.clipped(messages, tracked, candidate, moment)
    made += [] if clipped is None else [clipped]
    of = audience.size
    total = audience.total if audience.is_known else of
    made += texts.findings(rule, written.texts_of(messages), looked.gets, total, of, asked.sms_price)
    return made


def _of_templates(candidate: Candidate, project: ProjectContext) -> Iterator[Finding]:
    """All that `apply` would refuse, or has come about since: the brand, variables, and what is not always there."""
    definition = _definition(candidate)
    for problem in email_problems(definition, project, to_save=False):
        yield found("template_fails", problem.path, problem.message)
    for problem in perhaps_problems(definition):
        yield found("template_fragile", problem.path, problem.message)


def _definition(candidate: Candidate) -> Definition:
    """A distribution beside its templates, as it is checked when it is applied."""
    rule = candidate.distribution
    pairs = ((at, candidate.templates.get(plan.template.digest)) for at, plan in rule.plans() if plan.template)
    return Definition(rule, tuple((at, template) for at, template in pairs if template is not None))


async def _of_stock(
    pool: asyncpg.Pool, candidate: Candidate, project: ProjectContext, looked: _Looked, now: datetime
) -> list[Finding]:
    rule = candidate.distribution
    made = await stock.codes(pool, rule, candidate.campaign, looked.expected, now)
    made += await stock.segments(pool, rule)
    made += [*stock.dates(rule, now), *stock.fallbacks(rule, project)]
    made += [*stock.approval(rule, project, looked.audience.total)]
    return made + await stock.ownership(pool, rule, project)


async def _of_links(candidate: Candidate, project: ProjectContext) -> list[Finding]:
    """Pages that templates link to, and files that are fetched, where nothing of a customer stands in their address."""
    places = _written_links(candidate)
    answers = await links.ask(list(places), project.reach)
    return [found(kind, places[link], f"{links.shown(link)}: {said}") for link, (kind, said) in answers.items()]


def _written_links(candidate: Candidate) -> dict[str, str]:
    """Each such link, and the place of the first plan that has it."""
    places: dict[str, str] = {}
    for at, plan in candidate.distribution.plans():
        template = candidate.templates.get(plan.template.digest) if plan.template else None
        for link in links.written_links(template) if template else ():
            places.setdefault(link, at)
        for number, one in enumerate(plan.attachments if isinstance(plan, EmailPlan) else ()):
            if "{" not in one.url:
                places.setdefault(one.url, f"{at}.attachments[{number}].url")
    return places


def _tracked(wiring: Wiring, project: ProjectContext) -> TrackedLinks:
    console = wiring.settings.console
    secrets = tuple(one.reveal() for one in console.secrets)
    return TrackedLinks(console.public_url, secrets, lambda _: project.tracking)
