"""Buttons of a distribution: pause, go on, stop, archive, bring back, delete."""

from __future__ import annotations

from aiohttp import web

from console.control import archive, distributions, lifecycle
from console.control.lifecycle import STEPS
from console.web.distribution import page_of_one
from console.web.pages import FieldProblem, see
from console.web.projects import ProjectRoute, ProjectVisit, base_of, distribution_path
from console.web.tables import address
from console.web.visit import whole_number
from console.web.words import as_sentence, inert
from schemas.distribution import Distribution
from schemas.errors import TidingsError, TryLater
from store.distributions import VersionConflict
from store.managed import ManagedFromGit

_FIELD = "step"


async def take_step(mine: ProjectVisit) -> web.Response:
    """Pause it, go on, or stop it. Raises NotFound, TryLater."""
    form = await mine.visit.form()
    identity, do = form.get("id") or mine.text("id"), form.get("do", "")
    before = await distributions.find(mine.pool, mine.project_id, identity)
    try:
        step = next((one for one in STEPS.values() if one.name == do and one.name != "live"), None)
        if step is None:
            raise TidingsError("this form does not say what to do: look again, nothing was done")
        _must_be_seen(before, form.get("seen", ""))
        await lifecycle.take(mine.pool, before, step, mine.announce, actor=mine.actor, now=mine.now)
    except TryLater:
        raise
    except TidingsError as error:
        return await _refused(mine, identity, error)
    return _done(mine, identity, do)


async def take_end(mine: ProjectVisit) -> web.Response:
    """Archive it, bring it back, or delete it. Raises NotFound, TryLater."""
    form = await mine.visit.form()
    identity, do = form.get("id") or mine.text("id"), form.get("do", "")
    keep = mine.lock(insists=form.get("override") == "yes")
    pool, told = mine.pool, mine.announce
    try:
        if do == "restore":
            found = await archive.restorable(pool, mine.project_id, identity)
            await archive.restore(pool, found, told, actor=mine.actor, now=mine.now, keep=keep)
            return _done(mine, identity, do)
        before = await distributions.find(pool, mine.project_id, identity)
        _must_be_seen(before, form.get("seen", ""))
        if do == "archive":
            await archive.archive(pool, before, told, actor=mine.actor, now=mine.now, keep=keep)
            return _done(mine, identity, do)
        if do != "delete":
            raise TidingsError("this form does not say what to do: look again, nothing was done")
        await archive.delete(pool, before, told, actor=mine.actor, now=mine.now, keep=keep)
    except TryLater:
        raise
    except ManagedFromGit as error:
        why = f"It is managed from Git ({inert(error.source)}): change it there."
        return await page_of_one(mine, identity, (FieldProblem(_FIELD, why),), is_managed=True)
    except TidingsError as error:
        return await _refused(mine, identity, error)
    return see(address(f"{base_of(mine.project_id)}/distributions", {"deleted": identity}))


def _must_be_seen(before: Distribution, seen: str) -> None:
    """Refuse what was asked of another version. A list shows none, and asks of the newest. Raises VersionConflict."""
    if seen and whole_number(seen) != before.version:
        raise VersionConflict("somebody has changed it meanwhile: look again, nothing was done")


async def _refused(mine: ProjectVisit, identity: str, error: TidingsError) -> web.Response:
    """Its page, with the reason. Raises NotFound."""
    return await page_of_one(mine, identity, (FieldProblem(_FIELD, as_sentence(inert(error))),))


def _done(mine: ProjectVisit, identity: str, did: str) -> web.Response:
    return see(address(distribution_path(mine.project_id, identity), {"did": did}))


ROUTES: tuple[ProjectRoute, ...] = (
    ProjectRoute("/distribution/step", "distributions:operate", take_step, "POST"),
    ProjectRoute("/distribution/end", "distributions:write", take_end, "POST"),
)
