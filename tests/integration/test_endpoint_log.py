"""The log of endpoints: what senders keep of their calls, for how long, and of whom no more."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from channels.fakes.http import Reply
from channels.fakes.webhook import WebhookReceiver
from console.control.endpoint_log import newest
from console.control.not_found import NotFound
from deploy.settings.settings import Settings
from schemas.record_key import Keyed
from store.erasure import Erasure
from store.retention import Retention
from store.sending.endpoint_calls import MOST_ACCEPTED, MOST_OTHERS, EndpointCalls, LoggedCall, NewCall
from tests.integration.test_providers import Running, receiver, running, until, webhooks
from tests.integration.test_webhook_trial import Run, run

__all__ = ["receiver", "run"]

HOST = "hooks.example.com"
NOW = datetime.now(UTC)


def call(
    number: int, *, accepted: bool = False, customer: str = "c1", project: str = "shop", **changed: Any
) -> NewCall:
    made = NewCall(
        project, HOST, accepted, f"dlv_{number}", customer, NOW - timedelta(minutes=5), 1, 0.5, 12,
        "accepted" if accepted else "deferred", "HTTP 503", '{"url": "x"}', None,
    )  # fmt: skip
    return replace(made, **changed)


async def kept(pool: asyncpg.Pool, project: str = "shop", **asked: Any) -> list[LoggedCall]:
    return await EndpointCalls(pool).newest(project, HOST, 1000, **asked)


async def test_each_attempt_of_a_delivery_is_there_with_what_was_asked_and_answered(
    settings: Settings, pool: asyncpg.Pool, receiver: WebhookReceiver, run: Run
) -> None:
    receiver.replies += [
        Reply(503, headers=(("retry-after", "1"), ("x-request-id", "r1")), body=b"busy with /hook?token=s3cret-token"),
        Reply(200, body=b"thanks"),
    ]
    (made,) = webhooks(1, f"{receiver.url}?token=s3cret-token")
    async with running(settings, pool) as sender:
        await sender.take([made])

        async def is_logged() -> bool:
            return len(await EndpointCalls(pool).newest("shop", made.account, 9)) == 2

        await until(is_logged)
    shown = await run("webhooks", "log", receiver.url, "--json")
    assert shown.exit_code == 0, shown.output
    late, early = (json.loads(line) for line in shown.stdout.splitlines())
    assert [(one["attempt"], one["outcome"], one["detail"]) for one in (late, early)] == [
        (2, "accepted", "HTTP 200"), (1, "deferred", "HTTP 503"),
    ]  # fmt: skip
    assert (early["delivery_id"], early["reply"]["status"]) == (made.delivery_id, 503)
    assert early["reply"]["headers"] | {"date": ""} == early["reply"]["headers"] | {
        "date": "", "retry-after": "1", "x-request-id": "r1",
    }  # fmt: skip
    assert (early["reply"]["body"], late["reply"]["body"]) == ("busy with /hook?token=[secret]", "thanks")
    assert early["request"]["url"] == f"{receiver.url}?token=…"
    assert json.loads(early["request"]["body"])["data"]["order"]["id"] == made.data["order"]["id"]
    assert {"webhook-id", "webhook-signature", "x-team"} <= set(early["request"]["headers"])
    assert timedelta(seconds=0) <= datetime.fromisoformat(late["at"]) - datetime.fromisoformat(early["at"])
    dump = repr([tuple(row) for row in await pool.fetch("select * from endpoint_calls")])
    assert ("s3cret" in dump, "v1," in dump) == (False, False)
    for words, expected in (
        ((), "HTTP 503"),
        (("--whole",), "busy with"),
        (("--refused", "--delivery", "dlv_0"), "503"),
    ):
        assert expected in (await run("webhooks", "log", f"webhook/{made.account}", *words)).stdout
    assert "HTTP 200" not in (await run("webhooks", "log", made.account, "--refused")).stdout


async def test_an_endpoint_that_is_gone_is_not_asked_again_and_a_redirect_is_not_followed(
    settings: Settings, pool: asyncpg.Pool, receiver: WebhookReceiver
) -> None:
    receiver.replies += [Reply(302, headers=(("location", receiver.url),)), Reply(410)]
    first, second, third = webhooks(3, receiver.url)
    async with running(settings, pool) as sender:
        for one in (first, second):
            await sender.take([one])
            await until(lambda one=one: _is_over(sender, one.delivery_id))  # type: ignore[misc]
        await sender.take([third])

        async def is_held() -> bool:
            (row,) = await pool.fetch("select reason, kind from paused_destinations")
            return row["kind"] == "gone" and (await sender.counts()) == {"failed": 2, "waiting": 1}

        await until(is_held)
    assert sum(receiver.tried.values()) == 2
    assert [one.outcome for one in await EndpointCalls(pool).newest("shop", first.account, 9)] == ["gone", "refused"]


async def _is_over(sender: Running, identity: str) -> bool:
    row = await sender.ledger.delivery(identity)
    return row is not None and row["state"] == "failed"


async def test_the_newest_are_kept_and_failures_are_not_pushed_out_by_what_is_accepted(pool: asyncpg.Pool) -> None:
    store = EndpointCalls(pool)
    for first in range(0, 150, 50):
        await store.add([call(first + number) for number in range(50)])
        await store.add([call(first + number, accepted=True) for number in range(50)])
    found = await kept(pool)
    accepted = [one.delivery_id for one in found if one.outcome == "accepted"]
    others = [one.delivery_id for one in found if one.outcome != "accepted"]
    assert accepted == [f"dlv_{number}" for number in range(149, 149 - MOST_ACCEPTED, -1)]
    assert others == [f"dlv_{number}" for number in range(149, 149 - MOST_OTHERS, -1)]
    assert len(await kept(pool, is_refused=True)) == MOST_OTHERS
    assert [one.outcome for one in await kept(pool, delivery="dlv_149")] == ["accepted", "deferred"]
    await store.add([call(1, project="outlet"), call(2, endpoint="other.example")])
    assert (len(await kept(pool)), len(await kept(pool, "outlet"))) == (MOST_ACCEPTED + MOST_OTHERS, 1)
    with pytest.raises(NotFound, match='Did you mean "hooks.example.com"'):
        await newest(store, "shop", "hook.example.com", 5, delivery=None, is_refused=False)


async def test_an_erased_customer_is_in_it_no_more_whenever_the_call_is_told(pool: asyncpg.Pool) -> None:
    store, erasure = EndpointCalls(pool), Erasure(pool)
    await store.add([call(1), call(2, customer="c2"), call(3, project="outlet")])
    await erasure.note({Keyed("shop", "c1"): NOW})
    assert [one.delivery_id for one in await kept(pool)] == ["dlv_2"]
    assert [one.delivery_id for one in await kept(pool, "outlet")] == ["dlv_3"]
    await store.add([call(4), call(5, arrived_at=NOW + timedelta(hours=1))])  # late; and of one who came back
    assert [one.delivery_id for one in await kept(pool)] == ["dlv_5", "dlv_2"]
    await pool.execute(
        "update endpoint_calls set customer_id = 'c1' where delivery_id = 'dlv_2'"
    )  # as if told meanwhile
    assert (await Retention(pool, timedelta(days=90)).tidy())["calls"] == 1
    assert [one.delivery_id for one in await kept(pool)] == ["dlv_5"]


async def test_it_goes_with_time_and_never_outlives_deliveries(pool: asyncpg.Pool) -> None:
    days = 86_400.0
    await EndpointCalls(pool).add([call(0, age=8 * days), call(1, age=3 * days), call(2)])
    await Retention(pool, timedelta(days=90)).tidy()
    assert [one.delivery_id for one in await kept(pool)] == ["dlv_2", "dlv_1"]
    await pool.execute("delete from chores")  # as if time had passed since
    await Retention(pool, timedelta(days=1)).tidy()
    assert [one.delivery_id for one in await kept(pool)] == ["dlv_2"]
