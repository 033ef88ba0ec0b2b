"""The base of every record, and how a field is described.

The structs are the single source: the Avro files in `schemas/avro` are written from them, and a test holds the two
equal.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Meta

JsonObject = dict[str, Any]
"""A free-form JSON object. In Avro it is a string with the logical type `json`."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A record of ours: frozen, and complete as declared."""


class OpenRecord(Record, frozen=True, kw_only=True):
    """An object of upstream's: it may carry fields that we do not know, which are kept and forwarded unchanged.

    Such objects travel through the product as plain mappings; the struct says which fields are known and of what kind.
    In Avro the unknown ones stand in the string field `extra`, as one JSON object.
    """


def doc(text: str) -> Meta:
    """A description for `Annotated[type, doc("…")]`; it becomes the `doc` of the Avro field."""
    return Meta(description=text)
