"""The reference pages say what the code says."""

from __future__ import annotations

import json

import msgspec
import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from channels.templates.bundle import sections
from channels.templates.engine import check_source
from channels.templates.filters import Formats
from console.cli.main import app
from console.control.preview.offered import ASKED_FOR
from console.control.preview.variables import variables
from console.reference.pages import FOLDER, PAGES
from console.reference.templates import FILTER_EXAMPLES, SECTION_EXAMPLES
from schemas.events.event import Event
from schemas.events.triggers import TRIGGERS
from streams.conditions.fields import CUSTOMER_FIELDS, Fields
from streams.conditions.parse import parse_condition
from streams.conditions.predicates import EVENT_TESTS, ITEM_TESTS, PREDICATES
from streams.values.kinds import plain_json


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_what_the_code_says(name: str) -> None:
    assert (FOLDER / name).read_text() == PAGES[name](), "run `python -m console.reference.pages`"


def test_every_filter_and_section_of_templates_has_an_example() -> None:
    assert FILTER_EXAMPLES.keys() == Formats().filters().keys()
    assert SECTION_EXAMPLES.keys() == sections().keys()
    for name, examples in FILTER_EXAMPLES.items():
        assert all(f"| {name}" in example for example in examples)


@pytest.mark.parametrize(("what", "trigger", "source"), ASKED_FOR)
def test_what_messages_say_most_may_be_said_on_the_trigger_that_the_page_names(
    what: str, trigger: str, source: str
) -> None:
    assert check_source(source, variables(TRIGGERS[trigger], "message")) == ()


@pytest.mark.parametrize("name", [*PREDICATES, *ITEM_TESTS])
def test_every_test_has_an_example_that_is_valid(name: str) -> None:
    source = YAML(typ="safe").load(PREDICATES[name].example if name in PREDICATES else ITEM_TESTS[name])
    made, problems = parse_condition(plain_json(source), Fields.of(TRIGGERS["customer.order.paid"]))
    assert made, problems
    assert getattr(made, "name", None) == name


@pytest.mark.parametrize("name", EVENT_TESTS)
def test_every_tally_of_events_has_an_example_that_is_valid(name: str) -> None:
    source = plain_json(YAML(typ="safe").load(EVENT_TESTS[name]))
    made, problems = parse_condition(source, CUSTOMER_FIELDS, counts_events=True)
    assert made, problems
    assert getattr(made, "tally", None) == name


def test_the_command_prints_an_event_of_each_type() -> None:
    for kind in TRIGGERS:
        printed = CliRunner().invoke(app, ["sample", kind], catch_exceptions=False).output
        assert msgspec.convert(json.loads(printed), Event).type == kind


def test_the_command_lists_the_types() -> None:
    printed = CliRunner().invoke(app, ["sample"], catch_exceptions=False).output
    assert all(kind in printed for kind in TRIGGERS)
