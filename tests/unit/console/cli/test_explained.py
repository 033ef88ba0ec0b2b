"""Decisions as people read them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from console.cli.explained import show_story
from console.control.explain import Story
from streams.checks.check import AudienceCheck, Subject
from streams.checks.order import AudienceChecks
from streams.index.rules import RuleIndex
from streams.match import match_event
from streams.verdict import Defer
from tests.factory import NOW, context, customer, rule


def test_what_is_deferred_says_until_when_and_what_is_skipped_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    later = Defer("quiet_hours", NOW + timedelta(hours=9), "quiet until 21:00")
    deferring: AudienceCheck[Subject] = AudienceCheck(lambda _: later, lambda _: ("quiet hours", "12:00"))
    index = RuleIndex()
    index.insert(rule())
    deferred = match_event(context(), index, NOW, checks=AudienceChecks(of_distribution=(deferring,))).decisions
    skipped = match_event(context(customer(consents={}), id="ev2"), index, NOW).decisions
    show_story(Story((*deferred, *skipped), ()))
    shown = capsys.readouterr().out
    assert "deferred until 2026-11-20 21:00:00Z, quiet_hours: quiet until 21:00" in shown
    assert "skipped, consent: marketing: never given" in shown
