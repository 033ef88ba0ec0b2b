"""The event that a document is shown on: one of the form, the newest that came, or a sample."""

from __future__ import annotations

import asyncio

import msgspec

from console.control.events import customer_of, of_project
from console.control.preview.occasion import kept_profile
from console.control.recording import Whose, newest_of
from console.web.builder.asked import Asked
from console.web.words import inert
from schemas.errors import BadRecord, TidingsError, TryLater
from schemas.events.triggers import Trigger
from schemas.record import JsonObject
from schemas.wire.json_text import decode_json
from streams.upstream import unwrapped
from streams.values.wording import invalid

EVENT = "event"
_NEWEST = 2_000
"""Records of a topic that are looked through for the last event of a type."""
_PATIENCE = 15.0
_LONGEST = 256 * 1024


async def newest(asked: Asked, trigger: Trigger) -> tuple[str, str]:
    """The newest event of a type as JSON, and its place; an empty text and the reason, where nothing is found."""
    mine = asked.mine
    whose = Whose(mine.project_id, mine.wiring.default_project)
    try:
        async with asyncio.timeout(_PATIENCE):
            recording = await asyncio.to_thread(newest_of, mine.wiring, trigger.topic, whose, _NEWEST)
    except (TryLater, TimeoutError):
        return "", "Kafka does not answer: the last event is not known. This is a sample"
    except TidingsError as error:
        return "", inert(error)
    fit = [one for one in recording.events if one.head.type == trigger.type]
    if not fit:
        return "", "None of this type is among the newest events of its topic. This is a sample"
    return pretty(fit[-1].record), f"The last one: {inert(fit[-1].place)}"


def pretty(event: JsonObject) -> str:
    """An event as its field shows it."""
    return msgspec.json.format(msgspec.json.encode(event), indent=2).decode()


def given(asked: Asked) -> JsonObject:
    """The event of the form. Raises BadRecord."""
    text, project_id = asked.form.get(EVENT, ""), asked.mine.project_id
    if len(text) > _LONGEST:
        raise BadRecord(f"must have at most {_LONGEST:,} characters")
    found = decode_json(text.encode())
    if not isinstance(found, dict):
        raise BadRecord(invalid(found, "one JSON object"))
    event = unwrapped(of_project(found, project_id), (), project_id)
    if event.get("project_id") != project_id:
        raise BadRecord(invalid(event.get("project_id"), f'"{project_id}", or left out'), path="project_id")
    return event


async def counted(asked: Asked, event: JsonObject) -> tuple[JsonObject | None, str]:
    """The profile that counts in place of the event's own, None where that does; and which it is. Raises TryLater."""
    kept = await kept_profile(asked.mine.pool, asked.mine.project_id, event)
    customer = inert(customer_of(event))
    if kept is None:
        return None, f"The profile is the event's: none of {customer} is kept."
    return kept, f"The profile of {customer} is the one that is kept, as for each event of theirs."
