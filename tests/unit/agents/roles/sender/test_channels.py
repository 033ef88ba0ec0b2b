"""What a sender process is built of follows from the settings."""

from __future__ import annotations

from agents.roles.sender.channels import channels_of, links_of
from deploy.settings.settings import load_settings
from schemas.closed import CHANNELS


def test_links_of_codes_follow_from_the_console_s_settings() -> None:
    environ = {"TIDINGS_CONSOLE_PUBLIC_URL": "https://t.example", "TIDINGS_CONSOLE_SECRETS": "n" * 16 + "," + "o" * 16}
    links = links_of(load_settings(environ))("SAVE")
    assert sorted(links) == ["barcode_url", "qr_url"]
    assert links["qr_url"].startswith("https://t.example/codes/qr/")
    assert links_of(load_settings({}))("SAVE") == {}


def test_every_channel_is_there() -> None:
    assert set(channels_of(load_settings({}))) == set(CHANNELS)
