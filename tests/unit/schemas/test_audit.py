"""Entries of the audit log: nothing that must not stand there, and a hash of all that does."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest

from schemas.audit import AUDIT_ACTIONS, FIRST_HASH, AuditRow, differences, hash_of_row, shown
from tests.factory import rule

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
ROW = AuditRow("shop", 1, AT, "key:ci", "segment.removed", "vip", 3, '{"a":1}', "r1", "key_1", "192.0.2.1")

OTHERS: dict[str, Any] = {
    "project_id": "outlet",
    "position": 2,
    "at": AT + timedelta(microseconds=1),
    "actor": "ci",
    "action": "segment.changed",
    "thing": "vips",
    "version": None,
    "change": '{"a": 1}',
    "request_id": None,
    "key_id": None,
    "address": None,
}


def test_a_hash_is_of_its_canonical_encoding() -> None:
    """Whoever keeps the rows elsewhere can compute it with what every language has."""
    encoded = (
        '["tidings-audit-1","' + "0" * 64 + '","shop",1,"2026-11-20T12:00:00.000000+00:00","key:ci","segment.removed",'
        '"vip",3,"{\\"a\\":1}","r1","key_1","192.0.2.1"]'
    )
    assert hash_of_row(ROW, FIRST_HASH) == hashlib.sha256(encoded.encode()).digest()


@pytest.mark.parametrize("name", AuditRow.__slots__)
def test_each_field_counts(name: str) -> None:
    assert hash_of_row(replace(ROW, **{name: OTHERS[name]}), FIRST_HASH) != hash_of_row(ROW, FIRST_HASH)


def test_the_hash_before_counts_and_the_zone_of_a_time_does_not() -> None:
    assert hash_of_row(ROW, bytes(31) + b"1") != hash_of_row(ROW, FIRST_HASH)
    elsewhere = replace(ROW, at=AT.astimezone(timezone(timedelta(hours=5))))
    assert hash_of_row(elsewhere, FIRST_HASH) == hash_of_row(ROW, FIRST_HASH)


def test_a_text_cannot_reach_into_the_next_field() -> None:
    one, other = replace(ROW, actor='a","b', action="c"), replace(ROW, actor="a", action='b","c')
    assert hash_of_row(one, FIRST_HASH) != hash_of_row(other, FIRST_HASH)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("write to jo@example.com, please", "write to (address), please"),
        ("call +48 600 700 800", "call (address)"),
        ("48600700800", "(address)"),
        ({"customer.email": {"is": "jo@example.com"}}, {"customer.email": {"is": "(address)"}}),
        ({"url": "https://hooks.example.com/T0/secret"}, {"url": "(hidden)"}),
        ({"headers": {"authorization": "Bearer s"}}, {"headers": "(hidden)"}),
        ([{"password": "s"}], [{"password": "(hidden)"}]),
        ("2026-11-20T12:00:00.123456+00:00", "2026-11-20T12:00:00.123456+00:00"),
        ("order-1234567890", "order-1234567890"),
        ({"at_least": 1_000_000_000}, {"at_least": 1_000_000_000}),
        (["a", 1, None, True], ["a", 1, None, True]),
    ],
    ids=[
        "mail", "phone", "bare-phone", "mail-in-a-condition", "url", "headers", "password", "time", "id", "number",
        "plain",
    ],
)  # fmt: skip
def test_secrets_and_addresses_are_not_kept(value: Any, kept: Any) -> None:
    assert shown(value) == kept


def test_what_is_long_and_who_is_in_a_list_stand_by_length_and_digest() -> None:
    assert shown("x" * 300).startswith("(text of 300, sha256 ")
    assert shown({"members": ["c1", "c2"]})["members"].startswith("(list of 2, sha256 ")
    assert shown({"members": ["c1"]}) != shown({"members": ["c2"]})


def test_what_differs_is_told_and_nothing_else() -> None:
    before = rule()
    after = msgspec.structs.replace(before, version=2, name="Other", priority=3, updated_at=AT + timedelta(days=1))
    assert differences(before, after) == {
        "before": {"name": before.name, "priority": 0},
        "after": {"name": "Other", "priority": 3},
    }
    assert differences(before, msgspec.structs.replace(before, version=2, updated_at=AT)) == {}
    assert differences(None, before).keys() == {"after"}


def test_every_action_is_a_noun_and_a_verb() -> None:
    assert len(set(AUDIT_ACTIONS)) == len(AUDIT_ACTIONS)
    assert all(action.count(".") == 1 and all(action.split(".")) for action in AUDIT_ACTIONS)
