"""Consents are read alone as they are read with the whole profile."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from schemas.closed import Wire
from schemas.contract import topic_codec
from schemas.errors import BadRecord
from streams.checks.consent import all_given
from streams.consents import ConsentReader
from streams.events import read_customer

PROFILES: list[dict[str, Any]] = [
    {"id": "c1"},
    {"id": "c1", "consents": {"marketing": True, "loyalty": False, "a": True}},
    {"id": "c1", "consents": {}, "name": "Ann", "address": {"city": "Łódź", "lines": [1, [2]]}, "metadata": {"x": 1}},
    {"id": "c1", "consents": {"marketing": True}, "project_id": "shop"},
    {"id": "c1", "consents": {"marketing": True}, "project_id": "outlet"},
    {"id": "c1", "consents": {"marketing": True}, "project_id": ""},
    {"id": "c1", "consents": {"marketing": True}, "more": {"id": "c9", "consents": 5}},
    {"id": "c2", "consents": {"marketing": True}},
    {"id": "", "consents": {"marketing": True}},
]
OF_JSON_ALONE: list[dict[str, Any]] = [
    {"id": "c1", "consents": {"marketing": "yes", "a": True, "b": 1}},
    {"id": "c1", "consents": []},
    {"id": "c1", "consents": None},
    {"id": "c1", "consents": 7},
    {"id": 7, "consents": {"marketing": True}},
    {"consents": {"marketing": True}},
    {"id": "c1", "name": 5, "consents": {"marketing": True}},
    {"id": "c1", "project_id": 5, "consents": {"marketing": True}},
]


def _whole(codec: Any, raw: bytes, key: bytes | None) -> Any:
    try:
        return all_given(read_customer(codec.decode(raw), key, "shop"))
    except BadRecord as error:
        return type(error), str(error)


def _alone(codec: Any, raw: bytes, key: bytes | None) -> Any:
    try:
        return ConsentReader(codec, "shop").read(raw, key)
    except BadRecord as error:
        return type(error), str(error)


@pytest.mark.parametrize("wire", ["avro", "json"])
@pytest.mark.parametrize("key", [b"c1", b"outlet\x1fc1", b"shop\x1fc1", b"c9", b"", None, b"\xff"])
def test_a_profile_says_the_same_of_its_consents(wire: Wire, key: bytes | None) -> None:
    codec = topic_codec("customers", wire)
    written = [codec.encode(profile) for profile in PROFILES]
    written += [msgspec.json.encode(profile) for profile in OF_JSON_ALONE] if wire == "json" else []
    written += [raw[:-1] for raw in written] + [
        b"",
        b"[]",
        b"{",
        b'{"id": "c1", "id": "c2"}',
        b'\xef\xbb\xbf{"id":"c1"}',
    ]
    assert [_alone(codec, raw, key) for raw in written] == [_whole(codec, raw, key) for raw in written]
