"""Whatever of a project has a name, found by a part of it: pages, what people made, and customers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import asyncpg

from console.control.customer_search import LONGEST_SOUGHT
from schemas.errors import BadQuestion
from schemas.formats.search_keys import folded
from store.names import Named, NamedKind, find_names
from streams.values.wording import invalid_kind

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Matches(Generic[T]):
    """The best of what fits, the best first, and how many fit in all."""

    best: Sequence[T]
    number: int


async def find(
    pool: asyncpg.Pool, project_id: str, sought: Sequence[str], kinds: Collection[NamedKind], most: int
) -> Mapping[NamedKind, Matches[Named]]:
    """Things of some kinds that have all words in their name or id, by kind: of those that fit alike, by id.

    Raises TryLater.
    """
    found = await find_names(pool, project_id, kinds, sought, most)
    return {kind: Matches(one.first, one.number) for kind, one in found.items()}


def sought_words(text: str) -> Sequence[str]:
    """The words of a text as they are compared: case and accents do not count. Raises BadQuestion where it has none."""
    words = (folded(text) or "").split()
    if not words or len(text) > LONGEST_SOUGHT:
        raise BadQuestion(invalid_kind(text, f"1 to {LONGEST_SOUGHT} characters, not all of them blank"), "text")
    return words


def matches(things: Iterable[T], texts: Callable[[T], Collection[str]], sought: Sequence[str], most: int) -> Matches[T]:
    """Things in whose texts all the words are; of those that fit alike, the order stays."""
    fit = [(rank, one) for one in things if (rank := rank_of(texts(one), sought)) is not None]
    fit.sort(key=lambda found: found[0])
    return Matches([one for _, one in fit[:most]], len(fit))


def rank_of(texts: Collection[str], sought: Sequence[str]) -> int | None:
    """The place of texts among others, 0 the first: one is what is sought, begins so, has such words, or has it in it.

    None where a word is in none of them.
    """
    whole, compared = " ".join(sought), [folded(one) or "" for one in texts]
    if whole in compared:
        return 0
    if any(one.startswith(whole) for one in compared):
        return 1
    words = [word for one in compared for word in one.replace("-", " ").replace("_", " ").split()]
    if all(any(word.startswith(part) for word in words) for part in sought):
        return 2
    return 3 if all(any(part in one for one in compared) for part in sought) else None
