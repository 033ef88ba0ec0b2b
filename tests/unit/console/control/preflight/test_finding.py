"""The closed list of findings: each is said once, and its severity is one."""

from __future__ import annotations

from typing import get_args

from console.control.preflight.finding import MEANINGS, FindingKind, found, in_order


def test_each_kind_means_something_of_its_own() -> None:
    assert set(MEANINGS) == set(get_args(FindingKind))
    assert len({one.said for one in MEANINGS.values()}) == len(MEANINGS)
    assert all(one.said.endswith(".") and one.right.endswith((".", '"')) for one in MEANINGS.values())


def test_the_worst_come_first_each_once_with_its_field() -> None:
    made = [
        found("sms_cost", "channels[0].sms", "9 parts"),
        found("link_empty", "arms.b.channels[1].email", "x"),
        found("value_missing", "channels[0].email", "y", count=1, of=2),
        found("link_empty", "arms.b.channels[1].email", "x"),
    ]
    assert [(one.severity, one.pointer) for one in in_order(made)] == [
        ("blocker", "/arms/b/channels/1/email"), ("warning", "/channels/0/email"), ("note", "/channels/0/sms"),
    ]  # fmt: skip
