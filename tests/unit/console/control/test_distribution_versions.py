"""The YAML of a distribution in one way of writing, and the lines in which two versions differ."""

from __future__ import annotations

import pytest

from console.control.distribution_versions import canonical_text, difference, record_text
from console.control.document_texts import values_of
from tests.factory import rule

FIRST = "distribution: winback\ntrigger: customer.order.paid\nconsent: marketing\nstatus: LIVE\n"


@pytest.mark.parametrize(
    "written",
    [
        "status: LIVE\nconsent: marketing\ndistribution: winback\ntrigger: customer.order.paid\n",
        "# why\ndistribution: 'winback'\n\ntrigger: customer.order.paid   # when\nconsent: marketing\nstatus: LIVE",
        '{"consent": "marketing", "status": "LIVE", "trigger": "customer.order.paid", "distribution": "winback"}',
    ],
)
def test_a_document_reads_the_same_however_it_is_written(written: str) -> None:
    assert canonical_text(written) == canonical_text(FIRST)
    assert difference(canonical_text(FIRST), canonical_text(written)) == ()


def test_the_order_of_lists_counts_and_that_of_keys_does_not() -> None:
    one, other, keys = (
        canonical_text(f"distribution: x\nchannels:\n{rest}")
        for rest in ("- {email: {account: a, template: t}}\n- {sms: {account: b}}\n",
                     "- {sms: {account: b}}\n- {email: {account: a, template: t}}\n",
                     "- {email: {template: t, account: a}}\n- {sms: {account: b}}\n")
    )  # fmt: skip
    assert one == keys
    assert one != other


def test_lines_that_differ_stand_with_some_around_them() -> None:
    before = "".join(f"k{number}: {number}\n" for number in range(20))
    lines = difference(before, before.replace("k10: 10", "k10: other"))
    assert lines is not None
    assert [(one.kind, one.text) for one in lines if one.kind != "same"] == [
        ("gap", "7 lines alike"), ("removed", "k10: 10"), ("added", "k10: other"), ("gap", "6 lines alike"),
    ]  # fmt: skip
    assert len([one for one in lines if one.kind == "same"]) == 6
    assert difference(before, before.rstrip("\n")) == (), "the end of the last line says nothing"
    assert difference(before, "x\n" * 5000) is None


def test_what_cannot_be_read_stays_as_it_is() -> None:
    for text in ("a: [", "a: 1\n---\nb: 2\n", "- 1\n"):
        assert canonical_text(text) == text


def test_a_version_without_a_document_is_shown_as_matchers_hold_it() -> None:
    (values,) = values_of(record_text(rule(distribution="winback", name="Win back")))
    assert (values["distribution"], values["name"], values["consent"]) == ("winback", "Win back", "marketing")
    assert not {"id", "project_id", "version", "updated_at"} & set(values)
