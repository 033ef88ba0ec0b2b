"""The laws of all channels, held by each of the registry; and that each has its files and its lines."""

from __future__ import annotations

from importlib import import_module
from typing import get_args

import pytest

from channels.registry import CHANNEL_TYPES
from schemas.channels.tables import DELIVERY_TYPES, ChannelPlan
from schemas.closed import CHANNELS
from streams.channels.tables import CHANNEL_RULES
from tests import ROOT
from tests.contract.channels.laws import LAWS, Law

FILES = (
    "schemas/channels/{}",
    "streams/channels/{}",
    "channels/{}",
    "channels/fakes/{}",
    "tests/contract/channels/test_{}",
)


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
async def test_every_channel_keeps(law: Law, channel: str) -> None:
    await law(import_module(f"tests.contract.channels.test_{channel}").CASE)


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize(
    "file",
    [
        "schemas/channels/{}",
        "streams/channels/{}",
        "channels/{}",
        "channels/fakes/{}",
        "tests/contract/channels/test_{}",
    ],
)
def test_every_channel_has_its_five_files(file: str, channel: str) -> None:
    path = ROOT / file.format(channel)
    assert path.with_suffix(".py").is_file() or (path / "channel.py").is_file()


def test_every_table_has_every_channel() -> None:
    plans = {plan.channel: plan for plan in get_args(ChannelPlan)}
    for table in (plans, DELIVERY_TYPES, CHANNEL_RULES, CHANNEL_TYPES):
        assert set(table) == set(CHANNELS)
    assert {name: (plans[name].channel, DELIVERY_TYPES[name].channel) for name in CHANNELS} == {
        name: (name, name) for name in CHANNELS
    }
    assert {name: plan.__struct_config__.tag for name, plan in plans.items()} == {name: name for name in CHANNELS}
