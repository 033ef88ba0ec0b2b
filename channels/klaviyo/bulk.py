"""Klaviyo's jobs: many profiles or events in one request, which it works off later.

A job is taken with 202. A 400 names the place of each object that is not as documented, and nothing of it was taken.
What a job of profiles refuses later it tells where it is asked; a job of events tells nothing, to anybody.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from channels.contract import shortened
from channels.http.batches import BatchLimits
from channels.http.transport import Reply
from schemas.receipt import Accepted, Receipt, Refused

PROFILES, EVENTS = "/api/profile-import", "/api/events"
JOBS = {PROFILES: "/api/profile-bulk-import-jobs", EVENTS: "/api/event-bulk-create-jobs"}
"""The path of one object, and that of many."""
LIMITS = {PROFILES: BatchLimits(10_000, 5_000_000), EVENTS: BatchLimits(1000, 5_000_000)}
LOOKS = (1.0, 3.0)
"""Seconds until a job of profiles is looked at, and until it is again: small ones are done by then."""
_MOST_ERRORS = 100
_INDEX = re.compile(r"/data/([0-9]{1,6})(?=/|$)")

Look = Callable[[str], Awaitable[Reply | None]]
"""A job's reply to a path of the API; None where there is no answer."""


class _One(msgspec.Struct):
    data: msgspec.Raw


class _Event(msgspec.Struct):
    attributes: dict[str, msgspec.Raw]


class _Job(msgspec.Struct):
    status: str
    failed_count: int | None = 0


class _Resource(msgspec.Struct):
    id: str
    attributes: _Job


class _Answer(msgspec.Struct):
    data: _Resource


class _Source(msgspec.Struct):
    pointer: str | None = ""


class Wrong(msgspec.Struct):
    """An error of JSON:API."""

    title: str | None = ""
    detail: str | None = ""
    source: _Source | None = None

    @property
    def said(self) -> str:
        """Its words, with its place."""
        return f"{self.detail or self.title} ({self.source.pointer if self.source else ''})"

    @property
    def index(self) -> int | None:
        """The place of its object in a job; None where it names none."""
        found = _INDEX.search((self.source.pointer if self.source else "") or "")
        return int(found[1]) if found else None


class _Problem(msgspec.Struct):
    errors: list[Wrong]


class _Import(msgspec.Struct):
    attributes: Wrong


class _Imports(msgspec.Struct):
    data: list[_Import]


@dataclass(frozen=True, slots=True)
class Job:
    """A job of profiles that was taken, and what is known of it."""

    id: str
    status: str
    failed: int

    @property
    def is_done(self) -> bool:
        """True where nothing more becomes of it."""
        return self.status in ("complete", "cancelled")


def job_body(path: str, bodies: Sequence[bytes]) -> bytes:
    """One body of those of single objects."""
    ones = [msgspec.json.decode(body, type=_One).data for body in bodies]
    if path == PROFILES:
        return _job("profile-bulk-import-job", "profiles", ones)
    return _job("event-bulk-create-job", "events-bulk-create", [_with_profile(one) for one in ones])


def _job(kind: str, name: str, data: Sequence[Any]) -> bytes:
    return msgspec.json.encode({"data": {"type": kind, "attributes": {name: {"data": data}}}})


def _with_profile(one: msgspec.Raw) -> dict[str, Any]:
    attributes = dict(msgspec.json.decode(one, type=_Event).attributes)
    profile = attributes.pop("profile")
    events = {"data": [{"type": "event", "attributes": attributes}]}
    return {"type": "event-bulk-create", "attributes": {"profile": profile, "events": events}}


def wrongs(reply: Reply) -> list[Wrong]:
    """The errors of a reply. Raises ValueError where it is not Klaviyo's."""
    return msgspec.json.decode(reply.body, type=_Problem).errors


def refused(reply: Reply, count: int) -> list[Receipt | None]:
    """The receipts of a job that was not taken: of those that an error names."""
    return _by_index(f"HTTP {reply.status}", wrongs(reply), count, None)


async def looked_at(reply: Reply, count: int, accepted: Accepted, look: Look, ends: float) -> list[Receipt | None]:
    """The receipts of profiles in a job that was taken, as far as it is done within a moment.

    One that is not done is left to Klaviyo. Where it refused more than it names, nobody knows whom: all others are
    sent again by themselves, which sets the same.
    """
    job = _read(reply)
    for seconds in LOOKS:
        if job.is_done or time.monotonic() + seconds >= ends:
            break
        await asyncio.sleep(seconds)
        answer = await look(f"{JOBS[PROFILES]}/{job.id}")
        if answer is None:
            break
        job = _read(answer)
    if job.status == "cancelled":
        return [None] * count
    if not (job.is_done and job.failed):
        return [accepted] * count
    listed = await look(f"{JOBS[PROFILES]}/{job.id}/import-errors?page%5Bsize%5D={_MOST_ERRORS}")
    wrong = [one.attributes for one in msgspec.json.decode(listed.body, type=_Imports).data] if listed else []
    named = {one.index for one in wrong if one.index is not None}
    return _by_index(f"job {job.id}", wrong, count, accepted if len(named) >= job.failed else None)


def _read(reply: Reply) -> Job:
    said = msgspec.json.decode(reply.body, type=_Answer).data
    return Job(said.id, said.attributes.status, said.attributes.failed_count or 0)


def _by_index(where: str, wrong: Sequence[Wrong], count: int, other: Receipt | None) -> list[Receipt | None]:
    found = {one.index: Refused(shortened(f"{where}: {one.said}")) for one in wrong}
    return [found.get(index, other) for index in range(count)]
