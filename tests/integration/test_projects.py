"""Two projects with one name for everything, in one database: neither sees the other's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import asyncpg
import msgspec
import pytest

from agents.broker.reader import TopicReader
from agents.roles.segmenter.segmenter import Segmenter
from agents.wiring import Wiring
from schemas.errors import CannotStart
from schemas.segment import SegmentDefinition
from store.distributions import Change, Control
from store.migrate import migrate
from store.segments import Segments
from tests.factory import NOW, rule
from tests.integration.test_segments import Record, Stage

PROJECTS = ("outlet", "shop")


async def test_another_default_project_refuses_to_start_and_says_which_is_right(pool: asyncpg.Pool) -> None:
    assert await migrate(pool, "shop") == []
    with pytest.raises(CannotStart, match=r'project_id is "outlet", .* is "shop".*TIDINGS_PROJECT_ID=shop.*--project'):
        await migrate(pool, "outlet")
    assert await pool.fetchval("select default_project from deployment") == "shop"


async def test_distributions_of_one_name_have_versions_of_their_own(pool: asyncpg.Pool) -> None:
    control = Control(pool)
    made = {project: msgspec.structs.replace(rule(), project_id=project, name=project) for project in PROJECTS}
    for one in made.values():
        await control.save([Change(one, "", ())], applied_by="test", now=NOW)
    await control.set_status(made["outlet"], "PAUSED", applied_by="test", now=NOW)
    found = {project: (await control.current(project))["thanks"] for project in PROJECTS}
    assert {name: (one.name, one.version, one.status) for name, one in found.items()} == {
        "outlet": ("outlet", 2, "PAUSED"),
        "shop": ("shop", 1, "LIVE"),
    }
    assert [len(await control.history(project, "thanks")) for project in PROJECTS] == [2, 1]


class TwoProjects(Stage):
    """A stage with the same customers and segments in both projects."""

    def of(self, project: str, customer: str, *, erased: bool = False, **fields: Any) -> Record:
        raw = None if erased else self.wiring.codec("customers").encode({"id": customer, "metadata": fields})
        made = self._add(customer, raw)
        self.log[-1] = replace(made, key=self.wiring.key(project, customer))
        return self.log[-1]

    async def define(self, project: str, version: int = 1, **who: Any) -> None:
        made = SegmentDefinition(
            id="vip", project_id=project, name=f"VIP of {project}", version=version, updated_at=self.now, **who
        )
        await self.segments.save([(made, "")], applied_by="test", now=self.now)

    async def found(self) -> dict[str, list[str]]:
        return {
            project: [row["customer_id"] for row in await self.segments.members(project, "vip", 10)]
            for project in PROJECTS
        }

    def keys(self) -> list[tuple[str, str, str]]:
        with TopicReader(self.wiring, "events.segments") as reader:
            found = [(message.key().decode(), reader.decode(message)) for message in reader.until_now()]
        return sorted((key, event["project_id"], event["type"].rpartition(".")[2]) for key, event in found)


async def test_segments_of_one_name_have_members_of_their_own_projects_alone(
    pool: asyncpg.Pool, wiring: Wiring
) -> None:
    stage = TwoProjects(wiring, pool)
    one: Segmenter = stage.segmenter()
    await stage.define("shop", when={"customer.metadata.points": {"at_least": 10}})
    await stage.define("outlet", when={"customer.metadata.points": {"at_least": 100}})
    await stage.compute(one)
    both = [(project, who, points) for project in PROJECTS for who, points in (("c1", 50), ("c2", 500))]
    await stage.take(one, *(stage.of(project, who, points=points) for project, who, points in both))
    assert await stage.found() == {"shop": ["c1", "c2"], "outlet": ["c2"]}
    assert stage.keys() == [("c1", "shop", "entered"), ("c2", "shop", "entered"), ("outlet\x1fc2", "outlet", "entered")]

    await stage.define("outlet", 2, when={"customer.metadata.points": {"at_least": 10}})
    await stage.compute(one)
    assert await stage.found() == {"shop": ["c1", "c2"], "outlet": ["c1", "c2"]}

    await stage.take(one, stage.of("outlet", "c2", erased=True))
    assert await stage.found() == {"shop": ["c1", "c2"], "outlet": ["c1"]}
    assert [await Segments(pool).customers(project) for project in PROJECTS] == [1, 2]
    assert [row["segment_id"] for row in await stage.segments.of_customer("shop", "c2")] == ["vip"]
    assert await stage.segments.remove("outlet", "vip", by="test")
    assert await stage.found() == {"shop": ["c1", "c2"], "outlet": []}


CONTAIN_THE_PROJECT = {
    "project_id",
    "delivery_id",
    "publication_id",
    "notice_id",
    "campaign_key",
    "delivery_key",
}
"""Columns of ids that are the project's, or hashes of it among other things."""
OF_THE_DEPLOYMENT = {
    "deployment": "its one row",
    "migrations": "of the schema",
    "api_keys": "the digest of random bits, beside (project_id, key_id)",
    "api_failures": "networks that nobody has proved a project for",
    "chores": "work on whole tables",
    "decision_counters": "runs of matchers, which work for all",
    "attached_files": "the digest of a content, equal only for equal files",
    "membership_changes": "an order of what is to be told",
    "rebuilds": "its one row",
    "read_model_rebuilds": "read models that all projects share",
    "rebuilt_positions": "offsets of topics that all projects share",
    "recorded_positions": "offsets of topics that all projects share",
    "membership_telling": "its one row",
    "outbox": "an order of records",
    "users": "people of the deployment; user_roles says of which projects",
    "sessions": "the digest of random bits, and an id of others",
    "sign_in_attempts": "digests of addresses and networks that nobody has proved a project for",
    "sign_in_networks": "people of the deployment",
    "user_identities": "people of the deployment, as a provider names them",
    "oidc_attempts": "the digest of random bits",
    "oidc_logout_tokens": "the digest of an id that a provider has for its token",
    "passkeys": "people of the deployment, as their devices name them",
    "passkey_challenges": "the digest of random bits",
    "user_links": "the digest of random bits",
    "segment_outbox": "an order of records",
    "segment_positions": "offsets of the topic that all projects share",
    "senders": "the processes that are at work",
    "templates": "the digest of a content, equal only for equal texts",
    "campaigns": "a number of the database's own, beside (project_id, id)",
}


async def test_every_unique_key_of_every_table_has_the_project_in_it_or_is_known_to_need_none(
    pool: asyncpg.Pool,
) -> None:
    rows = await pool.fetch(
        "select c.relname as table, array_agg(a.attname::text) as columns from pg_index i"
        " join pg_class c on c.oid = i.indrelid join pg_attribute a on a.attrelid = c.oid and a.attnum = any(i.indkey)"
        " where i.indisunique and c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')"
        " and not c.relispartition group by c.relname, i.indexrelid"
    )
    without = {row["table"] for row in rows if not set(row["columns"]) & CONTAIN_THE_PROJECT}
    assert without <= OF_THE_DEPLOYMENT.keys(), without - OF_THE_DEPLOYMENT.keys()


async def test_no_row_may_leave_its_project_open(pool: asyncpg.Pool) -> None:
    """A null would make a row that no unique key compares."""
    rows = await pool.fetch(
        "select table_name from information_schema.columns"
        " join information_schema.tables using (table_schema, table_name)"
        " where table_schema = 'public' and column_name = 'project_id' and is_nullable = 'YES'"
        " and table_type = 'BASE TABLE'"
    )
    assert [row["table_name"] for row in rows] == []
