"""Segments that distributions name: which of them are errors, which warnings, and what keeps one from being deleted."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from console.control.documents import parse_documents
from console.control.segment_names import KnownSegments, doubts, named_segments, slips
from schemas.distribution import Distribution
from tests.factory import rule

KNOWN = KnownSegments(("lapsed", "vip", "vip-2025"), ("upstreams-own",))


def guarded(*names: str, status: Any = "LIVE") -> Distribution:
    """A distribution whose guard asks for every one of these."""
    when = {"all": [{"customer.segments": {"contains": name}} for name in names]}
    return msgspec.structs.replace(rule(when=when), status=status)


@pytest.mark.parametrize(
    ("name", "error", "warning"),
    [
        ("vip", "", ""),
        ("vpi-2025", 'Did you mean "vip-2025"? There are: vip-2025', ""),
        ("VIP", 'Did you mean "vip"?', ""),
        ("lapsd", 'Did you mean "lapsed"? There are: lapsed', ""),
        ("vip-2026", "", "nobody is in it, unless upstream enters them into one of that id. There are: vip-2025, vip"),
        ("wholesale", "", 'no segment "wholesale" is defined'),
        ("upstreams-own", "", ""),
    ],
)
def test_a_guard_on_a_segment_that_is_not_defined_is_said(name: str, error: str, warning: str) -> None:
    found = slips(guarded(name), KNOWN), doubts(guarded(name), KNOWN)
    for problems, said in zip(found, (error, warning), strict=True):
        assert [one.path for one in problems] == (['when.all[0]."customer.segments".contains'] if said else [])
        assert all(said in one.message and name in one.message for one in problems)


@pytest.mark.parametrize(
    ("segment", "said"),
    [("vip", ""), ("lapsd", 'Did you mean "lapsed"?'), ("wholesale", "")],
)
def test_a_trigger_is_usually_of_upstreams_own_and_warns_of_slips_alone(segment: str, said: str) -> None:
    waits = rule(trigger={"event": "customer.segment.entered", "segment": segment})
    about = rule(trigger={"event": "customer.segment.entered"}, when={"not": {"segment.id": {"in": ["vip", segment]}}})
    for one, at in ((waits, "trigger.segment"), (about, 'when.not."segment.id".in')):
        assert not slips(one, KNOWN)
        found = doubts(one, KNOWN)
        assert [problem.path for problem in found] == ([at] if said else [])
        assert all(said in problem.message for problem in found)


def test_what_ends_a_wait_names_segments_too() -> None:
    left = {"event": "customer.segment.left", "segment": "vip"}
    one = rule(delay="1h", unless={"trigger": left, "when": {"customer.segments": {"contains": "lapsd"}}})
    assert [(named.at, named.segment) for named in named_segments(one)] == [
        ("unless.trigger.segment", "vip"),
        ('unless.when."customer.segments".contains', "lapsd"),
    ]
    assert [problem.path for problem in slips(one, KNOWN)] == ['unless.when."customer.segments".contains']


def test_a_distribution_that_is_stopped_may_name_what_is_gone() -> None:
    for status, number in (("LIVE", 1), ("PAUSED", 1), ("STOPPED", 0), ("ENDED", 0)):
        assert len(slips(guarded("lapsd", status=status), KNOWN)) == number
        assert len(doubts(guarded("wholesale", status=status), KNOWN)) == number


def test_triggers_that_are_written_or_applied_make_upstreams_segments_known() -> None:
    source = "distribution: a\ntrigger: {event: customer.segment.entered, segment: loyals}\n"
    applied = rule(trigger={"event": "customer.segment.left", "segment": "vips"})
    known = KnownSegments.beside(["loyal", "vip"], [*parse_documents(source, "body")], [applied])
    assert not slips(guarded("loyals", "vips"), known)
    assert len(slips(guarded("loyals", "vips"), KnownSegments(known.defined))) == 2


def test_where_nobody_knows_segments_nothing_is_said() -> None:
    assert not slips(guarded("lapsd"), None)
    assert not doubts(guarded("wholesale"), None)


def test_many_segments_are_not_all_listed() -> None:
    names = [f"segment-{letter}" for letter in "abcdefghijklmnop"]
    (one,) = doubts(guarded("wholesale"), KnownSegments(names))
    assert "and 11 more (tidings segments list)" in one.message
