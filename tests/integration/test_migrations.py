"""What a database of an earlier version keeps when it is brought to this one."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path

import asyncpg
import msgspec
import pytest

from schemas.campaign import Campaign, Code, campaign_object, publication_object, voucher_object
from store import migrate as migrating
from store.codes.claims import Claim, Published
from store.codes.pool import Codes
from store.postgres import connect
from tests.factory import NOW

END = NOW + timedelta(days=30)
SPRING = Campaign(
    id="spring", project_id="shop", version=1, name="Spring", kind="GIFT_VOUCHERS", type="STATIC", created_at=NOW,
    gift=500, low_water=1,
)  # fmt: skip
JO = {"id": "c1", "source_id": "s1", "name": "Jö", "metadata": {"b": 1, "a": [None]}, "object": "customer"}


async def test_a_publication_of_version_0_3_is_answered_with_the_objects_that_it_had(
    dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = await connect(dsn)
    for file in sorted(migrating.FOLDER.glob("000[1-5]_*.sql")):
        shutil.copy(file, tmp_path)
    with monkeypatch.context() as earlier:
        earlier.setattr(migrating, "FOLDER", tmp_path)
        await migrating.migrate(pool, "shop")
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
