"""Segments of customers as the commands are given them, on a machine without any server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from console.cli.main import app
from tests.factory import order_event

GUARDED = """\
distribution: thanks
trigger: {event: customer.order.paid}
when: {customer.segments: {contains: vip}}
consent: transactional
channels: [{webhook: {url: https://hooks.example.com/x, type: t}}]
"""


@pytest.mark.parametrize(
    ("segments", "said"),
    [
        (["vip"], {"--event": "would send", "--events": "emitted"}),
        (["other"], {"--event": "does not match", "--events": "no_match"}),
        (None, {"--event": "are not known here", "--events": "are not known here"}),
    ],
)
def test_customers_of_a_file_are_in_the_segments_that_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, segments: list[str] | None, said: dict[str, str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("TIDINGS_KAFKA", "TIDINGS_POSTGRES", "TIDINGS_SETTINGS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TIDINGS_PROJECT_ID", "shop")
    Path("d.yaml").write_text(GUARDED)
    event = order_event()
    Path("event.json").write_text(json.dumps(event))
    customer = {"id": event["data"]["customer"]["id"]} | ({"segments": segments} if segments else {})
    Path("customers.jsonl").write_text(json.dumps(customer) + "\n")
    for recorded in (("--event", "event.json"), ("--events", "event.json")):
        shown = CliRunner().invoke(app, ("simulate", "d.yaml", *recorded, "--customers", "customers.jsonl"))
        assert shown.exit_code == 0, shown.output
        assert said[recorded[0]] in shown.output
    checked = CliRunner().invoke(app, ("check", "d.yaml", "--events", "event.json", "--customers", "customers.jsonl"))
    assert checked.exit_code == (1 if segments == ["other"] else 0), checked.output
    assert ("is not known" in checked.output) is (segments is None)
