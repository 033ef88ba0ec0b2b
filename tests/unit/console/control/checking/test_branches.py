"""Branches of templates: each is rendered, with the fewest samples, and one that cannot be is named."""

from __future__ import annotations

from typing import Any

import pytest

from channels.templates.engine import Templates
from console.control.checking.branches import Covered, cover
from schemas.errors import TemplateFailed
from schemas.record import JsonObject
from schemas.template import StoredTemplate

SAMPLE: JsonObject = {
    "customer": {"id": "c", "name": "Ann", "metadata": {"tier": "gold"}},
    "order": {"amount": 100, "items": [{"sku": "A", "quantity": 1}]},
}


def covered(text: str, *samples: JsonObject) -> Covered:
    templates = Templates()

    def render(template: StoredTemplate, data: JsonObject) -> TemplateFailed | None:
        try:
            templates.render(template, data)
        except TemplateFailed as error:
            return error
        return None

    return cover(StoredTemplate(name="t", subject="s", text=text), samples or (SAMPLE,), render)


@pytest.mark.parametrize(
    ("text", "branches", "samples"),
    [
        ("plain", 0, 1),
        ("{% if customer.name %}a{% endif %}", 2, 2),
        ("{% if customer.name %}a{% else %}b{% endif %}", 2, 2),
        ("{% if customer.metadata.tier == 'gold' %}a{% elif customer.metadata.tier == 'silver' %}b{% endif %}", 3, 3),
        ("{% if order.amount > 5000 %}a{% else %}b{% endif %}", 2, 2),
        ("{% if order.amount > 50 and customer.name == 'Eve' %}a{% endif %}", 2, 2),
        ("{% if customer.name %}a{% endif %}{% if customer.metadata.tier %}b{% endif %}", 4, 2),
        ("{% for item in order.items %}{{ item.sku }}{% endfor %}", 2, 2),
        ("{% for item in order.items %}{% if item.sku == 'B' %}b{% endif %}{% endfor %}", 4, 3),
        ("{% for item in order.items %}{% if not loop.last %}, {% endif %}{% endfor %}", 4, 2),
        ("{%- if customer.name -%}{% if order.amount > 200 %}x{% else %}y{% endif %}{%- endif -%}", 4, 3),
        ("{# {% if x %} #}{% raw %}{% if y %}{% endraw %}", 0, 1),
    ],
)
def test_every_branch_is_reached_by_the_fewest_samples(text: str, branches: int, samples: int) -> None:
    found = covered(text)
    assert (found.failed, found.branches) == ((), branches)
    assert len(found.samples) <= samples


@pytest.mark.parametrize(
    ("text", "tag", "said"),
    [
        ("{% if customer.name %}a{% else %}{{ order.nowhere }}{% endif %}", "{% else %} of {% if", "order.nowhere"),
        (
            "{% if order.amount > 900 %}\n{{ order.amount|money('EUR', 1, 2, 3, 4) }}{% endif %}",
            "{% if order",
            "line 2",
        ),
        ("{% for item in order.items %}x{% else %}{{ order.nowhere }}{% endfor %}", "{% else %} of {% for", "nowhere"),
    ],
)
def test_a_branch_that_cannot_be_rendered_is_named(text: str, tag: str, said: str) -> None:
    (failed,) = covered(text).failed
    assert failed.branch.tag.startswith(tag)
    assert said in str(failed.error)


def test_what_is_shown_elsewhere_fails_the_branch_in_which_it_is_missing() -> None:
    (failed,) = covered("{% if customer.name %}a{% endif %} {{ customer.name }}").failed
    assert failed.branch.tag == "past {% if customer.name %}"
    assert failed.error is not None


def test_a_branch_inside_of_one_that_fails_says_nothing_more() -> None:
    inner = "{% if order.amount > 5 %}a{% endif %}"
    found = covered(f"{{% if customer.name == 'x' %}}{{{{ order.nowhere }}}}{inner}{{% endif %}}")
    assert [one.branch.number for one in found.failed] == [0]


@pytest.mark.parametrize(("tag", "noted"), [("customer.name is filter_of_ours", True), ("brand.name == 'x'", False)])
def test_a_branch_that_no_sample_reaches_is_noted_where_an_event_could(tag: str, noted: bool) -> None:
    if noted:
        tag = "customer.name == order.amount ~ 'zz'"
    found = covered(f"{{% if {tag} %}}a{{% endif %}}")
    assert [one.error for one in found.failed] == [None] * noted


def test_recorded_samples_count_before_made_ones() -> None:
    silver: Any = {**SAMPLE, "customer": {"id": "d", "name": "Bob", "metadata": {"tier": "silver"}}}
    text = "{% if customer.metadata.tier == 'gold' %}a{% else %}b{% endif %}"
    assert set(map(id, covered(text, SAMPLE, silver).samples)) == {id(SAMPLE), id(silver)}
