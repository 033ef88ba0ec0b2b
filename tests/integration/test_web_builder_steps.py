"""The form of the builder over real HTTP: from an empty project, step by step, to distributions that are live."""

from __future__ import annotations

import html
import json
import re
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from agents.broker.reader import TopicReader
from agents.clock import utc_now
from agents.wiring import Wiring
from console.control import distributions
from console.control.document_texts import values_of
from console.control.events import Reading, publish_lines
from deploy.settings.settings import Settings
from deploy.settings.web import Web
from schemas.events.triggers import TRIGGERS
from streams.documents.distribution_keys import DISTRIBUTION
from tests.integration.api_client import wired
from tests.integration.test_codes import campaign, saved
from tests.integration.test_web import Browser, Page, Site, running
from tests.integration.test_web_builder import NEW, problems, text_of
from tests.integration.test_web_projects import EVIL, signed_in
from tests.integration.test_web_segments import inside, segment

FAMILIES = tuple({one.topic: one.type for one in TRIGGERS.values()}.values())
"""An event type of each family."""


@pytest.fixture
def wiring(settings: Settings, dsn: str) -> Any:
    with wired(settings, dsn, ("distributions", "events.orders", "customers")) as made:
        yield made


@pytest.fixture
async def site(wiring: Wiring, dsn: str) -> AsyncIterator[Site]:
    async with running(wiring.settings, dsn, Web()) as one:
        yield one


def fields_of(page: Page) -> dict[str, str]:
    """Every field of a page's form as a browser sends it, but for its buttons."""
    form = page.text.partition('<form class="builder"')[2].partition("</form>")[0]
    found: dict[str, str] = {}
    for tag in re.findall(r"<input [^>]*>", form):
        said = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        if said.get("type") != "radio" or " checked" in tag:
            found[said["name"]] = html.unescape(said.get("value", ""))
    for name, body in re.findall(r'<textarea id="\w+" name="(\w+)"[^>]*>\n(.*?)</textarea>', form, re.DOTALL):
        found[name] = html.unescape(body).replace("\n", "\r\n")
    for name, body in re.findall(r'<select id="\w+" name="(\w+)"[^>]*>(.*?)</select>', form, re.DOTALL):
        options = re.findall(r'<option value="([^"]*)"( selected)?', body)
        chosen = next((value for value, is_selected in options if is_selected), options[0][0] if options else "")
        found[name] = html.unescape(chosen)
    return found


async def press(mine: Browser, page: Page, do: str, path: str = NEW, **given: str) -> Page:
    """Fill in fields that a page has, and press a button of it."""
    form = fields_of(page)
    assert set(given) <= set(form), (set(given) - set(form), page.text)
    assert f'value="{do}"' in html.unescape(page.text), do
    return await mine.ask("POST", path, {**form, **given, "do": do})


def values(page: Page) -> Mapping[str, Any]:
    (found,) = values_of(text_of(page).replace("\r\n", "\n"))
    return dict(found)


def step(page: Page) -> str:
    return fields_of(page)["step"]


async def begin(mine: Browser, name: str, **given: str) -> Page:
    page = await press(mine, await mine.ask("GET", NEW), "next", name=name, **given)
    assert (page.status, step(page)) == (200, "trigger"), problems(page)
    return page


async def reach_summary(mine: Browser, page: Page) -> Page:
    """From the step of channels on, over a webhook without a consent."""
    page = await press(mine, page, "add:webhook", consent="transactional")
    url = "https://hooks.example.com/x"
    page = await press(mine, page, "next", channels_0_webhook_url=url, channels_0_webhook_type="told")
    assert (page.status, step(page)) == (200, "timing"), problems(page)
    page = await press(mine, page, "next")
    assert (page.status, step(page)) == (200, "summary")
    assert "What is missing or wrong" not in page.text, page.text
    return page


@pytest.mark.parametrize("event", FAMILIES)
async def test_the_form_leads_from_nothing_to_what_is_live(site: Site, wiring: Wiring, event: str) -> None:
    mine, trigger = await signed_in(site, "admin"), TRIGGERS[event]
    await saved(site.pool, campaign())
    page = await begin(mine, f"About {event}", mode="manual" if trigger.addressed else "automatic")
    if not trigger.addressed:
        page = await press(mine, page, "next", trigger_event=event)
        assert (page.status, step(page)) == (200, "trigger"), "its selectors and conditions come with the event"
        chosen = {f"trigger_{key}": f"some-{key}" for key in trigger.selector_keys}
        row = {"when_0_path": "customer.metadata.country", "when_0_test": "in", "when_0_value": "PL, DE"}
        page = await press(mine, page, "next", **chosen, **row)
    else:
        page = await press(mine, page, "next")
    assert (page.status, step(page)) == (200, "action"), problems(page)
    if len(trigger.purposes) > 1:
        page = await press(mine, page, "next", action="publish")
        page = await press(mine, page, "next", publish_campaign="spring", publish_when_empty="wait")
    else:
        page = await press(mine, page, "next")
    assert (page.status, step(page)) == (200, "channels"), problems(page)
    page = await reach_summary(mine, page)
    done = await press(mine, page, "live")
    identity = f"about-{event}"
    assert (done.status, done.headers["location"]) == (303, f"/p/shop/distributions/{identity}"), problems(done)
    made = await distributions.find(site.pool, "shop", identity)
    assert (made.status, made.version, made.trigger.event) == ("LIVE", 1, event)
    assert made.action == ("publish" if len(trigger.purposes) > 1 else "message")
    if not trigger.addressed:
        assert made.when == {"customer.metadata.country": {"in": ["PL", "DE"]}}
        assert [getattr(made.trigger, key) for key in trigger.selector_keys] == [
            f"some-{key}" for key in trigger.selector_keys
        ]
    with TopicReader(wiring, "distributions") as reader:
        assert reader.last_value(wiring.key("shop", identity).decode()), "matchers have it"


FULL = """# kept as it is
distribution: winback
name: "Win back"
status: DRAFT
trigger: customer.order.paid   # short
when:
  all:
    - order.amount: {at_least: 100, less_than: 5000}   # two tests
    - customer.metadata.country: [PL, DE]
    - not: {customer.email: {ends_with: "@x.example"}}
    - order.items: {any_item: {sku: {starts_with: G}}}
consent: marketing
channels:
  # the first
  - webhook: {url: "https://hooks.example.com/x", type: winback, headers: {x-team: a}}
  - webhook:
      url: https://hooks.example.com/y   # the second
      type: winback
      window: {from: "09:00", to: "20:00"}
again: {once_in: 30d}
delay: {until: customer.metadata.renewal, before: 7d}
window: {from: "09:00", to: "20:00", days: [monday]}
cap:
  - {at_most: 2, in: week}
  - {at_most: 1, in: day, of: marketing}
holdout: 5%
arms: {a: {share: 50%}, b: {share: 50%, delay: 2h}}
unless: {trigger: customer.order.canceled}
priority: 10
"""
STEPS = ("mode", "trigger", "action", "channels", "timing", "summary", "yaml")


async def at(mine: Browser, text: str, where: str) -> Page:
    """The builder with a text, at a step."""
    return await mine.ask("POST", NEW, {"yaml": text, "seen": "0", "step": "yaml", "do": f"go:{where}"})


async def test_walking_through_all_steps_changes_nothing(site: Site) -> None:
    mine = await signed_in(site, "editor")
    page = await at(mine, FULL, "mode")
    for where in (*STEPS, *STEPS[::-1]):
        page = await press(mine, page, f"go:{where}")
        assert (page.status, step(page), text_of(page).replace("\r\n", "\n")) == (200, where, FULL)
    for where in STEPS[:5]:
        page = await press(mine, await at(mine, FULL, where), "next")
        assert (page.status, text_of(page)) == (200, FULL), (where, problems(page))
        assert step(page) == STEPS[STEPS.index(where) + 1]


async def test_one_field_changes_one_line(site: Site) -> None:
    mine = await signed_in(site, "editor")
    for where, given, old, new in (
        ("mode", {"name": "Other"}, 'name: "Win back"', 'name: "Other"'),
        ("trigger", {"when_0_value": "200"}, "{at_least: 100, less_than: 5000}   # two tests", None),
        ("channels", {"channels_1_webhook_type": "other"}, "      type: winback", "      type: other"),
        ("timing", {"window_to": "21:00"}, 'to: "20:00", days', None),
        ("timing", {"arms_1_share": "60%"}, "b: {share: 50%", "b: {share: 60%"),
        ("timing", {"priority": "11"}, "priority: 10", "priority: 11"),
        ("timing", {"delay_before": "8d"}, "before: 7d", "before: 8d"),
        ("timing", {"again_of": "31d"}, "again: {once_in: 30d}", "again: {once_in: 31d}"),
    ):
        page = await press(mine, await at(mine, FULL, where), "go:yaml", **given)
        text = text_of(page)
        if new is not None:
            assert text == FULL.replace(old, new), where
        gone = [line for line in FULL.splitlines() if line not in text.splitlines()]
        assert len(gone) <= 4, gone
    page = await press(mine, await at(mine, FULL, "trigger"), "go:yaml", when_2_value="PL, CZ")
    assert values(page)["when"]["all"][2] == {"customer.metadata.country": ["PL", "CZ"]}, "as short as it was"
    assert values(page)["when"]["all"][3:] == [
        {"not": {"customer.email": {"ends_with": "@x.example"}}},
        {"order.items": {"any_item": {"sku": {"starts_with": "G"}}}},
    ]


async def test_conditions_come_and_go_by_rows(site: Site) -> None:
    mine = await signed_in(site, "editor")
    page = await at(mine, FULL, "trigger")
    shown = html.unescape(page.text)
    assert "This part has no row" not in shown
    for name in ("order.amount", "customer.segments", "event.created_at"):
        assert f'<option value="{name}">' in shown, "a field of the trigger's"
    page = await press(mine, page, "stay", when_5_path="customer.metadata.zip", when_5_test="is", when_5_value='"950"')
    assert values(page)["when"]["all"][-1] == {"customer.metadata.zip": {"is": "950"}}
    assert fields_of(page)["when_5_value"] == '"950"', "quoted where it would be a number"
    zeros = {"when_6_path": "customer.metadata.phone", "when_6_test": "in", "when_6_value": "007, 7"}
    page = await press(mine, page, "stay", **zeros)
    assert values(page)["when"]["all"][-1] == {"customer.metadata.phone": {"in": ["007", 7]}}, "no zero is lost"
    page = await press(mine, page, "drop:6")
    page = await press(mine, page, "drop:0")
    assert values(page)["when"]["all"][0] == {"order.amount": {"less_than": 5000}}
    page = await press(mine, page, "drop:2", when_mode="any")
    assert (list(values(page)["when"]), len(values(page)["when"]["any"])) == (["any"], 4)
    for _ in range(4):
        page = await press(mine, page, "drop:0")
    assert "when" not in values(page)


async def test_groups_and_the_items_of_lists_are_built_with_buttons(site: Site) -> None:
    mine = await signed_in(site, "editor")
    page = await at(mine, "distribution: a\ntrigger: customer.order.paid\n", "trigger")
    first = {"when_0_path": "customer.metadata.country", "when_0_test": "is", "when_0_value": "PL"}
    page = await press(mine, page, "group:", **first)
    assert values(page)["when"] == {"customer.metadata.country": {"is": "PL"}}, "an empty group is not written"
    page = await press(mine, page, "stay", when_1_mode="none", when_1_0_path="order.amount", when_1_0_value="5")
    page = await press(mine, page, "stay", when_1_1_path="order.items", when_1_1_test="any_item")
    items = {"when_1_1_0_path": "sku_id", "when_1_1_0_test": "starts_with", "when_1_1_0_value": "G"}
    page = await press(mine, page, "next", **items)
    assert (page.status, step(page)) == (200, "action"), problems(page)
    none = [{"order.amount": {"is": 5}}, {"order.items": {"any_item": {"sku_id": {"starts_with": "G"}}}}]
    written = {"all": [{"customer.metadata.country": {"is": "PL"}}, {"not": {"any": none}}]}
    assert values(page)["when"] == written
    page = await press(mine, await press(mine, page, "go:trigger"), "next", when_1_1_0_path="amount")
    assert (page.status, step(page)) == (422, "trigger"), "a text is no start of a number"
    assert re.findall(r'<li><a href="#(\w+)">', page.text) == ["when_1_1_0_value"]
    page = await press(mine, page, "drop:1_1_0", when_1_1_0_path="sku_id")
    assert values(page)["when"]["all"][1]["not"]["any"][1] == {"order.items": {"any_item": {}}}
    page = await press(mine, page, "drop:1_1", when_1_mode="any")
    assert values(page)["when"]["all"][1] == {"any": [{"order.amount": {"is": 5}}]}
    page = await press(mine, page, "drop:1_0")
    assert values(page)["when"] == {"customer.metadata.country": {"is": "PL"}}, "a group without parts goes"


async def test_items_are_counted_and_added_up_by_rows(site: Site) -> None:
    mine = await signed_in(site, "editor")
    page = await at(mine, "distribution: a\ntrigger: customer.order.paid\n", "trigger")
    page = await press(mine, page, "stay", when_0_path="order.items", when_0_test="count", when_0_value="2")
    assert values(page)["when"] == {"order.items": {"count": {"at_least": 2}}}
    where = {"when_0_0_path": "price", "when_0_0_test": "at_least", "when_0_0_value": "1000"}
    page = await press(mine, page, "stay", when_0_than="more_than", **where)
    assert values(page)["when"] == {"order.items": {"count": {"where": {"price": {"at_least": 1000}}, "more_than": 2}}}
    page = await press(mine, page, "stay", when_0_test="sum")
    page = await press(mine, page, "next", when_0_of="sku_id", when_0_value="ten")
    assert (page.status, step(page)) == (422, "trigger")
    assert set(re.findall(r'<li><a href="#(\w+)">', page.text)) == {"when_0_of", "when_0_value"}
    page = await press(mine, page, "next", when_0_of="amount", when_0_value="10000")
    assert (page.status, step(page)) == (200, "action"), problems(page)
    added = {"of": "amount", "where": {"price": {"at_least": 1000}}, "more_than": 10000}
    assert values(page)["when"] == {"order.items": {"sum": added}}


async def test_another_trigger_takes_what_is_not_its_own_away(site: Site) -> None:
    mine = await signed_in(site, "editor")
    text = "distribution: a\ntrigger: {event: customer.segment.entered, segment: s}\nbackfill: members_now\nother: 1\n"
    page = await press(mine, await at(mine, text, "trigger"), "next", trigger_event="customer.redemption.succeeded")
    assert values(page) == {"distribution": "a", "trigger": {"event": "customer.redemption.succeeded"}, "other": 1}
    page = await press(mine, page, "go:trigger", trigger_campaign="spring")
    assert values(page)["trigger"] == {"event": "customer.redemption.succeeded", "campaign": "spring"}
    page = await press(mine, page, "go:mode")
    page = await press(mine, page, "next", mode="manual")
    assert values(page)["trigger"] == {"event": "manual_distribution_schedule"}
    page = await press(mine, await press(mine, page, "go:action"), "go:channels")
    assert "add:webhook" not in page.text, "a plain message by hand does not go over a webhook"


async def test_channels_are_added_and_removed(site: Site) -> None:
    mine = await signed_in(site, "editor")
    page = await press(mine, await at(mine, FULL, "channels"), "remove:0")
    left = values(page)["channels"]
    assert [one["webhook"]["url"] for one in left] == ["https://hooks.example.com/y"]
    assert "# the second" in text_of(page)
    page = await press(mine, page, "add:webhook", channels_0_webhook_type="first")
    assert [one["webhook"].get("type") for one in values(page)["channels"]] == ["first", "winback"]
    assert "They need an account" in page.text


async def test_what_is_wrong_is_told_at_its_field_and_what_was_typed_is_kept(site: Site) -> None:
    mine = await signed_in(site, "editor")
    page = await press(mine, await at(mine, "status: DRAFT\n", "mode"), "next", name="", distribution="a b/c")
    assert (page.status, step(page), fields_of(page)["distribution"]) == (422, "mode", "a b/c")
    assert re.findall(r'<li><a href="#(\w+)">', page.text) == ["distribution"]
    page = await press(mine, await at(mine, FULL, "trigger"), "next", when_0_path="order.amout", when_2_test="at_least")
    assert (page.status, fields_of(page)["when_0_path"]) == (422, "order.amout")
    assert set(re.findall(r'<li><a href="#(\w+)">', page.text)) == {"when_0_path", "when_2_value"}
    page = await press(mine, await at(mine, FULL, "channels"), "next", channels_0_webhook_url="ftp://x", consent="")
    assert (page.status, fields_of(page)["channels_0_webhook_url"]) == (422, "ftp://x")
    assert set(re.findall(r'<li><a href="#(\w+)">', page.text)) == {"channels_0_webhook_url", "consent"}
    for field, given in (("window_from", "9"), ("priority", "high"), ("starts_at", "soon"), ("holdout", "120%")):
        page = await press(mine, await at(mine, FULL, "timing"), "next", **{field: given})
        assert (page.status, fields_of(page)[field]) == (422, given), field
        assert re.findall(r'<li><a href="#(\w+)">', page.text) == [field]
    broken = await mine.ask("POST", NEW, {"yaml": "a: [", "seen": "0", "step": "trigger", "do": "next"})
    assert (broken.status, step(broken)) == (422, "yaml")


ODD = ("5", "[1]", "{a: 1}", "null", "2026-01-01", "[{a: 1, b: 2}, null]")


@pytest.mark.parametrize("odd", ODD)
async def test_values_of_any_kind_are_shown_and_stay(site: Site, odd: str) -> None:
    mine = await signed_in(site, "editor")
    keys = [name for name in DISTRIBUTION.keys if name not in ("distribution", "trigger")]
    lines = [f"{name}: {odd}\n" for name in keys]
    first = ("trigger: customer.order.paid\n", "trigger: {event: x, segment: [1], other: 2}\n", f"trigger: {odd}\n")
    channels = ("", f"channels: [{{email: {odd}}}, {{webhook: {{url: {odd}, type: {odd}}}}}, {{none: {odd}}}, {odd}]\n")
    for trigger, sent in zip(first, (*channels, channels[1]), strict=True):
        rest = "".join(one for one in lines if not sent or not one.startswith("channels:"))
        text = f"distribution: a\n{trigger}{rest}{sent}"
        for where in STEPS[:6]:
            page = await at(mine, text, where)
            assert (page.status, step(page)) == (200, where)
            after = await press(mine, page, "go:yaml")
            assert (after.status, text_of(after)) == (200, text), where
            assert (await mine.ask("POST", NEW, {**fields_of(page), "do": "next"})).status in (200, 422)


async def test_everything_from_outside_is_text(site: Site) -> None:
    mine = await signed_in(site, "editor")
    text = (
        FULL.replace('"Win back"', json.dumps(EVIL))
        .replace("order.amount", json.dumps(EVIL))
        .replace("x-team", json.dumps(EVIL))
    )
    for where in STEPS:
        page = await at(mine, text, where)
        shown = re.sub(r'value="[^"]*"|(?<=>)[^<]*(?=</textarea>)', "", page.text)
        assert ("<script>" in page.text, "\u202e" in shown) == (False, False), where


async def test_what_nobody_has_chosen_is_to_be_chosen(site: Site) -> None:
    mine = await signed_in(site, "editor")
    text = "distribution: a\n"
    assert problems(await press(mine, await at(mine, text, "trigger"), "next")) == ["Event: choose one"]
    text += "trigger: customer.order.paid\nchannels: [{sms: {text: Hi}}]\n"
    page = await press(mine, await at(mine, text, "channels"), "next")
    assert set(problems(page)) >= {"For whom it is: choose one"}
    assert "/p/shop/accounts/new" not in page.text, "an editor keeps no accounts"
    theirs = await at(await signed_in(site, "admin"), text, "channels")
    assert 'href="/p/shop/accounts/new?channel=sms"' in theirs.text


def mends(page: Page) -> list[tuple[str, str, str]]:
    """Of each thing that is wrong its words, what its button does, and the field that it leads to."""
    items = re.findall(r"<li><span>(.*?)</span> <button ([^>]*)>", html.unescape(page.text))
    made = [
        (said, re.search(r'value="([^"]*)"', tag), re.search(r'formaction="[^"#]*(#\w*)"', tag)) for said, tag in items
    ]
    return [(said, do[1] if do else "", field[1] if field else "") for said, do, field in made]


async def test_the_summary_says_what_is_missing_and_leads_there(site: Site) -> None:
    mine = await signed_in(site, "editor")
    page = await at(mine, "distribution: a\ntrigger: customer.order.paid\nchannels: []\n", "summary")
    consent = ("Channels: For whom it is: choose one", "mend:channels", "#consent")
    assert mends(page)[0] == consent
    assert mends(page)[1][0].startswith("Channels: an empty list is not valid")
    assert 'value="save"' not in page.text
    page = await at(mine, "distribution: a\nname: A\nbogus: 1\n", "summary")
    assert mends(page)[:2] == [("Trigger: Event: choose one", "mend:trigger", "#trigger_event"), consent]
    assert mends(page)[2][0].startswith("Channels: is missing")
    assert (", bogus: " in mends(page)[3][0], mends(page)[3][1:]) == (True, ("go:yaml", "")), mends(page)
    there = await press(mine, page, "mend:trigger")
    assert (step(there), problems(there)) == ("trigger", ["Event: choose one"])
    page = await at(mine, FULL, "summary")
    assert "When “Orders: order paid” happens" in page.text
    assert 'value="live"' not in page.text, "an editor sets nothing live"
    forced = await mine.ask("POST", NEW, {"yaml": FULL, "seen": "0", "step": "summary", "do": "live"})
    assert (forced.status, "needs the role of an approver" in forced.text) == (422, True)
    assert await site.pool.fetchval("select count(*) from distribution_versions") == 0


async def test_an_event_is_tried_with_the_verdict_of_each_condition(site: Site, wiring: Wiring) -> None:
    mine = await signed_in(site, "editor")
    lines = ("    - not:", "    - order.items", "window:", "delay:", "holdout:", "arms:", "again:")
    text = "".join(one + "\n" for one in FULL.splitlines() if not one.startswith(lines))
    page = await at(mine, text, "summary")
    event = json.loads(fields_of(page)["event"])
    event["data"]["order"]["amount"] = 4000
    event["data"]["customer"]["metadata"]["country"] = "PL"
    for country, answer in (("PL", "It fits."), ("FR", "It does not fit.")):
        event["data"]["customer"]["metadata"]["country"] = country
        tried = await press(mine, page, "try", event=json.dumps(event))
        said = html.unescape(tried.text)
        assert (tried.status, answer in said) == (200, True), said
        assert "order.amount at_least 100" in said
        assert json.loads(fields_of(tried)["event"]) == event, "what was pasted is kept"
    for given, why in (("{", "Event:"), ("[]", "one JSON object"), ('{"type": "x"}', "Event:")):
        wrong = await press(mine, page, "try", event=given)
        assert (wrong.status, why in problems(wrong)[0], fields_of(wrong)["event"]) == (422, True, given)
    none = await press(mine, page, "event")
    assert (none.status, "None of this type" in none.text) == (200, True)


async def test_those_who_are_in_the_segment_are_counted_before_it_is_live(site: Site) -> None:
    await segment(site, "poland")
    await inside(site, "poland", "c1", "c2", "c3")
    mine = await signed_in(site, "approver")
    text = FULL.replace(
        "trigger: customer.order.paid   # short", "trigger: {event: customer.segment.entered, segment: poland}"
    )
    text = re.sub(r"when:.*?consent", "consent", text, flags=re.DOTALL)
    page = await at(mine, text, "summary")
    said = html.unescape(page.text)
    assert "3 customers in poland get it now" in said, said
    assert "nobody gets it now; each who enters from now on" in said
    done = await press(mine, page, "live", backfill="now_and_later")
    assert done.status == 303, problems(done)
    made = await distributions.find(site.pool, "shop", "winback")
    assert (made.status, made.backfill and made.backfill.who) == ("LIVE", "now_and_later")


async def test_the_last_event_of_its_trigger_is_taken_from_the_topic(site: Site, wiring: Wiring) -> None:
    events = [TRIGGERS["customer.order.paid"].sample(project_id="shop", event_id=f"ev_{number}") for number in range(3)]
    events.append(TRIGGERS["customer.order.created"].sample(project_id="shop", event_id="ev_other"))
    for number, event in enumerate(events):
        event["created_at"] = f"2026-11-20T09:12:0{number}Z"
    reading = Reading("shop", timedelta(days=1), utc_now())
    published = await publish_lines(wiring, map(msgspec.json.encode, events), reading)
    assert published.problems == ()
    mine = await signed_in(site, "editor")
    page = await press(mine, await at(mine, FULL, "summary"), "event")
    assert (page.status, json.loads(fields_of(page)["event"])["id"]) == (200, "ev_2")
    assert "The last one: events.orders-0@2" in page.text


async def test_a_preflight_says_what_would_stop_it(site: Site) -> None:
    mine = await signed_in(site, "editor")
    private = FULL.replace("https://hooks.example.com/x", "https://10.0.0.1/x")
    page = await press(mine, await at(mine, FULL, "summary"), "preflight")
    said = html.unescape(page.text)
    assert (page.status, "It could not be looked over" in said) == (200, False), said
    assert "<caption>The worst first</caption>" in said
    assert "Nothing is known of whom it goes to" in said
    place = re.findall(r'<td>(Trigger: Event) <button[^>]*value="(mend:trigger)" formaction="[^"]*(#\w+)"', said)
    assert place == [("Trigger: Event", "mend:trigger", "#trigger_event")]
    wrong = await at(mine, private, "summary")
    assert "What is missing or wrong" in wrong.text, "a private address is refused before"


WEEK = """distribution: thanks
name: Thanks
status: DRAFT
trigger: customer.order.paid
when: {order.amount: {at_least: 1000}}
consent: marketing
channels: [{webhook: {url: "https://hooks.example.com/x", type: told}}]
starts_at: 2030-01-01T00:00:00Z
"""


async def test_the_last_week_is_judged_as_if_it_had_been_live(site: Site, wiring: Wiring) -> None:
    mine, now = await signed_in(site, "editor"), utc_now()
    none = await press(mine, await at(mine, WEEK, "summary"), "week")
    assert "No event of its trigger came in the last week." in html.unescape(none.text)
    events = []
    for number, (amount, days) in enumerate([(1500, 1), (2000, 2), (10, 3), (3000, 3), (5000, 9)]):
        event = TRIGGERS["customer.order.paid"].sample(project_id="shop", event_id=f"ev_{number}")
        event["created_at"] = (now - timedelta(days=days)).isoformat()
        event["data"]["order"]["amount"] = amount
        event["data"]["customer"] = {"id": f"c{number}"}
        events.append(event)
    events.append(TRIGGERS["customer.order.created"].sample(project_id="shop", event_id="ev_other"))
    reading = Reading("shop", timedelta(days=30), now)
    published = await publish_lines(wiring, map(msgspec.json.encode, events), reading)
    assert published.problems == ()
    profiles = [{"id": f"c{number}", "consents": {"marketing": number != 3}} for number in range(5)]
    of_profiles = Reading("shop", timedelta(days=30), now, customers=True)
    assert (await publish_lines(wiring, map(msgspec.json.encode, profiles), of_profiles)).problems == ()
    page = await press(mine, await at(mine, WEEK, "summary"), "week")
    said = html.unescape(page.text)
    assert "Of 4 events (all that came in the last week): 2 customers would have had a message." in said, (
        said.partition('id="week"')[2][:600]
    )
    rows = re.findall(r'<th scope="row">([^<]*)</th><td>([^<]*)</td><td class="number">(\d+)</td>', said)
    assert sorted(rows) == [
        ("skipped", "its conditions do not fit", "1"),
        ("skipped", "the customer has not given this consent", "1"),
        ("to be sent", "", "2"),
    ]
    assert text_of(page).replace("\r\n", "\n") == WEEK
