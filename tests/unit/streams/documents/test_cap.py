"""Caps as they are written, of a distribution and of a project."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from schemas.distribution import Cap
from schemas.errors import DefinitionInvalid
from streams.documents.distribution import parse_definition
from streams.documents.project import ProjectChecks, parse_project
from tests.factory import CONTEXT, NOW, definition, rule

WEEK = {"at_most": 2, "in": "week"}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (WEEK, [Cap(at_most=2, within="week", scope="project")]),
        (
            {**WEEK, "of": "marketing", "then": {"wait": "3d"}},
            [Cap(at_most=2, within="week", scope="category", name="marketing", wait=3 * 86_400)],
        ),
        ({**WEEK, "in": "7d", "of": "channel"}, [Cap(at_most=2, within="span", seconds=604_800, scope="channel")]),
        ({**WEEK, "gather": "30s"}, [Cap(at_most=2, within="week", scope="project", gather=30)]),
        ({**WEEK, "gather": "1h"}, [Cap(at_most=2, within="week", scope="project", gather=3600)]),
        ({**WEEK, "gather": "0s"}, [Cap(at_most=2, within="week", scope="project")]),
        ({**WEEK, "of": "webhook", "then": "skip"}, [Cap(at_most=2, within="week", scope="channel", name="webhook")]),
        (
            [WEEK, {"at_most": 1, "in": "day", "of": "category"}],
            [Cap(at_most=2, within="week", scope="project"), Cap(at_most=1, within="day", scope="category")],
        ),
    ],
)
def test_a_cap_says_what_it_is_written_as(written: object, meant: list[Cap]) -> None:
    assert rule(cap=written).caps == meant


@pytest.mark.parametrize(
    ("changes", "path", "said"),
    [
        ({"cap": 2}, "cap", "2 is not valid: must be a mapping, as in {at_most: 2, in: week"),
        ({"cap": []}, "cap", "must be a mapping, as in {at_most: 2, in: week"),
        ({"cap": {"in": "week"}}, "cap.at_most", "is missing: must be a whole number from 1 to 100"),
        ({"cap": {"at_most": 0, "in": "week"}}, "cap.at_most", "0 is not valid: must be a whole number from 1 to 100"),
        ({"cap": {"at_most": 2}}, "cap.in", "is missing: must be one of day, week, month, or a duration"),
        ({"cap": {"at_most": 2, "in": "weeks"}}, "cap.in", '"weeks" is not valid: must be one of day, week, month, or'),
        ({"cap": {"at_most": 2, "in": "91d"}}, "cap.in", "from 1m to 90d"),
        ({"cap": {"at_most": 2, "in": "30s"}}, "cap.in", "from 1m to 90d"),
        ({"cap": {**WEEK, "of": "marketin"}}, "cap.of", 'Did you mean "marketing"?'),
        ({"cap": {**WEEK, "of": "transactional"}}, "cap.of", "transactional messages always go"),
        ({"cap": {**WEEK, "of": "loyalty"}}, "cap", "is for loyalty, and this distribution's category is marketing"),
        ({"cap": {**WEEK, "of": "sms"}}, "cap", "is for sms, and this distribution sends by webhook"),
        ({"cap": WEEK, "consent": "transactional"}, "cap", "limits nothing: transactional messages always go"),
        ({"cap": [WEEK, {**WEEK, "then": "wait"}]}, "cap[1].then", "must be skip, or how long it may wait"),
        ({"cap": {**WEEK, "then": None}}, "cap.then", "must be skip, or how long it may wait"),
        ({"cap": {**WEEK, "then": {"wait": 3}}}, "cap.then.wait", "must be a duration"),
        ({"cap": {**WEEK, "per": "day"}}, "cap.per", '"per" is not a key: must be one of at_most, in, of, then, g'),
        ({"cap": {**WEEK, "gather": "61m"}}, "cap.gather", "must be at most 1h: it delays each last message"),
        ({"cap": [WEEK, {**WEEK, "gather": 30}]}, "cap[1].gather", "must be a duration"),
    ],
)  # fmt: skip
def test_whatever_is_wrong_is_said_with_what_is_right(changes: dict[str, Any], path: str, said: str) -> None:
    with pytest.raises(DefinitionInvalid) as caught:
        parse_definition(definition(**changes), CONTEXT)
    found = {problem.path: problem.message for problem in caught.value.problems}
    assert said in found[path]


def test_a_distribution_takes_those_caps_of_its_project_that_count_its_messages() -> None:
    of_project = parse_project(
        {"project": "outlet", "cap": [{**WEEK, "of": one} for one in ("project", "sms", "marketing", "loyalty")]},
        checks=ProjectChecks("shop", ()),
        version=1,
        now=NOW,
    ).caps
    assert [cap.of_project for cap in of_project] == [True] * 4
    made = parse_definition(definition(cap={"at_most": 1, "in": "day"}), replace(CONTEXT, caps=of_project)).distribution
    assert [(cap.at_most, cap.name, cap.of_project) for cap in made.caps] == [
        (1, None, False),
        (2, None, True),
        (2, "sms", True),
        (2, "marketing", True),
    ]
    transactional = parse_definition(definition(consent="transactional"), replace(CONTEXT, caps=of_project))
    assert transactional.distribution.caps == []


@pytest.mark.parametrize(
    ("written", "path", "said"),
    [
        ({"cap": {"at_most": 0, "in": "day"}}, "cap.at_most", "must be a whole number from 1"),
        ({"cap": {**WEEK, "of": "marketing"}, "consents": ["news"]}, "cap.of", '"marketing" is not something to count'),
        ({"cap": [{**WEEK, "of": "email"}, {"at_most": 1}]}, "cap[1].in", "is missing"),
    ],
)
def test_a_projects_caps_are_checked_as_well(written: dict[str, Any], path: str, said: str) -> None:
    with pytest.raises(DefinitionInvalid) as caught:
        parse_project({"project": "outlet", **written}, checks=ProjectChecks("shop", ()), version=1, now=NOW)
    found = {problem.path: problem.message for problem in caught.value.problems}
    assert said in found[path]
