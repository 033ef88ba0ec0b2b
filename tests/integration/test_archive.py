"""Distributions archived, brought back and deleted, over HTTP, by commands and documents, on real servers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from agents.clock import utc_now
from agents.wiring import Wiring
from console.control import archive, distributions, lifecycle
from console.control.ending import NotFromHere
from console.control.from_git.live import live
from console.control.lifecycle import STEPS
from deploy.settings.settings import Settings
from schemas.send import Audience, When
from store.audit import AuditFilter, AuditLog
from store.distribution_ends import DistributionEnds
from store.distributions import Change, Control, VersionConflict
from store.holds import Holds
from store.managed import Locked, ManagedFromGit
from store.read_models.recorded import Recorded
from store.retention import Retention
from store.sending.ledger import Ledger
from store.sends import Sends
from tests.factory import NOW, rule
from tests.integration.api_client import DOCUMENT, Api, running_api, wired
from tests.integration.test_chosen_holds import waits
from tests.integration.test_console import WINBACK, Run, tidings
from tests.integration.test_followed_topics import followed, until_true
from tests.integration.test_from_git import announced, apply, one_of, plan, told
from tests.integration.test_from_git import put as put_files
from tests.integration.test_recorder import KEEP, decision, put
from tests.integration.test_store import LEASE, new

__all__ = ["tidings"]
HOW: dict[str, Any] = {"actor": "ann", "now": NOW}


@pytest.fixture
def few_topics(settings: Settings, dsn: str) -> Iterator[Wiring]:
    with wired(settings, dsn, ("distributions", "decisions", "customers")) as made:
        yield made


@pytest.fixture
async def api(few_topics: Wiring) -> AsyncIterator[Api]:
    async with running_api(few_topics) as running:
        yield running


async def save(pool: asyncpg.Pool, status: str = "STOPPED", version: int = 1, **changes: Any) -> Any:
    one = msgspec.structs.replace(rule(status=status, **changes), version=version)
    await Control(pool).save([Change(one, "", ())], applied_by="ann", now=NOW)
    return one


async def actions(pool: asyncpg.Pool) -> list[str]:
    return [one.row.action for one in reversed(await AuditLog(pool).page(AuditFilter("shop"), 100))]


# -- over HTTP, and what workers hear ---------------------------------------------------------------------------------


async def test_what_is_over_leaves_the_list_and_comes_back_as_it_was(api: Api, few_topics: Wiring) -> None:
    await api.ask("PUT", "/distributions/thanks", DOCUMENT)
    await api.ask("PUT", "/distributions/other", DOCUMENT)
    is_live = await api.ask("POST", "/distributions/thanks/archive")
    assert (is_live.status, is_live.json["detail"].startswith("thanks is LIVE: stop it first")) == (409, True)
    async with followed(few_topics) as table:
        await api.ask("POST", "/distributions/thanks/stop")
        tried = await api.ask("POST", "/distributions/thanks/archive?dry_run=true")
        done = await api.ask("POST", "/distributions/thanks/archive", role="editor")
        again = await api.ask("POST", "/distributions/thanks/archive")
        answers = [(one.status, one.json["version"], one.json["status"]) for one in (tried, done, again)]
        assert answers == [(200, 2, "ARCHIVED"), (200, 3, "ARCHIVED"), (200, 3, "ARCHIVED")]

        def is_archived() -> bool:
            found = table.index.find("shop", "thanks")
            return found is not None and found.distribution.status == "ARCHIVED"

        await until_true(is_archived)
    assert await api.listed("/distributions", "id") == ["other"]
    assert await api.listed("/distributions?status=ARCHIVED", "id") == ["thanks"]
    assert (await api.ask("GET", "/distributions/thanks")).json["status"] == "ARCHIVED"
    for step in ("live", "pause", "resume", "stop"):
        refused = await api.ask("POST", f"/distributions/thanks/{step}")
        assert (refused.status, "thanks is archived: bring it back first" in refused.json["detail"]) == (409, True)
    old = await api.ask("POST", "/distributions/thanks/restore", if_match='"1"')
    assert old.status == 412
    back = await api.ask("POST", "/distributions/thanks/restore", role="editor")
    assert (back.status, back.json["status"], back.json["version"]) == (200, "STOPPED", 4)
    assert (await api.ask("POST", "/distributions/thanks/restore")).status == 409
    assert (await actions(api.pool))[-3:] == ["distribution.stopped", "distribution.archived", "distribution.restored"]


@pytest.mark.parametrize("path", ["POST archive", "POST restore", "DELETE "])
async def test_another_project_has_nothing_to_archive_here(api: Api, path: str) -> None:
    await api.ask("PUT", "/distributions/thanks", {**DOCUMENT, "status": "DRAFT"})
    method, _, step = path.partition(" ")
    address = f"/distributions/thanks/{step}".rstrip("/")
    assert (await api.ask(method, address, project="outlet")).status == 404
    assert (await api.ask(method, address, role="viewer")).status == 403
    assert (await api.ask(method, address, role="operator")).status == 403
    assert (await api.ask("GET", "/distributions/thanks")).json["status"] == "DRAFT"


async def test_a_draft_that_is_deleted_is_forgotten_by_workers_and_can_be_brought_back(
    api: Api, few_topics: Wiring
) -> None:
    await api.ask("PUT", "/distributions/thanks", {**DOCUMENT, "status": "DRAFT"})
    await api.ask("PUT", "/distributions/thanks", {**DOCUMENT, "status": "DRAFT", "priority": 7})
    async with followed(few_topics) as table:
        await until_true(lambda: table.index.find("shop", "thanks") is not None)
        tried = await api.ask("DELETE", "/distributions/thanks?dry_run=true")
        assert (tried.status, tried.json["version"], tried.json["dry_run"]) == (200, 2, True)
        assert (await api.ask("DELETE", "/distributions/thanks", if_match='"1"')).status == 412
        done = await api.ask("DELETE", "/distributions/thanks", role="editor")
        assert (done.status, done.json["distribution"], done.json["dry_run"]) == (200, "thanks", False)
        await until_true(lambda: table.index.find("shop", "thanks") is None)
        assert (await api.ask("GET", "/distributions/thanks")).status == 404
        assert (await api.ask("DELETE", "/distributions/thanks")).status == 404
        back = await api.ask("POST", "/distributions/thanks/restore")
        assert (back.status, back.json["status"], back.json["version"]) == (200, "DRAFT", 2)
        await until_true(lambda: table.index.find("shop", "thanks") is not None)
    versions = await api.listed("/distributions/thanks/versions", "version")
    assert versions == [2, 1]
    assert (await api.ask("GET", "/distributions/thanks")).json["priority"] == 7
    assert (await actions(api.pool))[-2:] == ["distribution.deleted", "distribution.restored"]


async def test_an_id_that_is_taken_anew_keeps_the_deleted_one_away(api: Api) -> None:
    await api.ask("PUT", "/distributions/thanks", {**DOCUMENT, "status": "DRAFT", "priority": 7})
    await api.ask("DELETE", "/distributions/thanks")
    made = await api.ask("PUT", "/distributions/thanks", {**DOCUMENT, "status": "DRAFT"})
    assert (made.status, made.json["version"]) == (201, 1)
    refused = await api.ask("POST", "/distributions/thanks/restore")
    assert (refused.status, "only what is archived" in refused.json["detail"]) == (409, True)
    with pytest.raises(VersionConflict, match="another thanks by now"):
        await DistributionEnds(api.pool).put_back("shop", "thanks", by="ann", now=NOW)
    assert await DistributionEnds(api.pool).deleted("shop", "thanks") is not None
    assert (await api.ask("GET", "/distributions/thanks")).json["priority"] == 0


# -- what is in the way -----------------------------------------------------------------------------------------------


async def has_a_hold(pool: asyncpg.Pool) -> None:
    await Holds(pool).add([waits("hld_1")])


async def has_a_delivery(pool: asyncpg.Pool) -> None:
    await Ledger(pool).claim_new([new(1, distribution_id="thanks")], owner="s", lease=LEASE)


async def has_a_send(pool: asyncpg.Pool) -> None:
    async with Sends(pool).change() as change:
        times: dict[str, Any] = {"when": When(), "hold": timedelta(minutes=10)}
        await change.add("shop", "send_1", "thanks", to=Audience(kind="list"), actor="ann", **times)


@pytest.mark.parametrize(
    ("waiting", "said"),
    [
        (has_a_hold, "1 of its messages wait for a moment; cancel them: tidings holds cancel --distribution thanks"),
        (has_a_delivery, "1 of its messages are on their way; wait for them, or cancel them"),
        (has_a_send, "its send send_1 is not over; stop it: tidings sends stop send_1"),
    ],
    ids=["hold", "delivery", "send"],
)
async def test_what_has_something_to_send_is_not_archived(
    pool: asyncpg.Pool, waiting: Callable[[asyncpg.Pool], Awaitable[None]], said: str
) -> None:
    before = await save(pool)
    await waiting(pool)
    with pytest.raises(NotFromHere) as error:
        await archive.archive(pool, before, announced, **HOW)
    assert said in str(error.value)
    assert (await distributions.find(pool, "shop", "thanks")).status == "STOPPED"
    other = await save(pool, distribution="other")
    assert (await archive.archive(pool, other, announced, **HOW)).status == "ARCHIVED"


async def was_live(pool: asyncpg.Pool) -> None:
    await save(pool, "LIVE", 2)
    await save(pool, "STOPPED", 3)


async def was_decided(pool: asyncpg.Pool) -> None:
    await put(Recorded(pool, KEEP), [decision(1, utc_now())])


@pytest.mark.parametrize("past", [was_live, was_decided, has_a_send], ids=["live", "decided", "send"])
async def test_what_has_a_past_is_archived_and_not_deleted(
    pool: asyncpg.Pool, past: Callable[[asyncpg.Pool], Awaitable[None]]
) -> None:
    await save(pool, "DRAFT")
    await past(pool)
    before = await distributions.find(pool, "shop", "thanks")
    assert not await archive.may_be_deleted(pool, before)
    with pytest.raises(NotFromHere, match="archive it instead: tidings distributions archive thanks"):
        await archive.delete(pool, before, announced, **HOW)
    assert await distributions.find(pool, "shop", "thanks") == before


async def test_a_live_one_is_neither_archived_nor_deleted(pool: asyncpg.Pool) -> None:
    for status in ("LIVE", "PAUSED"):
        before = await save(pool, status, distribution=status.lower())
        for act in (archive.archive, archive.delete):
            with pytest.raises(NotFromHere, match="stop it first"):
                await act(pool, before, announced, **HOW)


# -- at once ----------------------------------------------------------------------------------------------------------


async def test_of_a_change_and_a_deletion_at_once_one_is_refused(pool: asyncpg.Pool) -> None:
    for number in range(12):
        before = await save(pool, "DRAFT", distribution=f"d{number}")
        after = msgspec.structs.replace(before, version=2, country="PL")
        save_it = Control(pool).save([Change(after, "", ())], applied_by="bob", now=NOW)
        done = await asyncio.gather(archive.delete(pool, before, announced, **HOW), save_it, return_exceptions=True)
        assert [type(one) for one in done if isinstance(one, BaseException)] == [VersionConflict], done
        kept = await Control(pool).newest("shop", before.id)
        assert (kept is None) == isinstance(done[1], VersionConflict)
        assert kept is None or kept.version == 2


async def test_two_who_archive_at_once_make_one_version(pool: asyncpg.Pool) -> None:
    before = await save(pool)
    both = [archive.archive(pool, before, announced, **HOW) for _ in range(2)]
    done = await asyncio.gather(*both, return_exceptions=True)
    assert sorted(type(one).__name__ for one in done) == ["Distribution", "VersionConflict"]
    assert len(await distributions.history(pool, "shop", "thanks")) == 2


# -- documents and folders --------------------------------------------------------------------------------------------


async def test_a_document_archives_what_is_over_and_nothing_else(api: Api) -> None:
    await api.ask("PUT", "/distributions/thanks", DOCUMENT)
    refused = await api.ask("PUT", "/distributions/thanks", {**DOCUMENT, "status": "ARCHIVED"})
    (error,) = refused.json["errors"]
    assert (refused.status, error["pointer"]) == (422, "/status")
    assert "thanks is LIVE: stop it first" in error["detail"]
    await api.ask("POST", "/distributions/thanks/stop")
    done = await api.ask("PUT", "/distributions/thanks", {**DOCUMENT, "status": "ARCHIVED"})
    assert (done.status, done.json["changes"]) == (200, ["status: STOPPED → ARCHIVED"])


async def test_a_folder_tells_of_what_was_archived_elsewhere(pool: asyncpg.Pool, tmp_path: Path) -> None:
    folder = put_files(tmp_path / "shop")
    await apply(pool, folder)
    before = await distributions.find(pool, "shop", "winback")
    stopped = await lifecycle.take(pool, before, STEPS["stop"], announced, **HOW)
    with pytest.raises(ManagedFromGit):
        await archive.archive(pool, stopped, announced, **HOW)
    archived = await archive.archive(pool, stopped, announced, keep=Locked(override=True), **HOW)
    drift = await plan(pool, folder)
    assert told(drift) == {"distribution winback": ("changed", "elsewhere")}
    assert one_of(drift, "winback").lines == ("status: ARCHIVED → LIVE",)
    pulled = await live(pool, "shop")
    assert "winback" not in [one.identity for one in pulled.documents]
    assert "distribution winback is archived, and is left out" in pulled.notes
    (folder / "distributions/winback.yaml").unlink()
    gone = await apply(pool, folder, prunes=True)
    assert one_of(gone, "winback").note == "is archived already"
    assert await distributions.find(pool, "shop", "winback") == archived
    assert told(await plan(pool, folder)) == {}, "what is archived and managed nowhere is not told of"


# -- by commands, and for how long ------------------------------------------------------------------------------------


def test_commands_archive_restore_and_delete(tidings: Run, tmp_path: Path) -> None:
    (tmp_path / "winback.yaml").write_text(WINBACK)
    assert tidings("apply", "winback.yaml", "--yes").returncode == 0
    refused = tidings("distributions", "archive", "winback")
    assert (refused.returncode, "winback is LIVE: stop it first" in refused.stderr) == (1, True)
    tidings("distributions", "stop", "winback")
    assert tidings("distributions", "archive", "winback").stdout == "winback v3 is archived\n"
    assert tidings("distributions", "list", "--json").stdout == ""
    (listed,) = map(json.loads, tidings("distributions", "list", "--archived", "--json").stdout.splitlines())
    assert (listed["distribution"], listed["status"]) == ("winback", "ARCHIVED")
    assert "it is not deleted" not in tidings("distributions", "delete", "winback", "--yes").stdout
    assert tidings("distributions", "restore", "winback").stdout == "winback v4 is STOPPED\n"
    (tmp_path / "winback.yaml").write_text(WINBACK.replace(": winback\n", ": draft\nstatus: DRAFT\n", 1))
    assert tidings("apply", "winback.yaml", "--yes").returncode == 0
    deleted = tidings("distributions", "delete", "draft", "--yes").stdout
    assert deleted.startswith("draft is deleted; until ")
    assert tidings("distributions", "restore", "draft").stdout == "draft v1 is DRAFT\n"


async def test_what_was_deleted_is_kept_for_a_while_with_its_texts(pool: asyncpg.Pool) -> None:
    before = await save(pool, "DRAFT")
    await archive.delete(pool, before, announced, **HOW)
    retention = Retention(pool, timedelta(days=1), each=timedelta(0))
    await retention.tidy()
    assert await DistributionEnds(pool).deleted("shop", "thanks") is not None
    await pool.execute("update deleted_distributions set deleted_at = now() - interval '31 days'")
    await pool.execute("update chores set began_at = now() - interval '2 days'")
    await retention.tidy()
    assert await DistributionEnds(pool).deleted("shop", "thanks") is None
