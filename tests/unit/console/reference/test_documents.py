"""Every key of what authors write stands on its reference page, with an example that its reader takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from ruamel.yaml import YAML

from channels.templates.bundle import bundled
from console.control.files.documents import read_documents
from console.reference.documents import Row, rows
from schemas.events.triggers import PUBLISHED
from streams.channels.mapping import Attributes
from streams.channels.tables import CHANNEL_RULES
from streams.documents.campaign import CAMPAIGN, CampaignContext, parse_campaign
from streams.documents.cap_keys import CAP, CapForm
from streams.documents.digest_keys import DIGEST, DigestForm
from streams.documents.distribution import parse_definition
from streams.documents.distribution_keys import DISTRIBUTION
from streams.documents.event_schema import parse_event_schema
from streams.documents.json_schema import SCHEMAS
from streams.documents.project import PROJECT, ProjectChecks, parse_project
from streams.documents.segment import MEMBERSHIP, SEGMENT, parse_segment
from streams.values.kinds import Flag, Group, Key, Keys, ListOf, Value, Varies, plain_json
from streams.values.named import Named
from tests import ROOT
from tests.factory import CONTEXT, NOW
from tests.json_schema import is_valid

CHECKS = ProjectChecks("shop", ("main",), "main")

EXAMPLES = ROOT / "examples"
CAMPAIGNS = {
    one.plain["campaign"]: parse_campaign(one.plain, CampaignContext("shop", NOW))
    for one in read_documents([EXAMPLES / "campaigns"])
}
TEMPLATES = read_documents([EXAMPLES / "distributions"])[0].beside.templates()
WHOLE = replace(
    CONTEXT,
    templates={**TEMPLATES, "winback-short": TEMPLATES["winback"]},
    campaigns=CAMPAIGNS,
    complete=partial(bundled, brand={}),
)
READERS: dict[str, Callable[[Any], object]] = {
    "distribution": lambda source: parse_definition(source, replace(WHOLE, read_file=lambda _: b"%PDF")),
    "campaign": lambda source: parse_campaign(source, CampaignContext("shop", NOW)),
    "segment": lambda source: parse_segment(
        source, project_id="shop", version=1, now=NOW, read_members=lambda _: ["c1"]
    ),
    "project": lambda source: parse_project(source, checks=CHECKS, version=1, now=NOW),
    "event-schema": parse_event_schema,
}
DECLARED: dict[str, Value[Any]] = {
    "distribution": DISTRIBUTION,
    "campaign": CAMPAIGN,
    "segment": SEGMENT,
    "project": PROJECT,
}
DOCUMENT_ROWS = [(kind, row) for kind, declared in DECLARED.items() for row in rows(declared)]
CHANNEL_ROWS = [(name, row) for name, rules in CHANNEL_RULES.items() for row in rows(rules.keys)]


def shown(one: Row | str) -> str:
    return ".".join(one.path) if isinstance(one, Row) else one


def value(key: Key) -> Any:
    return YAML(typ="safe").load(key.example)


def document(declared: Value[Any], path: tuple[str, ...]) -> Any:
    """Required keys, and the key at a path, all as in their examples."""
    match declared:
        case Group(keys):
            return _mapping(keys, path)
        case Varies(by, groups):
            kind = next(kind for kind, keys in groups.items() if path[0] in keys)
            return {**_mapping(groups[kind], path), by: kind}
        case ListOf(item):
            return [document(item, path)]
        case Named(item):
            return {"a": {"share": "50%"}, "b": {"share": "50%", **document(item, path[1:])}}
        case CapForm():
            return document(CAP, path)
        case DigestForm():
            window = {"at": "09:00"} if path == ("days",) else {} if path == ("at",) else {"for": "4h"}
            return {**window, path[0]: value(DIGEST.keys[path[0]])}
        case _:
            raise AssertionError(path)


def _mapping(keys: Keys, path: tuple[str, ...]) -> dict[str, Any]:
    name, *below = path
    made = {one: value(key) for one, key in keys.items() if key.required or one == name}
    if below:
        inner = document(keys[name].holds, tuple(below))
        plain = isinstance(keys[name].holds, Group)
        made[name] = {**value(keys[name]), **inner} if plain else inner
    return made


@pytest.mark.parametrize(("kind", "row"), DOCUMENT_ROWS, ids=shown)
def test_each_example_is_taken_by_reader_and_schema(kind: str, row: Row) -> None:
    made = document(DECLARED[kind], row.path)
    if "unless" in made:
        made["delay"] = "3d"
    if kind == "segment" and not made.keys() & MEMBERSHIP.keys():
        made["members"] = []
    if kind == "distribution" and "winner" in made:
        made["arms"] = value(DISTRIBUTION.keys["arms"])
    if kind == "distribution" and "arms" in made:
        made["channels"] = [{"email": {"account": "main", "subject": "x", "template": "winback"}}]
    if kind == "distribution" and "fallback_after" in made:
        made["order"] = "first_available"
    if kind == "distribution" and "order" in made:
        made["channels"] = [{"email": {"account": "main", "subject": "x", "text": "y"}}, *made["channels"]]
    READERS[kind](made)
    assert is_valid(plain_json(made), SCHEMAS[kind]())


def _complete(message: dict[str, Any]) -> None:
    """Give a message what one cannot be without, and nothing that a template stands for."""
    if "template" in message:
        message.pop("text", None)
    if message.get("kind") == "email":
        message.setdefault("subject", "x")
    if not message.keys() & {"template", "text", "html"}:
        message["text"] = "x"


@pytest.mark.parametrize(("channel", "row"), CHANNEL_ROWS, ids=shown)
def test_each_example_of_a_channel_is_taken(channel: str, row: Row) -> None:
    body = document(CHANNEL_RULES[channel].keys, row.path)
    if channel in ("email", "sms") and not body.keys() & {"template", "text", "html"}:
        body["html" if "preheader" in body else "text"] = "x"
    if channel == "email":
        body.setdefault("subject", "x")
    for one in body.get("attachments", ()):
        if "url" not in one:
            one.setdefault("file", "a.pdf")
    is_transfer = isinstance(CHANNEL_RULES[channel].keys.keys.get("attributes", Key(Flag())).holds, Attributes)
    if "message" in body:
        _complete(body["message"])
    if is_transfer and not body.keys() & {"attributes", "event", "message"}:
        body["attributes"] = {"X": "customer.id"}
    made = {**document(DISTRIBUTION, ("distribution",)), "channels": [{channel: body}]}
    if channel == "shopify":
        made["trigger"] = {"event": PUBLISHED}
    READERS["distribution"](made)
    assert is_valid(plain_json(made), SCHEMAS["distribution"]())


@pytest.mark.parametrize(("of", "row"), [*DOCUMENT_ROWS, *CHANNEL_ROWS], ids=shown)
def test_each_key_says_what_it_is_for(of: str, row: Row) -> None:
    assert row.key.doc.endswith(".")
    assert row.key.example
    assert row.key.holds.allowed
