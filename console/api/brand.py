"""The brand of a key's project over HTTP: what templates see of it, and another one in its place."""

from __future__ import annotations

from typing import Any

import msgspec

from console.api.documents import must_be_beside
from console.api.route import Call, DocumentBody, Nothing, Reply, Route, Writing
from console.api.versions import etag, must_match
from console.control import brand, projects
from schemas.record import JsonObject


class ReadBrand(msgspec.Struct, frozen=True, kw_only=True):
    """The brand as templates see it: as the project's document says (`is_own`), else as the settings do.

    `version` is that of the document, 0 without one; `missing` are the keys that e-mail needs. `warnings` are about
    colors that are hard to read or to see.
    """

    brand: dict[str, str]
    is_own: bool
    version: int
    missing: list[str]
    warnings: list[str]


class AppliedBrand(msgspec.Struct, frozen=True, kw_only=True):
    """The fate of the project's document, which has the brand: new, changed or unchanged, and what differs."""

    plan: str
    version: int
    changes: list[str]
    warnings: list[str]
    dry_run: bool


async def get_brand(call: Call[Any, Nothing, None]) -> Reply:
    """The one that is given to templates from now on."""
    found = await brand.show(call.pool, call.wiring.settings, call.project_id)
    read = ReadBrand(
        brand=found.texts, is_own=found.is_own, version=found.version, missing=list(found.missing),
        warnings=list(found.warnings),
    )  # fmt: skip
    return Reply(read, headers={"etag": etag(found.version)} if found.version else {})


async def put_brand(call: Call[Any, Writing, JsonObject]) -> Reply:
    """Put a whole brand in the place of the one before; the project's document says all else as before."""
    dry_run, settings = call.query.dry_run, call.wiring.settings
    before = await projects.version(call.pool, call.project_id)
    planned = await brand.plan(call.pool, call.body, settings, call.project_id, call.now)
    await must_match(call.if_match, call.if_none_match, before)
    if not dry_run:
        must_be_beside(planned, before)
        await projects.apply(call.pool, [planned], settings, call.announce, actor=call.actor, now=call.now)
    applied = AppliedBrand(
        plan=planned.what, version=planned.version, changes=list(planned.lines),
        warnings=list(brand.warnings_of(call.body)), dry_run=dry_run,
    )  # fmt: skip
    is_made = planned.what == "new" and not dry_run
    return Reply(applied, 201 if is_made else 200, {} if dry_run else {"etag": etag(planned.version)})


_EXAMPLE: JsonObject = {"name": "Outlet", "contact": "help@outlet.example", "color": "#0f766e"}

ROUTES: tuple[Route, ...] = (
    Route(
        "GET", "/project/brand", "project:read", "Read the brand that templates of the key's project are given",
        get_brand, {200: ReadBrand},
    ),
    Route(
        "PUT", "/project/brand", "project:write", "Give the key's project another brand, whole", put_brand,
        {200: AppliedBrand, 201: AppliedBrand}, query_type=Writing, body=DocumentBody("brand"), etag=True,
        body_example=_EXAMPLE,
    ),
)  # fmt: skip
