"""Editors are told what is checked: each schema takes the examples, and refuses what its reader refuses."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from channels.templates.bundle import bundled
from console.cli.main import app
from console.control.documents import Document
from console.control.files.documents import read_documents
from schemas.errors import DefinitionInvalid
from streams.documents.campaign import CampaignContext, parse_campaign
from streams.documents.distribution import parse_definition
from streams.documents.event_schema import parse_event_schema
from streams.documents.json_schema import SCHEMAS
from streams.documents.project import ProjectChecks, parse_project
from streams.documents.segment import parse_segment
from streams.values.kinds import plain_json
from tests import ROOT
from tests.factory import CONTEXT, NOW, definition
from tests.json_schema import is_valid

CHECKS = ProjectChecks("shop", ("main",), "main")

EXAMPLES = ROOT / "examples"
CAMPAIGNS = {
    one.plain["campaign"]: parse_campaign(one.plain, CampaignContext("shop", NOW))
    for one in read_documents([EXAMPLES / "campaigns"])
}
TEMPLATES = read_documents([EXAMPLES / "distributions"])[0].beside.templates()
MANY = replace(
    CONTEXT,
    templates=TEMPLATES,
    campaigns=CAMPAIGNS,
    complete=partial(bundled, brand={}),
    accounts={"email": ("main",)},
)
READERS: dict[str, Callable[[Any], object]] = {
    "distribution": lambda source: parse_definition(source, MANY),
    "campaign": lambda source: parse_campaign(source, CampaignContext("shop", NOW)),
    "segment": lambda source: parse_segment(
        source, project_id="shop", version=1, now=NOW, read_members=lambda _: ["c1"]
    ),
    "project": lambda source: parse_project(source, checks=CHECKS, version=1, now=NOW),
    "brand": lambda source: parse_project({"project": "outlet", "brand": source}, checks=CHECKS, version=1, now=NOW),
    "event-schema": parse_event_schema,
}
FILES = [(kind, one) for kind in SCHEMAS for one in read_documents([EXAMPLES / f"{kind}s"])]
POOL: dict[str, Any] = {
    "campaign": "spring",
    "kind": "DISCOUNT_COUPONS",
    "type": "AUTO_UPDATE",
    "discount": {"type": "PERCENT", "percent_off": 10},
    "code_config": {"pattern": "S-####"},
}
SEGMENT: dict[str, Any] = {"segment": "a", "when": {"customer.name": "x"}}
UNIT = {"type": "UNIT", "unit_off": 1, "unit_type": "prod_1", "effect": "ADD_MISSING_ITEMS"}


def reads(kind: str, document: object) -> bool:
    try:
        READERS[kind](document)
    except DefinitionInvalid:
        return False
    return True


def fits(kind: str, document: object) -> bool:
    return is_valid(plain_json(document), SCHEMAS[kind]())


def without(document: dict[str, Any], *names: str, **changes: Any) -> dict[str, Any]:
    return {name: value for name, value in {**document, **changes}.items() if name not in names}


@pytest.mark.parametrize(("kind", "document"), FILES, ids=lambda one: one.place if isinstance(one, Document) else one)
def test_the_examples_are_valid(kind: str, document: Document) -> None:
    READERS[kind](document.plain)
    assert fits(kind, document.plain)


@pytest.mark.parametrize(
    ("kind", "document"),
    [
        ("campaign", POOL),
        ("campaign", {**POOL, "quantity": None, "valid_for": "2w", "start_date": "2026-11-20"}),
        ("campaign", {**POOL, "discount": {"type": "PERCENT", "percent_off": 0.5, "amount_limit": 1}}),
        ("campaign", {**POOL, "discount": UNIT}),
        ("campaign", {**POOL, "code_config": {"length": 5, "prefix": ""}}),
        ("campaign", {"campaign": "a", "kind": "PROMOTION", "tiers": [{"id": "gold", "action": {"any": [1]}}]}),
        ("segment", SEGMENT),
        ("segment", {"segment": "a", "members": []}),
        ("segment", {"segment": "a", "members_file": "vip.csv", "name": "Friends"}),
        ("distribution", definition()),
        ("distribution", definition(starts_at="2026-11-20", priority=-5, again={"once_in": "30d"})),
    ],
)
def test_what_is_right_is_taken_by_both(kind: str, document: object) -> None:
    assert (reads(kind, document), fits(kind, document)) == (True, True)


@pytest.mark.parametrize(
    ("kind", "document"),
    [
        ("campaign", []),
        ("campaign", without(POOL, "campaign")),
        ("campaign", {**POOL, "campaign": "a b"}),
        ("campaign", {**POOL, "campaign": "x" * 129}),
        ("campaign", without(POOL, "kind")),
        ("campaign", {**POOL, "kind": "COUPONS"}),
        ("campaign", {**POOL, "nmae": "x"}),
        ("campaign", {**POOL, "name": " "}),
        ("campaign", {**POOL, "name": "x" * 513}),
        ("campaign", {**POOL, "active": "yes"}),
        ("campaign", {**POOL, "start_date": "soon"}),
        ("campaign", {**POOL, "valid_for": "2 weeks"}),
        ("campaign", {**POOL, "metadata": []}),
        ("campaign", without(POOL, "type")),
        ("campaign", {**POOL, "quantity": 0}),
        ("campaign", {**POOL, "low_water": None, "quantity": "many"}),
        ("campaign", without(POOL, "discount")),
        ("campaign", {**POOL, "gift": {"amount": 5}}),
        ("campaign", {**POOL, "discount": {"percent_off": 10}}),
        ("campaign", {**POOL, "discount": {"type": "PERCENT", "percent_off": 101}}),
        ("campaign", {**POOL, "discount": {"type": "AMOUNT", "percent_off": 10, "amount_off": 1}}),
        ("campaign", {**POOL, "discount": without(UNIT, "unit_type")}),
        ("campaign", {**POOL, "code_config": {"patern": "##"}}),
        ("campaign", {**POOL, "code_config": {"pattern": None}}),
        ("campaign", {**POOL, "code_config": {"pattern": "# #"}}),
        ("campaign", {**POOL, "code_config": {"length": 257}}),
        ("campaign", {"campaign": "a", "kind": "PROMOTION", "tiers": []}),
        ("campaign", {"campaign": "a", "kind": "PROMOTION", "tiers": [{"name": "Gold"}]}),
        ("campaign", {"campaign": "a", "kind": "PROMOTION", "tiers": [{"id": "gold"}], "low_water": 3}),
        ("campaign", {"campaign": "a", "kind": "GIFT_VOUCHERS", "type": "STATIC", "gift": {"amount": 1.5}}),
        ("segment", "a"),
        ("segment", {"segment": "a"}),
        ("segment", without(SEGMENT, "segment")),
        ("segment", {**SEGMENT, "segment": "a b"}),
        ("segment", {**SEGMENT, "members": ["c1"]}),
        ("segment", {**SEGMENT, "wen": 1}),
        ("segment", {**SEGMENT, "name": ""}),
        ("segment", {**SEGMENT, "when": []}),
        ("segment", {**SEGMENT, "when": {"all": []}}),
        ("segment", {**SEGMENT, "when": {"customer.name": {"starts": "x"}}}),
        ("segment", {"segment": "a", "members": "c1"}),
        ("segment", {"segment": "a", "members": ["c1", 7]}),
        ("segment", {"segment": "a", "members": [""]}),
        ("segment", {"segment": "a", "members_file": 1}),
        ("distribution", definition(distribution="a b")),
        ("distribution", definition(nmae="x")),
        ("distribution", definition(channels=[])),
        ("distribution", definition(channels=[{"fax": {}}])),
        ("distribution", definition(trigger={"event": "customer.order.payd"})),
        ("distribution", definition(starts_at="soon")),
        ("distribution", definition(expires_after="soon")),
        ("distribution", definition(priority="high")),
        ("distribution", definition(status="ON")),
        ("distribution", definition(again="sometimes")),
        ("distribution", definition(publish={"campaign": "spring-codes", "when_empty": "retry"})),
        *(("distribution", without(definition(), name)) for name in ("distribution", "trigger", "consent", "channels")),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_by_both(kind: str, document: object) -> None:
    assert (reads(kind, document), fits(kind, document)) == (False, False)


@pytest.mark.parametrize("kind", SCHEMAS)
def test_each_schema_is_printed(kind: str) -> None:
    printed = CliRunner().invoke(app, ["schema", kind])
    assert (printed.exit_code, json.loads(printed.stdout)) == (0, SCHEMAS[kind]())


def test_an_unknown_schema_is_wrong_usage() -> None:
    wrong = CliRunner().invoke(app, ["schema", "segmnt"])
    assert (wrong.exit_code, 'Did you mean "segment"?' in wrong.output) == (2, True)


SCRAPS = st.sampled_from(
    [True, 0, 1, -1, 2.5, "", " ", "x", "3d", "2026-11-20", "STATIC", "AUTO_UPDATE", "PERCENT", "a b", [], ["c1"], {}]
)


@st.composite
def changed(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """An example with a part of it taken away, put elsewhere or exchanged."""
    kind, document = draw(st.sampled_from([(kind, one.plain) for kind, one in FILES if kind != "distribution"]))
    made = copy.deepcopy(document)
    node = made
    while inner := [one for one in node.values() if isinstance(one, dict) and one]:
        if draw(st.booleans()):
            break
        node = draw(st.sampled_from(inner))
    name = draw(st.sampled_from([*node, "name", "active", "quantity", "length", "banner", "members", "amount_limit"]))
    if draw(st.booleans()) or name not in node:
        node[name] = draw(SCRAPS)
    else:
        del node[name]
    return kind, made


@given(changed())
def test_what_a_reader_takes_its_schema_takes(made: tuple[str, dict[str, Any]]) -> None:
    kind, document = made
    assert not reads(kind, document) or fits(kind, document)
