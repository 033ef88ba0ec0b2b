"""The messages of channels as they would leave, while their document is written: by the renderer of senders."""

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
from console.control.preview.messages import Preview, Rendering
from console.web.builder import event as events
from console.web.builder.asked import Asked
from console.web.builder.channels import channels_of
from console.web.builder.records import Output
from console.web.projects import base_of
from console.web.tables import address
from console.web.words import inert
from schemas.distribution import TRANSACTIONAL
from schemas.errors import BadRecord, DefinitionInvalid, TidingsError, TryLater
from schemas.record import JsonObject

_KEPT = ("trigger", "publish", "promote", "digest")
"""Keys that say what a message may show; the others say when it is sent, and to whom."""
_DRAFT = "draft"
MAIL_PATH = "/distribution/email"
"""The frame of an e-mail, below its project."""
_FACTS: Mapping[str, str] = {"body": "Body", "text": "Text", "said": "Parts"}


@dataclass(frozen=True, slots=True)
class About:
    """The event that messages are made of, None for a sample, the profile in place of its own, and whose that is."""

    event: JsonObject | None
    profile: JsonObject | None
    whose: str


async def outputs(asked: Asked) -> dict[int, Output]:
    """The message of each channel by its number, or of e-mail the frame that has it. Raises TryLater."""
    found = {number: one for number, one in enumerate(channels_of(asked.values)) if one[0]}
    if asked.values.get("trigger") is None:
        return {}
    frame = base_of(asked.mine.project_id) + MAIL_PATH
    made = {
        number: Output(_name(number), frame=address(frame, {"channel": str(number)}))
        for number, (name, _) in found.items()
        if name == "email"
    }
    posted = {number: one for number, one in found.items() if number not in made}
    return made | await _posted(asked, posted) if posted else made


async def _posted(asked: Asked, found: Mapping[int, tuple[str, Any]]) -> dict[int, Output]:
    known = await distributions.known_to_drafts(asked.mine.pool, asked.mine.project_id)
    try:
        about = await about_of(asked)
    except BadRecord as error:
        return {number: Output(_name(number), (), why_not(error)) for number in found}
    rendering = Rendering.of(asked.mine.wiring.settings)
    return {
        number: await asyncio.to_thread(_output, asked, number, one, known, about, rendering)
        for number, one in found.items()
    }


async def about_of(asked: Asked) -> About:
    """The event of the form, with the profile that counts. Raises BadRecord, TryLater."""
    if not asked.form.get(events.EVENT, "").strip():
        return About(None, None, "")
    event = events.given(asked)
    return About(event, *await events.counted(asked, event))


def _output(
    asked: Asked, number: int, channel: tuple[str, Any], known: Known, about: About, rendering: Rendering
) -> Output:
    try:
        facts = message_of(asked, *channel, known, about, rendering).facts
    except TryLater:
        raise
    except TidingsError as error:
        return Output(_name(number), (), why_not(error))
    shown = [(label, _text(facts[key])) for key, label in _FACTS.items() if key in facts]
    return Output(_name(number), shown, "", about.whose)


def message_of(asked: Asked, name: str, source: Any, known: Known, about: About, rendering: Rendering) -> Preview:
    """The message of a channel, made of the keys that it depends on. Raises TidingsError that says why it is not."""
    mine, values = asked.mine, asked.values
    identity, consent = values.get("distribution"), values.get("consent")
    whole = {
        "distribution": identity if isinstance(identity, str) and identity else _DRAFT,
        **{key: values[key] for key in _KEPT if values.get(key) is not None},
        "consent": consent if consent in asked.project.consents else TRANSACTIONAL,
        "channels": [source],
    }
    document = json_document(whole, "")  # to write it as YAML and read that would take longer than all the rest
    (candidate,) = messages.from_documents([document], asked.project, known, mine.now)
    event = about.event or messages.sample_event(candidate.distribution, mine.project_id)
    made = messages.preview(candidate, event, about.profile, rendering, mine.now, name)
    if not made.messages:
        raise TidingsError(made.withheld or "there is no message to show")
    (first, *_) = made.messages
    if first.failure:
        raise TidingsError(first.failure)
    return first


def why_not(error: TidingsError) -> str:
    """The reason why there is no message, with the places in the channel that it is about."""
    match error:
        case DefinitionInvalid():
            said = "; ".join(f"{one.path.removeprefix('channels[0].')}: {one.message}" for one in error.problems)
        case BadRecord():
            said = f"The event cannot be read: {f'{error.path}: ' if error.path else ''}{error}"
        case _:
            said = str(error)
    return inert(said)


def _name(number: int) -> str:
    return f"output_{number}"


def _text(fact: object) -> str:
    if isinstance(fact, msgspec.Raw):
        return msgspec.json.format(bytes(memoryview(fact)), indent=2).decode()
    return str(fact)
