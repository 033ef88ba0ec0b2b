"""Templates under their names on a real PostgreSQL: versions, conflicts, and what may not be deleted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import islice
from pathlib import PurePath
from typing import Any

import asyncpg
import pytest

from console.control import templates
from console.control.template_source import SourceFile, sources
from schemas.channels.email import EmailPlan
from schemas.template import LocalText, NamedTemplate, StoredTemplate
from store.distributions import Change, Control, VersionConflict
from store.templates import NamedTemplates, TemplateUse
from streams.channels.template_files import TemplateFiles
from streams.documents.distribution import DefinitionContext, parse_definition
from tests.factory import NOW, definition


def named(name: str = "hello", version: int = 1, project: str = "shop", **parts: Any) -> NamedTemplate:
    said: dict[str, Any] = {"files": {f"{name}.txt": "Hi"}, "text": "Hi", "locales": {"pl": LocalText(text="Cześć")}}
    return NamedTemplate(project_id=project, name=name, version=version, **{**said, **parts})


def sending(template: NamedTemplate, identity: str = "winback", **changes: Any) -> Change:
    """A distribution that is made from a stored template."""
    files = TemplateFiles(template.text, template.html, template.locales, version=template.version)
    around = DefinitionContext("shop", 1, NOW, {"email": ("main",)}, {}, stored_templates={template.name: files})
    plan = {"account": "main", "subject": "s", "template": template.name}
    made = parse_definition(definition(distribution=identity, channels=[{"email": plan}], **changes), around)
    return Change(made.distribution, "", tuple(one for _, one in made.templates))


async def save(pool: asyncpg.Pool, *templates: NamedTemplate) -> None:
    await NamedTemplates(pool).save(templates, applied_by="me", now=NOW)


async def apply(pool: asyncpg.Pool, *changes: Change) -> None:
    await Control(pool).save(changes, applied_by="me", now=NOW)


async def test_a_version_is_found_as_it_was_saved_and_the_newest_without_a_number(pool: asyncpg.Pool) -> None:
    first, second = named(), named(version=2, html="<b>Hi</b>")
    for one in (first, second, named("other"), named(project="elsewhere", text="Other")):
        await save(pool, one)
    store = NamedTemplates(pool)
    found = [await store.find("shop", "hello", version) for version in (1, 2, None, 3)]
    assert [kept and kept.template for kept in found] == [first, second, second, None]
    assert await store.current("shop") == {"hello": second, "other": named("other")}
    assert [row["version"] for row in await store.history("shop", "hello")] == [2, 1]


async def test_of_two_who_apply_the_same_version_one_is_told_and_saves_nothing(pool: asyncpg.Pool) -> None:
    both = [save(pool, named("hello", text=said), named(said)) for said in ("a", "b")]
    done = await asyncio.gather(*both, return_exceptions=True)
    assert {type(one) for one in done} == {type(None), VersionConflict}
    assert len(await NamedTemplates(pool).current("shop")) == 2
    with pytest.raises(VersionConflict, match="template hello v3 exists already; plan again"):
        await save(pool, named(version=3))


async def test_what_is_stored_while_another_is_planned_is_not_overwritten(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    meanwhile = iter([named()])

    def then_stored(read: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def reading(*asked: Any) -> Any:
            found = await read(*asked)
            await save(pool, *islice(meanwhile, 1))
            return found

        return reading

    for name in ("current", "last_versions"):
        monkeypatch.setattr(NamedTemplates, name, then_stored(getattr(NamedTemplates, name)))
    written = sources([SourceFile(PurePath("hello.txt"), "Hello")]).values()
    plan = await templates.plan(pool, written, "shop")
    with pytest.raises(VersionConflict):
        await templates.save(pool, plan, actor="me", now=NOW)
    assert await NamedTemplates(pool).current("shop") == {"hello": named()}


async def test_a_distribution_sends_the_version_that_it_was_made_from(pool: asyncpg.Pool) -> None:
    one = named()
    await save(pool, one)
    await apply(pool, sending(one))
    await save(pool, named(version=2, text="Hello"))
    (plan,) = (await Control(pool).current("shop"))["winback"].channels
    assert isinstance(plan, EmailPlan)
    sent = await Control(pool).template(plan.template.digest)
    assert sent == StoredTemplate(name="hello", subject="s", text="Hi", locales=dict(one.locales), version=1)
    assert await NamedTemplates(pool).uses("shop") == [TemplateUse("winback", "hello", 1)]


@pytest.mark.parametrize(
    ("status", "is_used"), [("LIVE", True), ("PAUSED", True), ("STOPPED", False), ("ENDED", False), ("DRAFT", False)]
)
async def test_only_what_may_send_keeps_a_template_from_being_deleted(
    pool: asyncpg.Pool, status: str, is_used: bool
) -> None:
    store = NamedTemplates(pool)
    await save(pool, named(), named("other"))
    await apply(pool, sending(named(), status=status))
    assert await store.delete("shop", "other", NOW, by="me") == []
    assert await store.delete("shop", "hello", NOW, by="me") == (
        [TemplateUse("winback", "hello", 1)] if is_used else []
    )
    assert list(await store.current("shop")) == (["hello"] if is_used else [])
    assert await store.last_versions("shop") == {"hello": 1, "other": 1}
    assert (await store.find("shop", "hello") is not None) is is_used
    assert await store.find("shop", "hello", 1) is not None


async def test_a_deleted_template_counts_on_where_it_comes_back(pool: asyncpg.Pool) -> None:
    store = NamedTemplates(pool)
    await save(pool, named())
    await store.delete("shop", "hello", NOW, by="me")
    with pytest.raises(VersionConflict):
        await save(pool, named())
    await save(pool, named(version=2))
    assert (await store.current("shop"))["hello"].version == 2


async def test_a_distribution_of_a_template_that_was_deleted_meanwhile_is_not_saved(pool: asyncpg.Pool) -> None:
    await save(pool, named())
    change = sending(named())
    await NamedTemplates(pool).delete("shop", "hello", NOW, by="me")
    with pytest.raises(VersionConflict, match="template hello was deleted in between; plan again"):
        await apply(pool, change)
    assert await Control(pool).current("shop") == {}


async def test_a_template_is_deleted_or_a_distribution_of_it_saved_whoever_comes_first(pool: asyncpg.Pool) -> None:
    for number in range(10):
        one = named(f"hello-{number}")
        await save(pool, one)
        deleted, saved = await asyncio.gather(
            NamedTemplates(pool).delete("shop", one.name, NOW, by="me"),
            apply(pool, sending(one, f"winback-{number}")),
            return_exceptions=True,
        )
        if isinstance(saved, VersionConflict):
            assert deleted == []
        else:
            assert (saved, deleted) == (None, [TemplateUse(f"winback-{number}", one.name, 1)])
        is_there = one.name in await NamedTemplates(pool).current("shop")
        assert is_there is (saved is None)
