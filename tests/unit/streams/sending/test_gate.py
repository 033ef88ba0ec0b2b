"""Reasons that keep a delivery from being sent now."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from schemas.errors import RenderRefused, TemplateFailed
from streams.sending.gate import (
    DEPENDENCY_WAIT,
    STAYS_WAIT,
    Situation,
    dependency_unavailable,
    entry_wait,
    not_rendered,
    stopped_at_gate,
)
from streams.sending.judgement import Judgement
from tests.factory import NOW

PAUSED = Judgement("waiting", "the destination is paused", reason="paused", tried=False)
THROTTLED = Judgement("waiting", "the destination takes no more for now", reason="throttled", tried=False)
FAILING = Judgement(
    "waiting", "the destination fails: it is asked by one message at a time", reason="breaker_open", tried=False
)
STAYS = Judgement(
    "waiting", "possibly accepted: it waits for its own account", STAYS_WAIT, reason="breaker_open", tried=False
)
EXPIRED = Judgement("failed", "expired at 2026-11-20T12:00:00+00:00", reason="expired", tried=False)


@pytest.mark.parametrize(
    ("changes", "judgement"),
    [
        ({}, None),
        ({"is_paused": True}, PAUSED),
        ({"has_turn": False}, THROTTLED),
        ({"is_failing": True, "has_turn": False}, FAILING),
        ({"is_paused": True, "is_failing": True, "has_turn": False}, PAUSED),
        ({"is_paused": True, "has_turn": False, "stays": True}, replace(STAYS, reason="paused")),
        ({"is_failing": True, "has_turn": False, "stays": True}, STAYS),
        ({"has_turn": False, "stays": True}, THROTTLED),
        ({"stays": True}, None),
        ({"is_paused": True, "has_turn": False, "expires": 1.0}, PAUSED),
        ({"has_turn": False, "expires": 1.0}, THROTTLED),
        ({"expires": 99.9}, EXPIRED),
        ({"expires": 100.0}, EXPIRED),
        ({"expires": 100.1}, None),
        ({"expires": None}, None),
        ({"expires": 1.0, "expires_at": None}, None),
    ],
)
def test_the_first_that_stands_against_it_decides(changes: dict[str, Any], judgement: Judgement | None) -> None:
    known = {
        "is_paused": False,
        "is_failing": False,
        "has_turn": True,
        "expires_at": NOW,
        "expires": 200.0,
        "now": 100.0,
    }
    assert stopped_at_gate(Situation(**{**known, **changes})) == judgement


def test_a_new_delivery_waits_in_the_ledger_where_its_destination_takes_no_more() -> None:
    poll = timedelta(seconds=2)
    assert entry_wait(has_capacity=True, poll=poll) == timedelta()
    assert entry_wait(has_capacity=False, poll=poll) == poll


@pytest.mark.parametrize(
    ("error", "reason", "detail"),
    [
        (TemplateFailed("subject is missing", "subject"), "template_error", "subject is missing"),
        (RenderRefused("no_address", "no address"), "no_address", "no address"),
    ],
)
def test_what_cannot_be_written_ends_without_an_attempt(
    error: TemplateFailed | RenderRefused, reason: Any, detail: str
) -> None:
    assert not_rendered(error) == Judgement("failed", detail, reason=reason, tried=False)


def test_what_needs_something_that_is_away_waits_without_an_attempt() -> None:
    assert dependency_unavailable("Postgres") == Judgement("waiting", "Postgres", DEPENDENCY_WAIT, tried=False)
