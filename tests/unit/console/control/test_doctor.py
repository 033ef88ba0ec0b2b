"""Findings of the doctor, as far as they need no server."""

from __future__ import annotations

from channels.http.ssrf import OWN_NETWORKS, Reach
from console.control.doctor import closed_addresses
from tests.factory import rule


def test_the_doctor_names_each_address_that_is_refused_without_showing_its_path() -> None:
    urls = ("https://hooks.example.com/x", "http://hooks.example.com/hush", "https://10.0.0.1/hush")
    live = [rule(channels=[{"webhook": {"url": url, "type": "t"}} for url in urls])]
    first, second, third = closed_addresses(live, "https://localhost/hush", Reach())
    assert first.startswith("notices.webhook: localhost leads to an address that is not public")
    assert second.startswith("distribution thanks: channels[1].webhook.url: http is not allowed")
    assert third.startswith("distribution thanks: channels[2].webhook.url: 10.0.0.1 is an address that is not public")
    assert "hush" not in first + second + third
    assert closed_addresses(live, "", Reach(http=True, networks=OWN_NETWORKS.networks)) == []
