"""The description of callbacks says what is read and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from channels.status_calls import signed_events
from console.reference.callbacks import callbacks_description
from schemas.errors import DefinitionInvalid
from tests.factory import SECRET
from tests.json_schema import is_valid
from tests.unit.channels.test_status_calls import EVENT, ID, call

SCHEMA = json.loads(callbacks_description())["components"]["schemas"]["Event"]


@pytest.mark.parametrize(
    ("said", "is_read"),
    [
        (EVENT, True),
        ({**EVENT, "delivery_id": f"<{ID.upper()}@shop.example>"}, True),
        ({**EVENT, "outcome": "bounced", "bounce": "soft", "occurred_at": "2026-03-02T10:00:00Z", "detail": "x"}, True),
        ({**EVENT, "bounce": "hard"}, False),
        ({**EVENT, "outcome": "opened"}, False),
        ({**EVENT, "outcome": "bounced", "bounce": "firm"}, False),
        ({**EVENT, "delivery_id": ID + "0"}, False),
        ({**EVENT, "delivery_id": " " * 300 + ID}, False),
        ({**EVENT, "delivery_id": "<of-another-system@shop.example>"}, True),
        ({**EVENT, "delivery_id": ""}, False),
        ({**EVENT, "more": "x"}, False),
        ({**EVENT, "detail": 7}, False),
        ({"outcome": "delivered"}, False),
        ({"delivery_id": ID}, False),
        ([], False),
    ],
)
def test_the_description_of_an_event_is_what_is_read(said: Any, is_read: bool) -> None:
    try:
        taken = len(signed_events(call(said), [SECRET])) == 1
    except DefinitionInvalid:
        taken = False
    assert (taken, is_valid(said, SCHEMA)) == (is_read, is_read)
