"""Use cases without a terminal, as any face of the product calls them: actor, moment and documents are arguments."""

from __future__ import annotations

from datetime import timedelta
from pathlib import PurePath

import asyncpg
import msgspec
import pytest

from console.control import campaigns, codes, distributions, roll_out, segments, templates
from console.control.context import ProjectContext
from console.control.documents import parse_documents
from console.control.not_found import NotFound
from console.control.template_source import SourceFile, sources
from deploy.settings.messages import Brand
from schemas.errors import DefinitionInvalid, TidingsError
from store.codes.pool import Codes
from store.distributions import Control, VersionConflict
from tests.factory import NOW

URL = "https://x.example"
BRAND = Brand("x", "x", "x", privacy_url=URL, terms_url=URL, logo_url=URL, permission_reminder="x")
SHOP = ProjectContext("shop", brand=BRAND, accounts={"email": ("main",)})
LATER = NOW + timedelta(hours=1)
SPRING = """\
campaign: spring
kind: DISCOUNT_COUPONS
type: STATIC
discount: {type: PERCENT, percent_off: 10}
code_config: {pattern: S-#####}
"""
WINBACK = """\
distribution: winback
trigger: customer.order.paid
consent: transactional
channels:
  - email: {account: main, subject: Hello, template: hello}
"""


ENTERED = "{event: customer.segment.entered, segment: vip}"


class Announcements:
    """Counts what was announced instead of telling Kafka."""

    def __init__(self) -> None:
        self.count = 0

    async def __call__(self, control: Control) -> None:
        self.count += 1


async def apply_campaign(pool: asyncpg.Pool, source: str) -> None:
    plan = await campaigns.plan(pool, parse_documents(source, "body"), SHOP, NOW)
    await campaigns.save(pool, plan, actor="ann", now=NOW)


async def apply_segment(pool: asyncpg.Pool, identity: str) -> None:
    source = f"segment: {identity}\nmembers: [c1]\n"
    await segments.save(pool, await segments.plan(pool, parse_documents(source, "body"), SHOP, NOW), actor="ann")


async def apply_distribution(pool: asyncpg.Pool, source: str, announce: distributions.Announce) -> None:
    plan = await distributions.plan(pool, parse_documents(source, "body"), SHOP, NOW)
    await distributions.save(pool, plan, announce, actor="ann", now=NOW)


async def apply_templates(pool: asyncpg.Pool, text: str) -> list[templates.TemplateSummary]:
    written = sources([SourceFile(PurePath("hello.txt"), text)])
    plan = await templates.plan(pool, written.values(), "shop")
    await templates.save(pool, plan, actor="ann", now=NOW)
    return await templates.listed(pool, "shop")


async def test_a_change_keeps_who_made_it_and_when(pool: asyncpg.Pool) -> None:
    announce = Announcements()
    await apply_templates(pool, "Hello")
    plan = await distributions.plan(pool, parse_documents(WINBACK, "body"), SHOP, NOW)
    assert [(one.what, one.identity, one.version) for one in plan] == [("new", "winback", 1)]
    await distributions.save(pool, plan, announce, actor="ann", now=NOW)
    paused = await distributions.set_status(pool, "shop", "winback", "PAUSED", announce, actor="bob", now=LATER)
    assert (paused.version, paused.status, announce.count) == (2, "PAUSED", 2)
    history = await distributions.history(pool, "shop", "winback")
    assert [(one.version, one.applied_by, one.applied_at) for one in history] == [(2, "bob", LATER), (1, "ann", NOW)]


async def test_what_a_use_case_answers_can_be_sent_as_json(pool: asyncpg.Pool) -> None:
    await apply_campaign(pool, SPRING)
    progress: list[int] = []
    made = await codes.generate(pool, "shop", "spring", 20, actor="me", now=NOW, on_progress=progress.append)
    await apply_segment(pool, "vip")
    listed = await apply_templates(pool, "Hello")
    answers = [
        await campaigns.listed(pool, "shop", NOW),
        await codes.count(pool, "shop", "spring", NOW),
        await segments.listed(pool, "shop"),
        await segments.show(pool, "shop", "vip"),
        listed,
        await templates.show(pool, "shop", "hello"),
        await templates.history(pool, "shop", "hello"),
    ]
    assert (made, progress) == (20, [20])
    assert all(msgspec.json.decode(msgspec.json.encode(answer)) for answer in answers)


async def test_a_template_is_rolled_out_to_whom_sends_an_older_one(pool: asyncpg.Pool) -> None:
    announce = Announcements()
    await apply_templates(pool, "Hello")
    await apply_distribution(pool, WINBACK, announce)
    written = sources([SourceFile(PurePath("hello.txt"), "Hello again")])
    plan = await templates.plan(pool, written.values(), "shop")
    older = await templates.older_uses(pool, "shop", {one.identity: one.version for one in plan})
    await templates.save(pool, plan, actor="ann", now=LATER)
    assert [one.older for one in await templates.listed(pool, "shop")] == [(templates.UsedBy("winback", 1),)]
    rolled = await roll_out.plan(pool, older, {one.identity: one.change for one in plan}, SHOP, LATER)
    assert [(one.identity, one.version, one.lines) for one in rolled] == [("winback", 2, ("template hello: v1 → v2",))]
    await distributions.save(pool, rolled, announce, actor="bob", now=LATER)
    assert [one.older for one in await templates.listed(pool, "shop")] == [()]


async def test_every_noun_says_the_nearest_name(pool: asyncpg.Pool) -> None:
    await apply_campaign(pool, SPRING)
    await apply_segment(pool, "vip-gold")
    await apply_templates(pool, "Hello")
    for work, sentence in (
        (campaigns.find(pool, "shop", "sprng"), 'no campaign "sprng". Did you mean "spring"?'),
        (codes.generate(pool, "shop", "sprng", 1, actor="me", now=NOW), 'no campaign "sprng". Did you mean "spring"?'),
        (segments.members(pool, "shop", "vip-glod", 9), 'no segment "vip-glod". Did you mean "vip-gold"?'),
        (segments.remove(pool, "shop", "vip-glod", actor="me"), 'no segment "vip-glod". Did you mean "vip-gold"?'),
        (templates.show(pool, "shop", "helo"), 'no template "helo". Did you mean "hello"?'),
        (distributions.find(pool, "shop", "winback"), 'no distribution "winback". There are: none.'),
    ):
        with pytest.raises(NotFound) as caught:
            await work
        assert str(caught.value) == sentence


async def test_a_segment_in_use_stays(pool: asyncpg.Pool) -> None:
    await apply_segment(pool, "vip")
    await apply_templates(pool, "Hello")
    await apply_distribution(pool, WINBACK.replace("customer.order.paid", ENTERED), Announcements())
    with pytest.raises(TidingsError, match="segment vip is used by winback"):
        await segments.remove(pool, "shop", "vip", actor="me")


async def test_a_plan_knows_the_segments_that_there_are(pool: asyncpg.Pool) -> None:
    heard: list[str] = []
    await apply_segment(pool, "vip-gold")
    await apply_templates(pool, "Hello")

    async def plan(segment: str) -> None:
        source = f"{WINBACK}when:\n  customer.segments: {{contains: {segment}}}\n"
        await distributions.plan(pool, parse_documents(source, "body"), SHOP, NOW, warn=heard.append)

    await plan("vip-gold")
    assert not heard
    with pytest.raises(DefinitionInvalid) as caught:
        await plan("vip-glod")
    (problem,) = caught.value.problems
    assert problem.path == 'body:7  when."customer.segments".contains'
    assert 'Did you mean "vip-gold"?' in problem.message
    assert not heard
    await plan("wholesale")
    assert [word.partition("  ")[0] for word in heard] == ["body:7"]
    await apply_distribution(pool, WINBACK.replace("customer.order.paid", ENTERED), Announcements())
    await plan("vip")  # upstream's own, as a trigger names it
    assert len(heard) == 1


async def test_of_two_who_plan_at_once_the_second_is_refused(pool: asyncpg.Pool) -> None:
    await apply_campaign(pool, SPRING)
    changed = [SPRING.replace("10", discount) for discount in ("20", "30")]
    first, second = [await campaigns.plan(pool, parse_documents(one, "body"), SHOP, LATER) for one in changed]
    await campaigns.save(pool, first, actor="ann", now=LATER)
    with pytest.raises(VersionConflict, match="plan again"):
        await campaigns.save(pool, second, actor="bob", now=LATER)
    assert (await campaigns.find(pool, "shop", "spring")).version == 2


async def test_a_campaign_of_tiers_is_never_low_in_codes(pool: asyncpg.Pool) -> None:
    await apply_campaign(pool, SPRING)
    await apply_campaign(pool, "campaign: tiers\nkind: PROMOTION\ntiers: [{id: gold, name: Gold, banner: 10 % off}]\n")
    counts = await Codes(pool).counts("shop", NOW)
    assert {one.campaign_id: one.is_low for one in counts} == {"spring": True, "tiers": False}


async def test_the_history_of_what_never_was_is_not_found(pool: asyncpg.Pool) -> None:
    with pytest.raises(NotFound, match='no distribution "winbck"'):
        await distributions.history(pool, "shop", "winbck")
