"""Codes of campaigns over HTTP: how many are left, adding some, making some."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from console.api.route import PRIVATE, ById, Call, Instant, Name, Nothing, Reply, Route, Writing
from console.control import codes
from console.control.codes import Imported
from console.control.files.code_file import GivenCodes
from console.control.files.code_row import METADATA, RowReader

_MOST_BYTES = 8 * 1024 * 1024
_MOST_CODES = 10_000
"""Of a request: they are added in one transaction, and claims of the campaign wait for so long."""
_MOST_MADE = 50_000
"""Of a request: some ten seconds."""

Text = Annotated[str, Meta(max_length=4096)]
Written = Annotated[str, Meta(max_length=64, description="A time, or a day, which holds through that day as an end.")]


class CodeGiven(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A code to add, as a row of a file has it. `value` is its own balance, where that is not the campaign's."""

    code: Annotated[str, Meta(extra=PRIVATE)]
    active: bool = True
    start_date: Written | None = None
    expiration_date: Written | None = None
    value: Annotated[int, Meta(ge=0)] | None = None
    metadata: dict[Name, Text] = {}


class CodesToAdd(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Codes, given out in this order. `as_written`: those that look as a spreadsheet makes them are meant so."""

    codes: Annotated[list[CodeGiven], Meta(min_length=1, max_length=_MOST_CODES)]
    as_written: bool = False


class CodesToMake(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The number of codes to make of the campaign's pattern, ahead of time."""

    count: Annotated[int, Meta(ge=1, le=_MOST_MADE)]


class CodesLeft(msgspec.Struct, frozen=True, kw_only=True):
    """The fill of a campaign's pool. `left` are the free ones, and those that the pattern can still make."""

    campaign: str
    total: int
    free: int
    published: int
    inactive: int
    expired: int
    left: int
    low_water: int
    is_low: bool


class CodeThere(msgspec.Struct, frozen=True, kw_only=True):
    """A code that was there already: its place in `codes`, and its campaign, null where it stands above in `codes`."""

    at: int
    campaign: str | None


class AddedCodes(msgspec.Struct, frozen=True, kw_only=True):
    """The codes that were added, and what is strange about those given.

    `there_already` are left as they are; `doubled` are repeated in the request; `first_there` are the first of both.
    `alike` are like another code but for capitals, or zeros in front; `expired` have ended already;
    `may_lack_zeros`: codes of digits are of different lengths and none begins with 0.
    """

    campaign: str
    given: int
    added: int
    there_already: int
    doubled: int
    first_there: list[CodeThere]
    alike: int
    first_alike: list[CodeThere]
    first_end: Instant | None
    last_end: Instant | None
    expired: int
    may_lack_zeros: bool
    dry_run: bool


class MadeCodes(msgspec.Struct, frozen=True, kw_only=True):
    """The number that was made: all of them, or none where they do not fit."""

    campaign: str
    made: int
    dry_run: bool


async def get_codes(call: Call[ById, Nothing, None]) -> Reply:
    """Its codes, counted."""
    (one,) = await codes.count(call.pool, call.project_id, call.path.id, call.now)
    left = CodesLeft(
        campaign=one.campaign_id, total=one.total, free=one.free, published=one.published, inactive=one.inactive,
        expired=one.expired, left=one.left, low_water=one.low_water, is_low=one.is_low,
    )  # fmt: skip
    return Reply(left)


async def add_codes(call: Call[ById, Writing, CodesToAdd]) -> Reply:
    """Add codes, as the command does of a file."""
    project = await call.project()
    given = GivenCodes(list(map(_fields, call.body.codes)), RowReader(project.zone, as_written=call.body.as_written))
    done = await codes.import_codes(
        call.pool, call.project_id, call.path.id, given, batch=_MOST_CODES, actor=call.actor, now=call.now,
        dry_run=call.query.dry_run,
    )  # fmt: skip
    return Reply(_added(call.path.id, done, dry_run=call.query.dry_run))


async def generate_codes(call: Call[ById, Writing, CodesToMake]) -> Reply:
    """Make codes, as the command does."""
    identity, dry_run = call.path.id, call.query.dry_run
    made = await codes.generate(
        call.pool, call.project_id, identity, call.body.count, actor=call.actor, now=call.now, dry_run=dry_run
    )
    return Reply(MadeCodes(campaign=identity, made=made, dry_run=dry_run))


def _fields(one: CodeGiven) -> Mapping[str, str]:
    """A code as a row of a file has it."""
    written = {
        "active": "" if one.active else "false",
        "start_date": one.start_date,
        "expiration_date": one.expiration_date,
        "value": None if one.value is None else str(one.value),
        **{METADATA + name: text for name, text in one.metadata.items()},
    }
    return {"code": one.code, **{name: text for name, text in written.items() if text}}


def _added(campaign: str, done: Imported, *, dry_run: bool) -> AddedCodes:
    checked = done.checked
    there = [CodeThere(at=one.line, campaign=None if one.is_of_file else one.campaign_id) for one in done.doubles]
    return AddedCodes(
        campaign=campaign, given=checked.rows, added=done.added, there_already=done.in_project, doubled=done.in_file,
        first_there=there, alike=done.alike.total,
        first_alike=[CodeThere(at=one.line, campaign=one.campaign_id) for one in done.alike.first],
        first_end=checked.first_end, last_end=checked.last_end, expired=checked.expired,
        may_lack_zeros=checked.digits.may_lack_zeros, dry_run=dry_run,
    )  # fmt: skip


_ID = {"id": "spring"}

ROUTES: tuple[Route, ...] = (
    Route(
        "GET", "/campaigns/{id}/codes", "campaigns:read", "Count the codes of a campaign", get_codes,
        {200: CodesLeft}, path_type=ById, path_example=_ID,
    ),
    Route(
        "POST", "/campaigns/{id}/codes", "campaigns:write",
        "Add codes to a campaign: what is there already stays as it is", add_codes, {200: AddedCodes}, path_type=ById,
        query_type=Writing, body=CodesToAdd, most_bytes=_MOST_BYTES, path_example=_ID,
        body_example={"codes": [{"code": "SPRING-7K3F", "expiration_date": "2027-05-31"}]},
    ),
    Route(
        "POST", "/campaigns/{id}/codes/generate", "campaigns:write", "Make codes of a campaign's pattern ahead of time",
        generate_codes, {200: MadeCodes}, path_type=ById, query_type=Writing, body=CodesToMake, path_example=_ID,
        body_example={"count": 1000},
    ),
)  # fmt: skip
