"""Decisions as people read them."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from console.cli.explained import show_story, story_json
from console.control.explain import Attempt, DeliveryStory, ReportedEnd, Story
from schemas.send import Audience
from store.send_rows import SendRow
from streams.checks.check import AudienceCheck, Finding, Subject
from streams.checks.order import AudienceChecks
from streams.index.rules import RuleIndex
from streams.match import match_event
from streams.verdict import Defer
from tests.factory import NOW, context, customer, rule


def test_what_is_deferred_says_until_when_and_what_is_skipped_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    later = Defer("quiet_hours", NOW + timedelta(hours=9), "quiet until 21:00")
    deferring: AudienceCheck[Subject] = AudienceCheck(lambda _: Finding(later, "quiet hours", "12:00"))
    index = RuleIndex()
    index.insert(rule())
    deferred = match_event(context(), index, NOW, checks=AudienceChecks(of_distribution=(deferring,))).decisions
    skipped = match_event(context(customer(consents={}), id="ev2"), index, NOW).decisions
    show_story(Story((*deferred, *skipped), ()))
    shown = capsys.readouterr().out
    assert "deferred until 2026-11-20 21:00:00Z, quiet_hours: quiet until 21:00" in shown
    assert "skipped, consent: marketing: never given" in shown


def test_what_was_held_is_one_story_with_its_later_rounds(capsys: pytest.CaptureFixture[str]) -> None:
    later = Defer("quiet_hours", NOW + timedelta(hours=9), "quiet until 21:00")
    deferring: AudienceCheck[Subject] = AudienceCheck(lambda _: Finding(later, "quiet hours", "12:00"))
    index = RuleIndex()
    index.insert(rule())
    (held,) = match_event(context(), index, NOW, checks=AudienceChecks(of_distribution=(deferring,))).decisions
    (other,) = match_event(context(id="ev2"), index, NOW).decisions
    (sent,) = match_event(context(), index, NOW + timedelta(hours=9)).decisions
    show_story(Story((held, other), ()))
    assert "held until 2026-11-20 21:00:00Z; then all is judged again" in capsys.readouterr().out
    show_story(Story((held, other, sent), ()))
    story, _, rest = capsys.readouterr().out.partition("ev2")
    assert "held until" not in story
    assert "2026-11-20 21:00:00Z  judged again\n  → webhook: emitted" in story
    assert rest.count("→") == 1


@pytest.mark.parametrize(("segment", "to"), [("vip", "segment vip"), (None, "a list")])
def test_a_message_of_a_manual_send_names_it(capsys: pytest.CaptureFixture[str], segment: str | None, to: str) -> None:
    index = RuleIndex()
    index.insert(rule())
    (made,) = match_event(context(), index, NOW).decisions
    decision = replace(made, event=replace(made.event, send_id="send_1"))
    audience = Audience(kind="segment" if segment else "list", segment=segment)
    blank: Any = dict.fromkeys(SendRow.__dataclass_fields__)
    send = SendRow(**{**blank, "send_id": "send_1", "status": "DONE", "to": audience, "created_by": "ann"})
    story = Story((decision,), (), sends=(dataclasses.replace(send, created_at=NOW),))
    show_story(story)
    assert f"\n  send_1 to {to}, by ann at 2026-11-20 12:00:00Z, DONE\n" in capsys.readouterr().out
    assert story_json(story, NOW)["sends"] == story.sends


@pytest.mark.parametrize(
    ("state", "reason", "detail", "outcomes", "shown"),
    [
        ("failed", "canceled", "cancelled by ann", ["deferred"], "canceled  cancelled by ann"),
        ("failed", "expired", "expired at 9", ["deferred"], "expired  expired at 9"),
        ("failed", "expired", "its event is old", [], "expired  its event is old"),
        ("failed", "template_error", "line 3", [], "failed  template_error  line 3"),
        ("failed", None, "HTTP 404", ["failed"], None),
        ("recovered", None, "HTTP 200", ["deferred", "recovered"], None),
    ],
)
def test_an_end_that_no_attempt_came_to_is_told_with_its_outcome(
    state: str, reason: str | None, detail: str, outcomes: list[str], shown: str | None,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    made = tuple(Attempt("dlv_1", number, NOW, 5, one, "HTTP 503") for number, one in enumerate(outcomes, start=1))
    ended = DeliveryStory(
        "dlv_1",
        "shop",
        "x",
        1,
        "e",
        "c1",
        "webhook",
        "a",
        state,
        reason,
        detail,
        None,
        len(made),
        NOW,
        NOW,
        NOW,
        made,
        (),
    )
    show_story(Story((), (ended,)))
    lines = [line.strip() for line in capsys.readouterr().out.splitlines() if line.startswith("    ")]
    assert lines[len(made) :] == ([shown] if shown else [])


def test_what_its_provider_reported_is_part_of_the_story(capsys: pytest.CaptureFixture[str]) -> None:
    attempt = Attempt("dlv_1", 1, NOW, 5, "sent", "250 queued")
    reported = tuple(ReportedEnd("dlv_1", outcome, NOW) for outcome in ("delivered", "complained"))
    story = DeliveryStory(
        "dlv_1", "shop", "x", 1, "e", "c1", "email", "main", "sent", None, "250 queued", None, 1, NOW, NOW, NOW,
        (attempt,), (), reported,
    )  # fmt: skip
    show_story(Story((), (story,)))
    out = capsys.readouterr().out
    assert "delivered, as its provider reported" in out and "complained, as its provider reported" in out
    (shown,) = story_json(Story((), (story,)), NOW)["deliveries"]
    assert [one.outcome for one in shown.reported] == ["delivered", "complained"]
