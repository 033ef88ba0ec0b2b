"""Customers over HTTP: profiles into their topic, what was decided, all that is kept of one, and one erased.

A profile is full of addresses: no problem shows what it says.
"""

from __future__ import annotations

from tempfile import TemporaryFile
from typing import Any

import msgspec

from agents.broker.producer import write_all
from console.api.pages import read_cursor
from console.api.problems import in_body, refused
from console.api.reading import one_or_many, read_json
from console.api.recorded import NotRecorded
from console.api.route import ById, Call, Instant, Paged, ProfilesBody, Reply, Route, Writing
from console.control import exports
from console.control.customers import check_id, check_profiles
from console.control.erasures import Asking, erase
from console.control.events import Checked, Reading
from console.control.explain import DeliveryStory, RecordedEnd
from console.control.timelines import timeline
from schemas.customer_export import CustomerExport
from schemas.decision import Decision
from schemas.record import JsonObject
from store.read_models.search import Place
from streams.values.wording import invalid_kind

MOST_PROFILES = 500
_MOST_BYTES = 4 * 1024 * 1024
_EXPORT_SECONDS = 600.0
"""Topics are read for it."""


class TakenProfiles(msgspec.Struct, frozen=True, kw_only=True):
    """The profiles that were taken, all of those that came: each is the whole profile of its customer from now on."""

    accepted: int
    dry_run: bool


class BlankedByRole(msgspec.Struct, frozen=True, kw_only=True):
    """The things that a role takes away as soon as it reads the tombstone."""

    role: str
    what: str


class CleanTopic(msgspec.Struct, frozen=True, kw_only=True):
    """A topic, and the day by which no record of before says anything of the customer.

    `cleanup` is Kafka's; what is compacted is so for as long as anything is written to the partition.
    """

    topic: str
    cleanup: str
    clean_by: Instant


class ErasureReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """The fate of what is known of a customer: taken away at once, by when from topics, what is excepted, what stays.

    Dates count from `asked_at`, and lag of a role that reads the tombstone adds to them.
    """

    customer: str
    asked_at: Instant
    at_once: list[BlankedByRole]
    topics: list[CleanTopic]
    excepted: list[str]
    stays: list[str]
    dry_run: bool


class HeldMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One send that waits; without `until_at` until its distribution goes on."""

    hold_id: str
    round: int
    distribution_id: str
    reason: str
    until_at: Instant | None
    held_at: Instant
    canceled_by: str | None


class SegmentOfCustomer(msgspec.Struct, frozen=True, kw_only=True):
    """A segment that the customer is in since then, or the reason why it cannot judge the customer."""

    segment: str
    since: Instant | None
    cannot_judge: str | None


class ChosenConsent(msgspec.Struct, frozen=True, kw_only=True):
    """A choice of the customer on our own pages; `is_taken_over`: a later profile says the same, and counts alone."""

    category: str
    given: bool
    at: Instant
    way: str
    delivery_id: str | None
    is_taken_over: bool


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """A customer's decisions, the newest event first, and the deliveries they led to: `ends` of those kept no longer.

    `behind` is what is not among them yet; null where Kafka, which knows, does not answer. `holds` are those due first,
    at most 200; `segments` those that are kept here, not those that upstream told.
    """

    items: list[Decision]
    deliveries: list[DeliveryStory]
    ends: list[RecordedEnd]
    holds: list[HeldMessage]
    segments: list[SegmentOfCustomer]
    choices: list[ChosenConsent]
    behind: NotRecorded | None
    next: str | None = None


async def get_timeline(call: Call[ById, Paged, None]) -> Reply:
    """A page of it; no topic is read."""
    after = read_cursor(call.query.cursor, tuple[Instant, str, str])
    place = None if after is None else Place(*after)
    found = await timeline(call.pool, call.wiring, call.project_id, call.path.id, call.now, place, call.query.limit)
    story, reading = found.story, found.story.reading
    page = Timeline(
        items=list(reversed(story.decisions)),
        deliveries=list(story.deliveries),
        ends=list(story.ends),
        holds=msgspec.convert(found.holds, list[HeldMessage], from_attributes=True),
        segments=msgspec.convert(found.segments, list[SegmentOfCustomer], from_attributes=True),
        choices=msgspec.convert(found.choices, list[ChosenConsent], from_attributes=True),
        behind=None if reading.behind is None else NotRecorded(records=reading.behind, since=reading.behind_since),
        next=reading.older,
    )
    return Reply(page)


async def put_customer(call: Call[ById, Writing, bytes]) -> Reply:
    """Replace a customer's whole profile."""
    identity, profile = call.path.id, read_json(call.body)
    check_id(identity)
    if isinstance(profile, dict) and profile.setdefault("id", identity) != identity:
        said = invalid_kind(profile["id"], "the id in the path, or left out")
        raise refused("invalid", "", in_body("/id", said))
    return await _taken(call, _checked(call, [profile], is_list=False))


async def post_customers(call: Call[Any, Writing, bytes]) -> Reply:
    """Check all of them, then write all of them: none where one is wrong."""
    profiles, is_list = one_or_many(read_json(call.body), "profile", MOST_PROFILES)
    return await _taken(call, _checked(call, profiles, is_list=is_list))


async def erase_customer(call: Call[ById, Writing, None]) -> Reply:
    """Write the tombstone; the same again is one more, which changes nothing but the moment."""
    asked = Asking(call.project_id, call.path.id, call.actor, call.now)
    receipt = await erase(call.pool, call.wiring, asked, call.announce, dry_run=call.query.dry_run)
    return Reply(msgspec.convert(receipt, ErasureReceipt, from_attributes=True))


async def export_customer(call: Call[ById, Any, None]) -> Reply:
    """Everything that is kept of a customer. It is written to a file without a name, which nobody else can open."""
    asked = exports.Asking(call.project_id, call.path.id, call.actor, call.now)
    file = TemporaryFile()  # noqa: SIM115 - open until it is sent
    try:
        await exports.export(call.pool, call.wiring, asked, file)
    except BaseException:
        file.close()
        raise
    return Reply(file=file)


def _checked(call: Call[Any, Any, Any], profiles: list[Any], *, is_list: bool) -> Checked:
    reading = Reading.by(call.wiring.settings.matcher, call.project_id, call.now, customers=True)
    return check_profiles(call.wiring, profiles, reading, is_list=is_list)


async def _taken(call: Call[Any, Writing, Any], checked: Checked) -> Reply:
    if not call.query.dry_run:
        await write_all(call.producer(), checked.outputs)
    taken = TakenProfiles(accepted=len(checked.outputs), dry_run=call.query.dry_run)
    return Reply(taken, 200 if call.query.dry_run else 202)


_EXAMPLE: JsonObject = {
    "id": "c1",
    "name": "Ann",
    "email": "ann@shop.example",
    "locale": "pl-PL",
    "consents": {"marketing": True},
    "metadata": {"plan": "gold"},
}
_ID = {"id": "c1"}
_TAKEN: dict[int, Any] = {200: TakenProfiles, 202: TakenProfiles}

ROUTES: tuple[Route, ...] = (
    Route(
        "PUT", "/customers/{id}", "customers:write", "Replace a customer's whole profile", put_customer, _TAKEN,
        path_type=ById, query_type=Writing, path_example=_ID, body=ProfilesBody(), body_example=_EXAMPLE,
        most_bytes=_MOST_BYTES,
    ),
    Route(
        "POST", "/customers", "customers:write", "Replace the whole profiles of one customer or many", post_customers,
        _TAKEN, query_type=Writing, body=ProfilesBody(MOST_PROFILES), body_example=_EXAMPLE, most_bytes=_MOST_BYTES,
    ),
    Route(
        "GET", "/customers/{id}/timeline", "customers:read", "Read what was decided about a customer, and what waits",
        get_timeline, {200: Timeline}, path_type=ById, query_type=Paged, path_example=_ID,
    ),
    Route(
        "GET", "/customers/{id}/export", "customers:export", "Read everything that is kept of a customer",
        export_customer, {200: CustomerExport}, path_type=ById, path_example=_ID, seconds=_EXPORT_SECONDS,
    ),
    Route(
        "DELETE", "/customers/{id}", "customers:erase", "Erase a customer, with a receipt of what goes when",
        erase_customer, {200: ErasureReceipt}, path_type=ById, query_type=Writing, path_example=_ID,
    ),
)  # fmt: skip
