"""The command line as a user meets it, on real servers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agents.wiring import Wiring
from tests import ROOT
from tests.e2e.harness import BRAND
from tests.environment import environment_of
from tests.factory import order_event

Run = Callable[..., subprocess.CompletedProcess[str]]

WINBACK = """\
distribution: winback
trigger: {event: customer.order.paid}
when:
  all:
    - order.amount: {at_least: 1000}
consent: marketing
channels:
  - webhook: {url: https://hooks.example.com/x, type: winback}
"""


@pytest.fixture
def tidings(wiring: Wiring, tmp_path: Path) -> Run:
    """Run a command in a folder of its own."""
    environ = {**os.environ, **environment_of(wiring), "PYTHONPATH": str(ROOT)}

    def run(*arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "console", *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env={**environ, **extra}, capture_output=True, text=True, timeout=240, check=False
        )

    return run


def test_a_distribution_is_checked_planned_and_applied(tidings: Run, tmp_path: Path) -> None:
    file = tmp_path / "distributions" / "winback.yaml"
    file.parent.mkdir()
    file.write_text(WINBACK.replace("at_least", "atleast"))
    wrong = tidings("apply", "distributions")
    assert wrong.returncode == 1
    assert "distributions/winback.yaml:5" in wrong.stderr
    assert 'Did you mean "at_least"?' in wrong.stderr
    assert "nothing was applied" in wrong.stderr
    file.write_text(WINBACK)
    unasked = tidings("apply", "distributions")
    assert (unasked.returncode, "use --yes" in unasked.stderr) == (1, True)
    assert tidings("apply", "distributions", "--yes").returncode == 0
    file.write_text(WINBACK.replace("1000", "900"))
    planned = json.loads(tidings("apply", "distributions", "--dry-run", "--json").stdout)
    assert (planned["plan"], planned["version"]) == ("changed", 2)
    assert "1000" in planned["changes"][0] and "900" in planned["changes"][0]
    (listed,) = map(json.loads, tidings("distributions", "list", "--json").stdout.splitlines())
    assert (listed["distribution"], listed["version"], listed["status"]) == ("winback", 1, "LIVE")
    assert tidings("distributions", "pause", "winback").stdout == "winback v2 is PAUSED\n"
    (record,) = map(json.loads, tidings("tail", "distributions", "--from-start").stdout.splitlines()[-1:])
    assert record["value"]["status"] == "PAUSED"


def test_an_event_is_simulated_and_nothing_is_sent(tidings: Run, tmp_path: Path) -> None:
    (tmp_path / "winback.yaml").write_text(WINBACK)
    (tmp_path / "event.json").write_text(json.dumps(order_event()))
    told = tidings("simulate", "--event", "event.json", "winback.yaml")
    assert "winback v1  would send" in told.stdout
    assert "✓ order.amount at_least 1000" in told.stdout
    assert tidings("tail", "deliveries.webhook", "--from-start").stdout == ""


def test_an_applied_distribution_is_previewed_by_its_id(tidings: Run, tmp_path: Path) -> None:
    payload = WINBACK.replace("type: winback}", "type: winback, payload: {sum: {from: order.amount}}, envelope: false}")
    mail = '  - email: {account: main, subject: "Back, {{ customer.name | d(1) }}?", text: "Come {{ order.id }}"}\n'
    (tmp_path / "winback.yaml").write_text(payload + mail)
    account = '[email_accounts.main]\nhost = "127.0.0.1"\nsender = "s@example.com"\n'
    (tmp_path / "tidings.toml").write_text(BRAND + account)
    (tmp_path / "event.json").write_text(json.dumps(order_event()))
    assert tidings("apply", "winback.yaml", "--yes").returncode == 0
    on_sample, on_event = tidings("preview", "winback"), tidings("preview", "winback", "--event", "event.json")
    assert '"sum": 12000' in on_sample.stdout
    assert "Subject: Back, Jo?" in on_event.stdout
    assert (
        tidings("preview", "winback", "--channel", "webhook", "--raw", "--event", "event.json").stdout == '{"sum":5000}'
    )
    wrong = tidings("preview", "winbak")
    assert (wrong.returncode, 'Did you mean "winback"?' in wrong.stderr) == (1, True)
    assert tidings("tail", "deliveries.webhook", "--from-start").stdout == ""


def test_events_are_published_and_wrong_lines_named(tidings: Run, tmp_path: Path) -> None:
    lines = [json.dumps(order_event()), "{", json.dumps(order_event(type="x")), json.dumps([1])]
    (tmp_path / "events.jsonl").write_text("\n".join(lines))
    done = tidings("publish", "events.jsonl")
    assert done.returncode == 1
    assert "1  events.orders" in done.stdout
    assert [f"events.jsonl:{number}" in done.stderr for number in (1, 2, 3, 4)] == [False, True, True, True]
    (record,) = map(json.loads, tidings("tail", "events.orders", "--from-start").stdout.splitlines())
    assert record["key"] == "c1"
    assert record["value"]["data"]["order"]["items"][0]["sku"] == "GIFT-1"
    lag = tidings("lag").stdout
    assert "lag 2 in" in lag
    assert "tidings-matcher has never committed" in lag.replace("\n", " ")


WRONG: list[tuple[tuple[str, ...], dict[str, str], int, str]] = [
    (("lag",), {"TIDINGS_KAFKA": "127.0.0.1:1"}, 69, "Kafka does not answer"),
    (
        ("distributions", "list"),
        {"TIDINGS_POSTGRES": "postgresql://u:hush@127.0.0.1:1/x"},
        69,
        "127.0.0.1:1/x does not",
    ),
    (("lag",), {"TIDINGS_WIRE_FORMAT": "xml"}, 78, "wire.format must be one of"),
    (("worker", "matcher", "--no-wait"), {"TIDINGS_KAFKA": "127.0.0.1:1"}, 69, "does not answer"),
    (("worker", "cook"), {}, 2, "must be one of matcher, publisher"),
    (("tail", "nothing"), {}, 1, "There are: events.segments"),
    (("why", "dlv_x"), {}, 1, 'no delivery "dlv_x"'),
    (("why",), {}, 1, "name a customer, a delivery, an event"),
    (("why", "c1", "--cursor", "x"), {}, 1, 'cursor: "x" is not valid'),
    (("why", "c1", "--since", "soon"), {}, 1, 'since: "soon" is not valid'),
    (("doctor",), {}, 1, "webhook secrets"),
    (("doctor",), {"TIDINGS_NOTICES_WEBHOOK": "https://localhost/hush"}, 1, "notices.webhook: localhost"),
]


def test_what_goes_wrong_is_said_with_a_code(tidings: Run) -> None:
    with ThreadPoolExecutor(4) as pool:  # some wait for a server that is not there
        done = list(pool.map(lambda case: tidings(*case[0], **case[1]), WRONG))
    for (arguments, _, code, said), result in zip(WRONG, done, strict=True):
        output = result.stderr + result.stdout
        assert (arguments, result.returncode, said in output) == (arguments, code, True), output
        assert "hush" not in output


def test_the_schema_is_printed(tidings: Run) -> None:
    assert json.loads(tidings("schema").stdout)["title"] == "Distribution"


def test_segments_are_applied_listed_and_deleted(tidings: Run, tmp_path: Path) -> None:
    (tmp_path / "vip.csv").write_text("customer_id,note\nc1,x\nc2,y\n")
    (tmp_path / "vip.yaml").write_text("segment: vip\nname: Friends\nmembers_file: vip.csv\n")
    (tmp_path / "bad.yaml").write_text("segment: bad\nwhen:\n  customer.birthdya: {day_is: today}\n")
    bad = tidings("segments", "apply", str(tmp_path / "bad.yaml"), "--yes")
    assert (bad.returncode, "bad.yaml:3" in bad.stderr, "customer.birthday" in bad.stderr) == (1, True, True)
    assert tidings("segments", "apply", str(tmp_path / "vip.yaml"), "--yes").returncode == 0
    assert "unchanged" in tidings("segments", "apply", str(tmp_path / "vip.yaml"), "--dry-run").stdout
    (listed,) = tidings("segments", "list", "--json").stdout.splitlines()
    counts = {"members": 0, "unjudged": 0, "computed": "0 of 0"}
    assert json.loads(listed) == {"segment": "vip", "version": 1, "kind": "static", **counts}
    shown = json.loads(tidings("segments", "show", "vip").stdout)
    assert (shown["members"], shown["unjudged"]) == (["c1", "c2"], {"customers": 0, "reasons": []})
    assert tidings("segments", "count", "vip").stdout.strip() == "0"
    assert tidings("segments", "of", "c1", "--json").stdout == ""
    assert tidings("segments", "delete", "vip").returncode == 0
    assert 'no segment "vip"' in tidings("segments", "members", "vip").stderr
