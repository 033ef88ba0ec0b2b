"""The number of times that a customer may get what a version of a distribution sends, remembered by version."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from schemas.distribution import Again
from store.sending.ledger import VersionKey

_MOST = 100_000
"""Versions that are remembered; with more than that, what is needed is asked for anew."""


class AgainCache:
    """A version never changes, so it is asked for once. `load` leaves out those that the store does not have."""

    def __init__(
        self, load: Callable[[set[VersionKey]], Awaitable[Mapping[VersionKey, Again]]], *, most: int = _MOST
    ) -> None:
        self._load, self._most = load, most
        self._known: dict[VersionKey, Again | None] = {}

    async def of(self, versions: set[VersionKey]) -> Mapping[VersionKey, Again | None]:
        """Of each of these; None where the store does not have it. Raises TryLater."""
        if unknown := versions - self._known.keys():
            if len(self._known) + len(unknown) > self._most:
                self._known, unknown = {}, versions
            loaded = await self._load(unknown)
            self._known |= {version: loaded.get(version) for version in unknown}
        return self._known
