"""The channels of a process, and how each is tried."""

from __future__ import annotations

from datetime import timedelta

from agents.channels import channels_of, policies_of
from channels.registry import CHANNEL_TYPES
from deploy.settings.settings import Settings
from deploy.settings.workers import Sender
from schemas.closed import CHANNELS


def test_every_channel_is_built_from_settings_that_say_nothing() -> None:
    built = channels_of(Settings())
    assert {name: channel.name for name, channel in built.items()} == {name: name for name in CHANNELS}


def test_the_settings_repeat_what_a_channel_says_of_itself_and_win_where_they_do_not() -> None:
    assert policies_of(Sender()) == {name: channel.policy for name, channel in CHANNEL_TYPES.items()}
    patient = policies_of(Sender(webhook_timeout=timedelta(seconds=3), email_retries=()))
    assert (patient["webhook"].timeout, patient["webhook"].retries) == (
        timedelta(seconds=3),
        CHANNEL_TYPES["webhook"].policy.retries,
    )
    assert patient["email"].retries == ()
