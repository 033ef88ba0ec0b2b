"""Membership of a group under a stable name, and two processes that have the same one.

The broker gives the name to whoever joined last and knows the other no more; without more ado the two would throw each
other out for ever, and records would be processed twice. So whoever was thrown out asks who has the name now: the
younger of the two ends, saying why, and the elder joins again.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from typing import Any

import structlog
from aiokafka.consumer import consumer as consumers
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import KafkaError
from aiokafka.protocol.admin import DescribeGroupsRequest

from schemas.errors import CannotStart

log = structlog.get_logger()


class TwinInstance(CannotStart):
    """Another process works under the instance name of this one."""


def client_id(instance: str) -> str:
    """A process as the broker shows it: its name, and when it began, so that of twins one is the younger."""
    return f"{instance}@{time.time_ns()}-{os.getpid()}"


def age_of(client: str) -> tuple[int, ...]:
    """The smaller, the longer ago the process began; of an unknown kind it began before all others."""
    began = client.rpartition("@")[2].split("-")
    return tuple(int(part) for part in began) if all(part.isdecimal() for part in began) else ()


class Coordinator(GroupCoordinator):
    """Asks who has its name before it joins again."""

    _thrown_out = False
    on_twin: Callable[[TwinInstance], None]

    def reset_generation(self) -> None:
        """The broker does not know this member any more."""
        self._thrown_out = self._thrown_out or self.generation > 0
        super().reset_generation()

    async def _do_rejoin_group(self, subscription: Any) -> bool:
        if self._group_instance_id is None:
            return bool(await super()._do_rejoin_group(subscription))
        if self._thrown_out and (twin := await self._elder_twin()) is not None:
            self.on_twin(twin)
            await asyncio.wait([self._closing])
            return False
        self._thrown_out = False
        try:
            return bool(await super()._do_rejoin_group(subscription))
        except KafkaError as error:
            if "UnknownError" not in str(error):  # as which a fenced name comes through
                raise
            self._thrown_out = True
            self.reset_generation()
            await asyncio.sleep(self._retry_backoff_ms / 1000)
            return False

    async def _elder_twin(self) -> TwinInstance | None:
        """The reason why this process has to end, if another one that began before it is a member under its name."""
        mine, own = self._client._client_id, f"{self._group_instance_id}-"
        for member_id, client, host, *_ in await self._members():
            if not member_id.startswith(own) or len(member_id) != len(own) + _UUID or client == mine:
                continue
            if age_of(client) < age_of(mine):
                return TwinInstance(
                    f"instance {self._group_instance_id!r} is at work already: another process under this name, on "
                    f"host {host.lstrip('/')}, is a member of {self.group_id}. Give each process a name of its own "
                    "(--instance); this one ends, the other goes on"
                )
            log.warning("twin_instance", instance=self._group_instance_id, host=host, because="it began later and ends")
        return None

    async def _members(self) -> list[Any]:
        try:
            answer = await self._send_req(DescribeGroupsRequest([self.group_id]))
        except KafkaError:
            return []
        return [member for group in answer.groups for member in group[5]]


_UUID = 36


def join_in_our_way() -> None:
    """Have every member of a group in this process be one of ours; aiokafka takes the class from its module."""
    consumers.GroupCoordinator = Coordinator
