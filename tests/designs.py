"""Designs of the product as customers would see them: each for the events that it is made for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any, get_args

import msgspec

from channels.templates.bundle import bundled
from channels.templates.designs import design_names, fits
from console.control.context import brand_texts
from console.control.designs import design_source
from console.control.preview.samples import SAMPLE_BRAND
from console.control.preview.template import Preview, Source, preview
from console.control.template_source import usable
from deploy.settings.messages import Brand
from schemas.closed import Action
from schemas.events.samples import OBJECTS
from schemas.events.triggers import TRIGGERS, Trigger, object_fields
from schemas.record import JsonObject
from schemas.template import StoredTemplate
from streams.channels.default_templates import default_template
from streams.channels.payload import BROUGHT
from tests.factory import NOW

BRAND = replace(SAMPLE_BRAND, name="Kawa & Co", shop_url="https://kawa.example.com", color="#0f766e", currency="EUR")
"""With all that a brand may say."""


def uses() -> Iterator[tuple[str, Action, str]]:
    """Every design with each action and event type that it is made for."""
    for trigger in TRIGGERS.values():
        for action in trigger.purposes:
            yield default_template(trigger.type, action), action, trigger.type
    for name in design_names():
        for action, event_type in fits(name):
            yield name, action, event_type


def event(action: Action, event_type: str, *, is_bare: bool = False, **changes: Any) -> JsonObject:
    """The sample of a type, with what the action brings. `is_bare`: only what is there always."""
    trigger = TRIGGERS[event_type]
    sample: JsonObject = trigger.sample()
    data = {**sample["data"], **{name: OBJECTS[name] for name in BROUGHT[action]}}
    return {**sample, "data": {**(_bare(data, trigger, action) if is_bare else data), **changes}}


def _bare(data: JsonObject, trigger: Trigger, action: Action) -> JsonObject:
    hints = {**object_fields(trigger.data), **BROUGHT[action]}
    always = ("customer", *trigger.required, *BROUGHT[action])
    return {name: _required(one, hints[name]) for name, one in data.items() if name in always}


def _required(value: Any, hint: Any) -> Any:
    struct = next((one for one in (hint, *get_args(hint)) if isinstance(one, type)), None)
    if struct is None or not issubclass(struct, msgspec.Struct):
        return value
    return {field.name: value[field.name] for field in msgspec.structs.fields(struct) if field.required}


def shown(design: str, told: JsonObject, locale: str | None, brand: Brand = BRAND) -> Preview:
    """The mail of a design for an event."""
    return preview(Source(_template(design, brand), "marketing"), told, locale, NOW)


@cache
def _template(design: str, brand: Brand) -> StoredTemplate:
    files = usable(design_source(design, "en"))
    assert not files.wrong
    return bundled(files.template(design, None), brand_texts(brand))
