"""The messages of a distribution in a file, shown word for word and without a server."""

from __future__ import annotations

import email
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner, Result

from console.cli.main import app
from console.control.preview import messages as preview
from deploy.settings.settings import load_settings
from schemas.distribution import Promote, Publish
from schemas.errors import DefinitionInvalid, TidingsError
from schemas.events.triggers import TRIGGERS
from tests import ROOT
from tests.e2e.harness import BRAND
from tests.factory import NOW, customer, order_event, rule

Run = Callable[..., Result]

SETTINGS = """\
[email_accounts.main]
host = "127.0.0.1"
sender = "shop@example.com"
"""
THANKS = """\
distribution: thanks
trigger: {event: customer.order.paid}
when: {order.amount: {at_least: 100000}}
consent: marketing
channels:
  - webhook:
      url: https://hooks.example.com/x
      type: thanks
      headers: {x-team: growth}
      payload: {id: {from: customer.id}, amount: {from: order.amount}}
      envelope: false
  - email: {account: main, subject: "Thanks, {{ customer.name }}", text: "Order [{{ order.id }}]", html: "<b>x</b>"}
"""


@pytest.fixture
def tidings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in a folder with settings, a distribution, an event and a customer, and no servers."""
    monkeypatch.chdir(tmp_path)
    for name in ("TIDINGS_KAFKA", "TIDINGS_POSTGRES", "TIDINGS_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)
    Path("tidings.toml").write_text('project_id = "shop"\n' + BRAND + SETTINGS)
    Path("thanks.yaml").write_text(THANKS)
    Path("event.json").write_text(json.dumps(order_event()))
    Path("customer.json").write_text(json.dumps(customer(id="c1", name="Zoë", email="zoe@example.com")))

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, arguments, catch_exceptions=True)

    return run


def test_each_message_is_shown_on_the_sample(tidings: Run) -> None:
    shown = tidings("preview", "thanks.yaml")
    assert shown.exit_code == 0, shown.output
    for part in (
        "thanks  customer.order.paid  event ev_sample_1",
        "sends nothing: order.amount at_least 100000 fails, it is 12000",
        "webhook  https://hooks.example.com/x",
        "x-team: growth",
        '{\n  "id": "cust_17",\n  "amount": 12000\n}\n',
        "email  jack@example.com",
        "Subject: Thanks, Jack Nowak",
        "Order [ord_1]",
    ):
        assert part in shown.output


def test_raw_is_what_is_posted_to_the_byte(tidings: Run) -> None:
    raw = tidings("preview", "thanks.yaml", "--channel", "webhook", "--raw", "--sample")
    assert raw.stdout_bytes == b'{"id":"cust_17","amount":12000}'
    mail = email.message_from_bytes(tidings("preview", "thanks.yaml", "--channel", "email", "--raw").stdout_bytes)
    assert (mail["To"], mail["Subject"]) == ("Jack Nowak <jack@example.com>", "Thanks, Jack Nowak")


def test_an_event_and_the_profile_that_counts_may_be_given(tidings: Run) -> None:
    given = ("preview", "thanks.yaml", "--event", "event.json", "--customer", "customer.json", "--json")
    shown = json.loads(tidings(*given).output)
    posted, mailed = shown["messages"]
    assert shown["event"] == "ev1"
    assert posted["body"] == {"id": "c1", "amount": 5000}
    assert (mailed["to"], mailed["subject"]) == ("zoe@example.com", "Thanks, Zoë")
    assert mailed["text"].startswith("Order [o1]")


@pytest.mark.parametrize(
    ("at", "born"),
    [
        ("2026-11-20", True),
        ("2026-11-20T00:30:00+01:00", True),
        ("2026-11-20T00:30:00", True),
        ("2026-11-19T23:30:00Z", True),
        ("2026-11-20T23:30:00Z", False),
        ("2026-11-21", False),
    ],
)
def test_days_are_judged_at_the_moment_that_is_named(tidings: Run, at: str, born: bool) -> None:
    Path("tidings.toml").write_text('project_id = "shop"\ntimezone = "Europe/Warsaw"\n')
    Path("rule.yaml").write_text(
        "distribution: rule\ntrigger: {event: customer.order.paid}\nconsent: marketing\n"
        "when: {customer.birthday: {day_is: today}}\n"
        "channels: [webhook: {url: 'https://hooks.example.com/x', type: t}]\n"
    )
    event = order_event()
    event["data"]["customer"]["birthday"] = "1990-11-20T00:00:00.000Z"
    Path("event.json").write_text(json.dumps(event))
    shown = tidings("simulate", "rule.yaml", "--event", "event.json", "--at", at)
    assert ("would send" in shown.output) is born, shown.output
    previewed = tidings("preview", "rule.yaml", "--event", "event.json", "--at", at)
    assert ("sends nothing" in previewed.output) is not born, previewed.output


@pytest.mark.parametrize("at", ["soon", "2026-13-01", "9999-12-31", ""])
def test_what_is_no_moment_is_wrong_usage(tidings: Run, at: str) -> None:
    shown = tidings("simulate", "thanks.yaml", "--event", "event.json", "--at", at)
    assert (shown.exit_code, "is not a moment" in shown.output.replace("\n", " ")) == (2, True)


def test_a_message_that_cannot_be_made_says_why_beside_the_others(tidings: Run) -> None:
    Path("customer.json").write_text(json.dumps({"id": "c1"}))
    shown = tidings("preview", "thanks.yaml", "--customer", "customer.json")
    assert shown.exit_code == 1
    assert "✗ no_address" in shown.output
    assert '"amount": 12000' in shown.output
    Path("thanks.yaml").write_text(THANKS.replace("customer.name", "customer.nick"))
    shown = tidings("preview", "thanks.yaml")
    assert (shown.exit_code, "`customer.nick` is undefined" in shown.output) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "event", "said"),
    [
        (("--event", "event.json"), order_event(type="customer.order.created"), "reacts to customer.order.paid"),
        (("--event", "event.json"), order_event(project_id="other"), "in project other"),
        (("--event", "event.json"), [1], "event.json does not hold a JSON object"),
        (("--event", "event.json"), {"type": "customer.order.paid"}, "id"),
        (("--customer", "event.json"), {"name": 1}, "event.json is not a customer"),
    ],
    ids=str,
)
def test_what_is_no_event_or_customer_is_refused(
    tidings: Run, arguments: tuple[str, ...], event: Any, said: str
) -> None:
    Path("event.json").write_text(json.dumps(event))
    failure = tidings("preview", "thanks.yaml", *arguments).exception
    assert isinstance(failure, TidingsError)
    assert said in str(failure)


def test_a_customer_may_be_given_for_the_sample_but_not_beside_an_event_about_another(tidings: Run) -> None:
    Path("customer.json").write_text(json.dumps(customer(id="c2")))
    shown = json.loads(tidings("preview", "thanks.yaml", "--customer", "customer.json", "--json").output)
    assert shown["messages"][0]["body"]["id"] == "c2"
    failure = tidings("preview", "thanks.yaml", "--customer", "customer.json", "--event", "event.json").exception
    assert "event.json is about customer c1, customer.json is c2" in str(failure)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("thanks.yaml", "--sample", "--event", "event.json"), "not both"),
        (("thanks.yaml", "--channel", "fax"), "must be one of webhook, email"),
        (("nothing.yaml",), "there is no nothing.yaml"),
        (("thanks.yaml", "--event", "none.json"), "there is no none.json"),
    ],
)
def test_wrong_usage_is_said(tidings: Run, arguments: tuple[str, ...], said: str) -> None:
    done = tidings("preview", *arguments)
    assert (done.exit_code, said in done.output) == (2, True)


def test_a_wrong_file_is_refused_with_its_line(tidings: Run) -> None:
    Path("thanks.yaml").write_text(THANKS.replace("order.amount}", "ordr.amount}"))
    failure = tidings("preview", "thanks.yaml").exception
    assert isinstance(failure, DefinitionInvalid)
    assert "thanks.yaml:10  channels[0].webhook.payload.amount.from" in str(failure)


def bodies(**action: Any) -> Any:
    """The body of a plain design, of a rule that publishes or promotes."""
    made = rule(channels=[{"webhook": {"url": "https://x.example.com", "type": "t", "envelope": False}}])
    paths = {"code": "voucher.code", "campaign": "campaign.id", "banner": "promotion_tier.banner"}
    payload = {name: {"from": path} for name, path in paths.items()}
    plan = msgspec.structs.replace(made.channels[0], payload=payload)
    made = msgspec.structs.replace(made, channels=[plan], **action)
    event = preview.sample_event(made, "shop")
    found = preview.preview(preview.Candidate(made, {}), event, None, preview.Rendering.of(load_settings({})), NOW)
    return json.loads(found.messages[0].raw)


def test_what_an_action_brings_is_shown_of_a_code_an_example() -> None:
    assert bodies() == {}
    assert bodies(publish=Publish(campaign="spring")) == {"code": "SPRING-2026-osO", "campaign": "spring"}
    promoted = Promote(campaign={"id": "week"}, promotion_tier={"id": "p", "banner": "10 % off"})
    assert bodies(promote=promoted) == {"campaign": "week", "banner": "10 % off"}


@pytest.mark.parametrize("trigger", TRIGGERS.values(), ids=TRIGGERS)
def test_the_sample_is_about_what_the_distribution_names(trigger: Any) -> None:
    email_plan = {"email": {"account": "main", "subject": "s", "text": "t"}}
    named = {key: f"my-{key}" for key in trigger.selector_keys}
    made = rule(trigger={"event": trigger.type, **named}, channels=[email_plan])
    data = preview.sample_event(made, "shop")["data"]
    for selector in trigger.selectors:
        assert data[selector.object]["id"] == f"my-{selector.key}"
    if trigger.addressed:
        assert data["distribution"]["id"] == "thanks"
    assert trigger.sample()["data"] != data or not (named or trigger.addressed)


def test_an_example_is_shown_without_settings_and_what_stands_in_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TIDINGS_SETTINGS", raising=False)
    examples = ROOT / "examples" / "distributions"
    result = CliRunner().invoke(app, ["preview", str(examples / "winback.yaml")])
    assert result.exit_code == 0, result.output
    assert "From: preview@example.com" in result.stdout
    assert "the settings lack brand.name, brand.address" in result.stderr
    assert "no [email_accounts.main]: the sender is preview@example.com" in result.stderr
    Path("tidings.toml").write_text('[email_accounts.other]\nhost = "x"\nsender = "a@b.example"\n')
    refused = CliRunner().invoke(app, ["preview", str(examples / "winback.yaml")])
    assert '"main" is not an email account: must be one of other' in str(refused.exception)


def test_a_timezone_that_is_not_known_is_said(tidings: Run) -> None:
    Path("customer.json").write_text(json.dumps(customer(id="c1", email="zoe@example.com", timezone="Europe/Warsow")))
    shown = tidings("preview", "thanks.yaml", "--customer", "customer.json")
    assert '"Europe/Warsow" is not a timezone' in shown.output
    assert 'Did you mean "Europe/Warsaw' in shown.output
    assert "apply would refuse thanks.yaml:" in shown.output


def test_files_are_named_and_not_fetched(tidings: Run) -> None:
    attached = 'html: "<b>x</b>", attachments: [{url: "https://x.example/{{ order.id }}.pdf"}]'
    Path("thanks.yaml").write_text(THANKS.replace('html: "<b>x</b>"', attached))
    assert "and ord_1.pdf, fetched when it is sent from https://x.example/ord_1.pdf" in tidings(
        "preview", "thanks.yaml"
    ).output.replace("\n", " ")
    made = json.loads(tidings("preview", "thanks.yaml", "--json", "--channel", "email").output)
    assert made["messages"][0]["attachments"] == [{"name": "ord_1.pdf", "url": "https://x.example/ord_1.pdf"}]


ARMS = "arms: {a: {share: 100%}, b: {share: 0%, subject: Second, delay: 1h}}\nholdout: 100%\n"


def test_an_arm_is_shown_in_place_of_the_customers_own(tidings: Run) -> None:
    Path("thanks.yaml").write_text(THANKS + ARMS)
    own, other = (tidings("preview", "thanks.yaml", *arguments) for arguments in ((), ("--arm", "b")))
    assert own.exit_code == other.exit_code == 0, own.output + other.output
    assert "Subject: Thanks, Jack Nowak" in own.output
    assert "this is arm a; others are shown with --arm b" in own.output
    assert "Subject: Second" in other.output
    assert "this is arm b; others are shown with --arm a" in other.output
    wrong = tidings("preview", "thanks.yaml", "--arm", "c")
    assert str(wrong.exception) == 'thanks: "c" is not an arm: must be one of a, b'


def test_a_simulation_names_the_arm(tidings: Run) -> None:
    Path("thanks.yaml").write_text(THANKS.replace("100000", "1") + "arms: {a: {share: 100%}, b: {share: 0%}}\n")
    shown = tidings("simulate", "thanks.yaml", "--event", "event.json")
    assert "→ webhook, arm a: emitted" in shown.output
