"""Read models made anew as somebody asks: ask for one, look, cancel; and the work on it, by one process at once."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

import asyncpg
import structlog

from agents.wiring import Wiring
from console.control.leased import BEAT_SECONDS, LEASE, LOOK_SECONDS, NotOurs, until_over, while_ours
from console.control.not_found import not_found
from console.control.rebuild import forget_rebuild, rebuild_read_models
from schemas.errors import TidingsError, TryLater
from store.rebuilds import RebuildPlace, RebuildProgress, RebuildRow, Rebuilds

log = structlog.get_logger()


class RebuildUnderWay(TidingsError):
    """Read models are being made anew already."""


async def begin(pool: asyncpg.Pool, project_id: str, *, actor: str, dry_run: bool = False) -> RebuildRow:
    """Ask for one, which is made afterwards. Raises RebuildUnderWay, TryLater."""
    rebuilds = Rebuilds(pool)
    made = await rebuilds.add(project_id, f"rebuild_{secrets.token_hex(12)}", actor, dry_run=dry_run)
    if made is None:
        under_way = await rebuilds.open()
        name = under_way.rebuild_id if under_way else "one"
        raise RebuildUnderWay(f"{name} is under way: wait for its end, or cancel it")
    return made


async def begin_or_join(pool: asyncpg.Pool, project_id: str, *, actor: str) -> RebuildRow:
    """Ask for one, or take the one that is under way. Raises RebuildUnderWay, TryLater."""
    return await Rebuilds(pool).open() or await begin(pool, project_id, actor=actor)


async def find(pool: asyncpg.Pool, rebuild_id: str) -> RebuildRow:
    """One of them. Raises NotFound, TryLater."""
    found = await Rebuilds(pool).find(rebuild_id)
    if found is None:
        raise not_found("rebuild", rebuild_id, await Rebuilds(pool).ids())
    return found


async def listed(pool: asyncpg.Pool, limit: int, after: RebuildPlace | None = None) -> list[RebuildRow]:
    """The newest, behind a place. Raises TryLater."""
    return await Rebuilds(pool).listed(limit, after)


async def cancel(
    pool: asyncpg.Pool, project_id: str, rebuild_id: str, *, actor: str, dry_run: bool = False
) -> RebuildRow:
    """Have it end; days that were replaced stay so. Raises NotFound, TidingsError, TryLater."""
    before = await find(pool, rebuild_id)
    after = await Rebuilds(pool).cancel(project_id, rebuild_id, actor, dry_run=dry_run)
    if after is None:
        raise TidingsError(f"{rebuild_id} is {before.state} and cannot be canceled")
    if before.tries and after.ended_at is not None and not dry_run:  # whoever made it is gone
        await forget_rebuild(pool)
    return after


# -- the work -----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class RebuildWork:
    """The making in one process. `is_stopping` says that it is to leave what it does to another."""

    pool: asyncpg.Pool
    wiring: Wiring
    owner: str
    clock: Callable[[], datetime]
    is_stopping: Callable[[], bool] = lambda: False
    beat_seconds: float = BEAT_SECONDS
    _rebuilds: Rebuilds = field(init=False)

    def __post_init__(self) -> None:
        self._rebuilds = Rebuilds(self.pool)

    async def work(self) -> bool:
        """Make them anew, where somebody asked for it and nobody does it; False else. Raises TryLater.

        What ends in the middle is begun again by whoever claims it next, from nothing.
        """
        one = await self._rebuilds.claim(self.owner, LEASE)
        if one is None:
            return False
        progress = RebuildProgress()
        try:
            await self._make(one, progress)
        except NotOurs:
            await self._leave(one, progress)
        except TryLater:
            await self._leave(one, progress)
            raise
        except TidingsError as error:
            await self._rebuilds.end(one, self.owner, "failed", progress, str(error))
        except Exception as error:
            log.error("rebuild_failed", error=type(error).__name__)
            await self._rebuilds.end(one, self.owner, "failed", progress, f"a defect of ours: {type(error).__name__}")
        else:
            await self._rebuilds.end(one, self.owner, "done", progress)
        return True

    async def see_through(
        self, one: RebuildRow, on_progress: Callable[[RebuildRow], None], *, project_id: str, actor: str
    ) -> RebuildRow:
        """Have it made, by us or by who has it already. Where that ends early, it is canceled by who began it.

        What somebody else asked for is left to whoever is next. `on_progress` gets it as it stands, again and again.
        Raises TryLater.
        """
        try:
            return await until_over(self.work, self._watch(one, on_progress))
        except BaseException:
            with suppress(TidingsError):
                await self._rebuilds.release(one, self.owner)
                if one.created_by == actor:
                    await cancel(self.pool, project_id, one.rebuild_id, actor=actor)
            raise

    async def _make(self, one: RebuildRow, progress: RebuildProgress) -> None:
        async def beat() -> bool:
            return await self._rebuilds.beat(one, self.owner, progress, LEASE)

        made = rebuild_read_models(self.pool, self.wiring, actor=one.created_by, now=self.clock(), progress=progress)
        await while_ours(made, beat, self.is_stopping, self.beat_seconds)

    async def _watch(self, one: RebuildRow, on_progress: Callable[[RebuildRow], None]) -> RebuildRow:
        while (now := await find(self.pool, one.rebuild_id)).ended_at is None:
            on_progress(now)
            await asyncio.sleep(LOOK_SECONDS)
        return now

    async def _leave(self, one: RebuildRow, progress: RebuildProgress) -> None:
        now = await self._rebuilds.find(one.rebuild_id)
        if now is not None and now.cancel_by is not None:
            await forget_rebuild(self.pool)
            await self._rebuilds.end(one, self.owner, "canceled", progress)
        else:
            await self._rebuilds.release(one, self.owner)
