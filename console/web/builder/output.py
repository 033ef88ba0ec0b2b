"""The messages of channels as they would be posted, while their document is written: by the renderer of senders."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from console.control import distributions
from console.control.distribution_check import Known
from console.control.documents import json_document
from console.control.preview import messages
from console.control.preview.messages import Rendering
from console.web.builder import event as events
from console.web.builder.asked import Asked
from console.web.builder.channels import channels_of
from console.web.builder.records import Output
from console.web.words import inert
from schemas.distribution import TRANSACTIONAL
from schemas.errors import BadRecord, DefinitionInvalid, TidingsError, TryLater
from schemas.record import JsonObject

_KEPT = ("trigger", "publish", "promote", "digest")
"""Keys that say what a message may show; the others say when it is sent, and to whom."""
_DRAFT = "draft"
_FACTS: Mapping[str, str] = {"body": "Body", "text": "Text", "said": "Parts"}


@dataclass(frozen=True, slots=True)
class _About:
    """The event that messages are made of, None for a sample, the profile in place of its own, and whose that is."""

    event: JsonObject | None
    profile: JsonObject | None
    whose: str


async def outputs(asked: Asked) -> dict[int, Output]:
    """The message of each channel but e-mail, by its number. Raises TryLater."""
    found = {number: one for number, one in enumerate(channels_of(asked.values)) if one[0] not in ("", "email")}
    if not found or asked.values.get("trigger") is None:
        return {}
    known = await distributions.known_to_drafts(asked.mine.pool, asked.mine.project_id)
    try:
        about = await _about(asked)
    except BadRecord as error:
        said = f"The event cannot be read: {f'{error.path}: ' if error.path else ''}{error}"
        return {number: Output(f"output_{number}", (), inert(said)) for number in found}
    return {number: await asyncio.to_thread(_output, asked, number, one, known, about) for number, one in found.items()}


async def _about(asked: Asked) -> _About:
    """The event of the form, with the profile that counts. Raises BadRecord, TryLater."""
    if not asked.form.get(events.EVENT, "").strip():
        return _About(None, None, "")
    event = events.given(asked)
    return _About(event, *await events.counted(asked, event))


def _output(asked: Asked, number: int, channel: tuple[str, Any], known: Known, about: _About) -> Output:
    try:
        return Output(f"output_{number}", _posted(asked, *channel, known, about), "", about.whose)
    except TryLater:
        raise
    except DefinitionInvalid as error:
        said = "; ".join(f"{one.path.removeprefix('channels[0].')}: {one.message}" for one in error.problems)
    except BadRecord as error:
        said = f"The event cannot be read: {f'{error.path}: ' if error.path else ''}{error}"
    except TidingsError as error:
        said = str(error)
    return Output(f"output_{number}", (), inert(said))


def _posted(asked: Asked, name: str, source: Any, known: Known, about: _About) -> list[tuple[str, str]]:
    """The parts of a message. Raises DefinitionInvalid, BadRecord, TidingsError."""
    mine, values = asked.mine, asked.values
    identity = values.get("distribution")
    whole = {
        "distribution": identity if isinstance(identity, str) and identity else _DRAFT,
        **{key: values[key] for key in _KEPT if values.get(key) is not None},
        "consent": TRANSACTIONAL,
        "channels": [source],
    }
    document = json_document(whole, "")  # to write it as YAML and read that would take longer than all the rest
    (candidate,) = messages.from_documents([document], asked.project, known, mine.now)
    event = about.event or messages.sample_event(candidate.distribution, mine.project_id)
    rendering = Rendering.of(mine.wiring.settings)
    made = messages.preview(candidate, event, about.profile, rendering, mine.now, name)
    if not made.messages:
        raise TidingsError(made.withheld or "there is no message to show")
    (first, *_) = made.messages
    if first.failure:
        raise TidingsError(first.failure)
    return [(label, _text(first.facts[key])) for key, label in _FACTS.items() if key in first.facts]


def _text(fact: object) -> str:
    if isinstance(fact, msgspec.Raw):
        return msgspec.json.format(bytes(memoryview(fact)), indent=2).decode()
    return str(fact)
