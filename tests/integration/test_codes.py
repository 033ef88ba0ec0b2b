"""The laws of a claim, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import random
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from schemas.campaign import Campaign, CodeConfig
from schemas.errors import TidingsError, TryLater
from schemas.patterns import all_codes
from store.campaigns import CampaignChange, Campaigns
from store.clock import database_now
from store.codes.claims import Claim, Empty, Published, Unusable, Withdrawn
from store.codes.imports import CodeImport, NewCode
from store.codes.pool import Codes
from store.consent_choices import ConsentChoices
from store.postgres import connect
from tests.factory import NOW

LATER = NOW + timedelta(hours=1)


def campaign(identity: str = "spring", **changes: Any) -> Campaign:
    fields: dict[str, Any] = {
        "id": identity, "project_id": "shop", "version": 1, "name": "Spring", "kind": "DISCOUNT_COUPONS",
        "type": "STATIC", "created_at": NOW, "discount": {"type": "PERCENT", "percent_off": 10},
    }  # fmt: skip
    return Campaign(**{**fields, **changes})


async def saved(pool: asyncpg.Pool, *campaigns: Campaign) -> None:
    await Campaigns(pool).save([CampaignChange(one, "") for one in campaigns], applied_by="t", now=NOW)


async def filled(pool: asyncpg.Pool, codes: list[str], identity: str = "spring") -> None:
    await Codes(pool).add("shop", identity, codes, NOW)


def new(code: str, *, active: bool = True, start: datetime | None = None, end: datetime | None = None) -> NewCode:
    return NewCode(1, code, active, start, end, None, "{}")


async def imported(pool: asyncpg.Pool, *codes: NewCode) -> None:
    await CodeImport(pool, "shop", "spring", by="me").merge(codes, NOW)


def claim(number: int, identity: str = "spring", customer: str | None = None) -> Claim:
    who = customer or f"c{number}"
    return Claim(
        f"pub_{number}", "shop", identity, who, {"id": who, "source_id": f"s-{who}"}, "d", f"e{number}", "Automation"
    )


def codes_of(answers: list[Any]) -> list[str | None]:
    return [one.voucher["code"] if isinstance(one, Published) else None for one in answers]


async def test_the_first_imported_is_the_first_claimed_and_no_code_goes_twice(pool: asyncpg.Pool) -> None:
    await saved(pool, campaign())
    await filled(pool, ["B", "A", "C"])
    answers = await Codes(pool).claim([claim(1), claim(2)], NOW)
    more = await Codes(pool).claim([claim(3), claim(4)], NOW)
    assert codes_of(answers + more) == ["B", "A", "C", None]
    assert more[1] == Empty("spring")


async def test_a_retry_gives_the_same_objects(pool: asyncpg.Pool) -> None:
    await saved(pool, campaign())
    await filled(pool, ["A", "B"])
    [first] = await Codes(pool).claim([claim(1)], NOW)
    [again] = await Codes(pool).claim([claim(1)], LATER)
    assert isinstance(first, Published) and isinstance(again, Published)
    assert (first.is_new, again.is_new) == (True, False)
    assert str((first.publication, first.voucher, first.campaign)) == str(
        (again.publication, again.voucher, again.campaign)
    )
    assert again.event_id == "e1"


async def test_a_retry_gives_what_the_code_itself_came_with(pool: asyncpg.Pool) -> None:
    await saved(pool, campaign(kind="GIFT_VOUCHERS", gift=500, discount=None, valid_for=86400, join_once=True))
    end = LATER + timedelta(milliseconds=1)
    await imported(pool, NewCode(1, "A", True, NOW, end, 70, '{"z": "é", "y": [1.5, null]}'))
    [first] = await Codes(pool).claim([claim(1)], NOW)
    [again, joined] = await Codes(pool).claim([claim(1), claim(2, customer="c1")], end)
    assert isinstance(first, Published) and isinstance(again, Published)
    assert first.voucher["gift"] == {"amount": 70, "balance": 70} and first.voucher["metadata"]["y"] == [1.5, None]
    assert str((first.publication, first.voucher)) == str((again.publication, again.voucher))
    assert joined == again


async def test_a_retry_after_the_campaign_was_changed_gives_the_campaign_as_it_was(pool: asyncpg.Pool) -> None:
    await saved(pool, campaign())
    await filled(pool, ["A"])
    [first] = await Codes(pool).claim([claim(1)], NOW)
    await saved(pool, campaign(version=2, name="Autumn", active=False))
    [again] = await Codes(pool).claim([claim(1)], LATER)
    assert isinstance(first, Published) and isinstance(again, Published)
    assert again.campaign == first.campaign


async def test_the_same_id_twice_in_a_call_gives_one_code_that_is_new_once(pool: asyncpg.Pool) -> None:
    await saved(pool, campaign())
    await filled(pool, ["A", "B"])
    answers = await Codes(pool).claim([claim(1), claim(1)], NOW)
    assert codes_of(answers) == ["A", "A"]
    assert [one.is_new for one in answers if isinstance(one, Published)] == [True, False]


async def test_who_joins_once_gets_the_first_code_again(pool: asyncpg.Pool) -> None:
    await saved(pool, campaign(join_once=True))
    await filled(pool, ["A", "B"])
    both = await Codes(pool).claim([claim(1, customer="x"), claim(2, customer="x")], NOW)
    later = await Codes(pool).claim([claim(3, customer="x"), claim(4)], LATER)
    assert codes_of(both + later) == ["A", "A", "A", "B"]
    assert await pool.fetchval("select count(*) from publications") == 2


async def test_who_has_left_gets_no_code_and_what_was_published_before_stays(pool: asyncpg.Pool) -> None:
    await saved(pool, campaign(), campaign("off", active=False))
    await filled(pool, ["A", "B", "C", "D"])
    codes, choices = Codes(pool), ConsentChoices(pool)

    def asks(number: int, category: str = "marketing", identity: str = "spring") -> Claim:
        return msgspec.structs.replace(claim(number, identity), category=category)

    assert codes_of(await codes.claim([asks(1)], NOW)) == ["A"]
    for number, what in enumerate(["marketing", "*", "newsletter"], 1):
        await choices.choose("shop", f"c{number}", {what: False}, way="one_click", delivery_id=None)
    again, *left, other = await codes.claim([asks(1), asks(2), asks(2, identity="off"), asks(3)], NOW)
    assert codes_of([again, other]) == ["A", "B"]
    day = (await database_now(pool)).date()
    assert left == [Withdrawn(f"marketing: withdrawn by the customer on {day}")] * 2
    assert codes_of(await codes.claim([asks(4, "newsletter"), asks(22, "transactional")], NOW)) == ["C", "D"]
    assert (await codes.counts("shop", NOW))[-1].published == 4


async def test_who_has_come_back_or_whose_profile_took_it_over_gets_a_code(pool: asyncpg.Pool) -> None:
    await saved(pool, campaign())
    await filled(pool, ["A", "B", "C"])
    codes, choices = Codes(pool), ConsentChoices(pool)
    asked = [msgspec.structs.replace(claim(number), category="marketing") for number in (1, 2)]
    for customer in ("c1", "c2"):
        await choices.choose("shop", customer, {"marketing": False}, way="page", delivery_id=None)
    assert [type(one) for one in await codes.claim(asked, NOW)] == [Withdrawn, Withdrawn]
    await choices.choose("shop", "c1", {"marketing": True}, way="page", delivery_id=None)
    await pool.execute("update consent_choices set taken_over_at = now() where customer_id = 'c2'")
    assert codes_of(await codes.claim(asked, NOW)) == ["A", "B"]


async def test_a_call_may_ask_several_campaigns(pool: asyncpg.Pool) -> None:
    await saved(pool, campaign("a"), campaign("b"))
    await filled(pool, ["A"], "a")
    await filled(pool, ["B"], "b")
    answers = await Codes(pool).claim([claim(1, "b"), claim(2, "a"), claim(3, "b")], NOW)
    assert codes_of(answers) == ["B", "A", None]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"active": False}, "not active"),
        ({"kind": "PROMOTION"}, "has no codes"),
        ({"start_date": LATER}, "not started"),
        ({"expiration_date": NOW}, "expired"),
    ],
)
async def test_an_unusable_campaign_says_why(pool: asyncpg.Pool, changes: dict[str, Any], said: str) -> None:
    await saved(pool, campaign(**changes))
    [answer, unknown] = await Codes(pool).claim([claim(1), claim(2, "nobody")], NOW)
    assert isinstance(answer, Unusable) and said in answer.detail
    assert unknown == Unusable("nobody", 'no campaign "nobody"')


async def test_codes_out_of_their_dates_or_switched_off_stay_in_the_pool(pool: asyncpg.Pool) -> None:
    await saved(pool, campaign())
    await imported(pool, new("off", active=False), new("early", start=LATER), new("late", end=NOW), new("good"))
    assert codes_of(await Codes(pool).claim([claim(1), claim(2)], NOW)) == ["good", None]
    [count] = await Codes(pool).counts("shop", NOW)
    assert (count.total, count.published, count.inactive, count.expired, count.free) == (4, 1, 1, 1, 1)
    assert codes_of(await Codes(pool).claim([claim(3)], LATER)) == ["early"]


async def test_a_published_code_does_not_count_as_expired_when_its_date_comes(pool: asyncpg.Pool) -> None:
    await saved(pool, campaign())
    soon, late = LATER + timedelta(days=1), LATER + timedelta(days=2)
    await imported(pool, *(new(f"A{number}", end=soon) for number in range(3)), new("off", active=False, end=soon))
    await imported(pool, new("A3", end=soon), new("A2", end=late), new("B", end=late), new("C"))
    await Codes(pool).claim([claim(1), claim(2)], NOW)
    expired = [(await Codes(pool).counts("shop", at))[0].expired for at in (NOW, soon, late)]
    assert expired == [0, 2, 3], "A2 is in the pool once, with the date that it came with"
    assert codes_of(await Codes(pool).claim([claim(3), claim(4), claim(5)], soon)) == ["B", "C", None]
    assert [one.expired for one in await Codes(pool).counts("shop", late)] == [2]


async def test_made_codes_end_with_the_pattern_and_collisions_are_tried_again(pool: asyncpg.Pool) -> None:
    config = CodeConfig(pattern="##", length=2, charset="abc")
    await saved(pool, campaign(type="AUTO_UPDATE", code_config=config))
    rng = random.Random(3)
    answers = await Codes(pool).claim([claim(n) for n in range(12)], NOW, choose=rng.choice)
    got = [one for one in codes_of(answers) if one]
    assert len(set(got)) == len(got) == config.capacity
    [count] = await Codes(pool).counts("shop", NOW)
    assert (count.total, count.published, count.left) == (9, 9, 0)


async def test_a_source_that_only_collides_still_gives_each_a_code(pool: asyncpg.Pool) -> None:
    config = CodeConfig(pattern="########", length=8)
    await saved(pool, campaign(type="AUTO_UPDATE", code_config=config))
    answers = await Codes(pool).claim([claim(1), claim(2)], NOW, choose=lambda charset: charset[0])
    assert len({code for code in codes_of(answers) if code}) == 2


async def test_the_last_code_of_a_large_pattern_is_found_and_then_it_is_exhausted(pool: asyncpg.Pool) -> None:
    """Other campaigns hold all but three; those are found however chance falls, and looked for once only."""
    config = CodeConfig(pattern="####", length=4, charset="0123456789", prefix="x")
    await saved(pool, campaign(type="AUTO_UPDATE", code_config=config), campaign("other"))
    every = sorted(all_codes(config, random.choice))
    await filled(pool, [code for code in every if code not in ("x0007", "x5000", "x9999")], "other")
    answers = await Codes(pool).claim([claim(n) for n in range(5)], NOW)
    assert sorted(map(str, codes_of(answers))) == ["None", "None", "x0007", "x5000", "x9999"]
    [count, _] = sorted(await Codes(pool).counts("shop", NOW), key=lambda one: one.campaign_id != "spring")
    assert (count.total, count.left, count.is_exhausted) == (3, 0, True)
    assert codes_of(await Codes(pool).claim([claim(9)], NOW, choose=_nobody_asks)) == [None]


def _nobody_asks(_: str) -> str:
    raise AssertionError("an exhausted pattern makes no codes")


async def test_a_longer_pattern_gives_codes_again(pool: asyncpg.Pool) -> None:
    short, long = (CodeConfig(pattern=pattern, length=2, charset="ab") for pattern in ("#", "##"))
    await saved(pool, campaign(type="AUTO_UPDATE", code_config=short))
    assert None in codes_of(await Codes(pool).claim([claim(n) for n in range(3)], NOW))
    await saved(pool, campaign(version=2, type="AUTO_UPDATE", code_config=long))
    assert None not in codes_of(await Codes(pool).claim([claim(n) for n in range(3, 7)], NOW))
    assert codes_of(await Codes(pool).claim([claim(7)], NOW)) == [None]


async def test_the_last_codes_of_a_small_pattern_are_taken_in_an_order_that_chance_decides(pool: asyncpg.Pool) -> None:
    config = CodeConfig(pattern="##", length=2, charset="0123456789")
    orders = []
    for seed in range(2):
        name = f"c{seed}"
        await saved(pool, campaign(name, type="AUTO_UPDATE", code_config=msgspec.structs.replace(config, prefix=name)))
        claims = [claim(100 * seed + n, name) for n in range(100)]
        orders.append(codes_of(await Codes(pool).claim(claims, NOW, choose=random.Random(seed).choice)))
    first, second = ([str(code)[2:] for code in order] for order in orders)
    assert sorted(first) == sorted(second) != first
    assert first[-20:] != second[-20:]


async def test_campaigns_of_one_pattern_share_its_codes_without_a_deadlock(dsn: str, pool: asyncpg.Pool) -> None:
    config = CodeConfig(pattern="###", length=3, charset="01234567")
    await saved(pool, *(campaign(name, type="AUTO_UPDATE", code_config=config) for name in "abcd"))
    many = await connect(dsn, size=4)

    async def claimer(name: str, number: int) -> list[Any]:
        chunks = ([claim(1000 * number + 10 * chunk + n, name) for n in range(10)] for chunk in range(20))
        return [answer for chunk in chunks for answer in await Codes(many).claim(chunk, NOW)]

    answers = await asyncio.wait_for(asyncio.gather(*(claimer(name, n) for n, name in enumerate("abcd"))), 60)
    many.terminate()
    got = [code for all_of_one in answers for code in codes_of(all_of_one) if code]
    assert len(set(got)) == len(got) == config.capacity


async def test_codes_are_generated_ahead_of_time_and_as_many_as_there_can_be(pool: asyncpg.Pool) -> None:
    config = CodeConfig(pattern="#.#", length=3, charset="ab+")
    await saved(pool, campaign(code_config=config), campaign("bare"))
    assert await Codes(pool).generate("shop", "spring", 5, NOW, by="me") == 5
    await filled(pool, ["axa"], "bare")
    assert await Codes(pool).used("shop", config) == 5
    assert await Codes(pool).generate("shop", "spring", 9, NOW, by="me") == 4
    assert len(set(codes_of(await Codes(pool).claim([claim(n) for n in range(9)], NOW)))) == 9
    with pytest.raises(TidingsError, match="bare has no code_config"):
        await Codes(pool).generate("shop", "bare", 1, NOW, by="me")


async def test_concurrent_claimers_that_are_killed_give_each_code_once(dsn: str, pool: asyncpg.Pool) -> None:
    """Whoever is cut off in the middle asks again; in the end all codes are out and the counts add up."""
    await saved(pool, campaign("a"), campaign("b"))
    await filled(pool, [f"a{n}" for n in range(60)], "a")
    await filled(pool, [f"b{n}" for n in range(60)], "b")
    many = await connect(dsn, size=6)
    seed = random.randrange(10**6)
    rng = random.Random(seed)
    answers: dict[str, Any] = {}

    async def claimer(mine: list[Claim]) -> None:
        for start in range(0, len(mine), 5):
            chunk = mine[start : start + 5]
            for _ in range(4):
                task = asyncio.create_task(Codes(many).claim(chunk, NOW))
                await asyncio.wait([task], timeout=rng.random() / 50)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            answers.update(zip([one.publication_id for one in chunk], await Codes(many).claim(chunk, NOW), strict=True))

    chunks = [[claim(100 * who + n, rng.choice("ab")) for n in range(20)] for who in range(5)]
    await asyncio.wait_for(asyncio.gather(*map(claimer, chunks)), 60)
    many.terminate()
    got = [one for one in codes_of(list(answers.values())) if one]
    counts = await Codes(pool).counts("shop", NOW)
    assert len(set(got)) == len(got) == 100 - sum(isinstance(one, Empty) for one in answers.values()), f"seed {seed}"
    assert (
        sum(count.published for count in counts) == len(got) == await pool.fetchval("select count(*) from publications")
    )


async def test_the_last_codes_held_by_one_who_gives_up_are_no_reason_to_say_empty(dsn: str, pool: asyncpg.Pool) -> None:
    await saved(pool, campaign())
    await filled(pool, ["A"])
    holder = await asyncpg.connect(dsn)
    holding = holder.transaction()
    await holding.start()
    await holder.execute("select * from campaigns for update")
    await holder.execute(
        "insert into publications select 'x', key, 1, 1, 'c', 'd', 'e', '{}', '{}', now() from campaigns"
    )
    waiting = asyncio.create_task(Codes(pool).claim([claim(1)], NOW))
    while not await holder.fetchval("select count(*) from pg_locks where not granted"):
        await asyncio.sleep(0.01)
    await holding.rollback()
    assert codes_of(await asyncio.wait_for(waiting, 60)) == ["A"]
    await holder.close()


async def test_while_postgres_is_away_the_answer_is_try_later(dsn: str, pool: asyncpg.Pool) -> None:
    gone = await connect(dsn)
    gone.terminate()
    with pytest.raises(TryLater):
        await Codes(gone).claim([claim(1)], NOW)


async def test_added_codes_are_doubled_by_nothing(pool: asyncpg.Pool) -> None:
    await saved(pool, campaign())
    assert await Codes(pool).add("shop", "spring", ["A", "B", "A"], NOW) == 2
    assert await Codes(pool).add("shop", "spring", ["B", "C"], LATER) == 1
    assert codes_of(await Codes(pool).claim([claim(n) for n in range(4)], NOW)) == ["A", "B", "C", None]
