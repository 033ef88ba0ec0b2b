"""Two processes under one instance name."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from agents.transport.membership import TwinInstance
from agents.wiring import Wiring
from tests.integration.batch_apps import running, until
from tests.integration.test_foreign_records import Reader, produced


async def test_the_second_of_two_with_one_name_ends_in_words_and_the_first_goes_on(
    wiring: Wiring, tmp_path: Path
) -> None:
    reader, other = Reader(wiring), Reader(wiring)
    async with running(wiring, tmp_path / "1", reader.work, consumer_group_instance_id="same") as (first, watch):
        await until(watch, lambda: watch.health().status == "ok")
        produced(wiring, [b"1"])
        await reader.until_all_committed(watch)
        async with running(wiring, tmp_path / "2", other.work, consumer_group_instance_id="same") as (second, _):
            await until(watch, lambda: second.crash_reason is not None)
        assert type(second.crash_reason) is TwinInstance
        assert "instance 'same' is at work already" in str(second.crash_reason)
        assert second.exit_code() == os.EX_CONFIG
        await asyncio.to_thread(produced, wiring, [b"2"])
        await until(watch, lambda: b"2" in reader.values)
        await reader.until_all_committed(watch)
        assert first.crash_reason is None


async def test_a_process_that_is_started_again_under_its_name_takes_its_place(wiring: Wiring, tmp_path: Path) -> None:
    """The broker still has the one before it for a member, as after a kill: a fixed name does not leave its group."""
    reader = Reader(wiring)
    async with running(wiring, tmp_path / "1", reader.work, consumer_group_instance_id="same") as (_, watch):
        await until(watch, lambda: watch.health().status == "ok")
    async with running(wiring, tmp_path / "2", reader.work, consumer_group_instance_id="same") as (second, watch):
        produced(wiring, [b"1"])
        await reader.until_all_committed(watch)
        assert second.crash_reason is None
