"""A destination: where a project's messages of one channel go, with a pace and pauses of its own."""

from __future__ import annotations

from typing import NamedTuple

from schemas.closed import ChannelName


class Destination(NamedTuple):
    """An account, or an endpoint's host, as one project uses it: another project's of the same name is another one."""

    project_id: str
    channel: ChannelName
    name: str

    @property
    def named(self) -> dict[str, str]:
        """Its parts as logs name them."""
        return {"project": self.project_id, "channel": self.channel, "destination": self.name}
