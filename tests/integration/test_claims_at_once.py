"""Several claimers ask for the same at once, each in chunks of its own, and are cut off at random."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import asyncpg

from schemas.campaign import CodeConfig
from store.codes.claims import Claim, Published
from store.codes.imports import CodeImport, NewCode
from store.codes.pool import Codes
from store.postgres import connect
from tests.factory import NOW
from tests.integration.test_codes import campaign, claim, saved

SOON = NOW + timedelta(days=1)
SIZES = {"fixed": 60, "once": 25, "made": 49}
"""How many codes each campaign can give; each is asked for more."""
EXPIRED = """
select count(*) from codes k join campaigns c on c.key = k.campaign_key
where c.id = $1 and k.expiration_date <= $2
  and not exists (select from publications p where p.campaign_key = k.campaign_key and p.position = k.position)
"""


async def test_all_are_told_the_same_and_the_counts_add_up(dsn: str, pool: asyncpg.Pool) -> None:
    seed = random.randrange(10**6)
    rng = random.Random(seed)
    made = CodeConfig(pattern="##", length=2, charset="abcdefg")
    await saved(
        pool, campaign("fixed"), campaign("once", join_once=True),
        campaign("made", type="AUTO_UPDATE", code_config=made),
    )  # fmt: skip
    for name in ("fixed", "once"):
        ends = [SOON if rng.random() < 0.5 else None for _ in range(SIZES[name])]
        codes = [NewCode(n, f"{name}-{n}", True, None, end, None, "{}") for n, end in enumerate(ends)]
        await CodeImport(pool, "shop", name, by="me").merge(codes, NOW)
    claims = [claim(number, name, f"c{number % 40}") for name in SIZES for number in _numbers(name)]
    rng.shuffle(claims)
    many = await connect(dsn, size=4)
    told = await asyncio.wait_for(asyncio.gather(*(_claim_all(many, claims, seed + who) for who in range(3))), 60)
    many.terminate()
    assert told[0] == told[1] == told[2], f"seed {seed}"

    given = {
        name: {told[0][one.publication_id] for one in claims if one.campaign_id == name} - {None} for name in SIZES
    }
    assert {name: len(codes) for name, codes in given.items()} == SIZES, f"seed {seed}"
    holders = Counter(code for one in claims if one.campaign_id != "once" and (code := told[0][one.publication_id]))
    assert set(holders.values()) == {1}
    joined = {(one.customer_id, told[0][one.publication_id]) for one in claims if one.campaign_id == "once"}
    assert len(joined) == 40, "each customer was told one thing"
    for count in await Codes(pool).counts("shop", SOON):
        assert count.published == SIZES[count.campaign_id]
        assert count.expired == await pool.fetchval(EXPIRED, count.campaign_id, SOON), f"seed {seed}"


def _numbers(name: str) -> range:
    first = 1000 * list(SIZES).index(name)
    return range(first, first + 80)


async def _claim_all(pool: asyncpg.Pool, claims: Sequence[Claim], seed: int) -> dict[str, str | None]:
    """The code that each claim was told in the end; a third of the calls are cut off first."""
    told: dict[str, str | None] = {}
    rng, place = random.Random(seed), 0
    while place < len(claims):
        chunk = claims[place : place + rng.randint(1, 20)]
        place += len(chunk)
        answers: Any = asyncio.CancelledError()
        while isinstance(answers, asyncio.CancelledError):
            calling = asyncio.create_task(Codes(pool).claim(chunk, NOW))
            if rng.random() < 0.3:
                await asyncio.wait([calling], timeout=rng.random() / 50)
                calling.cancel()
            [answers] = await asyncio.gather(calling, return_exceptions=True)
        if isinstance(answers, BaseException):
            raise answers
        for one, answer in zip(chunk, answers, strict=True):
            told[one.publication_id] = answer.voucher["code"] if isinstance(answer, Published) else None
    return told
