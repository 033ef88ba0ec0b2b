"""Fields that are gone or of another kind: which sequences of events are told of, and which are not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from schemas.watching import FieldHistory, FieldSlot
from streams.field_watch import FieldChange, field_change
from streams.notices import field_about, field_changed

DAY = datetime(2026, 11, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
Kinds = dict[str, int]
TEXT, NUMBER, GONE = {"text": 20}, {"number": 20}, {"": 20}


def history(*parts: tuple[int, Kinds], step: timedelta = HOUR) -> FieldHistory:
    """So many slots of each."""
    kinds = [one for count, one in parts for _ in range(count)]
    slots = [
        FieldSlot(DAY + n * step, DAY + (n + 1) * step, one, dict.fromkeys(one, f"events.orders-1@{n}"))
        for n, one in enumerate(kinds)
    ]
    return FieldHistory("shop", "customer.order.paid", "order.metadata.channel", tuple(slots))


def said(change: FieldChange | None) -> tuple[str, str] | None:
    return None if change is None else (change.before, change.now or "gone")


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(history((100, TEXT), (2, GONE)), ("text", "gone"), id="gone"),
        pytest.param(history((100, TEXT), (2, NUMBER)), ("text", "number"), id="another kind"),
        pytest.param(history((100, {"object": 9, "": 1}), (4, {"list": 9, "": 1})), ("object", "list"), id="a list"),
        pytest.param(history((100, TEXT), (4, {"number": 5, "": 15})), None, id="half gone"),
        pytest.param(history((102, TEXT)), None, id="as ever"),
        pytest.param(history((100, TEXT), (1, GONE)), None, id="too few of the newest"),
        pytest.param(history((100, TEXT), (2, {"": 18, "text": 2})), None, id="some have it"),
        pytest.param(history((100, TEXT), (2, {"text": 19, "number": 1})), None, id="one bad record"),
        pytest.param(history((100, TEXT), (1, {"": 200}), (2, TEXT)), None, id="gone for an hour and back"),
        pytest.param(history((100, {"text": 14, "": 6}), (2, GONE)), None, id="often absent"),
        pytest.param(history((100, {"": 20}), (2, GONE)), None, id="never there"),
        pytest.param(history((100, {"text": 10, "number": 10}), (2, NUMBER)), None, id="of two kinds"),
        pytest.param(history((100, GONE), (2, TEXT)), None, id="new"),
        pytest.param(history((60, TEXT), (2, GONE)), None, id="little history"),
        pytest.param(history((100, {"text": 1}), (30, {"": 1})), ("text", "gone"), id="few events"),
        pytest.param(history((99, {"text": 1}), (30, {"": 1})), None, id="too few events before"),
        pytest.param(history((2, GONE)), None, id="nothing before"),
        pytest.param(history(), None, id="nothing"),
        pytest.param(history(*[(22, TEXT), (2, GONE)] * 4), None, id="a job at night has no such field"),
        pytest.param(history(*[(22, TEXT), (2, NUMBER)] * 4), None, id="a job at night sends another kind"),
        pytest.param(history((30, TEXT), (3, GONE), (90, TEXT), (2, GONE)), ("text", "gone"), id="gone again"),
        pytest.param(history((90, {"text": 1}), (5, {"": 1}), (90, {"text": 1}), (30, {"": 1})), ("text", "gone"),
                     id="single events that lack it are no lull"),
    ],
)  # fmt: skip
def test_a_field_that_was_there_and_is_otherwise_is_told(found: FieldHistory, expected: tuple[str, str] | None) -> None:
    assert said(field_change(found)) == expected


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(history((100, TEXT), (2, GONE)), ("text", "gone"), id="still gone"),
        pytest.param(history((100, TEXT), (900, GONE)), ("text", "gone"), id="gone for weeks"),
        pytest.param(history((100, TEXT), (9, GONE), (2, {"text": 6, "": 14})), ("text", "gone"), id="mostly gone"),
        pytest.param(history((100, TEXT), (9, GONE), (2, {"text": 11, "": 9})), None, id="mostly back"),
        pytest.param(history((100, TEXT), (9, GONE), (2, TEXT)), None, id="back"),
        pytest.param(history((100, TEXT), (9, NUMBER)), ("text", "number"), id="still of another kind"),
        pytest.param(history((100, TEXT), (9, GONE), (9, NUMBER)), ("text", "number"), id="back in another kind"),
        pytest.param(history((9, GONE)), None, id="what it was is forgotten"),
    ],
)
def test_what_was_told_stays_until_most_events_have_it_again(
    found: FieldHistory, expected: tuple[str, str] | None
) -> None:
    assert said(field_change(found, told_at=DAY + 101 * HOUR)) == expected


def test_what_is_wrong_for_long_does_not_become_usual_while_it_is_told() -> None:
    found = history((100, TEXT), (300, GONE))
    assert said(field_change(found, told_at=DAY + 101 * HOUR)) == ("text", "gone")
    assert field_change(found) is None


def test_an_owner_reads_what_it_was_and_is_and_where_and_who_uses_it() -> None:
    found = history((100, {"text": 19, "": 1}), (2, NUMBER))
    change = field_change(found)
    assert change is not None
    concern = field_changed(found, change, [f"d{n}" for n in range(7)])
    assert (concern.kind, concern.about) == ("field_changed", "customer.order.paid: order.metadata.channel")
    assert concern.about == field_about(found)
    assert concern.summary == (
        "order.metadata.channel of customer.order.paid was a text in 95% of events, and is a number in 40 of the "
        "newest 40 of a sample, as in events.orders-1@101. Used by: d0, d1, d2, d3, d4 and 2 more."
    )
    assert "tidings tail events.orders" in concern.look_at
    gone = field_changed(found, FieldChange("text", 1.0, "", 30, 30, "events.orders-0@7"), ["thanks"])
    assert "was a text in 100% of events, and is missing in 30 of the newest 30" in gone.summary
