"""A folder held against a recording: what is gone, changed, fits nothing, or cannot be rendered."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from console.control.checking.check import Report, check
from console.control.checking.judged import Recorded
from console.control.context import ProjectContext
from console.control.distribution_check import Known, offer
from console.control.files.checked_folder import read_folder
from console.control.known_memberships import KnownMemberships
from console.control.preview.samples import SAMPLE_BRAND
from console.control.recording import Recording, Whose, from_lines
from schemas.events.triggers import TRIGGERS

NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)
WHOSE = Whose("shop", "shop")
HOOK = "channels: [{webhook: {url: 'https://hooks.example.com/x', type: x}}]"
BRANCHES = "{% if customer.name %}a{% else %}{{ order.nowhere }}{% endif %}"
PAID = "customer.order.paid"
CUSTOM = "customer.custom_event"


def event(kind: str = PAID, **paths: Any) -> dict[str, Any]:
    """The sample of a type with other values; None takes a field away."""
    made = copy.deepcopy(TRIGGERS[kind].sample(project_id="shop", event_id=f"ev_{len(paths)}"))
    for path, value in paths.items():
        *names, last = path.split("__")
        node = made["data"]
        for name in names:
            node = node[name]
        node.pop(last, None)
        if value is not None:
            node[last] = value
    return made


def recording(*events: Any) -> Recording:
    return from_lines([json.dumps(one).encode() for one in events], "ev.jsonl", WHOSE)


def checked(
    folder: Path,
    *events: Any,
    rows: dict[str, bytes] | None = None,
    memberships: KnownMemberships = KnownMemberships(),  # noqa: B008
) -> Report:
    project = ProjectContext("shop", brand=SAMPLE_BRAND, accounts={"email": ("main",)})
    recorded = Recorded(recording(*events), rows or {}, memberships)
    return check(read_folder(folder), recorded, project, Known(offer({})), NOW)


def written(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return folder


def rule(when: str, *, trigger: str = PAID, more: str = HOOK) -> str:
    return f"distribution: d\ntrigger: {{event: {trigger}}}\nwhen: {when}\nconsent: transactional\n{more}\n"


@pytest.mark.parametrize(
    ("text", "events", "kinds", "said"),
    [
        (rule("{order.amount: {at_least: 100}}"), [event()], [], ""),
        (
            rule("{order.metadata.channel: web}"),
            [event()],
            ["field_gone", "no_match"],
            "order.metadata.channel is miss",
        ),
        (rule("{order.metadata.channel: {is_not: web}}"), [event()], [], ""),
        (
            rule("{order.metadata.n: {at_least: 5}}"),
            [event(order__metadata={"n": "6"})],
            ["rule_error"],
            'fails for 1 of 1 event, first ev.jsonl:1: order.metadata.n at_least 5: "6" (text)',
        ),
        (rule("{customer.name: Ann}"), [event(), event()], ["no_match"], "does not fit all 2 events of the recording"),
        (
            rule("{customer.id: cust_17}", more=f"{HOOK}\nagain: {{once_per: customer.name}}"),
            [event(customer__name=5)],
            ["kind_changed"],
            "customer.name is a text by its declaration, and a number in 1 of 1 event (ev.jsonl:1)",
        ),
        (
            rule("{order.amount: {at_least: 1}}"),
            [event(CUSTOM)],
            ["no_events"],
            "no event of the recording is customer.o",
        ),
        (rule("{order.amount: {at_least: 1}}"), [], [], ""),
        (rule("{order.amont: 5}"), [event()], ["invalid"], 'Did you mean "order.amount"?'),
        (
            rule(
                "{order.amount: {at_least: 1}}",
                more="channels: [{webhook: {url: 'https://h.example', type: x, payload: {a: {from: order.gone}}}}]",
            ),
            [event()],
            ["field_gone"],
            "order.gone is missing in the 1 event",
        ),
        (
            rule(
                "{order.amount: {at_least: 1}}",
                more=f"channels: [{{email: {{account: main, subject: s, text: '{BRANCHES}'}}}}]",
            ),
            [event()],
            ["branch"],
            "{% else %} of {% if customer.name %} cannot be rendered",
        ),
    ],
)
def test_a_distribution_is_held_against_its_events(
    tmp_path: Path, text: str, events: list[Any], kinds: list[str], said: str
) -> None:
    report = checked(written(tmp_path, "distributions/d.yaml", text), *events)
    assert [one.kind for one in report.findings] == kinds
    assert said in " ".join(one.message for one in report.findings)
    assert all(one.place.startswith(f"{tmp_path}/distributions/d.yaml:") for one in report.findings)


def test_a_line_that_is_not_an_event_is_found(tmp_path: Path) -> None:
    report = checked(tmp_path, {"type": "nope"}, event())
    assert [(one.kind, one.place) for one in report.findings] == [("recording", "ev.jsonl:1")]
    assert (report.events, report.is_right) == (1, False)


def test_a_tailed_line_is_its_record(tmp_path: Path) -> None:
    found = recording({"partition": 0, "offset": 7, "key": "cust_17", "value": event()})
    assert [one.head.type for one in found.events] == [PAID]


SCHEMA = "event_schema: ms_wishlist\nfields: {event.metadata.price: number, event.metadata.product: text}\n"


@pytest.mark.parametrize(
    ("when", "metadata", "kinds", "said"),
    [
        ("{event.metadata.price: {at_least: 5}}", {"price": 9500, "product": "S"}, [], ""),
        (
            "{event.metadata.prise: {at_least: 5}}",
            {"price": 9500, "product": "S"},
            ["field_gone", "no_match", "unknown_field"],
            'ms_wishlist has no such field. Did you mean "event.metadata.price"?',
        ),
        ("{event.metadata.price: {starts_with: a}}", {"price": 5, "product": "S"}, ["rule_error", "unknown_field"], ""),
        (
            "{event.metadata.product: S}",
            {"price": "9500", "product": "S"},
            ["kind_changed"],
            "event.metadata.price is a number here, and a text in 1 of 1 event (ev.jsonl:1)",
        ),
        (
            "{event.metadata.product: S}",
            {"product": "S"},
            ["field_gone"],
            "event.metadata.price is missing in the 1 event",
        ),
    ],
)
def test_custom_events_are_held_against_their_description(
    tmp_path: Path, when: str, metadata: dict[str, Any], kinds: list[str], said: str
) -> None:
    written(tmp_path, "event-schemas/wishlist.yaml", SCHEMA)
    text = rule(when, trigger=f"{CUSTOM}, event_schema: ms_wishlist")
    report = checked(written(tmp_path, "distributions/d.yaml", text), event(CUSTOM, event__metadata=metadata))
    assert sorted({one.kind for one in report.findings}) == kinds
    assert said in " ".join(one.message for one in report.findings)


@pytest.mark.parametrize(
    ("when", "kinds"),
    [
        ("{customer.metadata.country: PL}", []),
        ("{customer.metadata.country: DE}", ["no_match"]),
        ("{customer.metadata.gone: 1}", ["field_gone", "no_match"]),
        ("{customer.metadata.country: {at_least: 1}}", ["rule_error"]),
    ],
)
def test_a_segment_is_held_against_profiles(tmp_path: Path, when: str, kinds: list[str]) -> None:
    written(tmp_path, "segments/s.yaml", f"segment: s\nwhen: {when}\n")
    assert sorted(one.kind for one in checked(tmp_path, event()).findings) == kinds


def test_a_profile_wins_over_the_customer_of_the_event(tmp_path: Path) -> None:
    written(tmp_path, "distributions/d.yaml", rule("{customer.metadata.country: DE}"))
    row = json.dumps({"id": "cust_17", "metadata": {"country": "DE"}}).encode()
    assert checked(tmp_path, event(), rows={"cust_17": row}).distributions[0].matched == 1
    assert checked(tmp_path, event()).distributions[0].matched == 0


def test_templates_of_the_folder_are_checked(tmp_path: Path) -> None:
    written(tmp_path, "templates/t.html", "<p>{% if customer.name %}</p>")
    (found,) = checked(tmp_path).findings
    assert found.kind == "invalid"
    assert "templates/t.html:1" in found.place


@pytest.mark.parametrize(
    ("segment", "kinds"),
    [("vip-gold", []), ("vip-glod", ["invalid"]), ("wholesale", ["unknown_segment"])],
)
def test_a_guard_on_a_segment_is_held_against_those_of_the_folder(
    tmp_path: Path, segment: str, kinds: list[str]
) -> None:
    written(tmp_path, "segments/s.yaml", "segment: vip-gold\nmembers: [cust_17]\n")
    written(tmp_path, "distributions/d.yaml", rule(f"{{customer.segments: {{contains: {segment}}}}}"))
    report = checked(tmp_path)
    assert [one.kind for one in report.findings] == kinds
    assert report.is_right is (segment != "vip-glod")


@pytest.mark.parametrize(
    ("segment", "known", "matched", "kinds"),
    [
        ("s", KnownMemberships(), 1, []),
        ("s", KnownMemberships(applied={"cust_17": []}, of_all=True), 1, []),
        ("s", KnownMemberships(given={"cust_17": []}), 0, ["no_match"]),
        ("t", KnownMemberships(applied={"cust_17": ["t"]}, of_all=True), 1, ["unknown_segment"]),
        ("t", KnownMemberships(), 0, ["unknown_segment", "no_match"]),
    ],
)
def test_a_guard_on_a_segment_is_judged_by_the_folders_and_by_what_is_known(
    tmp_path: Path, segment: str, known: KnownMemberships, matched: int, kinds: list[str]
) -> None:
    written(tmp_path, "segments/s.yaml", "segment: s\nwhen: {customer.metadata.country: PL}\n")
    written(tmp_path, "distributions/d.yaml", rule(f"{{customer.segments: {{contains: {segment}}}}}"))
    report = checked(tmp_path, event(), memberships=known)
    assert [one.kind for one in report.findings] == kinds
    assert report.distributions[0].matched == matched


def test_a_guard_on_a_segment_of_which_nobody_knows_warns_once(tmp_path: Path) -> None:
    written(tmp_path, "distributions/d.yaml", rule("{customer.segments: {contains: vip}}"))
    report = checked(tmp_path, event(), event(customer__name="Ann"))
    (found,) = report.findings
    assert (found.kind, report.is_right) == ("unknown_memberships", True)
    assert "cannot be judged for 2 of 2 events" in found.message
    assert checked(tmp_path, event(), memberships=KnownMemberships(given={"cust_17": ["vip"]})).findings == ()
