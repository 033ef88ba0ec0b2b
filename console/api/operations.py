"""The deployment over HTTP: how far each group of workers is behind, and what a worker needs and lacks.

Both are about servers that all projects share, so that keys of the default project alone are answered.
"""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from console.api.problems import Refusal, Refused
from console.api.route import Call, Nothing, Reply, Route
from console.control.doctor import examine
from console.control.lag import GroupLag, group_lags

_READERS = ThreadPoolExecutor(1, "lag")
"""One at a time: each look opens a connection a group."""


class LagAsked(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters of the lag."""

    all: Annotated[bool, Meta(description="Partitions without lag as well.")] = False


class PartitionLag(msgspec.Struct, frozen=True, kw_only=True):
    """A partition of a topic: what the group has processed up to (null before its first commit), and its end."""

    topic: str
    partition: int
    committed: int | None
    end: int
    lag: int


class ConsumerGroup(msgspec.Struct, frozen=True, kw_only=True):
    """A group of workers: its lag over all partitions. One that has never committed has no worker, or needs none."""

    group: str
    lag: int
    has_committed: bool
    partitions: list[PartitionLag]


class DeploymentLag(msgspec.Struct, frozen=True, kw_only=True):
    """The lag of all groups, and of each."""

    lag: int
    groups: list[ConsumerGroup]


class DoctorFinding(msgspec.Struct, frozen=True, kw_only=True):
    """One check: whether it passed, and a sentence about it with what would mend it."""

    what: str
    ok: bool
    said: str


class DoctorReport(msgspec.Struct, frozen=True, kw_only=True):
    """Every check, made from the machine that the API runs on. `ok` where all have passed."""

    ok: bool
    findings: list[DoctorFinding]


async def get_lag(call: Call[Nothing, LagAsked, None]) -> Reply:
    """Ask the broker, in a thread of its own."""
    must_be_of_the_default_project(call)
    found = await asyncio.get_running_loop().run_in_executor(_READERS, group_lags, call.wiring)
    groups = [_group(one, everything=call.query.all) for one in found]
    return Reply(DeploymentLag(lag=sum(one.lag for one in groups), groups=groups))


async def get_doctor(call: Call[Any, Any, None]) -> Reply:
    """Make every check, but for logging in at providers."""
    must_be_of_the_default_project(call)
    found = await examine(call.wiring, os.environ, call.now)
    findings = msgspec.convert(found, list[DoctorFinding], from_attributes=True)
    return Reply(DoctorReport(ok=all(one.ok for one in findings), findings=findings))


def must_be_of_the_default_project(call: Call[Any, Any, Any]) -> None:
    """Refuse a key of another project: it is about what all share. Raises Refused."""
    if call.project_id != call.wiring.default_project:
        detail = "it is about the whole deployment: ask with a key of its default project"
        raise Refused(Refusal("forbidden", detail))


def _group(one: GroupLag, *, everything: bool) -> ConsumerGroup:
    shown = [each for each in one.partitions if everything or each.lag]
    partitions = msgspec.convert(shown, list[PartitionLag], from_attributes=True)
    return ConsumerGroup(group=one.group, lag=one.lag, has_committed=one.has_committed, partitions=partitions)


ROUTES: tuple[Route, ...] = (
    Route(
        "GET", "/lag", "operations:read", "Read how far each group of workers is behind", get_lag,
        {200: DeploymentLag}, query_type=LagAsked,
    ),
    Route(
        "GET", "/doctor", "operations:read", "Check everything that a worker needs, and say how to mend it", get_doctor,
        {200: DoctorReport},
    ),
)  # fmt: skip
