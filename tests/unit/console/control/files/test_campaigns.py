"""A distribution is tried with the campaigns in files beside it, on a machine without any server."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from console.cli.main import app
from console.control.context import ProjectContext
from console.control.files.campaigns import CampaignFiles
from console.control.files.documents import read_documents
from schemas.campaign import Campaign
from schemas.errors import DefinitionInvalid
from tests.factory import NOW, order_event

Run = Callable[..., Result]

THANKS = """\
distribution: thanks
trigger: {event: customer.order.paid}
consent: transactional
publish: {campaign: spring}
channels:
  - webhook: {url: https://hooks.example.com/x, type: t, payload: {code: {from: voucher.code}}, envelope: false}
"""
TIER = THANKS.replace("publish: {campaign: spring}", "promote: {campaign: summer, tier: gold}").replace(
    "voucher.code", "promotion_tier.banner"
)
SPRING = "campaign: spring\nkind: GIFT_VOUCHERS\ntype: STATIC\ngift: {amount: 500}\n"
SUMMER = "campaign: summer\nkind: PROMOTION\ntiers: [{id: gold, banner: Everything}]\n"


@pytest.fixture
def tidings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in a folder with a distribution, and no server."""
    monkeypatch.chdir(tmp_path)
    for name in ("TIDINGS_KAFKA", "TIDINGS_POSTGRES", "TIDINGS_SETTINGS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TIDINGS_PROJECT_ID", "shop")
    Path("distributions").mkdir()
    Path("distributions/thanks.yaml").write_text(THANKS)
    Path("event.json").write_text(json.dumps(order_event()))

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, arguments)

    return run


def put(place: str, text: str) -> None:
    file = Path(place)
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)


@pytest.mark.parametrize(
    ("place", "arguments"),
    [
        ("campaigns/spring.yaml", ()),
        ("distributions/campaigns/spring.yaml", ()),
        ("elsewhere/spring.yaml", ("--campaigns", "elsewhere")),
        ("elsewhere/spring.yaml", ("--campaigns", "elsewhere/spring.yaml")),
    ],
)
def test_a_campaign_in_a_file_serves(tidings: Run, place: str, arguments: tuple[str, ...]) -> None:
    put(place, SPRING)
    shown = tidings("preview", "distributions/thanks.yaml", "--raw", *arguments)
    assert shown.stdout == '{"code":"SPRING-2026-osO"}'
    tried = tidings("simulate", "distributions", "--event", "event.json", *arguments)
    assert "would send with a code of spring" in tried.stdout


def test_what_is_shown_of_a_code_is_worth_what_its_campaign_says(tidings: Run) -> None:
    put("campaigns/spring.yaml", SPRING + "name: Gifts\n")
    design = "{is: {from: campaign.name}, worth: {from: voucher.gift.amount}, of: {from: voucher.holder_id}}"
    put("distributions/thanks.yaml", THANKS.replace("{code: {from: voucher.code}}", design))
    shown = tidings("preview", "distributions", "--raw", "--event", "event.json").stdout
    assert shown == '{"is":"Gifts","worth":500,"of":"c1"}'


def test_a_tier_of_a_file_is_told_of(tidings: Run) -> None:
    put("campaigns/summer.yaml", SUMMER)
    put("distributions/thanks.yaml", TIER)
    assert tidings("preview", "distributions", "--raw").stdout == '{"code":"Everything"}'


def test_a_campaign_that_is_not_found_is_named_with_the_nearest_and_where_it_was_looked_for(tidings: Run) -> None:
    put("campaigns/spring.yaml", SPRING)
    put("distributions/thanks.yaml", THANKS.replace("campaign: spring", "campaign: sprnig"))
    said = 'publish.campaign: "sprnig" is not a campaign: must be one of spring. Did you mean "spring"? Looked in '
    for command in (("preview", "distributions/thanks.yaml"), ("simulate", "distributions", "--event", "event.json")):
        failure = str(tidings(*command).exception)
        assert failure == f"distributions/thanks.yaml:4  {said}campaigns, distributions/campaigns (there is none)"
        assert str(tidings(*command, "--campaigns", "campaigns").exception).endswith(f"{said}campaigns")


def test_a_wrong_campaign_names_its_own_file_and_line(tidings: Run) -> None:
    put("campaigns/spring.yaml", SPRING.replace("STATIC", "STATC").replace("500", "few"))
    failure = tidings("preview", "distributions/thanks.yaml").exception
    assert isinstance(failure, DefinitionInvalid)
    assert {one.path for one in failure.problems} == {"distributions/thanks.yaml:4  publish.campaign"}
    amount, kind = (one.message for one in failure.problems)
    assert amount == 'campaigns/spring.yaml:4  gift.amount: "few" is not valid: must be a whole number from 0'
    assert kind.startswith('campaigns/spring.yaml:3  type: "STATC" is not valid: must be one of STATIC')
    put("distributions/thanks.yaml", THANKS.replace("publish: {campaign: spring}\n", "").replace("voucher", "order"))
    assert tidings("preview", "distributions/thanks.yaml").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("preview", "thanks", "--campaigns", "."), "goes with distributions in files"),
        (("simulate", "--event", "event.json", "--campaigns", "."), "goes with distributions in files"),
        (("preview", "distributions/thanks.yaml", "--campaigns", "nowhere"), "there is no nowhere"),
        (("simulate", "nothing.yaml", "--event", "event.json"), "there is no nothing.yaml"),
    ],
)
def test_wrong_usage_is_said(tidings: Run, arguments: tuple[str, ...], said: str) -> None:
    done = tidings(*arguments)
    assert (done.exit_code, said in " ".join(done.output.split())) == (2, True), done.output


def test_a_file_wins_over_what_is_applied_and_the_nearer_folder_over_the_other(tidings: Run) -> None:
    applied = {
        name: Campaign(
            id=name, project_id="shop", version=3, name="Applied", kind="GIFT_VOUCHERS", type="STATIC", created_at=NOW
        )
        for name in ("spring", "other")
    }
    put("campaigns/spring.yaml", SPRING + "name: Far\n")
    put("distributions/campaigns/spring.yaml", SPRING + "name: Near\n")
    (document,) = read_documents([Path("distributions")])
    offered = CampaignFiles(ProjectContext("shop"), NOW, applied=applied)(document)
    assert {name: (one.name, one.version) for name, one in offered.campaigns.items()} == {
        "spring": ("Near", 4),
        "other": ("Applied", 3),
    }
    assert offered.where == "Looked in campaigns, distributions/campaigns and the database"
