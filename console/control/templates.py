"""Templates stored under their names: check, plan, save all or nothing; list, find, roll out, delete.

Storing changes nothing that leaves: a distribution keeps the text that it was applied with, until it is applied anew or
the template is rolled out to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import SequenceMatcher
from pathlib import PurePath

import asyncpg

from console.control.not_found import NotFound, not_found
from console.control.plan import Planned, What, changes
from console.control.template_check import check
from console.control.template_source import LAYOUT, TemplateSource, named_file
from schemas.errors import DefinitionInvalid, Problem, TidingsError
from schemas.template import NamedTemplate
from store.managed import LOCKED, Keep
from store.templates import NamedTemplates, TemplateUse, TemplateVersion, VersionsSent

_LONGEST = 60


@dataclass(frozen=True, slots=True)
class UsedBy:
    """A distribution that sends a version of a template."""

    distribution: str
    version: int


@dataclass(frozen=True, slots=True)
class TemplateSummary:
    """A stored template: in what it is written, as in `mjml, txt`, its locales, and who sends it."""

    template: str
    version: int
    format: str
    locales: str
    used_by: tuple[UsedBy, ...]

    @property
    def older(self) -> tuple[UsedBy, ...]:
        """The distributions that send another version."""
        return tuple(one for one in self.used_by if one.version != self.version)


@dataclass(frozen=True, slots=True)
class TemplateShown:
    """A version of a template, with the files of one locale (empty for the default) by name."""

    summary: TemplateSummary
    applied_by: str
    applied_at: datetime
    locale: str
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SentVersion:
    """A version, who applied it, and which versions of which distributions it went out with."""

    version: int
    applied_by: str
    applied_at: datetime
    sent_by: str


async def plan(
    pool: asyncpg.Pool, sources: Iterable[TemplateSource], project_id: str, problems: Iterable[Problem] = ()
) -> list[Planned[NamedTemplate]]:
    """The plan of applying templates; `problems` are those of choosing them. Raises DefinitionInvalid, TryLater.

    They are compiled in a thread: others would wait for large ones.
    """
    templates = NamedTemplates(pool)
    counted = await templates.last_versions(project_id)  # first: what is stored between the two takes the next number
    current = await templates.current(project_id)
    return await asyncio.to_thread(plan_sources, sources, project_id, current, counted, problems)


def plan_sources(
    sources: Iterable[TemplateSource],
    project_id: str,
    current: Mapping[str, NamedTemplate],
    counted: Mapping[str, int],
    problems: Iterable[Problem] = (),
) -> list[Planned[NamedTemplate]]:
    """The same, beside what is there. `counted` is the last version of each name, deleted ones among them.

    Raises DefinitionInvalid with all problems, each with file and line.
    """
    found = list(problems)
    plan: list[Planned[NamedTemplate]] = []
    for one in _each_once(sources, found):
        try:
            after = check(one, project_id, counted.get(one.name, 0) + 1)
        except DefinitionInvalid as error:
            found += error.problems
            continue
        plan.append(_planned(current.get(one.name), after, one))
    if found:
        raise DefinitionInvalid(tuple(dict.fromkeys(found)))
    return plan


def _each_once(sources: Iterable[TemplateSource], problems: list[Problem]) -> Iterable[TemplateSource]:
    chosen: dict[str, TemplateSource] = {}
    for one in sources:
        first = chosen.setdefault(one.name, one)
        if first != one:
            problems.append(Problem(f"{one.first}:1", f"template {one.name} stands in {first.first} already"))
    return chosen.values()


async def save(
    pool: asyncpg.Pool,
    plan: Sequence[Planned[NamedTemplate]],
    *,
    actor: str,
    now: datetime,
    keep: Keep = LOCKED,
) -> None:
    """Store what differs, in one transaction. Raises VersionConflict, ManagedFromGit, TryLater."""
    await NamedTemplates(pool).save(changes(plan), applied_by=actor, now=now, keep=keep)


async def listed(pool: asyncpg.Pool, project_id: str) -> list[TemplateSummary]:
    """Every stored template in its newest version, and who sends it. Raises TryLater."""
    templates = NamedTemplates(pool)
    uses = await templates.uses(project_id)
    return [_summary(one, uses) for one in (await templates.current(project_id)).values()]


async def show(
    pool: asyncpg.Pool, project_id: str, name: str, version: int | None = None, locale: str | None = None
) -> TemplateShown:
    """One version, or the newest: the files of the locale that a customer's would take. Raises NotFound, TryLater."""
    kept = await find(pool, project_id, name, version)
    summary = await summarized(pool, project_id, kept.template)
    tag = kept.template.variant(locale)
    return TemplateShown(summary, kept.applied_by, kept.applied_at, tag, files_in(kept.template, tag))


async def summarized(pool: asyncpg.Pool, project_id: str, template: NamedTemplate) -> TemplateSummary:
    """A template's version, and who sends which. Raises TryLater."""
    return _summary(template, await NamedTemplates(pool).uses(project_id, template.name))


async def find(pool: asyncpg.Pool, project_id: str, name: str, version: int | None = None) -> TemplateVersion:
    """One version, or the newest. Raises NotFound with the versions that there are; TryLater."""
    templates = NamedTemplates(pool)
    kept = await templates.find(project_id, name, version)
    if kept is not None:
        return kept
    versions = [row["version"] for row in await templates.history(project_id, name)]
    if versions and version is not None:
        there = f"template {name} has no version {version}. There are: {versions[-1]} to {versions[0]}."
        raise NotFound(there, kind="template", name=name, meant=None)
    if versions:
        kept_versions = f"its versions are kept: version {versions[0]} is the last"
        raise NotFound(f"template {name} is deleted; {kept_versions}", kind="template", name=name, meant=None)
    raise not_found("template", name, await templates.current(project_id))


async def history(pool: asyncpg.Pool, project_id: str, name: str) -> list[SentVersion]:
    """Every version, newest first; of a deleted template as well. Raises NotFound, TryLater."""
    templates = NamedTemplates(pool)
    rows = await templates.history(project_id, name)
    if not rows:
        await find(pool, project_id, name)
    sent = await templates.sent_by(project_id, name)
    return [
        SentVersion(row["version"], row["applied_by"], row["applied_at"], sent_by(row["version"], sent)) for row in rows
    ]


async def version(pool: asyncpg.Pool, project_id: str, name: str) -> int:
    """The newest version of a name; 0 where nothing has it, or it is deleted. Raises TryLater."""
    kept = await NamedTemplates(pool).find(project_id, name)
    return kept.template.version if kept else 0


async def delete(
    pool: asyncpg.Pool,
    project_id: str,
    name: str,
    *,
    actor: str,
    now: datetime,
    dry_run: bool = False,
    keep: Keep = LOCKED,
) -> None:
    """Forget a name, but not its versions.

    Raises NotFound, ManagedFromGit, and TidingsError where what is live or paused uses it.
    """
    await find(pool, project_id, name)
    kept = NamedTemplates(pool)
    found = await (kept.uses(project_id, name) if dry_run else kept.delete(project_id, name, now, by=actor, keep=keep))
    uses = sorted({use.distribution_id for use in found})
    if uses:
        stop = f"stop them first: tidings distributions stop {uses[0]}"
        raise TidingsError(f"template {name} is used by {', '.join(uses)}; {stop}")


async def older_uses(pool: asyncpg.Pool, project_id: str, newest: Mapping[str, int]) -> list[TemplateUse]:
    """The distributions that send another version than the one of its name. Raises TryLater."""
    return [
        use for use in await NamedTemplates(pool).uses(project_id) if newest.get(use.name, use.version) != use.version
    ]


# -- how they read ----------------------------------------------------------------------------------------------


def _summary(one: NamedTemplate, uses: Iterable[TemplateUse]) -> TemplateSummary:
    used_by = tuple(UsedBy(use.distribution_id, use.version) for use in uses if use.name == one.name)
    return TemplateSummary(one.name, one.version, kinds(one), locales(one), used_by)


def kinds(template: NamedTemplate) -> str:
    """In what a template is written, as in `mjml, txt`."""
    return ", ".join(sorted({PurePath(file).suffix.lstrip(".") for file in template.files if file != LAYOUT}))


def locales(template: NamedTemplate) -> str:
    """The default and every locale."""
    return ", ".join(("default", *sorted(template.locales)))


def files_in(template: NamedTemplate, tag: str) -> dict[str, str]:
    """The files of one locale, by name; of the default for the empty tag."""
    return {
        name: text for name, text in template.files.items() if name != LAYOUT and named_file(PurePath(name))[1] == tag
    }


def sent_by(version: int, sent: Iterable[VersionsSent]) -> str:
    """The versions of distributions that a version of a template went out with, as in `winback v1-v3, v5`."""
    found = [(one.distribution_id, _ranges(one.distribution_versions)) for one in sent if one.version == version]
    return "; ".join(f"{distribution} {versions}" for distribution, versions in found)


def _ranges(versions: Sequence[int]) -> str:
    runs: list[list[int]] = []
    for version in versions:
        if runs and version == runs[-1][-1] + 1:
            runs[-1].append(version)
        else:
            runs.append([version])
    return ", ".join(f"v{run[0]}" + (f"-v{run[-1]}" if len(run) > 1 else "") for run in runs)


def _planned(before: NamedTemplate | None, after: NamedTemplate, one: TemplateSource) -> Planned[NamedTemplate]:
    new = f"{kinds(after)}; {locales(after)}"
    lines = (new, *_hints(one)) if before is None else tuple(_differences(before, after))
    what: What = "new" if before is None else "changed" if lines else "unchanged"
    stored = before if before is not None and not lines else after
    return Planned(what, "template", after.name, stored.version, stored, lines)


def _hints(one: TemplateSource) -> tuple[str, ...]:
    """A slip in a locale makes a template of its own: pointed out, since it may be meant."""
    stem, _, suffix = one.name.rpartition(".")
    meant = bool(stem) and len(suffix) <= len("zho") and stem in one.beside
    return (f"{suffix} is not a locale, so this is another template than {stem}",) if meant else ()


def _differences(before: NamedTemplate, after: NamedTemplate) -> Iterator[str]:
    for name in sorted({**before.files, **after.files}):
        old, new = before.files.get(name), after.files.get(name)
        if old is None or new is None:
            yield f"{name}: {'new' if old is None else 'gone'}"
        elif old != new:
            yield f"{name}:{_difference(old.splitlines(), new.splitlines())}"
    made = ("text", "html", "locales")
    if before.files == after.files and any(getattr(before, part) != getattr(after, part) for part in made):
        yield "compiled anew: this version makes something else of the same files"


def _difference(old: list[str], new: list[str]) -> str:
    """The first line that differs, and how many do."""
    changes = [
        (old[gone:gone_end], come, new[come:come_end])
        for tag, gone, gone_end, come, come_end in SequenceMatcher(None, old, new).get_opcodes()
        if tag != "equal"
    ]
    if not changes:
        return " line ends"
    before, line, after = changes[0]
    first = f"{_short(*before[:1])} → {_short(*after[:1])}".strip()
    return f"{line + 1}: {first} (+{sum(len(one[2]) for one in changes)} -{sum(len(one[0]) for one in changes)})"


def _short(line: str = "") -> str:
    shown = line.strip()
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"
