"""Bounces and complaints that came back as mail: told once each, and honoured by the suppression list."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import asyncpg
import msgspec
import pytest

from agents.broker.outbox import _output
from agents.roles.sender.ledger_rows import row_of
from agents.roles.sender.work import Work
from agents.wiring import Wiring
from console.control.reports import Reports, TakenReport, summary
from deploy.settings.settings import Settings
from schemas.decision import DeliveryStatus
from schemas.delivery import Delivery
from schemas.topics import DELIVERY_STATUS
from schemas.wire.read_as import read_as
from store.distributions import OutboxEntry
from store.retention import Retention
from store.sending.ledger import Ledger, Settlement
from store.sending.suppressions import Suppressions
from tests.factory import NOW
from tests.integration.test_providers import mails, webhooks

MESSAGES = Path(__file__).parents[1] / "unit" / "channels" / "email" / "reports"
DELIVERY = "dlv_0123456789abcdef0123456789abcdef"


async def sent(pool: asyncpg.Pool, made: Delivery | None = None) -> Delivery:
    made = made or mails(1)[0]
    made = msgspec.structs.replace(made, delivery_id=DELIVERY)
    row = row_of(Work(made, 0, made.event.created_at), timedelta())
    await Ledger(pool).claim_new([row], owner="w1", lease=timedelta(minutes=1))
    return made


def message(name: str) -> bytes:
    return (MESSAGES / f"{name}.eml").read_bytes()


def reports(pool: asyncpg.Pool, project_id: str) -> Reports:
    return Reports(pool, project_id, actor="ann", now=NOW)


async def outbox(pool: asyncpg.Pool) -> list[tuple[str, str]]:
    rows = await pool.fetch("select key, payload from outbox where topic = $1 order by id", DELIVERY_STATUS)
    statuses = [msgspec.json.decode(row["payload"], type=DeliveryStatus) for row in rows]
    return [(status.outcome, status.type) for status in statuses]


async def listed(pool: asyncpg.Pool, made: Delivery) -> list[tuple[str, str, str]]:
    found = [one async for one in Suppressions(pool).all(made.project_id)]
    return [(one.key, one.reason, one.added_by) for one in found]


async def test_a_report_is_told_once_though_its_message_was_sent_again_and_another_one_anew(pool: asyncpg.Pool) -> None:
    made = await sent(pool)
    taken = reports(pool, made.project_id)
    kinds = ("postfix_unknown_user", "postfix_unknown_user", "exim", "exim", "postfix_unknown_user")
    fates = []
    for name in kinds:
        fates += [one.done for one in await taken.take(message(name))]
        await pool.execute("update open_deliveries set actions = actions || (now(), 'resend', 'ann')::delivery_action")
    assert fates == ["told", "known before", "told", "known before", "known before"]


async def test_a_report_is_kept_only_together_with_what_it_counts(pool: asyncpg.Pool) -> None:
    made = await sent(pool)
    taken = reports(pool, made.project_id)
    await pool.execute("alter table account_hours rename to away")  # as if it died between the two
    with pytest.raises(asyncpg.UndefinedTableError):
        await taken.take(message("postfix_unknown_user"))
    await pool.execute("alter table away rename to account_hours")
    assert await outbox(pool) == []
    assert [one.done for one in await taken.take(message("postfix_unknown_user"))] == ["told"]


async def test_a_report_is_told_once_and_suppresses_whom_we_wrote_to(pool: asyncpg.Pool) -> None:
    made = await sent(pool)
    taken = reports(pool, made.project_id)
    (first,) = await taken.take(message("postfix_unknown_user"))
    assert first == TakenReport(
        "told", "bounced", made.delivery_id, suppressed=True,
        detail="550 5.1.1 <…>: Recipient address rejected: User unknown in virtual mailbox table",
    )  # fmt: skip
    assert await listed(pool, made) == [(made.reaches, "bounced", "ann")]
    again = [one for name in ("postfix_unknown_user", "exim") for one in await taken.take(message(name))]
    assert [(one.done, one.suppressed) for one in again] == [("known before", False)] * 2
    (complaint,) = await taken.take(message("complaint"))
    assert (complaint.done, complaint.suppressed) == ("told", True)
    assert await listed(pool, made) == [(made.reaches, "complained", "ann")]
    assert await outbox(pool) == [("bounced", "customer.email.bounced"), ("complained", "customer.email.complained")]
    assert summary([first, *again]) == "told: 1; known before: 2; others: 0; addresses suppressed: 1"


async def test_what_is_no_end_or_not_of_the_project_tells_nothing(pool: asyncpg.Pool) -> None:
    made = await sent(pool)
    ours, others = reports(pool, made.project_id), reports(pool, "another")
    assert [one.done for one in await ours.take(message("postfix_delayed"))] == ["left"]
    assert [one.done for one in await ours.take(message("vacation"))] == ["not a report"]
    assert [one.done for one in await others.take(message("postfix_unknown_user"))] == ["not ours"]
    assert (await outbox(pool), await listed(pool, made)) == ([], [])


async def test_mail_says_nothing_of_what_was_not_mail(pool: asyncpg.Pool) -> None:
    made = await sent(pool, webhooks(1, "https://hooks.example/")[0])
    (taken,) = await reports(pool, made.project_id).take(message("complaint"))
    assert (taken.done, await outbox(pool), await listed(pool, made)) == ("not ours", [], [])


async def test_a_list_whose_member_is_gone_stays_good(pool: asyncpg.Pool) -> None:
    made = await sent(pool)
    taken = await reports(pool, made.project_id).take(message("two_recipients"))
    assert [(one.kind, one.done, one.suppressed) for one in taken] == [
        ("delivered", "told", False),
        ("bounced", "told", False),
    ]
    assert await listed(pool, made) == []


async def taken(pool: asyncpg.Pool, number: int) -> Delivery:
    """A mail that its server took so many days ago."""
    made = msgspec.structs.replace(mails(1)[0], delivery_id=f"dlv_{number:032x}")
    row = row_of(Work(made, 0, made.event.created_at), timedelta())
    await Ledger(pool).claim_new([row], owner="w1", lease=timedelta(minutes=1))
    await Ledger(pool).settle([Settlement(made.delivery_id, "sent", "250 queued")], owner="w1")
    await pool.execute(
        "update open_deliveries set settled_at = now() - make_interval(days => $1) where delivery_id = $2",
        number, made.delivery_id,
    )  # fmt: skip
    return made


@pytest.mark.parametrize(
    ("bounced", "good", "rests"),
    [
        ((5, 4, 3, 2, 1), (), True), ((5, 4, 3, 2), (), False), ((6, 5, 4, 2, 1), (3,), False),
        ((5, 4, 3, 2, 1), (6, 0), True), ((1, 2, 3, 4, 5), (), True),
    ],
)  # fmt: skip
async def test_soft_bounces_by_mail_rest_an_address_though_its_relay_took_each(
    pool: asyncpg.Pool, bounced: tuple[int, ...], good: tuple[int, ...], rests: bool
) -> None:
    mails_taken = {number: await taken(pool, number) for number in (*bounced, *good)}
    full, reading, found = message("gmail_mailbox_full"), reports(pool, mails(1)[0].project_id), list[TakenReport]()
    for number in bounced:
        report = full.replace(DELIVERY.encode(), mails_taken[number].delivery_id.encode())
        (one,), (again,) = await reading.take(report), await reading.take(report)
        found.append(one)
        assert (again.done, again.suppressed) == ("known before", False)
    assert [one.suppressed for one in found] == [False] * (len(bounced) - 1) + [rests]
    entries = await listed(pool, mails_taken[bounced[0]])
    assert entries == ([(mails_taken[bounced[0]].reaches, "bounced", "ann")] if rests else [])


async def test_what_was_told_is_a_record_of_its_customer_and_forgotten_with_the_past(
    pool: asyncpg.Pool, settings: Settings
) -> None:
    made, wiring = await sent(pool), Wiring(settings)
    await reports(pool, made.project_id).take(message("complaint"))
    (row,) = await pool.fetch("select id, topic, key, payload from outbox where topic = $1", DELIVERY_STATUS)
    output = _output(OutboxEntry(row["id"], row["topic"], row["key"], row["payload"]), wiring)
    status = read_as(wiring.codec(DELIVERY_STATUS).decode(output.value or b""), DeliveryStatus)
    assert output.key == wiring.key(made.project_id, made.customer.id)
    assert (status.delivery_id, status.outcome) == (made.delivery_id, "complained")
    await pool.execute("update status_events set recorded_at = recorded_at - interval '40 days'")
    await Retention(pool, timedelta(days=30)).tidy()
    assert await pool.fetchval("select count(*) from status_events") == 0
