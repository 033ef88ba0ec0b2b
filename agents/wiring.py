"""The settings of a deployment together with the wire that follows from them: what workers and commands begin with."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from agents.broker.wire import Wire
from deploy.settings.settings import Settings

if TYPE_CHECKING:
    from agents.broker.extents import Extents


class Wiring(Wire):
    """Everything that follows from the settings for everybody; a role builds what it alone needs.

    `project` is the one that a command acts within; where none is named, the default one.
    """

    def __init__(self, settings: Settings, *, in_loop: bool = False, project: str = "") -> None:
        default = settings.project_id
        super().__init__(settings.kafka, settings.topics, settings.wire, default_project=default, in_loop=in_loop)
        self.settings, self.project = settings, project or default

    @cached_property
    def extents(self) -> Extents:
        """The one that all share who ask Kafka by the way: they wait for a few seconds at most."""
        from agents.broker.extents import PATIENCE, Extents  # most commands do not ask

        return Extents(self, patience=PATIENCE)

    def close(self) -> None:
        """Disconnect those who have asked by the way, until their next question. Blocks for a moment."""
        if (made := self.__dict__.get("extents")) is not None:
            made.close()
