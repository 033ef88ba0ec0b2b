"""The behaviours that segments ask for: learned from their definitions, and made known to Postgres."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import tzinfo

import structlog

from agents.roles.segmenter.memberships import Memberships
from schemas.record_key import Keyed
from store.segments import Segments
from streams.behaviours import Counting, topic_of
from streams.conditions.language import Behaviour
from streams.index.guard import written_zone
from streams.segments import SegmentIndex

log = structlog.get_logger()

Ends = Callable[[str], Awaitable[dict[int, tuple[int, int]]]]
"""From a topic to the first offset and the end of each partition."""


@dataclass(frozen=True, slots=True)
class Asked:
    """All behaviours that are asked for at a moment, and by project what asks events about them."""

    behaviours: dict[Keyed, Behaviour] = field(default_factory=dict)
    counting: dict[str, Counting] = field(default_factory=dict)


class Learning:
    """Knows what is asked for, as `learn` found it last."""

    def __init__(self, segments: Segments, memberships: Memberships, zone: tzinfo) -> None:
        self._segments, self._memberships, self._zone = segments, memberships, zone
        self._versions: dict[Keyed, tuple[int, int]] = {}
        self.asked = Asked()

    async def learn(self, ends: Ends) -> None:
        """Look at all segments; add to Postgres what nobody counted before, and forget what nobody asks for.

        Behaviours are looked at before segments: one that is added for a new segment meanwhile is not forgotten.
        """
        async with self._segments.transaction() as work:
            there, versions = await work.behaviours.all(), await work.behaviours.versions()
            if versions != self._versions:
                asked = Asked()
                for project in sorted({one.project_id for one in versions}):
                    index = await self._memberships.learned(work, project, await work.states(project))
                    self._add(asked, project, index)
                self.asked, self._versions = asked, versions
            gone = there.keys() - self.asked.behaviours.keys()
            await work.behaviours.remove(gone)
        for behaviour in sorted(self.asked.behaviours.keys() - there.keys()):
            topic = topic_of(self.asked.behaviours[behaviour])
            found = await ends(topic)
            async with self._segments.transaction() as work:
                if await work.behaviours.add(behaviour, topic, await work.now(), found):
                    log.info("behaviour_added", project=behaviour.project_id, behaviour=behaviour.id, topic=topic)

    def _add(self, asked: Asked, project: str, index: SegmentIndex) -> None:
        if not index.behaviours:
            return
        behaviours = {key: one for some in index.behaviours.values() for key, one in some.items()}
        zones = (written_zone(index.definitions[segment].timezone) for segment in sorted(index.behaviours))
        asked.counting[project] = Counting(behaviours.values(), next(zones) or self._zone)
        asked.behaviours.update({Keyed(project, key): one for key, one in behaviours.items()})
