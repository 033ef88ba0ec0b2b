"""Templates that a sender remembers."""

from __future__ import annotations

from agents.roles.sender.templates import TemplateCache
from schemas.template import StoredTemplate


async def test_the_least_recently_used_gives_way_and_what_is_missing_is_asked_for_each_time() -> None:
    asked: list[str] = []

    async def load(digest: str) -> StoredTemplate | None:
        asked.append(digest)
        return None if digest == "gone" else StoredTemplate(name=digest, subject="s", text="t")

    cache = TemplateCache(load, most=2)
    for digest in ("a", "b", "a", "c", "a", "b", "gone", "gone"):
        template = await cache.get(digest)
        assert (template and template.name) == (None if digest == "gone" else digest)
    assert asked == ["a", "b", "c", "b", "gone", "gone"]
