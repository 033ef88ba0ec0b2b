"""Documents as text: over HTTP they come without a file."""

from __future__ import annotations

import re

import pytest

from console.control import segments
from console.control.context import ProjectContext
from console.control.distribution_check import Known, check, offer
from console.control.documents import parse_documents
from schemas.errors import DefinitionInvalid, Problem
from tests.factory import NOW

PROJECT = ProjectContext("shop")
THANKS = """\
{"distribution": "thanks", "trigger": "customer.order.paid", "consent": "transactional",
 "channels": [{"webhook": {"url": "https://hooks.example.com/x", "type": "t"}}]}
"""


def problems(caught: pytest.ExceptionInfo[DefinitionInvalid]) -> list[Problem]:
    return list(caught.value.problems)


def test_a_distribution_is_checked_without_a_file() -> None:
    ((document, made),) = check(parse_documents(THANKS, "body"), PROJECT, Known(offer({})), NOW)
    rule = made.distribution
    assert (rule.id, rule.project_id, rule.version, rule.updated_at) == ("thanks", "shop", 1, NOW)
    assert document.source == THANKS


def test_a_problem_names_the_document_and_the_line() -> None:
    with pytest.raises(DefinitionInvalid) as caught:
        check(parse_documents(THANKS.replace("url", "ulr"), "body"), PROJECT, Known(offer({})), NOW)
    assert {one.path.split("  ")[0] for one in problems(caught)} == {"body:2"}


def test_two_of_one_id_are_refused_with_the_place_of_the_first() -> None:
    source = "segment: vip\nmembers: [c1]\n---\n\nsegment: vip\nmembers: [c2]\n"
    with pytest.raises(DefinitionInvalid) as caught:
        segments.check(parse_documents(source, "body"), {}, PROJECT, NOW)
    assert "segment vip stands in body:1 already" in [one.message for one in problems(caught)]


@pytest.mark.parametrize(
    ("source", "place"),
    [("a: [", "body:1"), ("a: 1\nb: }", "body:2"), ("a: \x00", "body")],
    ids=["open", "line", "nul"],
)
def test_a_text_that_cannot_be_read_is_refused_with_its_line(source: str, place: str) -> None:
    with pytest.raises(DefinitionInvalid) as caught:
        list(parse_documents(source, "body"))
    assert [one.path for one in problems(caught)] == [place]


@pytest.mark.parametrize(
    "value",
    [
        *("2026-02-30", "2026-01-01T25:00:00Z", "2026-01-01T00:00:00+99:99", "0000-01-01", "{b: 2026-13-01}"),
        *("9" * 5000, "!!int x", "!!int 1e5", "[!!int x]", "!!float x", "!!bool x", "!!set x", "!!omap x"),
    ],
)
def test_a_value_that_is_none_is_refused_with_its_line(value: str) -> None:
    with pytest.raises(DefinitionInvalid) as caught:
        list(parse_documents(f"a: 1\nb: 2\nc: {value}", "body"))
    [problem] = problems(caught)
    assert problem.path == "body:3"
    assert problem.message.startswith("cannot be read: ")


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize("value", ["!!binary aGVsbG8=", "{b: [!!binary aGVsbG8=]}", "!!binary x", "!!set {x}"])
def test_a_value_that_json_has_not_is_refused_with_its_line_and_what_would_be_right(value: str) -> None:
    with pytest.raises(DefinitionInvalid) as caught:
        list(parse_documents(f"a: 1\nb: 2\nc: {value}", "body"))
    [problem] = problems(caught)
    assert problem.path == "body:3"
    assert re.search(r"cannot be read: !!(binary|set) is not valid: must be a text, a number", problem.message)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (LAUGHS, "its aliases (*) stand for far more than it says"),
        (f"a: {'[' * 100_000}{']' * 100_000}\n", "nested too deeply"),
    ],
    ids=["a billion laughs", "deep"],
)
def test_a_short_text_does_not_stand_for_much_more(source: str, reason: str) -> None:
    with pytest.raises(DefinitionInvalid) as caught:
        list(parse_documents(source, "body"))
    (problem,) = problems(caught)
    assert (problem.path, reason in problem.message) == ("body", True)


def test_aliases_within_reason_are_read() -> None:
    (document,) = parse_documents("both: &it {all: [{a: 1}, {b: 2}]}\nagain: [*it, *it]\n", "body")
    assert document.plain["again"] == [document.plain["both"]] * 2


def test_a_list_of_members_needs_a_file_beside_the_document() -> None:
    source = "segment: vip\nmembers_file: vip.csv\n"
    with pytest.raises(DefinitionInvalid) as caught:
        segments.check(parse_documents(source, "body"), {}, PROJECT, NOW)
    (problem,) = problems(caught)
    assert (problem.path, "write the ids under members" in problem.message) == ("body:2  members_file", True)
    ((_, made),) = segments.check(parse_documents("segment: vip\nmembers: [c1]\n", "body"), {}, PROJECT, NOW)
    assert made.members == ["c1"]


def test_a_template_by_name_has_to_be_a_stored_one() -> None:
    mail = "  - email: {account: main, subject: s, template: hello}"
    source = f"distribution: d\ntrigger: customer.order.paid\nconsent: transactional\nchannels:\n{mail}\n"
    with pytest.raises(DefinitionInvalid) as caught:
        check(parse_documents(source, "body"), PROJECT, Known(offer({})), NOW)
    assert "body:5  channels[0].email.template" in [one.path for one in problems(caught)]
