"""Manual sends over the API, on a real PostgreSQL, and to Kafka by a real fan-out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import pytest

from agents.broker.lag import Lag
from agents.broker.reader import TopicReader
from agents.roles.fan_out import FanOut
from agents.telemetry.metrics import Metrics
from agents.wiring import Wiring
from deploy.secret import Secret
from deploy.settings.servers import Postgres
from deploy.settings.settings import Settings
from schemas.closed import ChannelName
from schemas.formats.cursors import write_cursor
from store.distributions import Change, Control
from store.segments import Segments
from store.sends import Sends
from tests.factory import rule
from tests.integration.api_client import Answer, Api, running_api
from tests.integration.test_sends import put_segment

MANUAL: Any = {
    "trigger": "manual_distribution_schedule",
    "when": None,
    "channels": [{"email": {"account": "main", "subject": "Spring", "text": "Hello"}}],
}
TO_TWO: dict[str, Any] = {"distribution": "spring", "to_customers": ["c1", "c2", "c1"]}


@dataclass
class Shop:
    """The API of a project that has one distribution to send by hand."""

    api: Api

    async def ask(self, method: str, path: str, body: Any = None, **more: Any) -> Answer:
        return await self.api.ask(method, path, body, **more)

    async def draft(self, body: dict[str, Any] | None = None, **changes: Any) -> str:
        answer = await self.ask("POST", "/sends", {**(body or TO_TWO), **changes}, role="editor")
        assert answer.status == 201, answer.json
        return str(answer.json["send"]["send"])

    async def status(self, send: str) -> str:
        return str((await self.ask("GET", f"/sends/{send}")).json["send"]["status"])

    async def segment(self, identity: str, members: Collection[str], *, is_complete: bool = True) -> None:
        await put_segment(self.api.pool, identity, members)
        if is_complete:
            await self.api.pool.execute("update segments set computed_version = version")


@pytest.fixture
async def shop(settings: Settings, dsn: str) -> AsyncIterator[Shop]:
    async with running_api(Wiring(replace(settings, postgres=Postgres(dsn=Secret(dsn))))) as api:
        await keep_rules(api)
        yield Shop(api)


async def keep_rules(api: Api) -> None:
    rules = [rule(distribution="spring", **MANUAL), rule(distribution="summer", status="PAUSED", **MANUAL), rule()]
    await Control(api.pool).save([Change(one, "", ()) for one in rules], applied_by="ann", now=datetime.now(UTC))


# -- the way of a send ----------------------------------------------------------------------------------------------


async def test_a_send_goes_from_its_draft_to_its_stop_by_those_who_may(shop: Shop) -> None:
    made = await shop.ask("POST", "/sends", {**TO_TWO, "hold": "30m"}, role="editor")
    assert made.status == 201, made.json
    send = made.json["send"]
    assert (made.status, send["status"], send["audience"], send["hold"]) == (201, "DRAFT", 2, "30m")
    path = f"/sends/{send['send']}"
    assert (await shop.ask("POST", f"{path}/confirm", role="editor")).json["permission"] == "sends:confirm"
    count = await shop.ask("GET", f"{path}/count", role="viewer")
    assert count.json == {"send": send["send"], "audience": 2, "is_complete": True}
    confirmed = (await shop.ask("POST", f"{path}/confirm", role="approver")).json["send"]
    assert (confirmed["status"], confirmed["starts_at"] > confirmed["confirmed_at"]) == ("TO SEND", True)
    for verb, status in (("pause", "PAUSED"), ("resume", "TO SEND"), ("stop", "STOPPED")):
        done = await shop.ask("POST", f"{path}/{verb}", role="operator")
        assert (done.status, done.json["send"]["status"]) == (200, status)
    assert (done.json["gone"], done.json["canceled"]) == (0, 0)
    shown = (await shop.ask("GET", path, role="viewer")).json
    assert shown["progress"] == {"sent": 0, "under_way": 0, "waiting": 0, "failed": 0, "held": 0}
    said = [(one["action"], one["actor"].partition("-")[0]) for one in shown["actions"]]
    assert said == [(one, "key:live") for one in ("draft", "confirm", "pause", "resume", "stop")]
    again = await shop.ask("POST", f"{path}/stop")
    assert (again.status, "is STOPPED and cannot be stopped" in again.json["detail"]) == (409, True)


async def test_a_send_is_edited_and_confirmed_anew_for_others(shop: Shop) -> None:
    await shop.segment("vip", ["c1", "c2", "c3"])
    path = f"/sends/{await shop.draft()}"
    await shop.ask("POST", f"{path}/confirm")
    later = await shop.ask("POST", f"{path}/edit", {"at": "2999-01-01T09:00", "customer_zone": True, "hold": "1h"})
    edited = later.json["send"]
    assert (edited["status"], edited["local_time"], edited["hold"]) == ("TO SEND", "2999-01-01T09:00:00", "1h")
    assert edited["starts_at"] == "2998-12-31T19:00:00Z"
    others = (await shop.ask("POST", f"{path}/edit", {"to_segment": "vip"})).json["send"]
    assert (others["status"], others["to_segment"], others["audience"], others["local_time"]) == (
        "DRAFT", "vip", 3, "2999-01-01T09:00:00",
    )  # fmt: skip
    actions = (await shop.ask("GET", path)).json["actions"]
    assert actions[-1]["detail"] == "to a list → vip"


async def test_a_send_to_a_condition_counts_once_its_segment_is_complete(shop: Shop) -> None:
    kept = await shop.draft(
        {"distribution": "spring", "where": {"customer.metadata.country": "PL"}, "save_as": "poles"}
    )
    count = await shop.ask("GET", f"/sends/{kept}/count")
    assert (count.json["audience"], count.json["is_complete"]) == (0, False)
    assert (await shop.ask("POST", f"/sends/{kept}/confirm")).json["send"]["starts_at"] is None
    twice = await shop.ask(
        "POST", "/sends", {"distribution": "spring", "where": {"customer.id": "c1"}, "save_as": "poles"}
    )
    assert (twice.status, "segment poles exists already" in twice.json["detail"]) == (409, True)


async def test_a_dry_run_says_what_would_come_and_keeps_nothing(shop: Shop) -> None:
    await shop.segment("vip", ["c1"])
    where = {"distribution": "spring", "where": {"customer.id": "c1"}, "save_as": "one"}
    for body, audience in ((TO_TWO, 2), ({"distribution": "spring", "to_segment": "vip"}, 1), (where, 0)):
        tried = await shop.ask("POST", "/sends?dry_run=true", body, role="editor")
        assert (tried.status, tried.json["dry_run"], tried.json["send"]["audience"]) == (200, True, audience)
    assert (await shop.ask("GET", "/sends")).json["items"] == []
    assert await Segments(shop.api.pool).ids("shop") == ["vip"]
    send = await shop.draft()
    changes: tuple[tuple[str, str, Any], ...] = (
        ("confirm", "TO SEND", None), ("edit", "DRAFT", {"to_segment": "vip"}),
    )  # fmt: skip
    for verb, status, change in changes:
        tried = await shop.ask("POST", f"/sends/{send}/{verb}?dry_run=true", change)
        assert (tried.json["dry_run"], tried.json["send"]["status"]) == (True, status)
        assert await shop.status(send) == "DRAFT"
    await shop.ask("POST", f"/sends/{send}/confirm")
    for verb, status in (("pause", "PAUSED"), ("stop", "STOPPED")):
        tried = await shop.ask("POST", f"/sends/{send}/{verb}?dry_run=true")
        assert (tried.json["dry_run"], tried.json["send"]["status"]) == (True, status)
        assert await shop.status(send) == "TO SEND"
    shown = (await shop.ask("GET", f"/sends/{send}")).json
    assert [one["action"] for one in shown["actions"]] == ["draft", "confirm"]
    assert shown["send"]["to_segment"] is None
    assert await Sends(shop.api.pool).count("shop", send) == (2, True)


async def test_a_draft_that_is_posted_again_with_its_key_is_one_send(shop: Shop) -> None:
    first = await shop.ask("POST", "/sends", TO_TWO, idempotency_key="monday")
    again = await shop.ask("POST", "/sends", TO_TWO, idempotency_key="monday")
    assert (again.raw, again.headers["idempotency-replayed"]) == (first.raw, "true")
    path = f"/sends/{first.json['send']['send']}"
    once = await shop.ask("POST", f"{path}/confirm", idempotency_key="go")
    twice = await shop.ask("POST", f"{path}/confirm", idempotency_key="go")
    third = await shop.ask("POST", f"{path}/confirm")
    assert (once.status, twice.raw, third.status) == (200, once.raw, 409)
    assert len((await shop.ask("GET", "/sends")).json["items"]) == 1


# -- lists ----------------------------------------------------------------------------------------------------------


async def test_sends_are_listed_newest_first_by_pages_and_by_status(shop: Shop) -> None:
    made = [await shop.draft() for _ in range(7)]
    for send in made[:2]:
        await shop.ask("POST", f"/sends/{send}/confirm")
    await shop.api.pool.execute("update sends set created_at = '2026-01-01' where send_id = any($1)", made[:4])
    seen: list[str] = []
    added = iter([1])
    async for page in shop.api.pages("/sends?limit=3", role="viewer"):
        seen += [one["send"] for one in page]
        for _ in islice(added, 1):
            await shop.draft()
    assert seen == [*reversed(made[4:]), *sorted(made[:4], reverse=True)]
    held = (await shop.ask("GET", "/sends?status=TO%20SEND")).json["items"]
    assert {one["send"] for one in held} == set(made[:2])
    wrong = await shop.ask("GET", "/sends?status=SENT")
    assert (wrong.status, wrong.json["errors"][0]["parameter"]) == (422, "status")
    assert "TO SEND" in wrong.json["errors"][0]["allowed"]


@pytest.mark.parametrize(
    "key", [[1], "x", ["2026-01-01T00:00:00", "a"], ["2026-01-01T00:00:00Z", 7], ["2026-01-01T00:00:00Z", "\0"]],
    ids=str,
)  # fmt: skip
async def test_a_cursor_that_nobody_gave_is_a_problem(shop: Shop, key: Any) -> None:
    assert (await shop.ask("GET", f"/sends?cursor={write_cursor(key)}")).status == 422


# -- what is refused ------------------------------------------------------------------------------------------------

WRONG: tuple[tuple[dict[str, Any], str, str], ...] = (
    ({}, "/to_customers", "is missing: say to whom"),
    ({"to_customers": []}, "/to_customers", ""),
    ({"to_customers": ["c1", ""]}, "/to_customers/1", ""),
    ({"to_customers": ["c1", 7]}, "/to_customers/1", ""),
    ({"to_customers": ["c1", "a\0b", "c\x1fd"]}, "/to_customers/1", "U+0000"),
    ({"to_customers": ["c1", "x" * 257]}, "/to_customers/1", ""),
    ({"to_customers": ["c1"], "to_segment": "vip"}, "/to_segment", "stands beside to_customers"),
    ({"to_customers": ["c1"], "save_as": "x"}, "/save_as", "missing"),
    ({"to_costumers": ["c1"]}, "/to_costumers", 'Did you mean "to_customers"'),
    ({"where": {"customer.metadata.x": {"biger": 1}}}, "/where/customer.metadata.x/biger", "is not a test"),
    ({"where": {}, "save_as": "a b"}, "/save_as", "is not valid"),
    ({"to_customers": ["c1"], "at": "soon"}, "/at", '"soon" is not valid'),
    ({"to_customers": ["c1"], "at": "2020-01-01"}, "/at", "is past"),
    ({"to_customers": ["c1"], "at": "2999-01-01T09:00Z", "customer_zone": True}, "/at", "names a zone"),
    ({"to_customers": ["c1"], "at": "9999-12-31T23:00", "customer_zone": True}, "/at", ""),
    ({"to_customers": ["c1"], "at": "0001-01-01T01:00", "customer_zone": True}, "/at", ""),
    ({"to_customers": ["c1"], "at": "0001-01-01T01:00"}, "/at", "is past"),
    ({"to_customers": ["c1"], "customer_zone": True}, "/at", "is missing"),
    ({"to_customers": ["c1"], "hold": "soon"}, "/hold", "not a duration"),
)


async def test_a_draft_that_is_not_valid_says_where_and_what_would_be_right(shop: Shop) -> None:
    for body, pointer, said in WRONG:
        answer = await shop.ask("POST", "/sends", {"distribution": "spring", **body}, role="editor")
        assert answer.status == 422, (body, answer.json)
        assert answer.json["errors"][0]["pointer"] == pointer, (body, answer.json)
        assert said in answer.json["errors"][0]["detail"], (body, answer.json)
    assert (await shop.ask("GET", "/sends")).json["items"] == []


REFUSED = (
    ({**TO_TWO, "distribution": "sprin"}, 404, 'Did you mean "spring"'),
    ({**TO_TWO, "distribution": "summer"}, 409, "summer is PAUSED: nothing of it would be sent"),
    ({**TO_TWO, "distribution": "thanks"}, 409, "reacts to customer.order.paid by itself"),
    ({"distribution": "spring", "to_segment": "vip"}, 404, 'no segment "vip"'),
)


async def test_a_draft_that_does_not_fit_is_refused(shop: Shop) -> None:
    for body, status, said in REFUSED:
        answer = await shop.ask("POST", "/sends", body)
        assert (answer.status, said in answer.json["detail"]) == (status, True), answer.json
    nothing = await shop.ask("POST", f"/sends/{await shop.draft()}/edit", {})
    assert (nothing.status, "that is to change" in nothing.json["errors"][0]["detail"]) == (422, True)
    missing = await shop.ask("POST", "/sends/send_0/stop")
    assert (missing.status, missing.json["type"]) == (404, "/api/v1/problems/not_found")


# -- to Kafka -------------------------------------------------------------------------------------------------------


async def none_ahead(channels: Collection[ChannelName]) -> list[Lag]:
    return [Lag("matcher", "events.manual", 0, committed=0, end=0)]


async def test_what_was_confirmed_over_the_api_is_sent_when_its_time_comes(wiring: Wiring, dsn: str) -> None:
    mine = Wiring(replace(wiring.settings, postgres=Postgres(dsn=Secret(dsn))))
    async with running_api(mine) as api:
        await keep_rules(api)
        shop = Shop(api)
        now, later = await shop.draft(hold="0s"), await shop.draft(at="2999-01-01T09:00")
        for send in (now, later):
            assert (await api.ask("POST", f"/sends/{send}/confirm", role="approver")).status == 200
        fan_out = FanOut(mine, Sends(api.pool), Metrics(), owner="one", ahead=none_ahead)
        for _ in range(10):
            await api.pool.execute("update sends set look_at = now() where look_at > now()")
            await fan_out.work()
        assert [await shop.status(send) for send in (now, later)] == ["DONE", "TO SEND"]
        with TopicReader(mine, "events.manual") as reader:
            events = [reader.decode(message) for message in reader.until_now()]
        assert sorted(one["data"]["customer"]["id"] for one in events) == ["c1", "c2"]
