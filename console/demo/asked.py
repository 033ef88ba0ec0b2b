"""The API, asked for the numbers of the demo as anybody asks it, held against what was recomputed."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import msgspec

from console.demo.expected import Expected
from schemas.errors import TidingsError

Numbers = dict[str, dict[str, int]]
"""What was emitted by channel, skipped by reason, and sent by channel, at whichever try."""


@dataclass(frozen=True, slots=True)
class Api:
    """Its address up to the version, and a key of a viewer."""

    address: str
    key: str = field(repr=False)

    async def numbers(self) -> Numbers:
        """The numbers of its statistics; nothing while it does not answer. Raises TidingsError where it refuses."""
        try:
            status, raw = await self._asked("/statistics?by=channel,reason")
        except aiohttp.ClientError:
            return {}
        if status == 503:
            return {}
        if status != 200:
            raise TidingsError(f"the API answers {status}: {raw.decode(errors='replace')}")
        found = msgspec.json.decode(raw)
        return {
            "emitted": _counted(found["decisions"], "channel", "emitted"),
            "skipped": _counted(found["decisions"], "reason", "skipped"),
            "sent": _counted(found["deliveries"], "channel", "sent", "recovered"),
        }

    async def _asked(self, path: str) -> tuple[int, bytes]:
        headers = {"authorization": f"Bearer {self.key}"}
        async with aiohttp.ClientSession(headers=headers) as session, session.get(self.address + path) as reply:
            return reply.status, await reply.read()

    async def numbers_like(self, wanted: Numbers, within: float) -> Numbers:
        """The numbers once they are those, or no more is added to them for a time (seconds)."""
        found, since = await self.numbers(), time.monotonic()
        while found != wanted and time.monotonic() - since < within:
            await asyncio.sleep(0.2)
            before, found = found, await self.numbers()
            since = since if found == before else time.monotonic()
        return found


def recomputed(expected: Expected) -> Numbers:
    """The same numbers, of what has to come out."""
    by_channel = {str(channel): len(found) for channel, found in expected.deliveries.items() if found}
    return {"emitted": by_channel, "skipped": dict(expected.skipped), "sent": by_channel}


def _counted(numbers: Iterable[dict[str, Any]], by: str, *outcomes: str) -> dict[str, int]:
    found = Counter[str]()
    for one in numbers:
        if one["outcome"] in outcomes:
            found[one[by]] += one["records"]
    return dict(found)
