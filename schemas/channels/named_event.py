"""An event as a provider is told of it: a name, and what goes with it."""

from __future__ import annotations

from typing import Annotated

from schemas.record import JsonObject, Record, doc


class NamedEvent(Record, frozen=True, kw_only=True):
    """The name that flows at the provider start with, and the properties they can use."""

    name: str
    properties: Annotated[JsonObject, doc("Where each comes from; read as a webhook's payload is.")] = {}
