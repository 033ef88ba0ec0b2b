"""Content of a database of an earlier version that is brought to this one."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import asyncpg
import msgspec
import pytest

from schemas.campaign import Campaign, Code, campaign_object, publication_object, voucher_object
from schemas.closed import HoldKind
from store import migrate as migrating
from store.codes.claims import Claim, Published
from store.codes.pool import Codes
from store.postgres import connect
from store.retention import Retention
from store.sending.deliveries import Deliveries, DeliveryFilter
from store.sending.ledger import Ledger
from tests.factory import NOW
from tests.integration.test_store import announce, claim, due, new, settlement

END = NOW + timedelta(days=30)
SPRING = Campaign(
    id="spring", project_id="shop", version=1, name="Spring", kind="GIFT_VOUCHERS", type="STATIC", created_at=NOW,
    gift=500, low_water=1,
)  # fmt: skip
JO = {"id": "c1", "source_id": "s1", "name": "Jö", "metadata": {"b": 1, "a": [None]}, "object": "customer"}


async def earlier(dsn: str, folder: Path, monkeypatch: pytest.MonkeyPatch, last: int) -> asyncpg.Pool:
    """A pool on a database as it was when migration `last` was the last."""
    pool = await connect(dsn)
    for file in sorted(migrating.FOLDER.glob("*.sql"))[:last]:
        shutil.copy(file, folder)
    with monkeypatch.context() as before:
        before.setattr(migrating, "FOLDER", folder)
        await migrating.migrate(pool, "shop")
    return pool


async def test_a_publication_of_version_0_3_is_answered_with_the_objects_that_it_had(
    empty_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = await earlier(empty_dsn, tmp_path, monkeypatch, last=5)
    code = Code(code="A", created_at=NOW, expiration_date=END, value=70, metadata={"y": 1.5, "z": "é"})
    voucher = voucher_object(SPRING, code, "c1", NOW)
    publication = publication_object(
        publication_id="pub_1", customer=JO, customer_id="c1", distribution_id="d", channel="Dashboard",
        voucher_id=voucher["id"], now=NOW,
    )  # fmt: skip
    await _as_0_3_kept_it(pool, publication, voucher)

    assert "0009_what_publications_are_made_of" in await migrating.migrate(pool, "shop")
    asked = Claim("pub_1", "shop", "spring", "c1", {"id": "c1", "name": "renamed"}, "d", "e1", "Automation")
    other = Claim("pub_2", "shop", "spring", "c2", JO, "d", "e2", "Automation")
    [again, next_] = await Codes(pool).claim([asked, other], NOW + timedelta(hours=1))
    assert isinstance(again, Published) and isinstance(next_, Published)
    assert str((again.publication, again.voucher)) == str((publication, voucher))
    assert (again.campaign, again.event_id, again.is_new) == (campaign_object(SPRING), "e1", False)
    assert next_.voucher["code"] == "C", "B is out of its dates"
    assert [(one.expired, one.free) for one in await Codes(pool).counts("shop", END)] == [(1, 0)]
    await pool.close()


async def _as_0_3_kept_it(pool: asyncpg.Pool, publication: dict[str, object], voucher: dict[str, object]) -> None:
    """Three codes of which the first is published and the second was too late."""
    definition, sent = (msgspec.json.encode(one).decode() for one in (SPRING, campaign_object(SPRING)))
    key = await pool.fetchval(
        "insert into campaigns (project_id, id, version, definition, next_position, head, total, published)"
        " values ('shop', 'spring', 1, $1, 4, 2, 3, 1) returning key",
        definition,
    )
    await pool.execute("insert into campaign_versions values ($1, 1, $2, $3, '', 'me', $4)", key, definition, sent, NOW)
    rows: list[tuple[str, datetime | None, int | None, str, str | None]] = [
        ("A", END, 70, '{"z": "é", "y": 1.5}', "pub_1"), ("B", NOW, None, "{}", None), ("C", None, None, "{}", None),
    ]  # fmt: skip
    for position, (code, end, value, metadata, taken) in enumerate(rows, 1):
        await pool.execute(
            "insert into codes (campaign_key, position, project_id, code, active, expiration_date, value, metadata,"
            " created_at, publication_id) values ($1, $2, 'shop', $3, true, $4, $5, $6, $7, $8)",
            key, position, code, end, value, metadata, NOW, taken,
        )  # fmt: skip
    await pool.execute(
        "insert into publications values ('pub_1', $1, 1, 1, 'c1', 'd', 'e1', $2, $3, $4)",
        key, msgspec.json.encode(publication).decode(), msgspec.json.encode(voucher).decode(), NOW,
    )  # fmt: skip


LEASE = timedelta(seconds=60)
KNOWN = {
    "free": ("waiting", "now()", "null", "null", 0, False),
    "tried": ("waiting", "now()", "null", "null", 1, False),
    "later": ("waiting", "now() + interval '1 day'", "null", "null", 1, False),
    "leased": ("waiting", "now()", "'other'", "null", 0, False),
    "untold": ("recovered", "now()", "null", "now() - interval '1 hour'", 2, False),
    "undated": ("sent", "now()", "null", "null", 0, False),
    "sent": ("sent", "now()", "null", "now()", 1, True),
    "failed": ("failed", "now()", "null", "now() - interval '40 days'", 2, True),
    "dlv_" + "0a" * 16: ("sent", "now()", "null", "now() - interval '200 days'", 1, True),
}
"""Id to state, due_at, lease_owner, settled_at, attempts and announced of deliveries of an earlier version."""


@pytest.mark.parametrize("last", [5, 13])
async def test_a_ledger_of_an_earlier_version_keeps_its_deliveries_and_sends_none_twice(
    empty_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: int
) -> None:
    pool = await earlier(empty_dsn, tmp_path, monkeypatch, last)
    past = ["dlv_" + "0b" * 16, "of another shape and long", "of sixteen chars"] if last == 13 else []
    await _as_a_ledger_was(pool, past)
    assert "0016_ids_outlive_content" in await migrating.migrate(pool, "shop")

    ledger, now = Ledger(pool), datetime.now(NOW.tzinfo)
    rows = await pool.fetch("select delivery_id, state, announced from deliveries")
    assert {row["delivery_id"]: (row["state"], row["announced"]) for row in rows} == {
        one: (state, announced) for one, (state, *_, announced) in KNOWN.items()
    }
    made = await ledger.attempts_of(KNOWN)
    assert Counter(row["delivery_id"] for row in made) == Counter({one: row[4] for one, row in KNOWN.items() if row[4]})
    assert [(row["number"], row["detail"]) for row in made if row["delivery_id"] == "failed"] == [(1, "1"), (2, "2")]
    again = [new(0, delivery_id=one, happened_at=now) for one in (*KNOWN, *past, "another")]
    assert set(await ledger.claim_new(again, owner="s", lease=LEASE)) == {"another"}
    leased = await ledger.claim_due(owner="s", lease=LEASE, limit=9, a_destination=9, take_over=False)
    assert {one.delivery_id: one.attempts for one in leased} == {"free": 0, "tried": 1}
    assert await ledger.renew(["leased"], owner="other", lease=LEASE) == {"leased"}
    assert [
        one.delivery_id
        for one in await ledger.claim_unannounced(
            owner="teller", lease=timedelta(minutes=1), settled_for=timedelta(), limit=9
        )
    ] == [
        "untold",
        "undated",
    ]
    await announce(ledger, "untold", "undated")
    if last == 13:
        assert [row["action"] for row in await Deliveries(pool).actions_of(["failed"])] == ["resend"]
    assert await Deliveries(pool).act("resend", DeliveryFilter("shop", state="failed"), "me", after="", limit=9) == [
        "failed"
    ]
    assert (await Retention(pool, timedelta(days=90)).tidy())["days"] == 1
    assert await ledger.delivery("dlv_" + "0a" * 16) is None
    await pool.close()


async def test_what_is_written_while_the_ledger_is_copied_is_not_sent_twice(
    empty_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = await earlier(empty_dsn, tmp_path, monkeypatch, last=13)
    async with pool.acquire() as writer:
        writing = writer.transaction()
        await writing.start()
        await writer.execute(
            "insert into deliveries (delivery_id, project_id, distribution_id, distribution_version, event_id,"
            " customer_id, channel, destination, priority, record, arrived_at, state, due_at, created_at) values"
            " ('d1', 'shop', 'x', 1, 'e', 'c1', 'webhook', 'a', 0, 'r', now(), 'waiting', now(), now())"
        )
        migration = asyncio.create_task(migrating.migrate(pool, "shop"))
        waits = (
            "select from pg_locks where not granted"
            " and database = (select oid from pg_database where datname = current_database())"
        )
        async with asyncio.timeout(90):
            while not await writer.fetchval(f"select exists ({waits})"):
                await asyncio.sleep(0.05)
        await writing.commit()
    await migration
    ledger = Ledger(pool)
    assert await due(ledger, "s") == {"d1"}
    await ledger.settle([settlement("d1")], owner="s")
    await announce(ledger, "d1")
    assert await claim(ledger, "s", [new(1)]) == set()
    await pool.close()


async def test_what_is_paused_has_a_kind_by_the_words_that_were_kept(
    empty_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = await earlier(empty_dsn, tmp_path, monkeypatch, last=33)
    words: dict[str, tuple[str, bool, HoldKind]] = {
        "HTTP 401: the receiver does not accept us": ("webhook", True, "refused"),
        "auth: 535 5.7.8 no (the server does not accept us)": ("email", False, "refused"),  # of before 0.5.0
        "HTTP 410: the receiver is gone for good": ("webhook", True, "gone"),
        "retries exhausted after 14 attempts: HTTP 410": ("webhook", True, "exhausted"),
        "nothing was taken for as long as a delivery is tried: 503": ("webhook", True, "exhausted"),
        "account webhook/main is paused: tidings accounts resume": ("webhook", False, "account"),
        "account email/shop was removed: tidings accounts add": ("email", False, "account"),
        "account email/shop is not yours": ("webhook", True, "refused"),
        "of its last 1,000 messages 60 bounced (6 %, at most 5 % may)": ("email", False, "reputation"),
    }
    for number, (reason, (channel, by_answer, _)) in enumerate(words.items()):
        await pool.execute(
            "insert into paused_destinations (project_id, channel, destination, reason, paused_at, by_answer)"
            " values ('shop', $1, $2, $3, now(), $4)",
            channel, str(number), reason, by_answer,
        )  # fmt: skip
    assert "0034_kinds_of_holds" in await migrating.migrate(pool, "shop")
    pauses = (await Ledger(pool).pauses()).values()
    assert {pause.reason: pause.kind for pause in pauses} == {reason: kind for reason, (_, _, kind) in words.items()}
    await pool.close()


async def _as_a_ledger_was(pool: asyncpg.Pool, past: list[str]) -> None:
    for one, (state, due_at, owner, settled_at, attempts, announced) in KNOWN.items():
        await pool.execute(
            "insert into deliveries (delivery_id, project_id, distribution_id, distribution_version, event_id,"
            " customer_id, channel, destination, priority, record, arrived_at, state, due_at, lease_owner, lease_until,"
            " attempts, created_at, settled_at, announced)"
            " select $1, 'shop', 'x', 1, 'e', 'c1', 'webhook', 'a', 0, 'r',"
            f" now(), $2, {due_at}, {owner}, case when {owner} is not null then now() + interval '1 hour' end, $3,"
            f" now(), {settled_at}, $4",
            one, state, attempts, announced,
        )  # fmt: skip
        for number in range(1, attempts + 1):
            await pool.execute(
                "insert into attempts values ($1, $2, now(), 5, 'deferred', $3)", one, number, str(number)
            )
    if past:
        await pool.execute("insert into past_deliveries select delivery_key(id) from unnest($1::text[]) as id", past)
        await pool.execute("insert into delivery_actions values ('failed', now(), 'resend', 'me')")
