"""Pages of projects over real HTTP: who sees which, the list of distributions, and its files, on a real PostgreSQL."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from agents.accounts import account_keys
from agents.clock import utc_now
from console.web.project_routes import PROJECT_ROUTES
from console.web.projects import ProjectRoute
from deploy.secret import Secret
from deploy.settings.accounts import AccountKeys
from deploy.settings.settings import Settings
from deploy.settings.web import Web
from schemas.access import ACCESS_ROLES, GRANTS, AccessRole
from schemas.channels.webhook import WebhookAccountForm
from schemas.delivery import DistributionRef
from schemas.segment import SegmentDefinition
from store.accounts import AccountKey, Accounts
from store.distributions import Change, Control
from store.read_models.recorded import Recorded
from store.segments import Segments
from tests.factory import rule
from tests.integration.test_codes import campaign, saved
from tests.integration.test_named_templates import named, save
from tests.integration.test_recorder import KEEP, decision, put, status
from tests.integration.test_web import Browser, Site, running

NAMED = {"/messages/{id}": f"/messages/dlv_{0:032x}", "/dead-letters/{id}": "/dead-letters/0:0",
    "/dead-letters/{id}/mend": "/dead-letters/0:0/mend", "/accounts/edit": "/accounts/edit?account=webhook/main",
    "/preview": "/preview?distribution=thanks", "/preview/frame": "/preview/frame?distribution=thanks",
}  # fmt: skip
NAMES = {"distribution": "thanks", "campaign": "spring", "segment": "poland", "template": "hello", "send": "send_1"}
LIST = "/p/shop/distributions"
EVIL = "<script>alert(1)</script>{{ 7 * 7 }}\u202egnp"


@pytest.fixture
async def site(settings: Settings, dsn: str) -> AsyncIterator[Site]:
    away = replace(settings, kafka=replace(settings.kafka, bootstrap="127.0.0.1:1"))
    async with running(away, dsn, Web()) as one:
        yield one


async def signed_in(site: Site, role: AccessRole = "viewer", project: str = "shop") -> Browser:
    email = f"{role}@{project}.example"
    await site.add(email, role, project)
    mine = site.browser()
    assert (await mine.sign_in(email=email)).status == 303
    return mine


async def apply(site: Site, *names: str, project: str = "shop", source: str = "", **changes: Any) -> None:
    made = [msgspec.structs.replace(rule(distribution=name, **changes), project_id=project) for name in names]
    await Control(site.pool).save([Change(one, source, ()) for one in made], applied_by="ann", now=utc_now())


def address(route: ProjectRoute) -> str:
    """The address of a page of something that is there."""
    noun = route.path.split("/")[1]
    if name := NAMES.get(noun):
        return f"{route.path}?id={name}"
    return NAMED.get(route.path) or route.path.replace("{id}", NAMES.get(noun.removesuffix("s"), ""))


def shown(page: str) -> list[str]:
    return re.findall(r'<code class="id">([^<]*)</code>', page)


async def test_a_project_that_one_is_not_in_is_like_one_that_is_not_there(site: Site) -> None:
    await apply(site, "theirs", project="outlet")
    mine = await signed_in(site)
    await signed_in(site, project="outlet")
    for route in PROJECT_ROUTES:
        path, method = address(route), route.method
        foreign, nowhere = [await mine.ask(method, f"/p/{one}{path}") for one in ("outlet", "nowhere")]
        assert (foreign.status, foreign.text) == (404, nowhere.text), path
        assert nowhere.title == "Page not found"
        out = await site.browser().ask(method, f"/p/shop{path}")
        asked = f"?next={quote(f'/p/shop{path}')}" if method == "GET" else ""
        assert (out.status, out.headers["location"]) == (303, f"/sign-in{asked}")
    assert "theirs" not in (await mine.ask("GET", LIST)).text


async def test_each_page_is_for_the_roles_of_its_permission(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    await apply(site, "thanks")
    await saved(site.pool, campaign())
    poland = SegmentDefinition(
        id="poland", project_id="shop", name="P", version=1, members=["c1"], updated_at=utc_now()
    )
    await Segments(site.pool).save([(poland, "segment: poland\nmembers: [c1]\n")], applied_by="ann", now=utc_now())
    await put(Recorded(site.pool, KEEP), [status(0, utc_now())])
    await save(site.pool, named())
    kept = account_keys(Settings(accounts=AccountKeys((Secret("k1:" + b64encode(b"7" * 32).decode()),))))
    await Accounts(site.pool).add(AccountKey("shop", "webhook", "main"), WebhookAccountForm(), kept, by="ann")
    await site.pool.execute(
        "insert into sends (project_id, send_id, distribution_id, status, owns_segment, hold, created_by)"
        " values ('shop', 'send_1', 'thanks', 'DRAFT', false, interval '10m', 'ann')"
    )
    for role in ACCESS_ROLES:
        mine = await signed_in(site, role)
        for route in PROJECT_ROUTES:
            is_shown = route.method == "GET" and route.path != "/preview/frame"  # of what is not an e-mail
            may, done = route.permission in GRANTS[role], 200 if is_shown else 422
            if may and route.path.startswith(("/dead-letters", "/replay", "/topics/follow")):
                continue  # they are on Kafka, which is away here
            answer = await mine.ask(route.method, f"/p/shop{address(route)}")
            assert answer.status == (done if may else 403), (role, route.path)
    monkeypatch.setattr("schemas.access.GRANTS", {role: frozenset() for role in ACCESS_ROLES})
    mine = site.browser()
    await mine.sign_in(email="viewer@shop.example")
    refused = await mine.ask("GET", LIST)
    assert (refused.status, refused.title, "Your role here is viewer" in refused.text) == (
        403,
        "Not for your role",
        True,
    )
    assert '<a href="/p/shop/distributions"' not in refused.text.partition("column")[2]


async def test_the_list_shows_states_triggers_channels_and_the_last_day(site: Site) -> None:
    await apply(site, "thanks", "winback", status="PAUSED", name="Say thanks")
    now = utc_now()
    of = {"distribution": DistributionRef(id="thanks", version=3, name="x")}
    recorded = Recorded(site.pool, KEEP)
    outcomes = ["emitted"] * 2 + ["skipped"] * 3 + ["deferred"] * 4
    decided = [decision(n, now, outcome=outcome, **of) for n, outcome in enumerate(outcomes)]
    await put(recorded, [*decided, decision(50, now - timedelta(days=2), **of)])
    ends = [status(n, now, outcome=one, **of) for n, one in enumerate(["sent"] * 1_100 + ["recovered", "failed"])]
    await put(recorded, ends)
    page = await (await signed_in(site)).ask("GET", LIST)
    assert (page.status, page.title) == (200, "Distributions")
    assert shown(page.text) == ["thanks", "winback"]
    first = page.text.partition("<tbody>")[2].partition("</tr>")[0]
    assert "Say thanks" in first
    assert '<span class="state paused">paused</span>' in first
    assert re.findall(r'<td class="number[^"]*">([\d,]+)</td>', first) == ["1,101", "4", "3", "1"]
    assert "Kafka does not answer" in page.text, "what is not recorded yet is not known"
    assert '<nav id="column" popover aria-label="Project">' in page.text


async def test_the_list_is_filtered_and_paged_by_its_address(site: Site) -> None:
    await apply(site, *(f"d{n:03}" for n in range(120)))
    await apply(site, "winback", name="Win BACK", status="STOPPED")
    mine, path, seen = await signed_in(site), LIST, list[str]()
    while path:
        page = await mine.ask("GET", path)
        seen += shown(page.text)
        following = re.search(r'<a href="([^"]+)" rel="next">', page.text)
        path = html.unescape(following[1]) if following else ""
    assert seen == [*(f"d{n:03}" for n in range(120)), "winback"]
    for query, ids in (("?q=win+back", ["winback"]), ("?q=D00", [f"d00{n}" for n in range(10)]), ("?q=%25", []),
                       ("?status=STOPPED", ["winback"]), ("?status=LIVE&q=back", [])):  # fmt: skip
        assert shown((await mine.ask("GET", LIST + query)).text) == ids, query
    assert "Nothing fits" in (await mine.ask("GET", LIST + "?q=nothing")).text
    for query in ("?status=LIV", "?cursor=x", "?q=%00", "?q=" + "x" * 257, "?cursor=" + "W10"):
        wrong = [await mine.ask("GET", LIST + suffix + query) for suffix in ("", ".json", ".csv")]
        assert [one.status for one in wrong] == [422] * 3, query
        assert "There is a problem" in wrong[0].text
    assert "Did you mean &quot;LIVE&quot;?" in (await mine.ask("GET", LIST + "?status=LIV")).text


async def test_an_empty_project_says_how_to_begin(site: Site) -> None:
    page = await (await signed_in(site)).ask("GET", LIST)
    assert "tidings apply distributions/ --project shop" in page.text


async def test_the_list_is_a_file_as_well(site: Site) -> None:
    await apply(site, *(f"d{n:03}" for n in range(600)), name="=HYPERLINK(1)")
    mine = await signed_in(site)
    asked = await mine.ask("GET", LIST + ".csv")
    assert "attachment" in asked.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(asked.text)))
    assert [row["id"] for row in rows] == [f"d{n:03}" for n in range(600)]
    assert {row["name"] for row in rows} == {"'=HYPERLINK(1)"}
    page = json.loads((await mine.ask("GET", LIST + ".json?q=d0")).text)
    assert [one["id"] for one in page["items"]] == [f"d{n:03}" for n in range(50)]
    again = json.loads((await mine.ask("GET", f"{LIST}.json?q=d0&cursor={page['next']}")).text)
    assert [one["id"] for one in again["items"]] == [f"d{n:03}" for n in range(50, 100)]
    assert again["next"] is None


async def test_what_comes_from_outside_is_text(site: Site) -> None:
    await apply(site, "evil", name=EVIL)
    mine = await signed_in(site)
    for path in (LIST, f"{LIST}?q={'%3Cscript%3Ealert(1)%3C/script%3E'}"):
        page = await mine.ask("GET", path)
        assert "<script>" not in page.text
        assert "49" not in page.text.partition("<tbody>")[2].partition("{{")[0]
        assert "\u202e" not in page.text
    assert "{{ 7 * 7 }}" in (await mine.ask("GET", LIST)).text
