"""The API over real HTTP, on a real Kafka and a real PostgreSQL."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice, product
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from agents.broker.producer import write_all
from agents.broker.reader import TopicReader
from agents.broker.records import Output
from agents.wiring import Wiring
from console.api.events import MOST_EVENTS
from console.api.gate import MOST_FAILURES
from console.api.route import Route
from console.api.table import ROUTES
from console.control import projects, user_links, users
from console.control.documents import parse_documents
from console.control.users import NewUser
from deploy.secret import Secret
from deploy.settings.accounts import AccountKeys
from deploy.settings.settings import Settings
from schemas.access import ACCESS_ROLES, may
from schemas.api_key import RANDOM_BYTES, make_key
from schemas.dead_letter import DeadLetter
from schemas.destination import Destination
from schemas.events.triggers import TRIGGERS
from schemas.send import Audience, When
from store.api_keys import ApiKeys
from store.holds import HoldRow, Holds
from store.notices import Notices, nobody
from store.sending.ledger import Ledger
from store.sends import Sends
from store.users import Users
from streams.notices import codes_low
from tests import ROOT
from tests.environment import environment_of
from tests.integration.api_client import DOCUMENT, Answer, Api, running_api, wired

MARK = "only-the-shop-knows-this"
NEVER = datetime(2999, 1, 1, tzinfo=UTC)


@pytest.fixture
def wiring(settings: Settings, dsn: str) -> Iterator[Wiring]:
    read = ("customers", "decisions", "delivery.status", "distributions")
    keys = AccountKeys((Secret("k1:" + base64.b64encode(bytes(32)).decode()),))
    names = (*read, "consents", "events.orders", "events.custom", "dead-letters", "notices")
    with wired(replace(settings, accounts=keys), dsn, names) as made:
        yield made


@pytest.fixture
async def api(wiring: Wiring) -> AsyncIterator[Api]:
    async with running_api(wiring) as running:
        yield running


async def applied(api: Api, identity: str = "thanks", **changes: Any) -> Answer:
    answer = await api.ask("PUT", f"/distributions/{identity}", {**DOCUMENT, **changes})
    assert answer.status in (200, 201), answer.json
    return answer


def on_topic(wiring: Wiring, topic: str) -> list[dict[str, Any]]:
    with TopicReader(wiring, topic) as reader:
        return [reader.decode(message) for message in reader.until_now()]


# -- who may ask ----------------------------------------------------------------------------------------------------


async def test_whatever_is_no_valid_key_gets_the_same_answer(api: Api) -> None:
    expired = await api.new_key("admin", lasts=timedelta(milliseconds=1), name="expired")
    revoked = await api.new_key("admin", name="revoked")
    assert await ApiKeys(api.pool).revoke("shop", "revoked", by="ann") == 1
    unknown = make_key("live", bytes(RANDOM_BYTES))
    answers = [await api.ask("GET", "/distributions", key=key) for key in (expired, revoked, unknown, "x", "tdg_live_")]
    answers.append(await api.ask("GET", "/distributions", key="", authorization="Basic YTpi"))
    assert {one.status for one in answers} == {401}
    assert {one.headers["www-authenticate"] for one in answers} == {'Bearer realm="tidings"'}
    assert len({one.json["detail"] for one in answers}) == 1
    missing = await api.ask("GET", "/distributions", key="")
    assert (missing.status, missing.json["detail"]) == (401, "an Authorization header is missing")


async def test_a_key_is_nowhere_but_with_its_holder(api: Api) -> None:
    key = await api.new_key("viewer")
    answers = [
        await api.ask("GET", f"/distributions/{key}", key=key),
        await api.ask("PUT", "/distributions/a", {}, key=key),
    ]
    assert [one.status for one in answers] == [404, 403]
    assert key not in str(api.logged)
    assert key.encode() not in answers[1].raw
    kept = await api.pool.fetch("select api_keys::text as row from api_keys")
    assert all(key not in row["row"] and key[9:52] not in row["row"] for row in kept)


async def test_a_use_is_noted_once_a_minute(api: Api) -> None:
    key = await api.new_key("viewer", name="reader")

    async def used_at() -> Any:
        return await api.pool.fetchval("select last_used_at from api_keys where name = 'reader'")

    assert await used_at() is None
    await api.ask("GET", "/distributions", key=key)
    first = await used_at()
    await api.ask("GET", "/distributions", key=key)
    assert first is not None
    assert await used_at() == first
    await api.pool.execute("update api_keys set last_used_at = last_used_at - interval '61 s' where name = 'reader'")
    await api.ask("GET", "/distributions", key=key)
    assert await used_at() >= first


async def test_who_guesses_is_told_to_wait_and_who_has_a_key_goes_on(api: Api) -> None:
    await api.ask("GET", "/distributions")
    fresh = await api.new_key("admin")
    unknown = make_key("live", bytes(RANDOM_BYTES))
    while (answer := await api.ask("GET", "/distributions", key=unknown)).status == 401:
        pass
    assert (answer.status, answer.json["type"]) == (429, "/api/v1/problems/too_many_requests")
    assert int(answer.headers["retry-after"]) >= 1
    assert (await api.ask("GET", "/distributions", key=fresh)).status == 429
    assert (await api.ask("GET", "/distributions")).status == 200
    counted = await api.pool.fetchval("select max(failures) from api_failures")
    assert counted == MOST_FAILURES
    await api.pool.execute("delete from api_failures")
    assert (await api.ask("GET", "/distributions", key=fresh)).status == 200


async def test_a_test_key_looks_and_tries_and_changes_nothing(api: Api) -> None:
    key = await api.new_key("admin", kind="test")
    refused = await api.ask("PUT", "/distributions/thanks", DOCUMENT, key=key)
    assert (refused.status, "dry_run" in refused.json["detail"]) == (403, True)
    tried = await api.ask("PUT", "/distributions/thanks?dry_run=true", DOCUMENT, key=key)
    assert (tried.status, tried.json["plan"], tried.json["dry_run"]) == (200, "new", True)
    assert (await api.ask("GET", "/distributions", key=key)).json["items"] == []


def called(route: Route) -> tuple[str, str, Any]:
    return route.method, route.example, route.body_example


async def test_every_route_asks_for_its_permission(api: Api) -> None:
    for role, route in product(ACCESS_ROLES, ROUTES):
        answer = await api.ask(*called(route), role=role)
        is_allowed = may(role, route.permission)
        assert (answer.status == 403) is not is_allowed, (route.name, role, answer.json)
        if not is_allowed:
            assert answer.json["permission"] == route.permission
        assert answer.status < 500, (route.name, answer.json)


async def fingerprint(api: Api) -> dict[str, Any]:
    """All that is kept of the project `shop`, whatever the table, but for when its keys were used."""
    tables = await api.pool.fetch(
        "select table_name as name from information_schema.columns"
        " join information_schema.tables using (table_schema, table_name) where table_schema = 'public'"
        " and column_name = 'project_id' and table_type = 'BASE TABLE'"
    )
    rows = (
        "select coalesce(string_agg(row::text, '|' order by row::text), '')"
        " from {} t, lateral (select to_jsonb(t) - 'last_used_at' as row) as kept where t.project_id = 'shop'"
    )
    return {table["name"]: await api.pool.fetchval(rows.format(table["name"])) for table in tables}


async def test_the_key_of_another_project_sees_and_changes_nothing_of_this_one(api: Api, wiring: Wiring) -> None:
    await applied(api, "winback", name=MARK, status="LIVE")
    await api.ask("POST", "/suppressions", {"keys": ["ann@shop.example"], "source": MARK})
    held = HoldRow("shop", "hld_1", 0, "winback", MARK, "delayed", NEVER, NEVER, b"record")
    await Holds(api.pool).add([held])
    assert (await api.ask("PUT", "/segments/poland", {"members": [MARK]})).status == 201
    tiers = {"kind": "PROMOTION", "name": MARK, "tiers": [{"id": "gold"}]}
    assert (await api.ask("PUT", "/campaigns/spring", tiers)).status == 201
    assert (await api.ask("PUT", "/templates/order", {"files": {"order.txt": MARK}})).status == 201
    async with Sends(api.pool).change() as change:
        to = Audience(kind="list")
        await change.add("shop", "send_1", "winback", to=to, when=When(), hold=timedelta(), actor=MARK)
    await Ledger(api.pool).pause_destination(Destination("shop", "email", "main"), "refused", MARK)
    await Notices(api.pool, nobody).open(codes_low("shop", MARK, 5, 100))
    await api.new_key("admin", name=MARK)
    somebody = NewUser("shop", f"{MARK}@shop.example", MARK, "viewer")
    made = await users.invite(Users(api.pool), somebody, os.urandom, actor=MARK)
    await user_links.choose_password(Users(api.pool), made.token, "hash")
    named = await api.ask("PUT", f"/accounts/email/{MARK}", {"host": "mail.shop.example", "sender": "a@shop.example"})
    assert named.status == 201, named.json
    described = parse_documents(f"project: shop\nname: {MARK}\n", "")
    planned = await projects.plan(api.pool, described, Settings(project_id="other"), NEVER)
    await projects.save(api.pool, planned, actor=MARK, now=NEVER)
    facts = DeadLetter(
        topic="events.orders", partition=0, offset=0, role="matcher", kind="undecodable", message=MARK, failed_at="now"
    )
    await write_all(api.server._kafka(), [Output(wiring.topic("dead-letters"), b"c1", b"{", 0, facts.headers())])
    before = await fingerprint(api)
    for table in (
        "campaigns",
        "distribution_versions",
        "segments",
        "sends",
        "suppressions",
        "holds",
        "named_template_versions",
        "paused_destinations",
        "notices",
        "projects",
        "api_keys",
        "accounts",
        "user_roles",
    ):
        assert MARK in before[table]
    for route in ROUTES:
        answer = await api.ask(*called(route), project="outlet")
        assert answer.status < 500, (route.name, answer.json)
        assert MARK.encode() not in answer.raw, route.name
    assert await fingerprint(api) == before
    assert on_topic(wiring, "events.orders")[1:] == [], "the event of the example alone"


# -- manners --------------------------------------------------------------------------------------------------------


async def test_an_unknown_address_and_method_are_problems(api: Api) -> None:
    nowhere = await api.ask("GET", "/nowhere")
    assert (nowhere.status, nowhere.headers["content-type"]) == (404, "application/problem+json")
    wrong = await api.ask("DELETE", "/distributions")
    assert (wrong.status, wrong.json["status"], set(wrong.headers["allow"].split(","))) == (405, 405, {"GET", "HEAD"})
    for answer in (nowhere, wrong):
        meaning = await api.ask("GET", answer.json["type"], key="")
        assert meaning.json["status"] == answer.status


BAD_BODIES: tuple[tuple[bytes, dict[str, str], int], ...] = (
    (b"", {}, 400),
    (b"\xff\xfe", {}, 400),
    (b"{", {}, 400),
    (b'{"a": 1, "a": 2}', {}, 400),
    (b"[" * 100_000, {}, 400),
    (b'{"priority": ' + b"9" * 30 + b"}", {}, 400),
    (b"[]", {}, 422),
    (b"7", {}, 422),
    (b'{"distribution": "other"}', {}, 422),
    (b'{"name": "a\\u0000b"}', {}, 422),
    (b"{}", {"content_type": "text/plain"}, 415),
    (b"{}", {"content_encoding": "gzip"}, 415),
    (b" " * (1024 * 1024 + 1), {}, 413),
)
BAD_ADDRESSES = (
    ("/distributions/%00", 422), ("/distributions/%FF", 404), ("/distributions/" + "x" * 300, 422),
    ("/distributions?limit=0", 422), ("/distributions?limit=1&limit=1", 422), ("/distributions?lmit=1", 422),
    ("/distributions?cursor=%00", 422), ("/distributions?cursor=AAAA", 422), ("/distributions?limit=1e9", 422),
    ("/distributions/a/versions?cursor=LTE", 404), ("/distributions/a/versions/9999999999999999999999", 422),
    ("/distributions/a/versions/1", 404), ("/distributions?limit=%ED%A0%80", 422),
)  # fmt: skip


async def test_a_bad_body_gets_a_problem(api: Api) -> None:
    for body, headers, status in BAD_BODIES:
        answer = await api.ask("PUT", "/distributions/thanks", body, **headers)
        assert (answer.status, answer.json["status"]) == (status, status), (body[:50], answer.json)
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_bad_address_gets_a_problem(api: Api) -> None:
    for path, status in BAD_ADDRESSES:
        answer = await api.ask("GET", path)
        assert (answer.status, answer.json["status"]) == (status, status), (path, answer.json)


async def test_a_document_that_is_not_valid_is_told_all_that_the_command_tells(api: Api) -> None:
    wrong = {**DOCUMENT, "chanels": [], "status": "LIFE", "channels": [{"webhook": {"url": 7}}]}
    answer = await api.ask("PUT", "/distributions/thanks", wrong)
    assert answer.status == 422
    found = {one["pointer"]: one for one in answer.json["errors"]}
    assert found["/status"]["nearest"] == "LIVE"
    assert found["/chanels"]["nearest"] == "channels"
    assert found["/status"]["given"] == '"LIFE"'
    assert "DRAFT" in found["/status"]["allowed"]
    assert "/channels/0/webhook/url" in found


async def test_a_request_id_is_carried_through(api: Api) -> None:
    mine = await api.ask("GET", "/distributions", x_request_id="trace-7")
    assert mine.headers["x-request-id"] == "trace-7"
    other = await api.ask("GET", "/nowhere", x_request_id="not ok!")
    assert other.headers["x-request-id"] == other.json["request_id"] != "not ok!"
    lines = [one for one in api.logged if one["event"] == "request"]
    assert [one["request_id"] for one in lines] == ["trace-7", other.json["request_id"]]
    assert lines[0]["route"] == "get_distributions"
    assert lines[0]["project"] == "shop"


async def test_a_key_may_ask_so_often(wiring: Wiring) -> None:
    async with running_api(wiring, requests_a_minute=3) as api:
        answers = [await api.ask("GET", "/distributions") for _ in range(4)]
        assert [one.status for one in answers] == [200, 200, 200, 429]
        assert [one.headers["ratelimit"].split(";")[1] for one in answers] == ["r=2", "r=1", "r=0", "r=0"]
        assert answers[0].headers["ratelimit-policy"] == '"key";q=3;w=60'
        assert 1 <= int(answers[3].headers["retry-after"]) <= 60
        assert (await api.ask("GET", "/distributions", role="viewer")).status == 200


async def test_who_sends_slowly_is_let_go_and_keeps_nobody_waiting(wiring: Wiring) -> None:
    async with running_api(wiring, body_seconds=2.0) as api:
        _, port = api.base.rsplit(":", 1)
        reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
        key = api.keys["shop", "admin"]
        head = f"PUT /api/v1/distributions/a HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n"
        writer.write(f"{head}content-type: application/json\r\ncontent-length: 100\r\n\r\n{{".encode())
        await writer.drain()
        assert (await api.ask("GET", "/distributions")).status == 200
        async with asyncio.timeout(60):
            answer = await reader.readuntil(b"\r\n")
        assert answer.startswith(b"HTTP/1.1 408 ")
        writer.close()


async def test_health_metrics_and_the_description_need_no_key(api: Api) -> None:
    await api.ask("GET", "/distributions")
    health = await api.ask("GET", "/healthz", key="")
    metrics = await api.ask("GET", "/metrics", key="")
    described = await api.ask("GET", "/openapi.json", key="")
    assert (health.status, described.json["openapi"]) == (200, "3.1.0")
    assert b'tidings_api_requests_total{route="get_distributions",status="200"} 1.0' in metrics.raw


# -- distributions --------------------------------------------------------------------------------------------------


async def test_a_distribution_is_applied_read_and_told_to_matchers(api: Api, wiring: Wiring) -> None:
    tried = await api.ask("PUT", "/distributions/thanks?dry_run=true", DOCUMENT)
    assert (tried.status, tried.json["plan"]) == (200, "new")
    assert (await api.ask("GET", "/distributions/thanks")).status == 404
    made = await applied(api)
    assert (made.status, made.headers["etag"], made.json["version"]) == (201, '"v1"', 1)
    same = await applied(api)
    assert (same.status, same.json["plan"], same.json["version"]) == (200, "unchanged", 1)
    changed = await applied(api, priority=7)
    assert (changed.json["plan"], changed.json["changes"]) == ("changed", ["priority: 0 → 7"])
    got = await api.ask("GET", "/distributions/thanks")
    assert (got.json["priority"], got.json["project_id"], got.headers["etag"]) == (7, "shop", '"v2"')
    assert (await api.ask("GET", "/distributions/thanks", if_none_match='"v2"')).status == 304
    told = on_topic(wiring, "distributions")
    assert [(one["id"], one["version"]) for one in told] == [("thanks", 1), ("thanks", 2)]
    by = await api.pool.fetchval("select applied_by from distribution_versions where version = 2")
    assert by.startswith("key:live-admin-")


async def test_what_has_changed_since_is_not_overwritten_and_the_difference_is_told(api: Api) -> None:
    await applied(api)
    await applied(api, priority=7)
    late = await api.ask("PUT", "/distributions/thanks", {**DOCUMENT, "name": "Mine"}, if_match='"v1"')
    assert (late.status, late.headers["etag"], late.json["changes"]) == (412, '"v2"', ["priority: 0 → 7"])
    fresh = await api.ask("PUT", "/distributions/thanks", {**DOCUMENT, "name": "Mine"}, if_match='"v2"')
    assert (fresh.status, fresh.json["version"]) == (200, 3)
    assert (await api.ask("PUT", "/distributions/thanks", DOCUMENT, if_none_match="*")).status == 412
    assert (await api.ask("PUT", "/distributions/other", DOCUMENT, if_match="*")).status == 412
    assert (await api.ask("POST", "/distributions/thanks/pause", if_match='"v1"')).status == 412


async def test_of_two_who_apply_at_once_one_version_each_is_kept_or_one_is_refused(api: Api) -> None:
    await applied(api)
    answers = await asyncio.gather(
        *(api.ask("PUT", "/distributions/thanks", {**DOCUMENT, "priority": n}, if_match='"v1"') for n in range(1, 9))
    )
    assert sorted(one.status for one in answers) == [200] + [412] * 7


async def test_who_may_write_but_not_set_live_writes_drafts(api: Api) -> None:
    live = await api.ask("PUT", "/distributions/thanks", DOCUMENT, role="editor")
    assert (live.status, live.json["permission"]) == (403, "distributions:set_live")
    draft = await api.ask("PUT", "/distributions/thanks", {**DOCUMENT, "status": "DRAFT"}, role="editor")
    assert (draft.status, draft.json["status"]) == (201, "DRAFT")
    assert (await api.ask("POST", "/distributions/thanks/live", role="editor")).status == 403
    assert (await api.ask("POST", "/distributions/thanks/live", role="approver")).json["status"] == "LIVE"
    over = await api.ask("PUT", "/distributions/thanks", {**DOCUMENT, "status": "DRAFT"}, role="editor")
    assert (over.status, over.json["permission"]) == (403, "distributions:set_live")


async def test_a_distribution_is_paused_resumed_and_stopped(api: Api, wiring: Wiring) -> None:
    await applied(api)
    tried = await api.ask("POST", "/distributions/thanks/pause?dry_run=true", role="operator")
    assert (tried.json["status"], tried.json["version"], tried.json["dry_run"]) == ("PAUSED", 2, True)
    paused = await api.ask("POST", "/distributions/thanks/pause", role="operator")
    again = await api.ask("POST", "/distributions/thanks/pause", role="operator")
    assert [one.json["version"] for one in (paused, again)] == [2, 2]
    resumed = await api.ask("POST", "/distributions/thanks/resume", role="operator")
    stopped = await api.ask("POST", "/distributions/thanks/stop", role="operator")
    assert [one.json["status"] for one in (resumed, stopped)] == ["LIVE", "STOPPED"]
    wrong = await api.ask("POST", "/distributions/thanks/resume", role="operator")
    assert (wrong.status, wrong.json["detail"]) == (409, "thanks is STOPPED: resume must be from PAUSED")
    told = [one["status"] for one in on_topic(wiring, "distributions")]
    assert told == ["LIVE", "PAUSED", "LIVE", "STOPPED"]


async def test_pages_lose_and_double_nothing_while_rows_are_added(api: Api) -> None:
    names = [f"d{number:02}" for number in range(7)]
    for name in names:
        await applied(api, name, status="DRAFT")
    seen: list[str] = []
    added = iter(["a-before", "z-behind"])
    async for page in api.pages("/distributions?limit=3"):
        seen += [one["id"] for one in page]
        for name in islice(added, 1):
            await applied(api, name, status="DRAFT")
    assert seen == [*names, "z-behind"]


async def test_versions_are_listed_and_read(api: Api) -> None:
    for priority in range(4):
        await applied(api, priority=priority)
    first = await api.ask("GET", "/distributions/thanks/versions?limit=3")
    rest = await api.ask("GET", f"/distributions/thanks/versions?limit=3&cursor={first.json['next']}")
    assert [one["version"] for one in first.json["items"] + rest.json["items"]] == [4, 3, 2, 1]
    one = await api.ask("GET", "/distributions/thanks/versions/2")
    assert one.json["definition"]["priority"] == 1
    assert '"priority":1' in one.json["source"]
    assert (await api.ask("GET", "/distributions/thanks/versions/9")).status == 404


async def test_a_document_is_validated_by_who_only_looks(api: Api) -> None:
    good = await api.ask("POST", "/distributions/validate", {**DOCUMENT, "distribution": "x"}, role="viewer")
    assert (good.status, good.json["plan"]) == (200, "new")
    bad = await api.ask("POST", "/distributions/validate", {**DOCUMENT, "distribution": "x y"}, role="viewer")
    assert (bad.status, bad.json["errors"][0]["pointer"]) == (422, "/distribution")
    assert (await api.ask("GET", "/distributions")).json["items"] == []


# -- the same request again -----------------------------------------------------------------------------------------


async def test_a_request_that_is_sent_again_gets_its_reply_and_is_done_once(api: Api) -> None:
    await applied(api)
    first = await api.ask("POST", "/distributions/thanks/pause", idempotency_key="k1")
    await api.ask("POST", "/distributions/thanks/resume")
    again = await api.ask("POST", "/distributions/thanks/pause", idempotency_key="k1")
    assert (again.status, again.raw, again.headers["etag"]) == (200, first.raw, first.headers["etag"])
    assert again.headers["idempotency-replayed"] == "true"
    assert (await api.ask("GET", "/distributions/thanks")).json["status"] == "LIVE"
    other = await api.ask("POST", "/distributions/thanks/stop", idempotency_key="k1")
    assert (other.status, other.json["type"]) == (409, "/api/v1/problems/key_reused")
    mine = await api.ask("POST", "/distributions/thanks/pause", idempotency_key="k1", role="operator")
    assert (mine.status, mine.json["status"]) == (200, "PAUSED")
    await api.pool.execute("update api_replies set begun_at = now() - interval '24 h 1 s'")
    assert (await api.ask("POST", "/distributions/thanks/stop", idempotency_key="k1")).json["status"] == "STOPPED"


async def test_what_was_refused_may_be_tried_again_with_its_key(api: Api) -> None:
    missing = await api.ask("POST", "/distributions/thanks/pause", idempotency_key="k1")
    assert missing.status == 404
    await applied(api)
    assert (await api.ask("POST", "/distributions/thanks/pause", idempotency_key="k1")).status == 200
    assert (await api.ask("POST", "/distributions/thanks/pause", idempotency_key="é")).status == 400


async def test_the_same_request_waits_while_it_is_under_way(api: Api) -> None:
    await applied(api)
    async with api.pool.acquire() as connection, connection.transaction():
        await connection.execute("lock table distribution_versions in access exclusive mode")
        under_way = asyncio.create_task(api.ask("POST", "/distributions/thanks/pause", idempotency_key="k1"))
        async with asyncio.timeout(60):
            while not await api.pool.fetchval("select count(*) from api_replies"):
                await asyncio.sleep(0.02)
        meanwhile = await api.ask("POST", "/distributions/thanks/pause", idempotency_key="k1")
    assert (meanwhile.status, meanwhile.json["type"]) == (409, "/api/v1/problems/in_flight")
    assert meanwhile.headers["retry-after"] == "1"
    assert (await under_way).status == 200


# -- events ---------------------------------------------------------------------------------------------------------


def paid(number: int, **changes: Any) -> dict[str, Any]:
    made = TRIGGERS["customer.order.paid"].sample(project_id="shop", event_id=f"ev_{number}")
    return {**made, "created_at": "2026-03-02T10:00:00Z", **changes}


async def test_one_event_or_many_are_on_their_topics_as_publish_writes_them(api: Api, wiring: Wiring) -> None:
    one = paid(1)
    del one["project_id"]
    first = await api.ask("POST", "/events", one, role="operator")
    many = await api.ask("POST", "/events", [paid(2), paid(3)], role="operator")
    tried = await api.ask("POST", "/events?dry_run=true", paid(4), role="operator")
    assert [(a.status, a.json["accepted"], a.json["topics"]) for a in (first, many, tried)] == [
        (202, 1, {"events.orders": 1}), (202, 2, {"events.orders": 2}), (200, 1, {"events.orders": 1}),
    ]  # fmt: skip
    told = on_topic(wiring, "events.orders")
    assert [(event["id"], event["project_id"]) for event in told] == [
        ("ev_1", "shop"),
        ("ev_2", "shop"),
        ("ev_3", "shop"),
    ]


async def test_of_events_with_wrong_ones_none_is_published_and_each_is_named(api: Api, wiring: Wiring) -> None:
    wrong = [
        paid(1), {**paid(2), "type": "customer.order.payed"}, 7, paid(3, data={}), paid(4, project_id="outlet"),
        paid(5, created_at="yesterday"), paid(6, id=""),
    ]  # fmt: skip
    answer = await api.ask("POST", "/events", wrong)
    assert answer.status == 422
    assert [one["pointer"].split("/")[1] for one in answer.json["errors"]] == ["1", "2", "3", "4", "5", "6"]
    assert answer.json["errors"][3]["pointer"] == "/4/project_id"
    huge = paid(1)
    huge["data"]["customer"]["metadata"] = {"note": "x" * 1_100_000}
    refused = await api.ask("POST", "/events", huge)
    assert (refused.status, "at most 1,048,576 are read" in str(refused.json["errors"])) == (422, True)
    assert answer.json["errors"][0]["pointer"] == "/1/type"
    many: list[dict[str, Any]] = [{}] * (MOST_EVENTS + 1)
    for body in (b"[]", msgspec.json.encode(many), b'"x"', b"null"):
        assert (await api.ask("POST", "/events", body)).status == 422
    assert (await api.ask("POST", "/events", b"[" * 90 + b"]" * 90)).status == 400
    assert on_topic(wiring, "events.orders") == []


async def test_events_of_a_key_are_of_its_project_alone(api: Api, wiring: Wiring) -> None:
    mine = paid(1)
    del mine["project_id"]
    assert (await api.ask("POST", "/events", mine, project="outlet")).status == 202
    assert (await api.ask("POST", "/events", paid(2), project="outlet")).status == 422
    with TopicReader(wiring, "events.orders") as reader:
        (message,) = list(reader.until_now())
        assert reader.decode(message)["project_id"] == "outlet"
    customer = paid(1)["data"]["customer"]["id"]
    assert message.key() == wiring.key("outlet", customer)


# -- the process ----------------------------------------------------------------------------------------------------


async def test_a_process_serves_the_keys_that_the_command_makes_until_it_is_told_to_stop(
    wiring: Wiring, tmp_path: Path
) -> None:
    environ = {**os.environ, **environment_of(wiring), "TIDINGS_DATA": str(tmp_path / "data")}

    def tidings(*arguments: str) -> str:
        command = [sys.executable, "-m", "console", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=240, check=True
        ).stdout

    made = json.loads(await asyncio.to_thread(tidings, "keys", "create", "ci", "--role", "viewer", "--json"))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "console", "api", cwd=ROOT, env=environ, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(90):
            base = (await process.stdout.readline()).decode().split()[-1]
        headers = {"authorization": f"Bearer {made['key']}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            async with session.get(f"{base}/distributions") as response:
                assert (response.status, await response.json()) == (200, {"items": [], "next": None})
            listed = await asyncio.to_thread(tidings, "keys", "list")
            assert "ci" in listed
            assert made["key"] not in listed
            await asyncio.to_thread(tidings, "keys", "revoke", "ci")
            async with session.get(f"{base}/distributions") as response:
                assert response.status == 401
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(90):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
