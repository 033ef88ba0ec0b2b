"""Templates that a sender remembers."""

from __future__ import annotations

import asyncio

from agents.roles.sender.templates import TemplateCache
from schemas.template import StoredTemplate


class Store:
    """Templates of about a thousand bytes, but for one of ten thousand and one that is gone."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def load(self, digest: str) -> StoredTemplate | None:
        self.asked.append(digest)
        await asyncio.sleep(0)
        size = 10_000 if digest == "large" else 1000
        return None if digest == "gone" else StoredTemplate(name=digest, subject="s", text="x" * size)


async def test_the_least_recently_used_gives_way() -> None:
    store = Store()
    cache = TemplateCache(store.load, most_bytes=2500)
    for digest in ("a", "b", "a", "c", "a", "b"):
        template = await cache.get(digest)
        assert template is not None
        assert template.name == digest
    assert store.asked == ["a", "b", "c", "b"]


async def test_versions_of_any_size_stay_within_bounds() -> None:
    cache = TemplateCache(Store().load, most_bytes=2500)
    for number in range(100):
        await cache.get(f"v{number}")
        await cache.get("large")
        assert cache._known.currsize <= 2500
        assert "large" not in cache._known


async def test_what_is_asked_for_at_once_counts_once_and_what_is_gone_is_asked_for_each_time() -> None:
    store = Store()
    cache = TemplateCache(store.load, most_bytes=2500)
    await asyncio.gather(*(cache.get("a") for _ in range(5)))
    assert list(cache._known) == ["a"]
    assert cache._known.currsize < 1200
    assert [await cache.get("gone") for _ in range(2)] == [None, None]
    assert store.asked.count("gone") == 2
