"""The audit log on a real PostgreSQL: one chain a project, written with the change, and never changed."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC
from typing import Any

import asyncpg
import msgspec
import pytest
from typer.testing import CliRunner

from console.cli.main import app
from console.control import audit as use_cases
from console.control.audit import Asked, Verified
from deploy.settings.settings import Settings
from schemas.audit import FIRST_HASH, AuditEntry, Origin
from schemas.errors import BadQuestion
from schemas.segment import SegmentDefinition
from schemas.template import NamedTemplate
from store import audit
from store.audit import AuditFilter, AuditLog
from store.distributions import Change, Control, VersionConflict
from store.postgres import changing, connect
from store.segments import Segments
from store.templates import NamedTemplates
from tests.factory import NOW, rule
from tests.integration.api_client import running_api, wired


def entry(thing: str = "vip", project: str = "shop", **fields: Any) -> AuditEntry:
    return AuditEntry(project, "ann", "segment.removed", thing, **fields)


async def add(pool: asyncpg.Pool, *entries: AuditEntry, dry_run: bool = False) -> None:
    async with changing(pool, dry_run=dry_run) as connection:
        await audit.write(connection, *entries)


async def verified(pool: asyncpg.Pool, project: str = "shop", contains: str | None = None) -> Verified:
    return await use_cases.verify(AuditLog(pool), project, contains)


async def told(pool: asyncpg.Pool, **chosen: Any) -> list[tuple[Any, ...]]:
    rows = await AuditLog(pool).page(AuditFilter("shop", **chosen), 100)
    return [(one.row.actor, one.row.action, one.row.thing, one.row.version) for one in reversed(rows)]


async def changes(pool: asyncpg.Pool) -> list[Any]:
    rows = await AuditLog(pool).page(AuditFilter("shop"), 100)
    return [msgspec.json.decode(one.row.change) for one in reversed(rows)]


async def without_guard(pool: asyncpg.Pool, statement: str) -> None:
    """Do what somebody with the rights of the table's owner can do."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("alter table audit_log disable trigger audit_log_append_only")
        await connection.execute(statement)
        await connection.execute("alter table audit_log enable always trigger audit_log_append_only")


async def test_rows_follow_each_other_in_each_project_by_itself(pool: asyncpg.Pool) -> None:
    assert await verified(pool) == Verified(0, FIRST_HASH.hex())
    await add(pool, entry("a"), entry("x", project="outlet"), entry("b"))
    await add(pool, entry("c"))
    assert [one[2] for one in await told(pool)] == ["a", "b", "c"]
    assert [(await verified(pool, one)).rows for one in ("shop", "outlet", "none")] == [3, 1, 0]


async def test_two_hundred_at_once_make_one_chain(dsn: str, pool: asyncpg.Pool) -> None:
    wide = await connect(dsn, size=12)
    try:
        await asyncio.gather(*(add(wide, entry(f"{one}"), entry(f"{one}-more")) for one in range(100)))
    finally:
        wide.terminate()
    assert (await verified(pool)).rows == 200
    rows = [one.row async for one in AuditLog(pool).chain("shop", 7)]
    assert [one.position for one in rows] == list(range(1, 201))
    assert [one.at for one in rows] == sorted(one.at for one in rows)


async def test_what_is_taken_back_leaves_neither_a_row_nor_a_gap(pool: asyncpg.Pool) -> None:
    await add(pool, entry("a"))
    await add(pool, entry("dry"), dry_run=True)
    with pytest.raises(ZeroDivisionError):
        async with changing(pool) as connection:
            await audit.write(connection, entry("failed"))
            raise ZeroDivisionError
    await add(pool, entry("b"))
    assert [one[2] for one in await told(pool)] == ["a", "b"]
    assert (await verified(pool)).fault is None


@pytest.mark.parametrize("replicates", [False, True], ids=["session", "replica"])
@pytest.mark.parametrize(
    "statement",
    [
        "update audit_log set actor = 'bob'",
        "update audit_log set actor = 'bob' where false",
        "delete from audit_log",
        "truncate audit_log",
    ],
    ids=["update", "update-of-none", "delete", "truncate"],
)
async def test_a_row_is_never_changed(pool: asyncpg.Pool, statement: str, *, replicates: bool) -> None:
    await add(pool, entry())
    async with pool.acquire() as connection, connection.transaction():
        if replicates:
            await connection.execute("set local session_replication_role = replica")
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
            await connection.execute(statement)


TAMPERED = {
    "actor": ("update audit_log set actor = 'bob' where position = 3", 2, "row 3 does not fit"),
    "change": ("update audit_log set change = '{\"a\": 1}' where position = 4", 3, "row 4 does not fit"),
    "time": ("update audit_log set at = at - interval '1 us' where position = 1", 0, "row 1 does not fit"),
    "hash": ("update audit_log set hash = sha256('x') where position = 2", 1, "row 2 does not fit"),
    "gone": ("delete from audit_log where position = 2", 1, "row 2 is missing: row 3 follows"),
    "first-gone": ("delete from audit_log where position = 1", 0, "row 1 is missing: row 2 follows"),
    "put-before": ("update audit_log set position = 0 where position = 5", 0, "row 1 is missing: row 0 follows"),
    "exchanged": (
        "update audit_log set position = case position when 4 then 99 else position end;"
        "update audit_log set position = 4 where position = 5;"
        "update audit_log set position = 5 where position = 99",
        3,
        "row 4 does not fit",
    ),
    "of-another": ("update audit_log set project_id = 'shop', position = 6 where project_id = 'outlet'", 5, "row 6"),
}


@pytest.mark.parametrize("case", TAMPERED)
async def test_the_first_row_that_does_not_fit_is_named(pool: asyncpg.Pool, case: str) -> None:
    statement, fitting, fault = TAMPERED[case]
    await add(pool, *(entry(f"{one}", change={"a": one}) for one in range(5)), entry("x", project="outlet"))
    assert await verified(pool) == Verified(5, (await verified(pool)).hash)
    await without_guard(pool, statement)
    found = await verified(pool)
    assert (found.rows, (found.fault or "").startswith(fault)) == (fitting, True), found


async def test_a_chain_whose_end_was_cut_off_or_that_was_made_anew_lacks_the_hash_that_was_kept(
    pool: asyncpg.Pool,
) -> None:
    await add(pool, entry("a"), entry("b"))
    kept = (await verified(pool)).hash
    await add(pool, entry("c"))
    assert (await verified(pool, contains=kept)).contains is True
    await without_guard(pool, "delete from audit_log where position > 1")
    cut = await verified(pool, contains=kept)
    assert (cut.rows, cut.fault, cut.contains) == (1, None, False)
    with pytest.raises(BadQuestion, match="64 hexadecimal digits"):
        await verified(pool, contains="abc")


async def test_rows_are_found_by_thing_actor_action_and_time(pool: asyncpg.Pool) -> None:
    await add(pool, entry("a"), entry("b"), entry("a"), AuditEntry("shop", "bob", "template.deleted", "a"))
    log = AuditLog(pool)
    (newest, *_) = await log.page(AuditFilter("shop"), 1)
    assert newest.row.position == 4
    assert [one.row.position for one in await log.page(AuditFilter("shop"), 2, before=4)] == [3, 2]
    for chosen, positions in (
        ({"thing": "a"}, [4, 3, 1]),
        ({"actor": "bob"}, [4]),
        ({"action": "segment"}, [3, 2, 1]),
        ({"action": "template.deleted", "thing": "b"}, []),
        ({"since": "1h"}, [4, 3, 2, 1]),
        ({"until": "1h"}, []),
    ):
        asked = use_cases.read_filter("shop", UTC, newest.row.at, Asked(**chosen))
        assert [one.row.position for one in await use_cases.page(log, asked, 10)] == positions, chosen
    with pytest.raises(BadQuestion, match=r'action: .*"segmnt".*segment'):
        use_cases.read_filter("shop", UTC, NOW, Asked(action="segmnt"))


async def test_a_row_names_the_request_that_it_came_with_and_the_next_one_does_not(pool: asyncpg.Pool) -> None:
    with audit.coming_from(Origin("r1", "key_1", "192.0.2.1")):
        await add(pool, entry())
    await add(pool, entry())
    rows = [one.row async for one in AuditLog(pool).chain("shop")]
    assert [(one.request_id, one.key_id, one.address) for one in rows] == [
        ("r1", "key_1", "192.0.2.1"),
        (None, None, None),
    ]
    assert (await verified(pool)).fault is None


async def test_a_text_that_no_column_holds_is_kept_as_near_as_can_be(pool: asyncpg.Pool) -> None:
    await add(pool, AuditEntry("shop", "a\0b", "segment.removed", "\ud800", change={"x": "a\0b"}))
    assert (await verified(pool)).fault is None
    assert (await told(pool))[0][0] == "a\N{REPLACEMENT CHARACTER}b"


async def test_each_step_of_a_distribution_is_told_with_what_differs(pool: asyncpg.Pool) -> None:
    control = Control(pool)
    await control.save([Change(rule(), "", ())], applied_by="ann", now=NOW)
    paused = await control.set_status(rule(), "PAUSED", applied_by="bob", now=NOW)
    live = await control.set_status(paused, "LIVE", applied_by="bob", now=NOW)
    renamed = msgspec.structs.replace(live, version=4, name="Other")
    await control.save([Change(renamed, "", ())], applied_by="key:ci", now=NOW)
    stopped = await control.set_status(renamed, "STOPPED", applied_by="bob", now=NOW)
    await control.set_status(stopped, "LIVE", applied_by="bob", now=NOW)
    with pytest.raises(VersionConflict):
        await control.save([Change(renamed, "", ())], applied_by="late", now=NOW)
    assert await told(pool) == [
        ("ann", "distribution.created", "thanks", 1),
        ("bob", "distribution.paused", "thanks", 2),
        ("bob", "distribution.resumed", "thanks", 3),
        ("key:ci", "distribution.changed", "thanks", 4),
        ("bob", "distribution.stopped", "thanks", 5),
        ("bob", "distribution.set_live", "thanks", 6),
    ]
    made, *_, last = await changes(pool)
    assert made["after"]["trigger"] == {"event": "customer.order.paid"}
    assert last == {"before": {"status": "STOPPED"}, "after": {"status": "LIVE"}}


async def test_segments_are_told_without_who_is_in_them(pool: asyncpg.Pool) -> None:
    segments = Segments(pool)
    made = SegmentDefinition(id="vip", project_id="shop", name="VIP", version=1, updated_at=NOW, members=["c1"])
    after = msgspec.structs.replace(made, version=2, members=["c1", "c2"])
    for one in (made, after):
        await segments.save([(one, "")], applied_by="ann", now=NOW)
    assert await segments.remove("shop", "vip", by="bob")
    assert not await segments.remove("shop", "vip", by="bob")
    assert await told(pool) == [
        ("ann", "segment.created", "vip", 1),
        ("ann", "segment.changed", "vip", 2),
        ("bob", "segment.removed", "vip", 2),
    ]
    said = (await changes(pool))[1]
    assert said["before"].keys() == said["after"].keys() == {"members"}
    assert said["after"]["members"].startswith("(list of 2, sha256 ")


async def test_templates_are_told_by_the_files_that_differ(pool: asyncpg.Pool) -> None:
    templates = NamedTemplates(pool)
    made = NamedTemplate(project_id="shop", name="hello", version=1, files={"hello.txt": "Hi"}, text="Hi")
    await templates.save([made], applied_by="ann", now=NOW)
    files = {"hello.txt": "Hello", "hello.pl.txt": "x" * 300}
    await templates.save([msgspec.structs.replace(made, version=2, files=files)], applied_by="ann", now=NOW)
    for _ in range(2):
        assert await templates.delete("shop", "hello", NOW, by="bob") == []
    await templates.save([msgspec.structs.replace(made, version=3)], applied_by="ann", now=NOW)
    assert await told(pool) == [
        ("ann", "template.created", "hello", 1),
        ("ann", "template.changed", "hello", 2),
        ("bob", "template.deleted", "hello", 2),
        ("ann", "template.created", "hello", 3),
    ]
    said = (await changes(pool))[1]
    assert said["before"] == {"files": {"hello.txt": "Hi"}}
    assert said["after"]["files"]["hello.pl.txt"].startswith("(text of 300")


async def test_a_change_over_the_api_names_the_key_and_the_request(settings: Settings, dsn: str) -> None:
    with wired(settings, dsn, ("distributions",)) as wiring:
        async with running_api(wiring) as api:
            key = await api.new_key("editor", name="ci")
            hello = {"files": {"hello.txt": "Hello"}}
            for path, request in (("/templates/hello?dry_run=true", "dry"), ("/templates/hello", "real")):
                assert (await api.ask("PUT", path, hello, key=key, x_request_id=request)).status in (200, 201)
            assert (await api.ask("PUT", "/templates/hello", hello, key=key, x_request_id="same")).status == 200
            rows = [one.row async for one in AuditLog(api.pool).chain("shop") if one.row.thing == "hello"]
            held = await api.pool.fetchval("select key_id from api_keys where name = 'ci'")
    assert [(one.actor, one.action, one.request_id, one.key_id, one.address) for one in rows] == [
        ("key:ci", "template.created", "real", held, "127.0.0.1")
    ]


async def test_it_is_listed_over_the_api_in_pages_for_those_who_answer_for_changes(
    settings: Settings, dsn: str
) -> None:
    with wired(settings, dsn, ("distributions",)) as wiring:
        async with running_api(wiring) as api:
            made = [entry(f"t{one}", change={"count": one}) for one in range(5)]
            await add(api.pool, *made, entry("x", project="outlet"))
            asked = {"role": "operator"}
            assert await api.listed("/audit?limit=2&action=segment", "thing", **asked) == ["t4", "t3", "t2", "t1", "t0"]
            assert await api.listed("/audit?thing=t3&actor=ann&since=1h", "change", **asked) == [{"count": 3}]
            assert await api.listed("/audit?until=1h", "thing", **asked) == []
            assert await api.listed("/audit?action=segment", "thing", project="outlet", **asked) == ["x"]
            (newest,) = (await api.ask("GET", "/audit?limit=1", role="approver")).json["items"]
            assert newest["hash"] == (await verified(api.pool)).hash
            wrong = await api.ask("GET", "/audit?action=segmnt")
            assert (wrong.status, wrong.json["errors"][0]["parameter"]) == (422, "action")
            for role, status in (("viewer", 403), ("editor", 403), ("approver", 200), ("admin", 200)):
                assert (await api.ask("GET", "/audit", role=role)).status == status


async def test_the_commands_show_and_verify_it(pool: asyncpg.Pool, dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDINGS_POSTGRES", dsn)
    monkeypatch.setenv("TIDINGS_PROJECT_ID", "shop")

    async def run(*arguments: str) -> Any:
        return await asyncio.to_thread(CliRunner().invoke, app, ["audit", *arguments])

    await add(pool, entry("a", change={"count": 2}), entry("b"))
    listed = await run("list", "--action", "segment", "--thing", "a", "--since", "1h", "--json")
    assert listed.exit_code == 0, listed.output
    (row,) = [json.loads(line) for line in listed.stdout.splitlines()]
    assert (row["actor"], row["thing"], row["change"]) == ("ann", "a", {"count": 2})
    assert [line.split()[0] for line in (await run("list")).stdout.splitlines()] == ["row", "2", "1"]
    kept = (await verified(pool)).hash
    done = await run("verify", "--contains", kept)
    assert (done.exit_code, done.stdout.strip()) == (0, f"2 rows fit; the newest hash is {kept}")
    assert (await run("verify", "--contains", "0" * 63 + "1")).exit_code == 1
    await without_guard(pool, "update audit_log set actor = 'bob' where position = 2")
    broken = await run("verify", "--json")
    assert (broken.exit_code, json.loads(broken.stdout)["fault"][:18]) == (1, "row 2 does not fit")
