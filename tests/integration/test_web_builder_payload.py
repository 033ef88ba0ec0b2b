"""Payloads and attributes in the builder over real HTTP: rows beside what they make, by the renderer of senders."""

from __future__ import annotations

import html
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from agents.wiring import Wiring
from deploy.settings.settings import Settings
from deploy.settings.web import Web
from tests.integration.api_client import wired
from tests.integration.test_web import Page, Site, running
from tests.integration.test_web_builder import problems, text_of
from tests.integration.test_web_builder_steps import at, fields_of, press, step, values
from tests.integration.test_web_projects import EVIL, signed_in
from tests.integration.test_web_template_edit import keep_profile

HEAD = "distribution: paid\ntrigger: customer.order.paid\nconsent: transactional\n"
DRAWN = (
    HEAD
    + """channels:
  - webhook:
      url: https://hooks.example.com/x
      type: paid
      payload:
        id: {from: customer.id}   # ours
        order: {amount: {from: order.amount}, tags: [a, {from: customer.locale}]}
        shop: web
"""
)
AT = "channels_0_webhook_payload"


@pytest.fixture
def wiring(settings: Settings, dsn: str) -> Any:
    with wired(settings, dsn, ("distributions", "events.orders", "customers")) as made:
        yield made


@pytest.fixture
async def site(wiring: Wiring, dsn: str) -> AsyncIterator[Site]:
    async with running(wiring.settings, dsn, Web()) as one:
        yield one


def output(page: Page, number: int = 0) -> str:
    found = re.search(rf'<section class="output" id="output_{number}".*?</section>', page.text, re.DOTALL)
    return html.unescape(found[0]) if found else ""


def body(page: Page, number: int = 0) -> Any:
    found = re.search(r"<code>(.*?)</code>", output(page, number), re.DOTALL)
    assert found, page.text
    return json.loads(found[1])


async def test_rows_are_the_document_beside_what_they_send(site: Site) -> None:
    mine = await signed_in(site, "editor")
    page = await at(mine, DRAWN, "channels")
    shown = fields_of(page)
    assert [shown[f"{AT}_{number}_name"] for number in (0, 1, 3, 4)] == ["id", "order.amount", "shop", ""]
    assert (shown[f"{AT}_3_how"], shown[f"{AT}_3_value"], f"{AT}_2_name" in shown) == ("text", "web", False)
    assert "tags:" in html.unescape(page.text).partition("The YAML says besides")[2]
    sample = {"id": "cust_17", "order": {"amount": 12000, "tags": ["a", "pl-PL"]}, "shop": "web"}
    assert body(page)["data"] == sample
    assert (await press(mine, page, "next")).text.count(DRAWN.splitlines()[7]) == 1, "nothing changed, comments neither"
    more = {f"{AT}_4_name": "customer.vip", f"{AT}_4_value": "customer.metadata.vip", f"{AT}_4_otherwise": "false"}
    page = await press(mine, page, "stay", **more)
    assert body(page)["data"] == sample | {"customer": {"vip": False}}
    page = await press(mine, page, f"drop:{AT}_0")
    assert list(values(page)["channels"][0]["webhook"]["payload"]) == ["order", "shop", "customer"]
    page = await press(mine, page, "stay", channels_0_webhook_envelope="false")
    assert body(page) == {"order": sample["order"], "shop": "web", "customer": {"vip": False}}


async def test_it_is_shown_on_an_event_of_ones_own(site: Site) -> None:
    mine = await signed_in(site, "editor")
    page = await at(mine, DRAWN, "channels")
    event = {"id": "e1", "type": "customer.order.paid", "created_at": "2026-11-20T09:00:00Z",
             "data": {"customer": {"id": "c9"}, "order": {"id": "o", "amount": 7}}}  # fmt: skip
    page = await press(mine, page, "stay", event=json.dumps(event))
    assert body(page)["data"] == {"id": "c9", "order": {"amount": 7, "tags": ["a"]}, "shop": "web"}
    assert json.loads(fields_of(page)["event"]) == event, "it stays"
    for given, said in (
        ("{", "The event cannot be read"),
        ("[]", "one JSON object"),
        ('{"type": "x"}', "It cannot be made"),
    ):
        wrong = await press(mine, page, "stay", event=given)
        assert (wrong.status, said in output(wrong)) == (200, True), output(wrong)
    page = await press(mine, page, "event", event="")
    assert "among the newest events" in html.unescape(page.text)
    assert body(page)["data"]["id"] == "cust_17"


async def test_what_cannot_be_written_is_kept_in_the_form_and_nowhere_else(site: Site) -> None:
    mine = await signed_in(site, "editor")
    page = await at(mine, DRAWN, "channels")
    twice = {f"{AT}_4_name": "id", f"{AT}_4_value": "order.id"}
    for button in ("go:yaml", "next", "stay", f"drop:{AT}_1", "add:webhook"):
        wrong = await press(mine, page, button, **twice)
        assert (wrong.status, step(wrong)) == (422, "channels"), button
        assert set(re.findall(r'<li><a href="#(\w+)">', wrong.text)) == {f"{AT}_0_name", f"{AT}_4_name"}
        assert (fields_of(wrong)[f"{AT}_4_value"], text_of(wrong).count("order.id")) == ("order.id", 0)
    mended = await press(mine, wrong, "go:yaml", **{f"{AT}_4_name": "order_id"})
    assert values(mended)["channels"][0]["webhook"]["payload"]["order_id"] == {"from": "order.id"}
    page = await press(mine, page, "next", **{f"{AT}_0_value": "customer.idd"})
    assert (page.status, re.findall(r'<li><a href="#(\w+)">', page.text)) == (422, [f"{AT}_0_value"])
    assert 'Did you mean "customer.id"?' in problems(page)[0]
    assert 'Did you mean "customer.id"?' in output(page)


async def test_the_paths_of_a_body_and_a_body_of_ones_own_are_rows_too(site: Site) -> None:
    mine = await signed_in(site, "editor")
    chosen = DRAWN.partition("      payload:")[0] + "      attributes: [customer.id, order.amount]\n"
    page = await at(mine, chosen, "channels")
    page = await press(mine, page, "stay", channels_0_webhook_attributes_2_value="order.metadata")
    assert values(page)["channels"][0]["webhook"]["attributes"] == ["customer.id", "order.amount", "order.metadata"]
    assert list(body(page)["data"]) == ["customer", "order"]
    bare = DRAWN.partition("      payload:")[0]
    page = await at(mine, bare, "channels")
    assert body(page)["data"]["order"]["amount"] == 12000, "all objects, without a design"
    page = await press(mine, page, "stay", **{f"{AT}_0_name": "n", f"{AT}_0_how": "value", f"{AT}_0_value": "1"})
    assert body(page)["data"] == {"n": 1}
    page = await press(mine, page, f"drop:{AT}_0")
    assert "payload" not in values(page)["channels"][0]["webhook"]


async def test_nothing_of_a_payload_is_markup(site: Site) -> None:
    mine = await signed_in(site, "editor")
    evil = {"url": "https://hooks.example.com/x", "type": "paid", "payload": {EVIL: EVIL, "n": {"from": EVIL}}}
    page = await at(mine, f"{HEAD}channels: {json.dumps([{'webhook': evil}])}\n", "channels")
    assert (page.status, "<script>alert" in page.text) == (200, False)
    after = await press(mine, page, "go:yaml")
    assert values(after)["channels"] == [{"webhook": evil}]


async def test_the_profile_that_is_kept_counts_as_it_does_for_matchers(site: Site) -> None:
    await keep_profile(site.pool, {"id": "c9", "locale": "de-DE", "metadata": {"vip": True}})
    mine = await signed_in(site, "editor")
    page = await at(mine, DRAWN + "when: {customer.metadata.vip: true}\n", "channels")
    data = {"customer": {"id": "c9"}, "order": {"id": "o", "amount": 7}}
    event = {"id": "e1", "type": "customer.order.paid", "created_at": "2026-11-20T09:00:00Z", "data": data}
    page = await press(mine, page, "stay", event=json.dumps(event))
    assert body(page)["data"]["order"]["tags"] == ["a", "de-DE"]
    assert "The profile of c9 is the one that is kept" in output(page)
    tried = await press(mine, await press(mine, page, "go:summary"), "try", event=json.dumps(event))
    assert ("It fits." in tried.text, "The profile of c9 is the one" in tried.text) == (True, True)
    data["customer"] = {"id": "c8", "locale": "en", "metadata": {"vip": True}}
    other = await press(mine, page, "stay", event=json.dumps(event))
    assert body(other)["data"]["order"]["tags"] == ["a", "en"]
    assert "The profile is the event's: none of c8 is kept." in output(other)
