"""Documents with other values under some keys: everything else stays byte for byte."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.control.document_edit import GONE, with_values
from console.control.document_texts import values_of

ORDER = ("distribution", "name", "trigger", "when", "publish", "consent", "channels", "window", "status")
TEXT = """# the head
distribution: winback   # its id
name: "Win back"

# about the trigger
trigger:
  event: customer.segment.entered
  segment: lapsed   # upstream's
# about consent
consent: marketing
channels:
  - email:
      account: main
      subject: "{{ customer.name }}"   # the subject
      utm: {source: x}
  # the second
  - webhook: {url: "https://x.example/y", type: a}
window: {from: "21:00", to: "09:00"}
# the end
"""


def lines(before: str, after: str) -> tuple[list[str], list[str]]:
    """The lines that went and those that came."""
    old, new = before.splitlines(), after.splitlines()
    return [one for one in old if one not in new], [one for one in new if one not in old]


def test_a_value_changes_and_no_other_line_does() -> None:
    after = with_values(TEXT, {"consent": "news"}, ORDER)
    assert after == TEXT.replace("consent: marketing", "consent: news")


def test_new_keys_go_where_the_reference_has_them() -> None:
    after = with_values(TEXT, {"publish": {"campaign": "spring"}, "status": "DRAFT"}, ORDER)
    gone, come = lines(TEXT, after)
    assert (gone, come) == ([], ["publish:", "  campaign: spring", "status: DRAFT"])
    assert after.index("segment: lapsed") < after.index("publish:") < after.index("# about consent")
    assert after.index("window:") < after.index("status:") < after.index("# the end")


def test_keys_that_go_leave_the_comments_of_others() -> None:
    after = with_values(TEXT, {"consent": GONE, "window": GONE}, ORDER)
    assert lines(TEXT, after) == (["consent: marketing", 'window: {from: "21:00", to: "09:00"}'], [])


def test_a_part_of_a_value_changes_and_its_neighbours_keep_their_comments() -> None:
    (values,) = values_of(TEXT)
    channels = [{"email": {**values["channels"][0]["email"], "account": "other"}}, values["channels"][1]]
    after = with_values(TEXT, {"channels": channels}, ORDER)
    assert lines(TEXT, after) == (["      account: main"], ["      account: other"])
    trigger = with_values(TEXT, {"trigger": {**values["trigger"], "event": "customer.segment.left"}}, ORDER)
    assert lines(TEXT, trigger) == (["  event: customer.segment.entered"], ["  event: customer.segment.left"])


def test_entries_of_a_list_go_and_come_and_the_others_stay() -> None:
    (values,) = values_of(TEXT)
    email, webhook = values["channels"]
    first = with_values(TEXT, {"channels": [webhook]}, ORDER)
    assert lines(TEXT, first)[1] == []
    sms = {"sms": {"account": "main", "text": "One\nTwo"}}
    added = with_values(TEXT, {"channels": [email, webhook, sms]}, ORDER)
    assert lines(TEXT, added)[0] == []
    assert "text: |-\n        One\n        Two\n" in added, "lines stay lines"


LISTED = """channels:
  # one
  - sms:
      account: a   # its account
      text: |
        Line one
          indented

        Line two
  # two
  - email:
      text: >
        folded text
        goes on
      subject: x
  # three
  - webhook: {url: "https://x", type: a}
when:
  all:
  # first
  - a.b: {is: 1}
  # second
  - not: {c.d: {is: 2}}
# after
status: DRAFT
"""


@pytest.mark.parametrize(("place", "gone"), [(0, 7), (1, 6), (2, 2)])
def test_an_entry_takes_its_own_comment_along(place: int, gone: int) -> None:
    """Reported elsewhere: the comment after what is deleted goes, and its own stays before another one."""
    (values,) = values_of(LISTED)
    left = [one for number, one in enumerate(values["channels"]) if number != place]
    removed, added = lines(LISTED, with_values(LISTED, {"channels": left}, ORDER))
    assert (len([one for one in removed if one.strip()]), added) == (gone, [])
    assert removed[0] == f"  # {('one', 'two', 'three')[place]}"


def test_texts_of_several_lines_stay_as_they_are_written() -> None:
    """Reported elsewhere: a literal text becomes a folded one where another field changes."""
    (values,) = values_of(LISTED)
    values["channels"][0]["sms"]["account"], values["channels"][1]["email"]["subject"] = "b", "y"
    after = with_values(LISTED, {"channels": values["channels"]}, ORDER)
    assert lines(LISTED, after)[1] == ["      account: b   # its account", "      subject: y"]
    when = with_values(LISTED, {"when": {"all": values["when"]["all"][1:]}}, ORDER)
    assert lines(LISTED, when) == (["  # first", "  - a.b: {is: 1}"], [])


@pytest.mark.parametrize(
    "text",
    ['{"distribution": "x", "name": "y"}', "a: &x {b: 1}\nc: *x\nname: z\n", "{a: 1, name: z}", "? a\n: 1\nname: z\n"],
)
def test_what_has_no_lines_of_its_own_is_written_anew(text: str) -> None:
    (before,) = values_of(text)
    after = with_values(text, {"name": "new", "c": 2}, ORDER)
    assert values_of(after) == [{**before, "name": "new", "c": 2}]


def test_the_beginning_is_empty() -> None:
    assert with_values("", {"name": "y", "status": "DRAFT"}, ORDER) == "name: y\nstatus: DRAFT\n"
    assert with_values("name: y\n", {"name": GONE}, ORDER) == ""


_TEXTS = st.text(st.characters(blacklist_categories=["Cs", "Cc"]) | st.just("\n"), max_size=12)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-999, 999) | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS.filter(str.strip), inner, max_size=3),
    max_leaves=8,
)


@given(
    changes=st.lists(st.dictionaries(st.sampled_from([*ORDER, "own"]), _VALUES | st.just(GONE), max_size=4), max_size=4)
)
def test_whatever_changes_is_what_is_read_afterwards(changes: list[dict[str, Any]]) -> None:
    text, (values,) = TEXT, values_of(TEXT)
    for change in changes:
        text = with_values(text, change, ORDER)
        values = {name: value for name, value in {**values, **change}.items() if value is not GONE}
        assert values_of(text) == ([values] if values else [])
