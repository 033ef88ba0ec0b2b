"""Approvals of sends to many, over the API and by the fan-out, on a real PostgreSQL and Kafka."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace as with_fields

from agents.broker.lag import Lag
from agents.broker.reader import TopicReader
from agents.roles.fan_out import FanOut
from agents.telemetry.metrics import Metrics
from agents.wiring import Wiring
from deploy.secret import Secret
from deploy.settings.servers import Postgres
from schemas.closed import ChannelName
from schemas.segment import SegmentDefinition
from store.distributions import Change, Control
from store.segments import Segments
from store.sends import Sends
from tests.factory import rule
from tests.integration.api_client import Answer, running_api
from tests.integration.test_api_sends import MANUAL, Shop, keep_rules, none_ahead

JOIN = (
    "insert into segment_memberships (project_id, customer_id, segment_id, is_member, number, since)"
    " select project_id, customer_id || $1, $2, is_member, number, since"
    " from segment_memberships where segment_id = 'vip' on conflict do nothing"
)
"""Customers enter a segment: those of another, or others of names like theirs."""
MEMBERS = [f"c{number}" for number in range(20)]


@pytest.fixture
async def shop(wiring: Wiring, dsn: str) -> AsyncIterator[Shop]:
    """Sends to more than ten have to be approved."""
    sends = replace(wiring.settings.sends, approve_above=10)
    async with running_api(Wiring(replace(wiring.settings, postgres=Postgres(dsn=Secret(dsn)), sends=sends))) as api:
        await keep_rules(api)
        made = Shop(api)
        await made.segment("vip", MEMBERS)
        yield made


async def draft(shop: Shop, **more: Any) -> str:
    return await shop.draft({"distribution": "spring", "to_segment": "vip", "hold": "0s", **more})


async def approval(shop: Shop, send: str) -> Any:
    return (await shop.ask("GET", f"/sends/{send}", role="viewer")).json["approval"]


async def approve(shop: Shop, send: str, role: str = "approver", **changes: Any) -> Answer:
    seen = await approval(shop, send)
    body = {"content": seen["content"], "audience": seen["audience"], **changes}
    return await shop.ask("POST", f"/sends/{send}/approve", body, role=role)


async def confirm(shop: Shop, send: str) -> Answer:
    return await shop.ask("POST", f"/sends/{send}/confirm", role="approver")


async def change_rule(shop: Shop, **changes: Any) -> None:
    channels = [{"email": {"account": "main", "subject": "Other", "text": "Hello"}}]
    made = rule(distribution="spring", **{**MANUAL, "channels": channels, "priority": 5, **changes})
    after = with_fields(made, version=2)
    await Control(shop.api.pool).save([Change(after, "", ())], applied_by="eve", now=datetime.now(UTC))


async def change_segment(shop: Shop, members: list[str], version: int = 2) -> None:
    made = SegmentDefinition(
        id="vip", project_id="shop", name="vip", version=version, members=members, updated_at=datetime.now(UTC)
    )
    await Segments(shop.api.pool).save([(made, "")], applied_by="eve", now=datetime.now(UTC))
    await shop.api.pool.execute("update segments set computed_version = version")


async def nothing_leaves(channels: Collection[ChannelName]) -> list[Lag]:
    return [Lag("matcher", "events.manual", 0, committed=0, end=10**6)]


async def work(shop: Shop, turns: int = 6) -> FanOut:
    wiring = Wiring(shop.api.server._wiring.settings)
    fan_out = FanOut(wiring, Sends(shop.api.pool), Metrics(), owner="one", ahead=none_ahead)
    for _ in range(turns):
        await shop.api.pool.execute("update sends set look_at = now() where look_at > now()")
        await fan_out.work()
    return fan_out


def sent(shop: Shop) -> list[str]:
    with TopicReader(shop.api.server._wiring, "events.manual") as reader:
        return sorted(reader.decode(message)["data"]["customer"]["id"] for message in reader.until_now())


async def waits_for(shop: Shop, send: str) -> str:
    return str((await shop.ask("GET", f"/sends/{send}")).json["send"]["waits_for"])


# -- confirming -----------------------------------------------------------------------------------------------------


async def test_a_send_to_many_is_confirmed_once_another_has_approved_it(shop: Shop) -> None:
    send = await draft(shop)
    refused = await confirm(shop, send)
    problem = refused.json
    assert (refused.status, problem["type"], problem["permission"]) == (
        409, "/api/v1/problems/approval_needed", "sends:approve",
    )  # fmt: skip
    assert "goes to 20 customers, and above 10" in problem["detail"]
    assert "role approver or admin who is not key:live-editor-" in problem["detail"]
    assert (await approve(shop, send, "editor")).json["permission"] == "sends:approve"
    done = await approve(shop, send)
    assert (done.status, done.json["approval"]["is_given"]) == (200, True), done.json
    assert (await confirm(shop, send)).json["send"]["status"] == "TO SEND"
    await work(shop)
    assert sent(shop) == sorted(MEMBERS)
    (row,) = (await shop.ask("GET", "/audit?action=send.approved")).json["items"]
    assert (row["thing"], row["actor"].startswith("key:live-approver-")) == (send, True)
    assert "20 customers, content " in row["change"]["detail"]


async def test_a_send_to_few_needs_none_and_a_project_without_the_setting_asks_for_none(shop: Shop) -> None:
    few = await draft(shop, to_segment=None, to_customers=MEMBERS[:10])
    seen = await approval(shop, few)
    assert (seen["is_needed"], seen["above"]) == (False, 10)
    assert (await confirm(shop, few)).status == 200


async def test_nobody_approves_what_they_drew_up_or_edited(shop: Shop) -> None:
    mine = await shop.ask("POST", "/sends", {"distribution": "spring", "to_segment": "vip"}, role="approver")
    send = mine.json["send"]["send"]
    own = await approve(shop, send)
    assert (own.status, "wrote" in own.json["detail"]) == (409, True)
    theirs = await draft(shop)
    await shop.ask("POST", f"/sends/{theirs}/edit", {"hold": "1h"}, role="approver")
    assert (await approve(shop, theirs)).status == 409
    assert (await approve(shop, theirs, "admin")).status == 200


async def test_what_is_approved_is_what_was_shown(shop: Shop) -> None:
    send = await draft(shop)
    seen = await approval(shop, send)
    await change_rule(shop)
    path, body = f"/sends/{send}/approve", {"content": seen["content"], "audience": 20}
    other = await shop.ask("POST", path, body, role="approver")
    assert (other.status, "not what you were shown" in other.json["detail"]) == (409, True)
    grown = await approve(shop, send, audience=10)
    assert (grown.status, "goes to 20 customers by now" in grown.json["detail"]) == (409, True)
    tried = await approval(shop, send)
    dry = await shop.ask("POST", f"{path}?dry_run=true", {"content": tried["content"], "audience": 20}, role="approver")
    assert (dry.json["dry_run"], dry.json["approval"]["is_given"]) == (True, True)
    assert (await approval(shop, send))["is_given"] is False


# -- what voids it --------------------------------------------------------------------------------------------------


async def edited(shop: Shop, send: str) -> None:
    await shop.ask("POST", f"/sends/{send}/edit", {"hold": "0s", "restart": True}, role="editor")


async def with_another_text(shop: Shop, send: str) -> None:
    await change_rule(shop)


async def with_another_segment(shop: Shop, send: str) -> None:
    await change_segment(shop, [*MEMBERS, "c99"])


async def grown(shop: Shop, send: str) -> None:
    await shop.api.pool.execute(JOIN, "x", "vip")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (edited, "the send itself was changed"),
        (with_another_text, "distribution spring was changed"),
        (with_another_segment, "segment vip was changed"),
        (grown, "it goes to 40, approved were 20"),
    ],
)
async def test_a_change_after_its_approval_holds_a_send_until_it_is_approved_anew(
    shop: Shop, change: Any, said: str
) -> None:
    send = await draft(shop)
    await approve(shop, send)
    assert (await confirm(shop, send)).status == 200
    await change(shop, send)
    await work(shop)
    assert sent(shop) == []
    assert said in await waits_for(shop, send)
    seen = await approval(shop, send)
    assert (seen["is_given"], any(said in one for one in seen["changes"])) == (False, True)
    assert (await approve(shop, send)).status == 200
    await work(shop)
    assert len(sent(shop)) >= len(MEMBERS)


async def test_a_send_to_few_that_grows_in_its_hold_needs_one_as_well(shop: Shop) -> None:
    await shop.segment("few", MEMBERS[:2])
    send = await draft(shop, to_segment="few")
    assert (await confirm(shop, send)).status == 200
    await shop.api.pool.execute(JOIN, "", "few")
    await work(shop)
    assert sent(shop) == []
    assert await waits_for(shop, send) == "an approval: it goes to 20, more than 10"


async def test_a_segment_that_is_changed_while_it_is_sent_to_stops_the_rest(shop: Shop) -> None:
    send = await draft(shop)
    await approve(shop, send)
    await confirm(shop, send)
    await shop.api.pool.execute("update sends set look_at = now()")
    fan_out = FanOut(shop.api.server._wiring, Sends(shop.api.pool), Metrics(), owner="one", ahead=nothing_leaves)
    await fan_out.work()  # it has begun, and nobody is sent to yet
    await change_segment(shop, [*MEMBERS, "c99"])
    await work(shop)
    assert sent(shop) == []
    assert "segment vip, which was changed since it began" in await waits_for(shop, send)
    await change_segment(shop, MEMBERS, 3)
    await work(shop)
    assert sent(shop) == sorted(MEMBERS)


async def test_a_confirmed_send_whose_approval_was_voided_is_not_confirmed_again_without_one(shop: Shop) -> None:
    send = await draft(shop)
    await approve(shop, send)
    await change_rule(shop)
    refused = await confirm(shop, send)
    assert refused.json["changes"] == ["distribution spring was changed", "a template of spring was changed"]
