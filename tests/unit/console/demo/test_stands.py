"""The examples of providers are valid, and each provider of the demo has one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from console.control.files.documents import read_documents
from console.demo.stands import EXAMPLES, STANDS
from schemas.account import read_account
from schemas.closed import CHANNELS, ChannelName
from streams.documents.distribution import parse_definition
from tests.factory import CONTEXT

FILES = sorted((EXAMPLES / "providers").glob("*.yaml"))
IN_DATABASE = sorted(set(STANDS) - {"webhook", "email"})


def test_every_channel_is_played() -> None:
    assert set(STANDS) == set(CHANNELS)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_example_of_a_provider_is_valid_and_about_it(file: Path) -> None:
    (document,) = read_documents([file])
    made = parse_definition(document.plain, replace(CONTEXT, accounts={file.stem: ("main",)}))
    assert [plan.channel for plan in made.distribution.channels] == [file.stem]


@pytest.mark.parametrize("channel", IN_DATABASE)
def test_each_provider_of_the_demo_has_an_example_and_an_account(channel: ChannelName) -> None:
    assert (EXAMPLES / "providers" / f"{channel}.yaml").is_file()
    assert read_account(channel, STANDS[channel].account("http://127.0.0.1:8080")).rate
