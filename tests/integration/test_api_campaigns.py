"""Campaigns and their codes over the API, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from agents.wiring import Wiring
from deploy.secret import Secret
from deploy.settings.servers import Postgres
from deploy.settings.settings import Settings
from store.codes.pool import Codes
from tests.integration.api_client import Api, running_api

SPRING: dict[str, Any] = {
    "kind": "DISCOUNT_COUPONS",
    "type": "AUTO_UPDATE",
    "discount": {"type": "PERCENT", "percent_off": 10},
    "code_config": {"pattern": "S-##", "charset": "0123456789"},
    "low_water": 95,
}
SUMMER: dict[str, Any] = {"kind": "PROMOTION", "tiers": [{"id": "gold"}]}
OWN: dict[str, Any] = {"kind": "DISCOUNT_COUPONS", "type": "STATIC", "discount": SPRING["discount"]}


@pytest.fixture
async def api(settings: Settings, dsn: str) -> AsyncIterator[Api]:
    async with running_api(Wiring(replace(settings, postgres=Postgres(dsn=Secret(dsn))))) as running:
        yield running


async def left(api: Api, campaign: str = "spring") -> tuple[int, int]:
    found = (await api.ask("GET", f"/campaigns/{campaign}/codes", role="viewer")).json
    return found["total"], found["left"]


async def test_a_campaign_is_applied_read_and_changed(api: Api) -> None:
    tried = await api.ask("PUT", "/campaigns/spring?dry_run=true", SPRING, role="editor")
    assert (tried.status, tried.json["plan"], tried.json["dry_run"]) == (200, "new", True)
    assert (await api.ask("GET", "/campaigns/spring")).status == 404
    made, same = [await api.ask("PUT", "/campaigns/spring", SPRING, role="editor") for _ in range(2)]
    assert [(one.status, one.json["plan"], one.headers["etag"]) for one in (made, same)] == [
        (201, "new", '"v1"'), (200, "unchanged", '"v1"'),
    ]  # fmt: skip
    changed = await api.ask("PUT", "/campaigns/spring", {**SPRING, "name": "Spring"}, if_match='"v1"')
    assert (changed.status, changed.json["version"], "Spring" in changed.json["changes"][0]) == (200, 2, True)
    assert (await api.ask("PUT", "/campaigns/spring", SPRING, if_match='"v1"')).status == 412
    got = await api.ask("GET", "/campaigns/spring", role="viewer")
    assert (got.json["name"], got.json["discount"]["percent_off"], got.headers["etag"]) == ("Spring", 10, '"v2"')
    assert (await api.ask("GET", "/campaigns/spring", if_none_match='"v2"')).status == 304
    assert (await api.ask("GET", "/campaigns/sprin")).json["errors"][0]["nearest"] == "spring"
    assert (await api.ask("PUT", "/campaigns/spring", SPRING, role="viewer")).status == 403


async def test_campaigns_are_listed_by_pages_with_what_is_left(api: Api) -> None:
    for campaign, document in (("spring", SPRING), ("summer", SUMMER), ("a", OWN)):
        assert (await api.ask("PUT", f"/campaigns/{campaign}", document)).status == 201
    seen = [
        (one["campaign"], one["type"], one["left"])
        async for items in api.pages("/campaigns?limit=2", role="viewer")
        for one in items
    ]
    assert seen == [("a", "STATIC", 0), ("spring", "AUTO_UPDATE", 100), ("summer", None, None)]


async def test_a_campaign_that_is_not_valid_says_at_which_field(api: Api) -> None:
    for body, pointer in (
        ({**SPRING, "code_config": {"pattern": "S-##", "charst": "01"}}, "/code_config/charst"),
        ({**SPRING, "kind": "COUPONS"}, "/kind"),
        ({**SPRING, "campaign": "summer"}, "/campaign"),
        ({**SPRING, "discount": {"type": "PERCENT", "percent_off": "ten"}}, "/discount/percent_off"),
    ):
        for method, path in (("PUT", "/campaigns/spring"), ("POST", "/campaigns/validate")):
            if path.endswith("validate") and "campaign" in body:
                continue
            whole = body if method == "PUT" else {"campaign": "spring", **body}
            answer = await api.ask(method, path, whole)
            assert (answer.status, [one["pointer"] for one in answer.json["errors"]]) == (422, [pointer]), answer.json
    assert (await api.ask("GET", "/campaigns")).json["items"] == []
    checked = await api.ask("POST", "/campaigns/validate", {"campaign": "spring", **SPRING}, role="viewer")
    assert (checked.status, checked.json["plan"], checked.json["version"]) == (200, "new", 1)


async def test_of_two_who_apply_at_once_one_makes_the_version(api: Api) -> None:
    bodies = [{**SPRING, "name": f"Spring {number}"} for number in range(6)]
    ends = await asyncio.gather(*(api.ask("PUT", "/campaigns/spring", body, if_none_match="*") for body in bodies))
    assert sorted(one.status for one in ends if one.status not in (409, 412)) == [201]
    assert (await api.ask("GET", "/campaigns/spring")).json["version"] == 1


async def test_codes_are_added_once_and_what_is_strange_is_said(api: Api) -> None:
    await api.ask("PUT", "/campaigns/spring", OWN)
    await api.ask("PUT", "/campaigns/autumn", OWN)
    await api.ask("POST", "/campaigns/autumn/codes", {"codes": [{"code": "THERE"}]})
    given = [
        {"code": "ONE"},
        {"code": "TWO", "expiration_date": "2099-05-31", "value": 5, "metadata": {"shop": "Łódź"}},
        {"code": "ONE"},
        {"code": "THERE"},
        {"code": "two"},
        {"code": "PAST", "expiration_date": "2001-01-01", "active": False},
    ]
    wanted = {
        "campaign": "spring", "given": 6, "added": 4, "there_already": 1, "doubled": 1,
        "first_there": [{"at": 2, "campaign": None}, {"at": 3, "campaign": "autumn"}], "alike": 1,
        "first_alike": [{"at": 4, "campaign": None}], "first_end": "2001-01-01T23:59:59.999000Z",
        "last_end": "2099-05-31T23:59:59.999000Z", "expired": 1, "may_lack_zeros": False,
    }  # fmt: skip
    for query, total in (("?dry_run=true", 0), ("", 4)):
        added = await api.ask("POST", f"/campaigns/spring/codes{query}", {"codes": given}, role="editor")
        assert (added.status, added.json) == (200, {**wanted, "dry_run": not total})
        assert (await left(api))[0] == total
    again = (await api.ask("POST", "/campaigns/spring/codes", {"codes": given})).json
    assert (again["added"], again["there_already"] + again["doubled"]) == (0, 6)
    (row,) = await api.pool.fetch("select value, metadata, expiration_date from codes where code = 'TWO'")
    assert (row["value"], "Łódź" in row["metadata"], row["expiration_date"].year) == (5, True, 2099)


async def test_a_wrong_code_is_named_by_its_place_and_nothing_is_added(api: Api) -> None:
    await api.ask("PUT", "/campaigns/spring", OWN)
    wrong: tuple[dict[str, Any], ...] = (
        {"code": " SECRET"}, {"code": ""}, {"code": "S" * 257}, {"code": "1E+05"}, {"code": "SE\u200bCRET"},
        {"code": "SECRET", "expiration_date": "soon"}, {"code": "SECRET", "value": 2**60}, {"code": "SE\0CRET"},
        {"code": "SECRET", "start_date": "2027-01-02", "expiration_date": "2026-01-01"},
    )  # fmt: skip
    for one in wrong:
        answer = await api.ask("POST", "/campaigns/spring/codes", {"codes": [{"code": "RIGHT"}, one]})
        assert (answer.status, answer.json["errors"][0]["pointer"][:8]) == (422, "/codes/1"), (one, answer.json)
        assert "SECRET" not in answer.raw.decode(), answer.json
    several = await api.ask("POST", "/campaigns/spring/codes", {"codes": [{"code": " "}] * 25})
    assert [one["pointer"] for one in several.json["errors"]][9:] == ["/codes/9", "/codes"]
    assert "15 more" in several.json["errors"][-1]["detail"]
    assert await left(api) == (0, 0)
    meant = await api.ask("POST", "/campaigns/spring/codes", {"codes": [{"code": "1E+05"}], "as_written": True})
    assert (meant.status, meant.json["added"]) == (200, 1)


async def test_as_many_codes_as_a_request_may_hold_are_added(api: Api) -> None:
    await api.ask("PUT", "/campaigns/spring", OWN)
    many = [{"code": f"CODE-{number}", "metadata": {"shop": "x" * 100}} for number in range(10_000)]
    assert (await api.ask("POST", "/campaigns/spring/codes", {"codes": many})).json["added"] == 10_000
    over = await api.ask("POST", "/campaigns/spring/codes", {"codes": [{"code": f"C{n}"} for n in range(10_001)]})
    assert (over.status, await left(api)) == (422, (10_000, 10_000))


async def test_codes_are_made_all_or_none_and_once_with_a_key(api: Api) -> None:
    for campaign, document in (("spring", SPRING), ("summer", SUMMER), ("own", OWN)):
        await api.ask("PUT", f"/campaigns/{campaign}", document)
    for query, total in (("?dry_run=true", 0), ("", 60)):
        made = await api.ask("POST", f"/campaigns/spring/codes/generate{query}", {"count": 60}, role="editor")
        assert (made.status, made.json["made"], await left(api)) == (200, 60, (total, 100))
    for query in ("?dry_run=true", ""):
        full = await api.ask("POST", f"/campaigns/spring/codes/generate{query}", {"count": 41})
        assert (full.status, "leaves 40" in full.json["detail"]) == (409, True)
    for _ in range(2):
        once = await api.ask("POST", "/campaigns/spring/codes/generate", {"count": 20}, idempotency_key="k1")
        assert (once.status, once.json["made"], (await left(api))[0]) == (200, 20, 80)
    for campaign, said in (("summer", "has no codes"), ("own", "no code_config")):
        refused = await api.ask("POST", f"/campaigns/{campaign}/codes/generate", {"count": 1})
        assert (refused.status, said in refused.json["detail"]) == (409, True), refused.json
    assert (await api.ask("POST", "/campaigns/none/codes/generate", {"count": 1})).status == 404
    counted = await Codes(api.pool).counts("shop", (await Codes(api.pool).now()))
    assert {one.campaign_id: one.total for one in counted} == {"own": 0, "spring": 80, "summer": 0}
