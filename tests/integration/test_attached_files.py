"""Files that e-mails bring along, from a folder into a real PostgreSQL: kept as long as a version names them."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from pathlib import Path

import asyncpg
import msgspec

from console.control import distributions
from console.control.context import ProjectContext
from console.control.files.documents import read_documents
from console.control.plan import Planned
from store.distributions import Change, Control
from store.retention import Retention
from tests.factory import NOW
from tests.unit.console.control.test_distribution_check import ATTACHED, SETTINGS

PROJECT = ProjectContext.of(SETTINGS, "shop")


async def planned(pool: asyncpg.Pool, folder: Path) -> Planned[Change]:
    (one,) = await distributions.plan(pool, read_documents([folder / "d.yaml"]), PROJECT, NOW)
    return one


async def announced(_: Control) -> None:
    """Nobody listens."""


async def applied(pool: asyncpg.Pool, folder: Path) -> Planned[Change]:
    made = await planned(pool, folder)
    await distributions.save(pool, [made], announced, actor="ann", now=NOW)
    return made


def write(folder: Path, data: bytes) -> str:
    (folder / "d.yaml").write_text(ATTACHED + "[{file: terms.pdf}]\n")
    (folder / "terms.pdf").write_bytes(data)
    return hashlib.sha256(data).hexdigest()


async def test_another_content_is_another_version_and_the_same_is_none(pool: asyncpg.Pool, tmp_path: Path) -> None:
    old = write(tmp_path, b"%PDF 1 \0")
    first = await applied(pool, tmp_path)
    assert (await planned(pool, tmp_path)).what == "unchanged"
    new = write(tmp_path, b"%PDF 2 \0")
    second = await applied(pool, tmp_path)
    assert (first.version, second.what, second.version) == (1, "changed", 2)
    control = Control(pool)
    assert [await control.file(digest) for digest in (old, new, "0" * 64)] == [b"%PDF 1 \0", b"%PDF 2 \0", None]
    (plan,) = second.change.distribution.channels
    assert plan.template is not None
    template = await control.template(plan.template.digest)
    assert template is not None
    assert [msgspec.to_builtins(one) for one in template.files] == [
        {"name": "terms.pdf", "content_type": "application/pdf", "size": 8, "digest": new}
    ]


async def test_a_file_goes_once_no_kept_text_names_it(pool: asyncpg.Pool, tmp_path: Path) -> None:
    old = write(tmp_path, b"old")
    await applied(pool, tmp_path)
    new = write(tmp_path, b"new")
    await applied(pool, tmp_path)
    await pool.execute("update templates set created_at = now() - interval '200 days'")
    await pool.execute("update attached_files set created_at = now() - interval '200 days'")
    retention = Retention(pool, timedelta(days=100), each=timedelta(0))
    assert "files" not in await retention.tidy(), "the first version was replaced just now"
    await pool.execute("update distribution_versions set applied_at = now() - interval '200 days'")
    await pool.execute("delete from chores")
    dropped = await retention.tidy()
    assert (dropped["templates"], dropped["files"]) == (1, 1)
    control = Control(pool)
    assert [await control.file(digest) for digest in (old, new)] == [None, b"new"]


async def test_what_an_arm_sends_is_kept_as_long_as_the_arm_is(pool: asyncpg.Pool, tmp_path: Path) -> None:
    digest = write(tmp_path, b"terms")
    (tmp_path / "d.yaml").write_text(
        "distribution: d\ntrigger: {event: customer.order.paid}\nconsent: transactional\nchannels:\n"
        "  - email: {account: main, subject: s, text: plain}\n"
        "arms:\n  a: {share: 50%}\n  b:\n    share: 50%\n    channels:\n"
        "      - email: {account: main, subject: s, text: t, attachments: [{file: terms.pdf}]}\n"
    )
    await applied(pool, tmp_path)
    await pool.execute("update templates set created_at = now() - interval '200 days'")
    await pool.execute("update attached_files set created_at = now() - interval '200 days'")
    await pool.execute("update distribution_versions set applied_at = now() - interval '200 days'")
    assert await Retention(pool, timedelta(days=100), each=timedelta(0)).tidy() == {}
    assert await Control(pool).file(digest) == b"terms"
