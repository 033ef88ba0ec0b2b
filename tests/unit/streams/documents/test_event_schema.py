"""The description of a custom event: what may be written, and which paths it knows."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.errors import DefinitionInvalid
from streams.conditions.fields import Found
from streams.documents.event_schema import EventDescription, parse_event_schema

WISHLIST = parse_event_schema(
    {"event_schema": "ms_wishlist", "fields": {"event.metadata.price": "number", "event.metadata.box": "object"}}
)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "must be a mapping of paths such as event.metadata.price to one of text, number"),
        ({"event.metadata.a": "txt"}, 'Did you mean "text"?'),
        ({"order.amount": "number"}, "must begin with event."),
        ({"event": "object"}, "must begin with event."),
        ({"event..a": "text"}, "is not a path"),
        (None, "fields"),
    ],
)
def test_what_is_wrong_is_named(fields: Any, said: str) -> None:
    with pytest.raises(DefinitionInvalid) as caught:
        parse_event_schema({"event_schema": "x", "fields": fields})
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("event.metadata.price", "number"),
        ("event.metadata.box.depth", "any"),
        ("event.metadata", "object"),
        ("event.id", "text"),
        ("customer.metadata.anything", "any"),
        ("event.metadata.prise", None),
        ("event.metadata.price.net", None),
    ],
)
def test_only_what_is_described_is_known_of_the_event(path: str, kind: str | None) -> None:
    found = WISHLIST.names().find(tuple(path.split(".")))
    assert (found.kind if isinstance(found, Found) else None) == kind
    assert isinstance(WISHLIST, EventDescription)
