"""Absent values, at any depth: `default` and `if` work on it, and showing it stays an error."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from channels.templates.absent import as_written, forgiving
from channels.templates.engine import Templates
from schemas.errors import TemplateFailed
from schemas.template import StoredTemplate

DATA: dict[str, Any] = {
    "customer": {"name": "", "phone": " \u200b", "nick": None, "metadata": {"sizes": [{"eu": 42}]}, "first": "Jo"},
    "none": [],
    "zero": 0,
    "basket": {"items": [7]},
    "items": [{"sku": "a", "product": {"name": "Cup"}}, {"sku": "b"}],
}


def shown(source: str) -> str:
    template = StoredTemplate(name="t", subject="s", text=source)
    return Templates().render(template, DATA).text or ""


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ customer.address.city | default('your city') }}", "your city"),
        ("{{ customer.a.b.c.d | default('x') | upper }}", "X"),
        ("{{ order.customer.name | d('x') }}", "x"),
        ("{{ customer['address']['city'] | default('x') }}", "x"),
        ("{{ none[0].sku | default('x') }}", "x"),
        ("{{ customer.name | default('there') }}", "there"),
        ("{{ customer.phone | default('no phone') }}", "no phone"),
        ("{{ customer.nick | default(customer.name) | default(customer.first) }}", "Jo"),
        ("{{ zero | default(5) }}", "0"),
        ("{{ customer.metadata.sizes[0].eu }}", "42"),
        ("{% if customer.address.city %}a{% else %}b{% endif %}", "b"),
        ("{% if customer.phone %}a{% else %}b{% endif %}", "b"),
        ("{{ customer.name is defined }} {{ customer.a.b is not defined }} {{ zero is defined }}", "False True True"),
        ("{% for i in items %}{{ i.product.name | default(i.sku) }},{% endfor %}", "Cup,b,"),
        ("{% for i in items if i.product.name == 'Cup' %}{{ loop.index }}{{ i.sku }}{% endfor %}", "1a"),
        ("{% set ns = namespace(n=1) %}{% set ns.n = items[0].product.name %}{{ ns.n }}", "Cup"),
        ("{% for k, v in customer.metadata.items() %}{{ k }}{{ loop.cycle('!', '?') }}{% endfor %}", "sizes!"),
        ("{{ customer.keys | default('x') }}{% if customer.copy %}a{% else %}b{% endif %}{{ basket.items[0] }}", "xb7"),
        ("{{ customer['keys'] | default('x') }}{{ basket['items'][0] }}{{ basket[\"items\"] | length }}", "x71"),
        ("{% set items = 0 %}{{ customer[items] | default('x') }}{{ basket['items'][items] }}", "x7"),
        ("{% for i in customer.metadata.items | default([]) %}a{% else %}b{% endfor %}", "b"),
        ("{{ items[:0] }}{{ customer.first[1:] }}", "[]o"),
        ("{{ customer.a.b[:3] | upper | default('x') }}{{ customer.first[:1] | default('x') }}", "xJ"),
        ("{{ customer.nick[:1][:1] | default('x') }}{{ customer.nick[:1] if customer.nick else 'y' }}", "xy"),
        (
            "{{ customer.a.b | urlencode | default('x') }}{{ customer.first | e | d('x') }}{{ customer.name | e }}",
            "xJo",
        ),
        ("{{ 'a&b' | urlencode }} {{ {'a': 'b c'} | urlencode }}", "a%26b a=b%20c"),
        ("{% if customer.a.b[:2] == 'AB' %}a{% else %}b{% endif %}", "b"),
        ("{% for i in customer.a.b[:2] %}a{% else %}b{% endfor %}", "b"),
        ("{% raw %}{{ a.b.c }}{% endraw %}{# a.b.c #}{{ '}}' }}", "{{ a.b.c }}}}"),
        ("{{ {'a': {'b': 1}}.a.b }}{{ (items | first).product.name }}", "1Cup"),
        ("{{ 'y' if customer.age.years >= 18 else 'n' }}", "n"),
        ("{{ customer.first | replace('o', customer.a.b | default('im')) }}", "Jim"),
    ],
)
def test_default_and_if_work_at_any_depth(source: str, expected: str) -> None:
    assert shown(source) == expected


@pytest.mark.parametrize("missing", ["customer.age", "customer.a.b", "nobody.a"])
@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        *((f"MISSING {sign} 5", "no") for sign in ("<", "<=", ">", ">=", "==")),
        *((f"5 {sign} MISSING", "no") for sign in ("<", "<=", ">", ">=", "==")),
        ("MISSING != 5", "yes"),
        ("MISSING == customer.nowhere", "no"),
        ("MISSING in ['a', 5]", "no"),
        ("MISSING not in ['a']", "yes"),
        ("'a' in MISSING", "no"),
        ("not (MISSING == 1) and (zero == 0 or MISSING > 1)", "yes"),
        ("MISSING | default(6) > 5", "yes"),
    ],
)
def test_an_if_compares_nothing_with_what_is_missing(missing: str, asked: str, expected: str) -> None:
    asked = asked.replace("MISSING", missing)
    assert shown(f"{{% if {asked} %}}yes{{% else %}}no{{% endif %}}") == expected


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("a\n{{ customer.address.city }}", "line 2: `customer.address.city` is undefined"),
        ("{{ customer.address.city | upper }}", "`customer.address.city` is undefined"),
        ("{{ customer.surname }}", "`customer.surname` is undefined"),
        ("{% for i in order.items %}{% endfor %}", "`order.items` is undefined"),
        ("{{ customer.nick | default(customer.b.c) }}", "`customer.b.c` is undefined"),
        (
            "{{ customer.first | urlencode }}\n{{ customer.nick | urlencode }}",
            "line 2: urlencode takes a text, not nothing",
        ),
        ("{{ customer.a.b | e }}", "e takes a text, not nothing"),
        ("a\n{{ customer.surname[:3] }}", "line 2: what stands before [:] is not there"),
        ("{{ customer.nick[1:] }}", "what stands before [:] is not there"),
        ("{{ customer.a.b[:3] | upper }}", "what stands before [:] is not there"),
        ("{{ items[1].product.name }}", "`items[1].product.name` is undefined"),
        ("{{ customer.age.years * 2 }}", "undefined and number (`customer.age.years` is undefined)"),
        ("{{ customer.a.b == 1 }}", "`customer.a.b` is undefined"),
        ("{{ customer.tags.items() }}", "undefined has no method named items (`customer.tags` is undefined)"),
    ],
)
def test_what_is_missing_cannot_be_shown(source: str, said: str) -> None:
    with pytest.raises(TemplateFailed) as caught:
        shown(source)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{{ customer.first | truncate(5) }}", "truncate takes length, killwords, end and leeway by name"),
        (
            "{{ customer.first | replace('a') }}",
            'replace takes a text and what stands instead, as in replace("-", " ")',
        ),
        ("{{ customer.first | upper(1) }}", "upper takes nothing in brackets"),
        ("{{ customer.first | round }}", "round takes a count of decimals, as in round(2): cannot round value"),
        ("{{ items | join(1, 2, 3) }}", 'join takes what stands between, as in join(", ")'),
        ("{{ range() }}", "range takes a count"),
        ("{{ customer.first | default('a', true, 3) }}", "default takes what stands instead"),
    ],
)
def test_wrong_arguments_say_which_there_are(source: str, said: str) -> None:
    with pytest.raises(TemplateFailed) as caught:
        shown(source)
    assert said in str(caught.value)


PIECES = (
    *(
        "{{",
        "}}",
        "{%",
        "%}",
        "{#",
        "#}",
        " a.b",
        ".c",
        "[0]",
        "[",
        "]",
        "(",
        ")",
        "{",
        "}",
        " if ",
        " == ",
        "'x'",
        "é",
    ),
    *("'x'", " | default", "('y')", " set ", " = ", " is ", " not ", " in ", "1.5", "-", "\n", '"', "\\", "raw"),
    "endraw",
)


@example('{{ if "" in (')
@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
def test_whatever_is_written_keeps_its_lines_and_can_be_shown_again(source: str) -> None:
    made = forgiving(source)
    assert as_written(made) == source
    assert made.count("\n") == source.count("\n")
