"""Preflights over the API and by the command, on a real Kafka and PostgreSQL: what is found, and nothing is done."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from agents.clock import utc_now
from agents.wiring import Wiring
from channels.fakes.email import SmtpSink
from console.cli.main import app
from console.control.context import stored_project
from console.control.preflight.preflight import Asked, preflight
from console.control.preview import messages
from deploy.secret import Secret
from deploy.settings.accounts import AccountKeys
from deploy.settings.messages import Brand, Console, EmailAccountSettings, Webhook
from deploy.settings.settings import Settings
from schemas.managed import GitSource, ManagedThing, Mark
from schemas.project import Project, Sandbox
from schemas.record_key import Keyed
from schemas.suppression import NewSuppression
from schemas.template import LocalText
from store.accounts import AccountKey, Accounts
from store.campaigns import Campaigns
from store.consent_choices import ConsentChoices
from store.distributions import Change, Control
from store.encryption import Keys
from store.managed import Managed, Marking
from store.projects import Projects
from store.segment_transaction import MembershipRow, Profile
from store.segments import Segments
from store.sending.suppressions import Suppressions
from streams.channels.template_files import TemplateFiles
from streams.documents.distribution import parse_definition
from tests.contract.channels.test_sms import TWILIO
from tests.factory import CONTEXT, SECRET, definition, order_event
from tests.integration.api_client import Api, running_api, wired

RING = "k1:" + base64.b64encode(bytes(32)).decode()
URL = "https://shop.example.com"
BRAND = Brand("Shop", "x", "x", privacy_url=URL, terms_url=URL, logo_url=URL, permission_reminder="x")
MAIL: Any = {"email": {"account": "main", "subject": "Hello", "template": "hello"}}
HOOK: Any = {"webhook": {"url": "https://hooks.example.com/x", "type": "thanks"}}
VIP: Any = {"event": "customer.segment.entered", "segment": "vip"}
LEAVE = '<a href="{{ unsubscribe_url }}">Leave</a>'
RIGHT = {"shop.example": ["v=spf1 mx -all"], "_dmarc.shop.example": ["v=DMARC1; p=none"]}


@pytest.fixture
async def mailbox() -> AsyncIterator[SmtpSink]:
    made = SmtpSink()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def wiring(settings: Settings, dsn: str, mailbox: SmtpSink) -> Iterator[Wiring]:
    own = replace(
        settings,
        accounts=AccountKeys((Secret(RING),)),
        email_accounts={
            "main": EmailAccountSettings("127.0.0.1", "a@shop.example", port=mailbox.port, security="none")
        },
        console=replace(Console(), public_url="https://mail.shop.example", secrets=(Secret("x" * 32),)),
        webhook=Webhook(secrets=(Secret(SECRET),)),
        brand=BRAND,
    )
    with wired(own, dsn, ("events.orders", "events.segments", "distributions"), 2) as made:
        yield made


@pytest.fixture
async def api(wiring: Wiring) -> AsyncIterator[Api]:
    async with running_api(wiring) as running:
        yield running


def person(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "id": f"c{number}", "name": f"Ann {number}", "email": f"ann{number}@shop.example",
        "phone": f"+4860010020{number}", "consents": {"marketing": True}, **fields,
    }  # fmt: skip


async def members(api: Api, *people: dict[str, Any], segment: str = "vip", computed: bool = True) -> None:
    """A segment with these customers in it, as a segmenter keeps it."""
    made = await api.ask("PUT", f"/segments/{segment}", {"members": ["nobody"]})
    assert made.status in (200, 201), made.json
    now = datetime.now(UTC)
    async with Segments(api.pool).transaction() as work:
        rows = [Profile(one["id"], 0, 0, msgspec.json.encode(one)) for one in people]
        await work.put_customers("shop", rows)
        await work.put_memberships("shop", [MembershipRow(one["id"], segment, True, 1, now) for one in people])
        if computed:
            await work.finish(Keyed("shop", segment))


async def drafted(api: Api, *channels: Any, html: str = f"<b>Hi</b>{LEAVE}", **changes: Any) -> None:
    """A distribution that is applied, whose template `hello` has this HTML."""
    files = changes.pop("files", TemplateFiles("Hi {{ unsubscribe_url }}", html))
    before = await Control(api.pool).newest("shop", "winback")
    version = before.version + 1 if before else 1
    context = replace(CONTEXT, version=version, templates={"hello": files}, **changes.pop("context", {}))
    written = {"distribution": "winback", "trigger": VIP, "status": "DRAFT", **changes}
    made = parse_definition(definition(channels=[*(channels or (MAIL,))], **written), context)
    change = Change(made.distribution, "", tuple(template for _, template in made.templates))
    await Control(api.pool).save([change], applied_by="ann", now=utc_now())


async def looked(api: Api, **asked: Any) -> dict[str, Any]:
    answer = await api.ask("POST", "/distributions/winback/preflight", {"offline": True, **asked}, role="editor")
    assert answer.status == 200, answer.json
    report: dict[str, Any] = answer.json
    return report


def kinds(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The findings by their kind, but for the one that is there of every account that does not sign."""
    return {one["kind"]: one for one in report["findings"] if one["kind"] != "mail_unsigned"}


async def test_one_that_would_send_well_has_nothing_against_it_and_nothing_is_done(api: Api, mailbox: SmtpSink) -> None:
    await members(api, *(person(number) for number in range(3)))
    await drafted(api)

    async def rows() -> dict[str, int]:
        names = await api.pool.fetch(
            "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace"
        )
        return {row[0]: await api.pool.fetchval(f"select count(*) from {row[0]}") for row in names}  # noqa: S608

    before = await rows()
    report = await looked(api)
    assert (report["findings"], report["is_clear"]) == ([], True)
    assert (report["audience"], report["looked_at"], report["gets"]) == (3, 3, 3)
    assert (report["whence"], report["status"], report["version"]) == ("members of vip", "DRAFT", 1)
    assert (await rows(), mailbox.mails) == (before, [])


async def test_those_who_get_nothing_are_counted_by_the_reason(api: Api) -> None:
    people = [
        person(0),
        person(1, consents={"marketing": False}),
        person(2, consents={}),
        person(3, email=None),
        person(4),
        person(5),
    ]
    await members(api, *people)
    await drafted(api)
    await ConsentChoices(api.pool).choose("shop", "c4", {"marketing": False}, way="page", delivery_id=None)
    blocked = NewSuppression("shop", "ann5@shop.example", "requested", "test", "ann")
    await Suppressions(api.pool).add([blocked], by="ann")
    report = await looked(api)
    found = kinds(report)
    assert (report["looked_at"], report["gets"], report["is_clear"]) == (6, 1, True)
    assert {kind: (one["pointer"], one["count"], one["of"]) for kind, one in found.items()} == {
        "consent_missing": ("/consent", 2, 6),
        "address_missing": ("/channels/0/email", 1, 6),
        "suppressed": ("/channels/0/email", 1, found["suppressed"]["of"]),
    }
    texts = [one["reason"] for one in report["findings"] if one["kind"] == "consent_missing"]
    assert len(texts) == 2 and any("2 of 6 have not given it" in one for one in texts), texts
    assert any("1 of 6 have withdrawn marketing with us" in one for one in texts), texts
    assert all(one["email"] not in json.dumps(report) for one in people if one["email"])


async def test_where_nobody_gets_it_all_reasons_are_said(api: Api) -> None:
    await members(api, person(0, consents={}), person(1, consents={}))
    await drafted(api)
    report = await looked(api)
    found = kinds(report)
    assert (report["is_clear"], report["gets"], found["nobody_gets_it"]["pointer"]) == (False, 0, "/consent")
    assert "2: email consent" in found["nobody_gets_it"]["reason"] or "2: consent" in found["nobody_gets_it"]["reason"]
    assert report["findings"][0]["severity"] == "blocker"
    await drafted(api, consent="transactional", when={"customer.metadata.tier": {"is": "gold"}})
    assert kinds(await looked(api))["nobody_gets_it"]["pointer"] == "/when"
    await drafted(api, consent="transactional", when={"customer.metadata.tier": {"at_least": 3}})
    await members(api, person(0, metadata={"tier": "gold"}), person(1, metadata={"tier": 4}))
    found = kinds(await looked(api))
    assert (found["cannot_judge"]["count"], found["cannot_judge"]["of"]) == (1, 2) and "nobody_gets_it" not in found


async def test_a_value_that_some_lack_is_counted_whether_it_has_a_default_or_breaks_the_message(api: Api) -> None:
    await members(api, person(0), person(1, name=None), person(2, name=" "))
    await drafted(api, html=f"Dear {{{{ customer.name | default('you') }}}} {LEAVE}", context={})
    rule = (await Control(api.pool).current("shop"))["winback"]
    shown = msgspec.structs.replace(rule, version=rule.version + 1, template_fields=["customer.name"])
    await Control(api.pool).save([Change(shown, "", ())], applied_by="ann", now=utc_now())
    found = kinds(await looked(api))
    assert set(found) == {"value_missing"}
    assert (found["value_missing"]["count"], found["value_missing"]["of"]) == (2, 3)
    assert found["value_missing"]["pointer"] == "/channels/0/email"


async def test_messages_that_cannot_be_written_to_some_are_a_blocker(api: Api) -> None:
    await members(api, person(0), person(1), person(2, name=None))
    await drafted(api, html=f"Dear {{{{ customer.name }}}} {LEAVE}")
    report = await looked(api)
    found = kinds(report)
    assert (found["message_fails"]["count"], found["message_fails"]["of"], report["is_clear"]) == (1, 3, False)
    assert "customer.name" in found["message_fails"]["reason"] and "template_fragile" in found
    assert found["template_fragile"]["pointer"].startswith("/channels/0/email")


async def test_languages_that_a_template_lacks_are_counted(api: Api) -> None:
    people = [person(0, locale="pl-PL"), person(1, locale="de"), person(2, locale="en-GB"), person(3)]
    await members(api, *people)
    locales = {"pl": LocalText(subject="Cześć", text="Cześć {{ unsubscribe_url }}")}
    await drafted(api, files=TemplateFiles("Hi {{ unsubscribe_url }}", f"<b>Hi</b>{LEAVE}", locales))
    found = kinds(await looked(api))
    assert set(found) == {"locale_incomplete", "locale_missing"}
    assert "hello in pl has no html" in found["locale_incomplete"]["reason"]
    assert (found["locale_missing"]["count"], "de (1)" in found["locale_missing"]["reason"]) == (1, True)


async def test_links_are_read_of_what_each_customer_would_get(api: Api) -> None:
    await members(api, person(0, metadata={"shop": "https://a.example"}), person(1, metadata={"shop": ""}))
    html = (
        '<a href="{{ customer.metadata.shop }}">shop</a><a href="shop.example">x</a><a href="http://localhost/">y</a>'
    )
    await drafted(api, html=html + LEAVE)
    report = await looked(api)
    found = {one["kind"]: (one["pointer"], one["count"], one["of"]) for one in report["findings"]}
    at = "/channels/0/email"
    assert found["link_malformed"] == (at, 2, 2) and found["link_private"] == (at, 2, 2)
    assert found["link_empty"] == (at, 1, 2) and not report["is_clear"]


async def test_a_large_mail_is_measured_with_its_tracked_links(api: Api, wiring: Wiring) -> None:
    await members(api, person(0, consents={"marketing": True, "tracking": True}), person(1))
    links = "".join(f'<a href="https://shop.example/{number}">a</a>' for number in range(1200))
    await drafted(api, html=links + LEAVE)
    assert "mail_clipped" not in await of_use_case(api, wiring, offline=True)
    tracking = Wiring(replace(wiring.settings, tracking=("clicks",)))
    found = await of_use_case(api, tracking, offline=True)
    assert (found["mail_clipped"].pointer, found["mail_clipped"].severity) == ("/channels/0/email", "warning")
    await drafted(api, html=f"<!--{'x' * 102_000}-->{LEAVE}")
    assert (await of_use_case(api, wiring, offline=True))["mail_clipped"].count == 2


async def test_a_mail_that_nobody_can_leave_is_a_blocker_and_a_hidden_way_a_warning(api: Api, wiring: Wiring) -> None:
    await members(api, person(0))
    await drafted(api, files=TemplateFiles("Hi", "<b>Hi</b>"))
    assert set(kinds(await looked(api))) == {"unsubscribe_hidden"}
    bare = replace(wiring.settings, console=Console())
    found = await of_use_case(api, Wiring(bare))
    assert "unsubscribe_missing" in found and found["unsubscribe_missing"].severity == "blocker"
    await drafted(api, consent="transactional", files=TemplateFiles("Hi", "<b>Hi</b>"))
    assert kinds(await looked(api)) == {}


async def test_a_console_that_customers_do_not_reach_is_found_by_the_links_to_it(api: Api, wiring: Wiring) -> None:
    await members(api, person(0))
    await drafted(api)
    local = replace(wiring.settings.console, public_url="http://localhost:9000")
    found = await of_use_case(api, Wiring(replace(wiring.settings, console=local)), offline=True)
    assert (found["link_private"].severity, "localhost" in found["link_private"].reason) == ("blocker", True)


async def of_use_case(
    api: Api, wiring: Wiring, dns: dict[str, list[str]] | None = None, **asked: Any
) -> dict[str, Any]:
    """The findings by kind, with DNS that has some records."""

    async def look_up(name: str) -> list[str] | None:
        return None if dns is None else dns.get(name, [])

    candidate = await messages.from_store(api.pool, "shop", "winback")
    project = await stored_project(api.pool, wiring.settings, "shop")
    found = await preflight(api.pool, wiring, project, candidate, Asked(**asked), utc_now(), look_up=look_up)
    return {one.kind: one for one in found.findings}


async def test_accounts_are_there_let_us_in_and_are_known_by_dns(api: Api, wiring: Wiring, mailbox: SmtpSink) -> None:
    await members(api, person(0))
    await drafted(api)
    assert set(await of_use_case(api, wiring, RIGHT)) == {"mail_unsigned"}
    assert set(await of_use_case(api, wiring)) == {"mail_unsigned", "dns_unknown"}
    several = {**RIGHT, "shop.example": ["v=spf1 mx -all", "v=spf1 a -all"]}
    wrong = await of_use_case(api, wiring, {**several, "_dmarc.shop.example": []})
    assert set(wrong) == {"mail_unsigned", "spf_wrong", "dmarc_missing"}
    assert wrong["spf_wrong"].pointer == "/channels/0/email/account"
    mailbox.greeting = "554 5.3.2 not today"
    assert (await of_use_case(api, wiring, RIGHT))["account_unfit"].severity == "blocker"
    assert "account_unfit" not in await of_use_case(api, wiring, RIGHT, offline=True)
    none = Wiring(replace(wiring.settings, email_accounts={}))
    gone = await of_use_case(api, none, RIGHT)
    assert (gone["account_missing"].pointer, "message_fails" in gone) == ("/channels/0/email/account", False)


async def test_an_account_that_is_paused_or_an_endpoint_that_is_says_how_it_is_resumed(api: Api) -> None:
    await members(api, person(0))
    text = {"sms": {"account": "main", "text": "Hi"}}
    await drafted(api, text, HOOK)
    key = AccountKey("shop", "sms", "main")
    await Accounts(api.pool).add(key, TWILIO, Keys.read([RING]), by="ann")
    assert "account_paused" not in kinds(await looked(api))
    await Accounts(api.pool).pause(key, by="ann")
    found = kinds(await looked(api))
    assert found["account_paused"]["pointer"] == "/channels/0/sms/account"
    assert "resume" in found["account_paused"]["right"]
    await Accounts(api.pool).remove(key, by="ann")
    assert "account_missing" in kinds(await looked(api))


async def test_a_pace_that_is_too_slow_for_what_expires_is_found(api: Api, wiring: Wiring) -> None:
    await members(api, *(person(number) for number in range(5)))
    account = replace(wiring.settings.email_accounts["main"], rate="1/m")
    slow = Wiring(replace(wiring.settings, email_accounts={"main": account}))
    await drafted(api)
    assert "pace_slow" not in await of_use_case(api, slow, offline=True)
    await drafted(api, expires_after="4m")
    found = (await of_use_case(api, slow, offline=True))["pace_slow"]
    assert found.pointer == "/channels/0/email/account"
    assert "5 messages at 1 in 1m take 5m" in found.reason and "may wait 4m" in found.reason
    await drafted(api, expires_after="6m")
    assert "pace_slow" not in await of_use_case(api, slow, offline=True)


async def test_parts_of_texts_are_counted_over_the_audience_and_cost_what_is_said(api: Api) -> None:
    await Accounts(api.pool).add(AccountKey("shop", "sms", "main"), TWILIO, Keys.read([RING]), by="ann")
    await members(api, person(0, name="Ann"), person(1, name="Łucja"), person(2, name="Bo"), person(3, phone=None))
    await drafted(api, {"sms": {"account": "main", "text": "Hello {{ customer.name | default('you') }}" + "x" * 100}})
    found = kinds(await looked(api, sms_price="0.05"))
    assert set(found) == {"address_missing", "sms_cost", "sms_dear"}
    assert (found["sms_dear"]["count"], found["sms_dear"]["of"]) == (1, 3) and "Ł" in found["sms_dear"]["reason"]
    assert found["sms_cost"]["reason"] == "4 parts for 3 messages, at most 2 each: 0.20 at 0.05 a part"
    half = kinds(await looked(api, most=2, sms_price="0.05"))
    assert half["audience_sampled"]["reason"] == "2 of 4 members of vip were looked at"
    assert half["sms_cost"]["of"] in (2, 4)
    for price in ("-1", "NaN", "1e9", "0.05€"):
        answer = await api.ask("POST", "/distributions/winback/preflight", {"sms_price": price})
        assert (answer.status, answer.json["errors"][0]["pointer"]) == (422, "/sms_price"), price


async def test_a_mail_that_comes_first_leaves_texts_to_those_without_an_address(api: Api) -> None:
    await Accounts(api.pool).add(AccountKey("shop", "sms", "main"), TWILIO, Keys.read([RING]), by="ann")
    await members(api, person(0), person(1), person(2, email=None))
    await drafted(api, MAIL, {"sms": {"account": "main", "text": "Hi"}}, order="first_available")
    assert kinds(await looked(api))["sms_cost"]["reason"].startswith("1 part for 1 message,")


CAMPAIGN: Any = {
    "campaign": "spring",
    "kind": "DISCOUNT_COUPONS",
    "type": "STATIC",
    "discount": {"type": "PERCENT", "percent_off": 10},
}


async def test_codes_have_to_suffice_for_the_audience(api: Api) -> None:
    made = await api.ask("PUT", "/campaigns/spring", CAMPAIGN)
    assert made.status == 201, made.json
    await members(api, *(person(number) for number in range(3)))
    campaigns = {"spring": await only_campaign(api)}
    await drafted(api, publish={"campaign": "spring"}, context={"campaigns": campaigns})
    found = kinds(await looked(api))
    assert (found["codes_gone"]["pointer"], found["codes_gone"]["severity"]) == ("/publish/campaign", "blocker")
    await api.ask("POST", "/campaigns/spring/codes", {"codes": [{"code": "A-1"}, {"code": "A-2"}]})
    found = kinds(await looked(api))
    assert (found["codes_short"]["count"], found["codes_short"]["of"], "codes_gone" in found) == (2, 3, False)
    await api.ask("POST", "/campaigns/spring/codes", {"codes": [{"code": "A-3"}]})
    assert kinds(await looked(api)) == {}
    over = {**CAMPAIGN, "expiration_date": "2020-01-01"}
    assert (await api.ask("PUT", "/campaigns/spring", over)).status == 200
    assert "campaign_over" in kinds(await looked(api))


async def only_campaign(api: Api) -> Any:
    return (await Campaigns(api.pool).current("shop"))["spring"]


async def test_dates_that_are_past_and_hours_that_never_come_are_found(api: Api) -> None:
    await members(api, person(0), person(1))
    now = datetime.now(UTC)
    await drafted(api, starts_at="2020-01-01")
    assert set(kinds(await looked(api))) == {"began_before"}
    await drafted(api, ends_at="2020-02-01")
    found = kinds(await looked(api))
    assert (found["is_over"]["pointer"], found["is_over"]["severity"]) == ("/ends_at", "blocker")
    start, end = (f"{now + timedelta(hours=hours):%H:00}" for hours in (8, 10))
    await drafted(api, window={"from": start, "to": end})
    found = kinds(await looked(api))
    assert set(found) == {"all_wait"} and found["all_wait"]["pointer"] == "/window"
    await drafted(api, window={"from": start, "to": end}, expires_after="2h")
    found = kinds(await looked(api))
    assert (found["expires_waiting"]["count"], found["nobody_gets_it"]["pointer"]) == (2, "/expires_after")


async def test_segments_that_are_unknown_computing_or_cannot_judge_some_are_found(api: Api) -> None:
    await members(api, person(0), computed=False)
    await drafted(api, when={"customer.segments": {"contains": "loyal"}})
    async with Segments(api.pool).transaction() as work:
        await work.put_unjudged("shop", ["c7"], [("c7", "vip", "it has no tier")])
    found = kinds(await looked(api))
    assert {"segment_unknown", "segment_computing", "segment_unjudged"} <= set(found)
    assert found["segment_unknown"]["pointer"] == "/when/customer.segments/contains"
    assert (found["segment_unjudged"]["pointer"], found["segment_unjudged"]["count"]) == ("/trigger/segment", 1)


async def test_an_empty_segment_and_no_events_leave_a_sample(api: Api) -> None:
    await members(api)
    await drafted(api)
    empty = await looked(api)
    assert (set(kinds(empty)), empty["audience"], empty["gets"]) == ({"audience_empty"}, 0, 0)
    await drafted(api, trigger={"event": "customer.order.paid"})
    unknown = kinds(await looked(api))
    assert "none of the newest 0 events of events.orders" in unknown["audience_unknown"]["reason"]
    missing = await api.ask("POST", "/distributions/winback/preflight", {"segment": "vips"})
    assert (missing.status, missing.json["errors"][0]["nearest"]) == (404, "vip")


async def test_without_a_segment_the_customers_of_the_newest_events_are_looked_at(api: Api) -> None:
    await drafted(api, HOOK, trigger={"event": "customer.order.paid"}, when={"order.amount": {"at_least": 100}})
    old = (datetime.now(UTC) - timedelta(days=3)).isoformat()

    def paid(number: int, customer: int, amount: int, **changes: Any) -> dict[str, Any]:
        data = {"customer": person(customer), "order": {"id": f"o{number}", "amount": amount}}
        return order_event(id=f"ev{number}", created_at=old, data=data, **changes)

    events = [paid(1, 1, 500), paid(2, 1, 50), paid(3, 2, 500), paid(4, 3, 500)]
    events.append(paid(5, 4, 500, type="customer.order.canceled"))
    assert (await api.ask("POST", "/events", events)).status == 202
    other = [{**paid(6, 5, 500), "project_id": "outlet"}]
    assert (await api.ask("POST", "/events", other, project="outlet")).status == 202
    report = await looked(api)
    assert (report["audience"], report["looked_at"], report["gets"]) == (3, 3, 2), report
    assert report["whence"].startswith("customers of customer.order.paid since ")
    part = await looked(api, most=2)
    assert (part["audience"], part["looked_at"]) == (3, 2) and "audience_sampled" in kinds(part)


async def test_a_manual_one_is_judged_on_a_segment_and_may_need_an_approval(api: Api, wiring: Wiring) -> None:
    await members(api, person(0), person(1))
    await drafted(api, trigger={"event": "manual_distribution_schedule"}, status="LIVE")
    assert "audience_unknown" in kinds(await looked(api))
    report = await looked(api, segment="vip")
    assert (report["gets"], kinds(report)) == (2, {})
    strict = replace(wiring.settings, sends=replace(wiring.settings.sends, approve_above=1))
    found = await of_use_case(api, Wiring(strict), segment="vip", offline=True)
    assert "approver" in found["approval_needed"].reason


async def test_a_sandbox_and_what_is_managed_from_git_are_noted(api: Api) -> None:
    await members(api, person(0), person(1))
    await drafted(api)
    thing = ManagedThing("shop", "distribution", "winback")
    mark = Mark(thing, GitSource("shop.git", "a" * 40), "hash", 1, "ann", utc_now())
    await Managed(api.pool).put(Marking([mark]), by="ann")
    document = Project(
        id="shop", name="Shop", version=1, sandbox=Sandbox(allow=["ann0@shop.example"]), updated_at=utc_now()
    )
    await Projects(api.pool).save([(document, "")], applied_by="ann", now=utc_now())
    found = kinds(await looked(api))
    assert (found["sandboxed"]["count"], found["sandboxed"]["of"]) == (1, 2) and "shop.git" in found[
        "managed_from_git"
    ]["reason"]


async def test_a_draft_is_looked_over_in_place_of_what_is_applied(api: Api) -> None:
    await members(api, person(0))
    await drafted(api)
    draft = definition(distribution="winback", trigger=VIP, channels=[HOOK], consent="transactional")
    assert (await looked(api, document=draft))["findings"] == []
    wrong = await api.ask("POST", "/distributions/winback/preflight", {"document": {**draft, "channels": []}})
    assert (wrong.status, wrong.json["errors"][0]["pointer"]) == (422, "/document/channels")
    local = {"webhook": {"url": "http://127.0.0.1/x", "type": "thanks"}}
    found = kinds(await looked(api, document={**draft, "channels": [local]}))
    assert (found["address_refused"]["pointer"], found["address_refused"]["severity"]) == (
        "/channels/0/webhook/url", "blocker",
    )  # fmt: skip


async def test_who_may_not_test_may_not_look_over_and_another_project_has_none(api: Api) -> None:
    await drafted(api)
    for role in ("viewer", "operator"):
        refused = await api.ask("POST", "/distributions/winback/preflight", {}, role=role)
        assert (refused.status, refused.json["permission"]) == (403, "distributions:test")
    other = await api.ask("POST", "/distributions/winback/preflight", {}, project="outlet")
    assert other.status == 404


async def test_the_command_says_the_worst_first_and_ends_with_1(
    api: Api, wiring: Wiring, dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await members(api, person(0), person(1))
    await drafted(api, HOOK, consent="transactional")
    (tmp_path / "tidings.toml").write_text(
        f'project_id = "shop"\n[topics]\nprefix = "{wiring.settings.topics.prefix}"\npartitions = 2\n'
    )
    local = {"webhook": {"url": "http://127.0.0.1/x", "type": "thanks"}}
    later = definition(distribution="later", trigger=VIP, consent="transactional", channels=[local])
    (tmp_path / "later.json").write_text(json.dumps(later))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIDINGS_POSTGRES", dsn)
    monkeypatch.setenv("TIDINGS_KAFKA", wiring.settings.kafka.bootstrap)

    async def run(*arguments: str) -> Any:
        return await asyncio.to_thread(CliRunner().invoke, app, ["preflight", "--offline", *arguments])

    clear = await run("winback")
    assert (clear.exit_code, "2 of 2 looked at would get it, of 2 members of vip" in clear.output) == (0, True), (
        clear.output
    )
    assert "0 blockers, 0 warnings, 0 notes" in clear.output
    blocked = await run("later.json", "--json")
    report = json.loads(blocked.stdout)
    assert (blocked.exit_code, report["is_clear"], report["findings"][0]["kind"]) == (1, False, "address_refused")
    said = await run("later.json")
    assert (said.exit_code, "/channels/0/webhook/url" in said.output) == (1, True)
    assert (await run("winback", "--sms-price", "cheap")).exit_code == 2
    assert (await run("winback", "--segment", "nobody")).exit_code == 1
    assert (report["looked_at"], report["gets"]) == (2, 2)
