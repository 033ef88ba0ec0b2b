"""Variables that editors offer: each may stand where it is offered, in texts as in payloads."""

from __future__ import annotations

import pytest

from channels.templates.engine import OWN_VARIABLES
from console.control.preview.offered import ASKED_FOR, Offered, OfferedGroup, offered
from console.control.preview.variables import every_variable, variables
from console.control.section_cards import joined, rewritten, split
from schemas.events.triggers import TRIGGERS, Trigger
from schemas.formats.paths import read_names
from streams.channels.payload import payload_fields
from streams.conditions.fields import Unknown

MJML = '{{ header("Title") }}\n<mj-text>Write here.</mj-text>\n'


def all_of(groups: list[OfferedGroup]) -> list[Offered]:
    return [one for group in groups for one in group.variables]


def test_what_is_asked_for_most_comes_first_each_with_words() -> None:
    first, *others = offered(every_variable())
    assert (first.is_object, [one.text for one in first.variables]) == (False, [text for text, _, _ in ASKED_FOR])
    assert [one.name for one in others] == sorted(every_variable())
    assert {"customer.name", "customer.email", "voucher.code", "voucher.qr_url", "reward.name"} <= {
        one.path for one in first.variables
    }


@pytest.mark.parametrize("trigger", TRIGGERS.values(), ids=TRIGGERS)
def test_a_trigger_offers_what_it_has_and_payloads_may_say_it(trigger: Trigger) -> None:
    for action in trigger.purposes:
        objects, fields = variables(trigger, action), payload_fields(trigger, action)
        for one in all_of(offered(objects)):
            root = one.written.partition("{{ ")[2].partition(" ")[0].partition(".")[0]
            assert root in {*objects, *OWN_VARIABLES, ""}, one
            assert not one.path or not isinstance(fields.find(read_names(one.path)), Unknown), one


def test_fields_that_were_seen_stand_behind_the_known_ones_where_a_text_can_say_them() -> None:
    seen = (
        "customer.metadata.tier",
        'customer.metadata."first.order"',
        "customer.name",
        "order.metadata.shop",
        "x.y.z",
    )
    groups = {one.name: one for one in offered({"customer": ("name",), "points": ()}, seen)}
    assert [one.path for one in groups["customer"].variables] == ["customer.name", "customer.metadata.tier"]
    assert [one.written for one in groups["points"].variables] == ["{{ points }}"]


def test_pictures_are_offered_to_html_alone() -> None:
    assert any("cid:" in one.written for one in all_of(offered(every_variable())))
    assert not any("cid:" in one.written for one in all_of(offered(every_variable(), in_html=False)))


@pytest.mark.parametrize("written", [written for _, _, written in ASKED_FOR if "cid:" not in written])
def test_each_stands_in_the_field_of_a_card_as_it_was_put_there(written: str) -> None:
    header, text = split(MJML)
    file = joined([rewritten(header, {"title": f"For you: {written}"}), rewritten(text, {"body": f"So: {written}"})])
    again = split(file)
    assert [one.fields for one in again] == [{"title": f"For you: {written}"}, {"body": f"So: {written}"}]
