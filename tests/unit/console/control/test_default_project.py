"""Caps, control group and staff of the default project, in the settings as in the document of another."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from console.cli.context import read_settings
from console.control.context import ProjectContext
from console.control.default_project import default_values
from console.control.distribution_check import Known, check, offer
from console.control.documents import parse_documents
from deploy.settings.settings import Settings, load_settings
from schemas.distribution import Cap, ControlGroup
from schemas.errors import CannotStart, DefinitionInvalid
from schemas.project import Project
from schemas.window import QuietHours
from streams.documents.project import ProjectChecks, ProjectValues, parse_project

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
STAFF = {"customer.email": {"ends_with": "@ours.example"}}
RIGHT = {
    "cap": 'cap = {at_most = 1, in = "day", of = "sms"}',
    "caps": 'cap = [{at_most = 1, in = "day"}, {at_most = 3, in = "week", of = "category", then = {wait = "3d"}}]',
    "control group": 'control_group = "2.5%"',
    "named control group": 'control_group = {share = "5%", experiment = "year-2027"}',
    "country": 'country = "PL"',
    "staff": 'staff = {"customer.email" = {ends_with = "@ours.example"}}',
}
WRONG = {
    "none": 'cap = {at_most = 0, in = "day"}',
    "a number": "cap = 3",
    "time": 'cap = [{at_most = 1, in = "day"}, {at_most = 1, in = "hour"}]',
    "no time": "cap = {at_most = 1}",
    "channel": 'cap = {at_most = 1, in = "day", of = "smss"}',
    "transactional": 'cap = {at_most = 1, in = "day", of = "transactional"}',
    "category": 'cap = {at_most = 1, in = "day", of = "news"}',
    "another key": 'cap = {at_most = 1, in = "day", per = "sms"}',
    "two": 'control_group = 5\ncap = {at_most = 1, in = "day", of = "smss"}',
    "experiment": 'control_group = {experiment = "a"}',
    "percentage": 'control_group = "101%"',
    "order": 'staff = {"order.id" = {is = "a"}}',
    "country": 'country = "ZZ"',
    "list": 'staff = ["ann"]',
}


def load(tmp_path: Path, text: str) -> Settings:
    file = tmp_path / "tidings.toml"
    file.write_text(text)
    return load_settings({}, file)


def document(settings: Settings) -> Project:
    """A project whose document says the same."""
    written = {name: getattr(settings, name) for name in ("cap", "control_group", "staff", "country")}
    source = {"project": "outlet", **{name: one for name, one in written.items() if one}}
    return parse_project(source, checks=ProjectChecks("shop", ()), version=1, now=NOW)


@pytest.mark.parametrize("text", RIGHT.values(), ids=RIGHT)
def test_the_settings_mean_what_a_document_does(tmp_path: Path, text: str) -> None:
    settings = load(tmp_path, text)
    said, own = document(settings), default_values(settings)
    assert own == ProjectValues(tuple(said.caps), said.control_group, said.staff, said.country)
    assert own != ProjectValues()


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_the_settings_are_refused_in_the_words_of_a_document(tmp_path: Path, text: str) -> None:
    settings = load(tmp_path, text)
    with pytest.raises(DefinitionInvalid) as refused:
        document(settings)
    with pytest.raises(CannotStart) as stopped:
        default_values(settings)
    assert str(stopped.value).splitlines() == [str(problem) for problem in refused.value.problems]


def test_a_process_with_a_cap_that_is_wrong_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "tidings.toml"
    file.write_text(WRONG["channel"])
    monkeypatch.setenv("TIDINGS_SETTINGS", str(file))
    with pytest.raises(CannotStart, match=r'cap\.of: .*Did you mean "sms"\?'):
        read_settings()


def test_variables_say_them_in_json() -> None:
    group, staff = {"share": "5%", "experiment": "a"}, json.dumps(STAFF)
    environ = {"TIDINGS_CAP": '[{"at_most": 1, "in": "day"}]', "TIDINGS_STAFF": staff}
    expected = (Cap(at_most=1, within="day", scope="project", of_project=True),)
    for written, share in (("5%", ""), (json.dumps(group), "a")):
        found = default_values(load_settings({**environ, "TIDINGS_CONTROL_GROUP": written}))
        assert found == ProjectValues(expected, ControlGroup(share=500, experiment=share), STAFF)
    with pytest.raises(CannotStart, match="staff begins as JSON does and is not: "):
        load_settings({"TIDINGS_STAFF": staff[:-1]})


def test_distributions_of_the_default_project_have_them_and_those_of_another_do_not(tmp_path: Path) -> None:
    settings = load(tmp_path, "\n".join(RIGHT[name] for name in ("caps", "control group", "staff", "country")))
    rule = (
        "distribution: hello\ntrigger: {event: customer.order.paid}\nconsent: marketing\n"
        "channels: [webhook: {url: 'https://hooks.example.com/x', type: t}]\n"
    )
    documents = list(parse_documents(rule, "r.yaml"))
    made = {}
    for project in ("default", "outlet"):
        ((_, found),) = check(documents, ProjectContext.of(settings, project), Known(offer({})), NOW)
        made[project] = found.distribution
    own = made["default"]
    assert [(cap.at_most, cap.within, cap.of_project) for cap in own.caps] == [(1, "day", True), (3, "week", True)]
    assert (own.control_group, own.staff) == (ControlGroup(share=250), STAFF)
    assert (own.country, made["outlet"].country) == ("PL", "PL"), "as the timezone, it is that of all who name none"
    assert (made["outlet"].caps, made["outlet"].control_group, made["outlet"].staff) == ([], None, None)


def test_its_document_says_its_brand_alone_and_the_settings_all_else(tmp_path: Path) -> None:
    written = "\n".join(RIGHT[name] for name in ("caps", "control group", "staff", "country"))
    settings = load(tmp_path, f'{written}\n[brand]\nname = "Old"\nlocale = "pl"\n')
    checks = ProjectChecks("default", ())
    own = parse_project({"project": "default", "brand": {"name": "New"}}, checks=checks, version=1, now=NOW)
    without, kept = ProjectContext.of(settings, "default"), ProjectContext.of(settings, "default", own)
    assert without.brand_texts == {"name": "Old", "locale": "pl"}
    assert kept == replace(without, brand=replace(without.brand, name="New"))
    none = parse_project({"project": "default"}, checks=checks, version=2, now=NOW)
    assert ProjectContext.of(settings, "default", none) == without
    with pytest.raises(DefinitionInvalid, match="plan: default is the default project: the settings say this of it"):
        parse_project({"project": "default", "plan": "trial"}, checks=checks, version=1, now=NOW)


def test_quiet_hours_of_the_settings_have_holidays(tmp_path: Path) -> None:
    settings = load(tmp_path, 'quiet_hours = "21:00-09:00"\nquiet_holidays = "closed"')
    hours = ProjectContext.of(settings, "default").quiet_hours
    assert hours == QuietHours(begins="21:00", ends="09:00", closed_on_holidays=True)
    for wrong, said in (("closed", "there are no quiet_hours"), ("yes", "must be one of open, closed")):
        with pytest.raises(CannotStart, match=f"quiet_holidays .*{said}"):
            load(tmp_path, f'quiet_holidays = "{wrong}"')


def test_quiet_channels_need_quiet_hours(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="quiet_channels are named, and there are no quiet_hours"):
        load(tmp_path, 'quiet_channels = ["sms"]')
    channels = 'quiet_channels = ["sms"]\nquiet_hours = "21:00-09:00"'
    assert ProjectContext.of(load(tmp_path, channels), "default").quiet_hours == QuietHours(
        begins="21:00", ends="09:00", channels=["sms"]
    )
