"""Approvals of sends: what voids them, and what does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace as with_fields

from schemas.approval import Approval, Basis
from schemas.send import Audience, When
from schemas.template import TemplateRef
from streams.approvals import content_of, judge, most_for, parts_of
from tests.factory import rule

NOW = datetime(2026, 12, 1, tzinfo=UTC)
MAIL: Any = {"email": {"account": "main", "subject": "Spring", "text": "Hello"}}
RULE = rule(trigger="manual_distribution_schedule", when=None, channels=[MAIL])
SEGMENT = {"id": "vip", "version": 3, "when": {"customer.metadata.tier": "gold"}, "updated_at": "2026-01-01T00:00:00Z"}
CAMPAIGN = {"id": "c", "name": "C"}
BASIS = Basis(0, Audience(kind="segment", segment="vip"), When(), timedelta(minutes=10), RULE, SEGMENT, CAMPAIGN, 1000)
APPROVAL = Approval("bob", NOW, 1000, parts_of(BASIS))


def with_template(basis: Basis) -> Basis:
    (plan,) = basis.rule.channels
    other: Any = with_fields(plan, template=TemplateRef(name="other", digest="f" * 64))
    return replace(basis, rule=with_fields(basis.rule, channels=[other]))


VOIDING: dict[str, tuple[Callable[[Basis], Basis], str]] = {
    "edit": (lambda one: replace(one, revision=1), "the send itself"),
    "recipients": (lambda one: replace(one, to=Audience(kind="list")), "the send itself"),
    "moment": (lambda one: replace(one, when=When(at=NOW)), "the send itself"),
    "hold": (lambda one: replace(one, hold=timedelta()), "the send itself"),
    "guard": (lambda one: replace(one, rule=with_fields(RULE, when={"customer.id": "c"})), f"distribution {RULE.id}"),
    "template": (with_template, f"a template of {RULE.id}"),
    "segment": (lambda one: replace(one, segment={**SEGMENT, "when": {}}), "segment vip"),
    "segment removed": (lambda one: replace(one, segment=None), "segment vip"),
    "campaign": (lambda one: replace(one, campaign={"id": "c", "name": "D"}), "campaign"),
    "audience": (lambda one: replace(one, audience=1101), "it goes to 1101, approved were 1000, and at most 1100"),
}


@pytest.mark.parametrize("name", VOIDING)
def test_a_change_voids_an_approval_and_is_named_alone(name: str) -> None:
    change, said = VOIDING[name]
    verdict = judge(10, change(BASIS), APPROVAL)
    assert (verdict.is_needed, verdict.is_given, verdict.may_go) == (True, False, False)
    assert len(verdict.changes) == 1
    assert verdict.changes[0].startswith(said)


STANDING: dict[str, Callable[[Basis], Basis]] = {
    "as it was": lambda one: one,
    "versions": lambda one: replace(one, rule=with_fields(RULE, version=9, updated_at=NOW, status="PAUSED")),
    "version of the segment": lambda one: replace(one, segment={**SEGMENT, "version": 9, "updated_at": "x"}),
    "fewer": lambda one: replace(one, audience=1),
    "a tenth more": lambda one: replace(one, audience=1100),
}


@pytest.mark.parametrize("name", STANDING)
def test_an_approval_stands_where_nothing_else_goes_out(name: str) -> None:
    basis = STANDING[name](BASIS)
    assert judge(1, basis, APPROVAL).may_go
    assert content_of(parts_of(basis)) == content_of(APPROVAL.parts)


@pytest.mark.parametrize(("above", "audience", "is_needed"), [(None, 10**9, False), (10, 10, False), (10, 11, True)])
def test_an_approval_is_needed_above_a_size(above: int | None, audience: int, *, is_needed: bool) -> None:
    verdict = judge(above, replace(BASIS, audience=audience), None)
    assert (verdict.is_needed, verdict.may_go) == (is_needed, not is_needed)


def test_few_customers_do_not_grow_by_rounding() -> None:
    assert [most_for(one) for one in (0, 1, 9, 10, 19)] == [0, 1, 9, 11, 20]
