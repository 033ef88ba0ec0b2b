"""A project's folder pulled, planned and applied on a real PostgreSQL, and the lock on what is managed from there."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from console.control import campaigns, distributions, lifecycle, quiet_hours, segments, templates
from console.control.context import ProjectContext
from console.control.files.documents import read_documents
from console.control.files.templates import chosen_sources
from console.control.from_git import apply as applying
from console.control.from_git import plan as planning
from console.control.from_git.apply import BrokeOff, WouldOverwrite, must_not_overwrite
from console.control.from_git.folder import read_project_folder, write_live
from console.control.from_git.live import live
from console.control.from_git.plan import FolderPlan
from console.control.from_git.three_way import Compared
from console.control.preview.samples import named_accounts
from deploy.settings.messages import Brand
from deploy.settings.settings import Settings
from schemas.errors import DefinitionInvalid, TidingsError
from schemas.managed import GitSource
from schemas.project import Project
from schemas.window import QuietHours
from store.audit import AuditFilter, AuditLog
from store.distributions import Control
from store.managed import LOCKED, Locked, Managed, ManagedFromGit
from store.templates import NamedTemplates
from tests import ROOT
from tests.factory import NOW

EXAMPLES = ROOT / "examples"
URL = "https://shop.example.com/x"
BRAND = Brand("Shop", "x", "x", privacy_url=URL, terms_url=URL, logo_url=URL, permission_reminder="x")
SHOP = GitSource("github.com/acme/shop", "c" * 40)

WINBACK = """\
# The one that brings people back.
distribution: winback
trigger: {event: customer.order.paid}
when: {order.amount: {at_least: 1000}}   # in cents
consent: marketing
channels:
  - email: {account: main, subject: Hello, template: hello}
  - webhook: {url: "https://hooks.example.com/x", type: winback}
"""
FILES = {
    "distributions/winback.yaml": WINBACK,
    "segments/vip.yaml": "segment: vip\nmembers_file: vip.csv\n",
    "segments/vip.csv": "id\nc1\nc2\n",
    "campaigns/spring.yaml": """\
campaign: spring
kind: DISCOUNT_COUPONS
type: AUTO_UPDATE
discount: {type: PERCENT, percent_off: 10}
code_config: {pattern: "SPRING-######"}
""",
    "templates/hello.txt": "Hi {{ customer.id }}\n",
    "templates/hello.pl.txt": "---\nsubject: Witaj\n---\nCześć {{ customer.id }}\n",
}


def put(folder: Path, files: Mapping[str, str] = FILES) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def project_of(folder: Path) -> ProjectContext:
    documents = read_project_folder(folder).documents["distribution"]
    made = ProjectContext("shop", brand=BRAND, has_links=True)
    return made.with_accounts([*named_accounts(documents), ("email", "main")])


async def announced(control: Control) -> None:
    """Nobody listens."""


async def plan(pool: asyncpg.Pool, folder: Path, source: GitSource = SHOP, *, prunes: bool = False) -> FolderPlan:
    return await planning.plan(pool, read_project_folder(folder), project_of(folder), source, NOW, prunes=prunes)


async def apply(pool: asyncpg.Pool, folder: Path, source: GitSource = SHOP, *, prunes: bool = False) -> FolderPlan:
    found = await plan(pool, folder, source, prunes=prunes)
    must_not_overwrite(found)
    await applying.apply(pool, found, "shop", announced, actor="ci", now=NOW)
    return found


def told(found: FolderPlan) -> dict[str, tuple[str, str | None]]:
    """The fate of each thing and where it changed, without those that are unchanged."""
    return {
        f"{one.kind} {one.identity}": (one.plan, one.changed_in) for one in found.compared if one.plan != "unchanged"
    }


def one_of(found: FolderPlan, identity: str) -> Compared:
    return next(one for one in found.compared if one.identity == identity)


async def change_elsewhere(pool: asyncpg.Pool, folder: Path, old: str, new: str, keep: Locked = LOCKED) -> None:
    """Apply winback from another place, as a person does."""
    other = put(folder.parent / "elsewhere", {"winback.yaml": WINBACK.replace(old, new)})
    made = await distributions.plan(pool, read_documents([other]), project_of(folder), NOW)
    await distributions.save(pool, made, announced, actor="jo", now=NOW, keep=keep)


# -- pull --------------------------------------------------------------------------------------------------------


def example_folder(folder: Path) -> Path:
    """All examples that are of one project."""
    for name in ("campaigns", "segments", "templates", "distributions"):
        shutil.copytree(EXAMPLES / name, folder / name)
    for extra in ("waiting", "providers"):
        for file in (EXAMPLES / extra).glob("*.yaml"):
            shutil.copy(file, folder / "distributions" / f"{extra}-{file.name}")
    return folder


async def test_examples_that_are_applied_and_pulled_are_the_same(pool: asyncpg.Pool, tmp_path: Path) -> None:
    folder = example_folder(tmp_path / "examples")
    first = await apply(pool, folder)
    assert {one.plan for one in first.compared} == {"new"} and len(first.compared) > 30
    before = contents(folder)
    assert {one.what for one in write_live(await live(pool, "shop"), folder)} == {"same"}
    assert contents(folder) == before
    fresh = tmp_path / "fresh"
    write_live(await live(pool, "shop"), fresh)
    assert {one.plan for one in (await plan(pool, fresh)).compared} == {"unchanged"}
    pulled = contents(fresh)
    await apply(pool, fresh)
    write_live(await live(pool, "shop"), fresh)
    assert contents(fresh) == pulled
    again = tmp_path / "again"
    write_live(await live(pool, "shop"), again)
    assert contents(again) == pulled


async def test_what_is_pulled_is_what_was_written_comments_included(pool: asyncpg.Pool, tmp_path: Path) -> None:
    folder = put(tmp_path / "shop")
    await apply(pool, folder)
    write_live(await live(pool, "shop"), tmp_path / "fresh")
    assert contents(tmp_path / "fresh") == contents(folder)


async def test_only_what_changed_is_written_again(pool: asyncpg.Pool, tmp_path: Path) -> None:
    """Two documents in a file, one of them paused since, and a comment that nobody has applied."""
    other = WINBACK.replace("distribution: winback", "distribution: other")
    text = f"# Both.\n{WINBACK}---\n{other}"
    folder = put(tmp_path / "shop", {**FILES, "distributions/winback.yaml": text})
    await apply(pool, folder)
    (folder / "segments/vip.yaml").write_text("# Ours.\nsegment: vip\nmembers_file: vip.csv\n")
    await lifecycle.take(
        pool, await distributions.find(pool, "shop", "other"), lifecycle.STEPS["pause"], announced, actor="jo", now=NOW
    )
    what = {one.file.name: one.what for one in write_live(await live(pool, "shop"), folder)}
    assert what["winback.yaml"] == "changed" and set(what.values()) == {"same", "changed"}
    assert (folder / "distributions/winback.yaml").read_text() == f"{text}status: PAUSED\n"
    assert (folder / "segments/vip.yaml").read_text().startswith("# Ours.")
    assert told(await plan(pool, folder)) == {}


async def test_what_is_only_in_the_folder_is_named_and_stays(pool: asyncpg.Pool, tmp_path: Path) -> None:
    folder = put(tmp_path / "shop")
    pulled = {one.file.name: one.what for one in write_live(await live(pool, "shop"), folder)}
    assert pulled == dict.fromkeys(("winback.yaml", "vip.yaml", "spring.yaml", "hello.txt", "hello.pl.txt"), "not live")
    assert contents(folder).keys() == FILES.keys()


async def test_a_template_that_was_not_stored_is_written_as_it_is_sent(pool: asyncpg.Pool, tmp_path: Path) -> None:
    folder = put(tmp_path / "shop")
    made = await distributions.plan(pool, read_documents([folder / "distributions"]), project_of(folder), NOW)
    await distributions.save(pool, made, announced, actor="jo", now=NOW)
    found = await live(pool, "shop")
    assert any("hello" in note for note in found.notes)
    write_live(found, tmp_path / "fresh")
    assert "subject: Witaj" in (tmp_path / "fresh/templates/hello.pl.txt").read_text()
    await apply(pool, tmp_path / "fresh")
    assert told(await plan(pool, tmp_path / "fresh")) == {}


async def test_an_attached_file_is_pulled(pool: asyncpg.Pool, tmp_path: Path) -> None:
    mail = WINBACK.replace("template: hello}", "template: hello, attachments: [{file: docs/terms.txt}]}")
    folder = put(tmp_path / "shop", {**FILES, "distributions/winback.yaml": mail, "distributions/docs/terms.txt": "T"})
    await apply(pool, folder)
    write_live(await live(pool, "shop"), tmp_path / "fresh")
    assert contents(tmp_path / "fresh") == contents(folder)
    (folder / "distributions/docs/terms.txt").write_text("Other terms")
    assert told(await plan(pool, folder)) == {"distribution winback": ("changed", "git")}


# -- plan and apply ----------------------------------------------------------------------------------------------


async def test_a_plan_says_what_is_new_changed_and_unchanged(pool: asyncpg.Pool, tmp_path: Path) -> None:
    folder = put(tmp_path / "shop")
    assert {one.plan for one in (await apply(pool, folder)).changes} == {"new"}
    again = await plan(pool, folder)
    assert (told(again), again.changes) == ({}, [])
    put(folder, {"distributions/winback.yaml": WINBACK.replace("1000", "900"), "templates/hello.txt": "Hey\n"})
    changed = await plan(pool, folder)
    assert told(changed) == {"distribution winback": ("changed", "git"), "template hello": ("changed", "git")}
    lines = one_of(changed, "winback").lines
    assert any("1000" in line and "900" in line for line in lines) and any("hello: v1 → v2" in line for line in lines)
    await apply(pool, folder)
    assert told(await plan(pool, folder)) == {}
    (use,) = await NamedTemplates(pool).uses("shop")
    assert (use.distribution_id, use.version) == ("winback", 2)


async def test_all_problems_are_told_at_once_with_their_lines(pool: asyncpg.Pool, tmp_path: Path) -> None:
    folder = put(tmp_path / "shop")
    put(folder, {
        "distributions/winback.yaml": WINBACK.replace("at_least", "atleast"),
        "distributions/broken.yaml": "distribution: [",
        "segments/vip.yaml": "segment: vip\nmemberz: [a]\n",
        "campaigns/spring.yaml": "campaign: spring\nkind: COUPON\n",
        "campaigns/typo.yaml": "campain: spring\n",
        "templates/hello.txt": "Hi\n{{ custmer.name }}\n",
    })  # fmt: skip
    with pytest.raises(DefinitionInvalid) as error:
        await plan(pool, folder)
    places = " ".join(one.path for one in error.value.problems)
    for expected in ("winback.yaml:4", "broken.yaml:1", "vip.yaml:2", "spring.yaml:2", "typo.yaml:1", "hello.txt:2"):
        assert expected in places, expected
    assert await distributions.listed(pool, "shop") == []


async def test_what_was_changed_elsewhere_is_told_from_what_was_changed_in_git(
    pool: asyncpg.Pool, tmp_path: Path
) -> None:
    folder = put(tmp_path / "shop")
    await apply(pool, folder)
    await change_elsewhere(pool, folder, "1000", "700", Locked(override=True))
    drift = await plan(pool, folder)
    assert told(drift) == {"distribution winback": ("changed", "elsewhere")}
    with pytest.raises(WouldOverwrite, match="distribution winback: changed elsewhere"):
        await apply(pool, folder)
    put(folder, {"distributions/winback.yaml": WINBACK.replace("1000", "900")})
    assert told(await plan(pool, folder)) == {"distribution winback": ("changed", "both")}
    forced = await plan(pool, folder)
    await applying.apply(pool, forced, "shop", announced, actor="ci", now=NOW)
    assert (await distributions.find(pool, "shop", "winback")).when == {"order.amount": {"at_least": 900}}
    assert told(await plan(pool, folder)) == {}


async def test_quiet_hours_that_a_project_gets_are_not_taken_for_a_change_elsewhere(
    pool: asyncpg.Pool, tmp_path: Path
) -> None:
    """They are in no document of the folder, and nobody could take them back."""
    folder = put(tmp_path / "shop")
    await apply(pool, folder)
    hours = Project(
        id="shop", name="Shop", version=1, quiet_hours=QuietHours(begins="21:00", ends="09:00"), updated_at=NOW
    )
    assert await quiet_hours.roll_out(pool, [hours], Settings(), announced, actor="jo", now=NOW) == 1
    rule = await distributions.find(pool, "shop", "winback")
    assert (rule.version, rule.quiet_hours) == (2, hours.quiet_hours)
    put(folder, {"distributions/winback.yaml": WINBACK.replace("1000", "900")})
    found = await planning.plan(
        pool, read_project_folder(folder), replace(project_of(folder), quiet_hours=hours.quiet_hours), SHOP, NOW
    )
    assert (told(found), found.drift) == ({"distribution winback": ("changed", "git")}, [])
    await lifecycle.take(pool, rule, lifecycle.STEPS["pause"], announced, actor="jo", now=NOW)
    assert (
        await quiet_hours.roll_out(
            pool, [msgspec.structs.replace(hours, quiet_hours=None)], Settings(), announced, actor="jo", now=NOW
        )
        == 1
    )
    assert told(await plan(pool, folder)) == {"distribution winback": ("changed", "both")}


async def test_what_was_changed_elsewhere_is_taken_over_by_a_pull(pool: asyncpg.Pool, tmp_path: Path) -> None:
    folder = put(tmp_path / "shop")
    await apply(pool, folder)
    await change_elsewhere(pool, folder, "1000", "700", Locked(override=True))
    write_live(await live(pool, "shop"), folder)
    assert (folder / "distributions/winback.yaml").read_text() == WINBACK.replace("1000", "700")
    await apply(pool, folder)
    put(folder, {"distributions/winback.yaml": WINBACK})
    assert told(await plan(pool, folder)) == {"distribution winback": ("changed", "git")}


async def test_a_pause_is_not_taken_back_unasked(pool: asyncpg.Pool, tmp_path: Path) -> None:
    folder = put(tmp_path / "shop")
    await apply(pool, folder)
    before = await distributions.find(pool, "shop", "winback")
    await lifecycle.take(pool, before, lifecycle.STEPS["pause"], announced, actor="jo", now=NOW)
    with pytest.raises(WouldOverwrite):
        await apply(pool, folder)
    paused = await distributions.find(pool, "shop", "winback")
    await lifecycle.take(pool, paused, lifecycle.STEPS["resume"], announced, actor="jo", now=NOW)
    await apply(pool, folder)


async def test_what_left_the_folder_ends_with_prune_alone(pool: asyncpg.Pool, tmp_path: Path) -> None:
    folder = put(tmp_path / "shop")
    await apply(pool, folder)
    for file in ("distributions/winback.yaml", "segments/vip.yaml", "campaigns/spring.yaml"):
        (folder / file).unlink()
    shutil.rmtree(folder / "templates")
    kept = await apply(pool, folder)
    assert kept.changes == [] and "LIVE: --prune stops it" in one_of(kept, "winback").note
    assert (await distributions.find(pool, "shop", "winback")).status == "LIVE"
    with pytest.raises(WouldOverwrite, match=r"nothing in the folder, and --prune would end all 4 .*--force"):
        await apply(pool, folder, prunes=True)
    await applying.apply(pool, await plan(pool, folder, prunes=True), "shop", announced, actor="ci", now=NOW)
    assert (await distributions.find(pool, "shop", "winback")).status == "STOPPED"
    assert await segments.version(pool, "shop", "vip") == 0
    assert await templates.version(pool, "shop", "hello") == 0
    assert await campaigns.version(pool, "shop", "spring") == 1
    assert await Managed(pool).of_project("shop") == []


async def test_prune_is_refused_for_what_distributions_go_on_using(pool: asyncpg.Pool, tmp_path: Path) -> None:
    folder = put(tmp_path / "shop")
    await apply(pool, folder)
    other = put(
        tmp_path / "more", {"distributions/x.yaml": WINBACK.replace("distribution: winback", "distribution: x")}
    )
    await apply(pool, other, GitSource("more"))
    for name in ("distributions/winback.yaml", "templates/hello.txt", "templates/hello.pl.txt"):
        (folder / name).unlink()
    with pytest.raises(DefinitionInvalid) as error:
        await plan(pool, folder, prunes=True)
    assert "template hello is no longer here, and distribution x uses it" in error.value.problems[0].message
    assert (await distributions.find(pool, "shop", "winback")).status == "LIVE"


async def test_another_source_neither_prunes_nor_takes_over(pool: asyncpg.Pool, tmp_path: Path) -> None:
    folder = put(tmp_path / "shop")
    await apply(pool, folder)
    other = put(tmp_path / "other", {"segments/else.yaml": "segment: else\nmembers: [c1]\n"})
    await apply(pool, other, GitSource("other"), prunes=True)
    assert (await distributions.find(pool, "shop", "winback")).status == "LIVE"
    with pytest.raises(WouldOverwrite):
        await apply(pool, folder, GitSource("other"))


async def test_an_apply_that_broke_off_is_done_by_the_next(
    pool: asyncpg.Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = put(tmp_path / "shop")

    async def breaks(*_: object, **__: object) -> None:
        raise TidingsError("the database went away")

    with monkeypatch.context() as patched:
        patched.setattr(templates, "save", breaks)
        with pytest.raises(BrokeOff, match=r"went away\. Applied: campaigns, segments; the same again does the rest"):
            await apply(pool, folder)
    found = await plan(pool, folder)
    assert told(found).keys() == {"template hello", "distribution winback"} and found.drift == []
    await apply(pool, folder)
    assert told(await plan(pool, folder)) == {}


async def test_every_change_is_in_the_audit_log(pool: asyncpg.Pool, tmp_path: Path) -> None:
    await apply(pool, put(tmp_path / "shop"))
    rows = [one.row for one in await AuditLog(pool).page(AuditFilter("shop"), 50)]
    assert {(row.actor, row.action) for row in rows if row.thing == "winback"} == {
        ("ci", "distribution.created"), ("ci", "managed.applied"),
    }  # fmt: skip
    await apply(pool, tmp_path / "shop")
    assert len(await AuditLog(pool).page(AuditFilter("shop"), 50)) == len(rows)


# -- read-only elsewhere -----------------------------------------------------------------------------------------


async def _segment(pool: asyncpg.Pool, folder: Path, keep: Locked) -> None:
    other = put(folder.parent / "elsewhere", {"vip.yaml": "segment: vip\nmembers: [c9]\n"})
    made = await segments.plan(pool, read_documents([other / "vip.yaml"]), project_of(folder), NOW)
    await segments.save(pool, made, actor="jo", keep=keep)


async def _campaign(pool: asyncpg.Pool, folder: Path, keep: Locked) -> None:
    text = FILES["campaigns/spring.yaml"].replace("10}", "20}")
    other = put(folder.parent / "elsewhere", {"spring.yaml": text})
    made = await campaigns.plan(pool, read_documents([other / "spring.yaml"]), project_of(folder), NOW)
    await campaigns.save(pool, made, actor="jo", now=NOW, keep=keep)


async def _template(pool: asyncpg.Pool, folder: Path, keep: Locked) -> None:
    other = put(folder.parent / "elsewhere", {"hello.txt": "Changed\n"})
    made = await templates.plan(pool, chosen_sources([other / "hello.txt"])[0], "shop")
    await templates.save(pool, made, actor="jo", now=NOW, keep=keep)


async def _distribution(pool: asyncpg.Pool, folder: Path, keep: Locked) -> None:
    await change_elsewhere(pool, folder, "1000", "700", keep)


async def _removed(pool: asyncpg.Pool, folder: Path, keep: Locked) -> None:
    await segments.remove(pool, "shop", "vip", actor="jo", keep=keep)


async def _deleted(pool: asyncpg.Pool, folder: Path, keep: Locked) -> None:
    rule = await distributions.find(pool, "shop", "winback")
    if rule.status != "STOPPED":
        await distributions.set_status(pool, "shop", "winback", "STOPPED", announced, actor="jo", now=NOW)
    await templates.delete(pool, "shop", "hello", actor="jo", now=NOW, keep=keep)


@pytest.mark.parametrize("change", [_distribution, _segment, _campaign, _template, _removed, _deleted])
async def test_what_is_managed_from_git_is_changed_elsewhere_only_where_somebody_insists(
    change: Callable[..., Awaitable[Any]], pool: asyncpg.Pool, tmp_path: Path
) -> None:
    folder = put(tmp_path / "shop")
    await apply(pool, folder)
    with pytest.raises(ManagedFromGit, match=r"from Git \(github.com/acme/shop at cccccccccccc\).*--override"):
        await change(pool, folder, Locked())
    await change(pool, folder, Locked(override=True))
    rows = [one.row for one in await AuditLog(pool).page(AuditFilter("shop", actor="jo"), 50)]
    assert "managed.overridden" in {row.action for row in rows}


async def test_without_a_lock_nothing_is_refused_and_drift_is_told(pool: asyncpg.Pool, tmp_path: Path) -> None:
    folder = put(tmp_path / "shop")
    await apply(pool, folder)
    await change_elsewhere(pool, folder, "1000", "700", Locked(is_off=True))
    rows = [one.row for one in await AuditLog(pool).page(AuditFilter("shop", actor="jo"), 50)]
    assert [row.action for row in rows] == ["distribution.changed"]
    assert told(await plan(pool, folder)) == {"distribution winback": ("changed", "elsewhere")}
    with pytest.raises(WouldOverwrite):
        await apply(pool, folder)


async def test_what_is_released_is_managed_here(pool: asyncpg.Pool, tmp_path: Path) -> None:
    folder = put(tmp_path / "shop")
    await apply(pool, folder)
    thing = next(one.thing for one in await Managed(pool).of_project("shop") if one.thing.kind == "distribution")
    assert await Managed(pool).release(thing, by="jo")
    assert not await Managed(pool).release(thing, by="jo")
    await change_elsewhere(pool, folder, "1000", "700")
    assert not await Managed(pool).release(replace(thing, project_id="other"), by="jo")
