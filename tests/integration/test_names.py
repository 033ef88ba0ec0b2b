"""Names of things as a search finds them: those that rank_of finds, in its order, whoever wrote them last."""

from __future__ import annotations

import random
from typing import Any

import asyncpg
import pytest

from agents.clock import utc_now
from console.control.search import find, matches, sought_words
from schemas.segment import SegmentDefinition
from store.names import NAMED_KINDS, Named, NamedKind
from store.segments import Segments

SEED = 20261130
PARTS = (
    "Win",
    "back",
    "spring",
    "Zażółć",
    "ŁÓDŹ",
    "straße",
    "50%",
    "a_b",
    "x-y",
    "\\",
    "İstanbul",
    "ﬁn",
    "Ж",
    "  ",
    "n",
)
SOUGHT = (
    "win", "WIN back", "win-back", "b", "zazolc", "łodz", "strasse", "%", "_", "a_b", "x-", "\\", "istanbul", "fin",
    "ж", "spring n", "nothing", "0", "win_back", "k s",
)  # fmt: skip


def segment(identity: str, name: str | None, project: str = "shop", version: int = 1) -> Any:
    made = SegmentDefinition(
        id=identity, project_id=project, name=name or identity, version=version, members=["c1"], updated_at=utc_now()
    )
    return made, "segment: x\n"


async def keep(pool: asyncpg.Pool, *segments: Any) -> None:
    await Segments(pool).save(segments, applied_by="ann", now=utc_now())


async def found(pool: asyncpg.Pool, text: str, kind: NamedKind = "segment", project: str = "shop") -> list[str]:
    one = (await find(pool, project, sought_words(text), [kind], 8)).get(kind)
    return [] if one is None else [named.name for named in one.best]


async def version(pool: asyncpg.Pool, number: int, name: str, status: str = "LIVE") -> None:
    """A version of a distribution, as it is inserted."""
    await pool.execute(
        "insert into distribution_versions (distribution_id, version, project_id, definition, source, applied_by,"
        " applied_at) values ('d', $1, 'shop', jsonb_build_object('name', $2::text, 'status', $3::text), '', 'ann',"
        " now())",
        number, name, status,
    )  # fmt: skip


async def test_what_fits_and_its_order_are_those_of_the_pages(pool: asyncpg.Pool) -> None:
    drawn = random.Random(SEED)
    names = {f"{drawn.choice(('win-back', 'a_b', 'seg'))}-{number}": "" for number in range(150)}
    for identity in names:
        names[identity] = "".join(drawn.choices(PARTS, k=drawn.randint(1, 4))).strip() or identity
    await keep(pool, *(segment(identity, name) for identity, name in names.items()))
    ids = [row["id"] for row in await pool.fetch("select segment_id as id from segments order by segment_id")]
    things = [Named("segment", one, names[one]) for one in ids]
    for text in SOUGHT:
        sought = sought_words(text)
        expected = matches(things, lambda one: (one.name, one.id), sought, 8)
        got = (await find(pool, "shop", sought, ["segment"], 8)).get("segment")
        best, number = ([], 0) if got is None else (list(got.best), got.number)
        assert (best, number) == (list(expected.best), expected.number), (text, SEED)


async def test_a_new_name_is_found_at_once_and_the_old_one_no_longer(pool: asyncpg.Pool) -> None:
    await keep(pool, segment("one", "Before"))
    assert await found(pool, "before") == ["Before"]
    await keep(pool, segment("one", "Áfter", version=2))
    assert (await found(pool, "before"), await found(pool, "AFTER")) == ([], ["Áfter"])
    await pool.execute("delete from segments where segment_id = 'one'")
    assert await found(pool, "after") == []


async def test_a_distribution_is_found_by_its_newest_version_alone(pool: asyncpg.Pool) -> None:
    await version(pool, 2, "Second")
    await version(pool, 1, "First")
    assert (await found(pool, "first", "distribution"), await found(pool, "sec", "distribution")) == ([], ["Second"])
    await version(pool, 3, "Second", "ARCHIVED")
    (one,) = (await find(pool, "shop", ["second"], ["distribution"], 8))["distribution"].best
    assert one.status == "ARCHIVED"
    await pool.execute("delete from distribution_versions where distribution_id = 'd'")
    assert await found(pool, "second", "distribution") == []


async def test_nothing_of_another_project_or_of_a_kind_that_is_not_asked_for(pool: asyncpg.Pool) -> None:
    await keep(pool, segment("mine", "Common"), segment("theirs", "Common two", "outlet"))
    assert await found(pool, "common") == ["Common"]
    others = [kind for kind in NAMED_KINDS if kind != "segment"]
    assert await find(pool, "shop", ["common"], others, 8) == {}
    assert await found(pool, "common", project="outlet") == ["Common two"]


@pytest.mark.parametrize("most", [1, 3])
async def test_those_beyond_the_first_are_counted(pool: asyncpg.Pool, most: int) -> None:
    await keep(pool, *(segment(f"s{number}", f"Many {number}") for number in range(5)))
    one = (await find(pool, "shop", ["many"], ["segment"], most))["segment"]
    assert (len(one.best), one.number) == (most, 5)


async def test_a_search_waits_for_nobody_who_changes_a_name(pool: asyncpg.Pool) -> None:
    """Reported elsewhere: two who rename and look up each other's rows in two orders stop each other."""
    await keep(pool, segment("one", "Before"))
    assert await found(pool, "before") == ["Before"]
    await keep(pool, segment("two", "Before two"))
    async with pool.acquire() as other, other.transaction():
        await other.execute("""update segments set definition = definition || '{"name": "After"}'""")
        assert await found(pool, "before") == ["Before"], "what is new and being changed is found once that is done"
    assert (await found(pool, "before"), await found(pool, "after")) == ([], ["After", "After"])
