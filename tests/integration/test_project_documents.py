"""Documents of projects in Postgres."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from console.control import distribution_check, projects, quiet_hours, segments
from console.control.context import ProjectContext
from console.control.distribution_check import Known, offer
from console.control.documents import parse_documents
from console.control.not_found import NotFound
from deploy.settings.messages import Brand
from deploy.settings.settings import Settings
from deploy.settings.workers import Sends
from schemas.distribution import ControlGroup
from schemas.errors import DefinitionInvalid
from schemas.tracking import Tracking
from schemas.window import QuietHours
from store.distributions import Change, Control, VersionConflict
from streams.documents.project import ProjectChecks, parse_project

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SETTINGS = Settings(project_id="shop")


async def test_documents_are_applied_by_version(pool: asyncpg.Pool) -> None:
    source = "project: outlet\nbrand: {name: Outlet}\n"
    first = await projects.plan(pool, parse_documents(source, "a.yaml"), SETTINGS, NOW)
    await projects.save(pool, first, actor="ann", now=NOW)
    with pytest.raises(VersionConflict, match="outlet v1"):
        await projects.save(pool, first, actor="ann", now=NOW)
    (same,) = await projects.plan(pool, parse_documents(source, "a.yaml"), SETTINGS, NOW)
    assert same.what == "unchanged"
    (changed,) = await projects.plan(pool, parse_documents(source + "name: Two\n", "a.yaml"), SETTINGS, NOW)
    assert (changed.version, changed.lines) == (2, ("name: outlet → Two",))
    found = await projects.find(pool, "outlet")
    assert (found.project.brand, found.applied_by, found.applied_at) == ({"name": "Outlet"}, "ann", NOW)
    with pytest.raises(NotFound, match='Did you mean "outlet"'):
        await projects.find(pool, "outlt")


async def test_two_projects_have_a_brand_and_consents_each(pool: asyncpg.Pool) -> None:
    settings = Settings(project_id="shop", brand=Brand(name="Shop", locale="en"))
    source = "project: outlet\nbrand: {name: Outlet}\nlocale: pl\nconsents: [news]\n---\nproject: stage\nconsents: []\n"
    plan = await projects.plan(pool, parse_documents(source, "a.yaml"), SETTINGS, NOW)
    await projects.save(pool, plan, actor="ann", now=NOW)
    found = {one.project.id: one.project for one in await projects.listed(pool)}
    shop, outlet, stage = (ProjectContext.of(settings, name, found.get(name)) for name in ("shop", "outlet", "stage"))
    assert (shop.brand_texts, outlet.brand_texts) == (
        {"name": "Shop", "locale": "en"},
        {"name": "Outlet", "locale": "pl"},
    )
    assert (shop.consents, outlet.consents, stage.consents) == (settings.consents, ("news",), ())
    assert stage.brand == settings.brand


async def test_a_project_has_a_hold_of_its_own_for_its_sends(pool: asyncpg.Pool) -> None:
    settings = Settings(project_id="shop", sends=Sends(hold=timedelta(minutes=5)))
    source = "project: outlet\nsends: {hold: 30m}\n---\nproject: stage\nsends: {hold: 0s}\n---\nproject: test\n"
    plan = await projects.plan(pool, parse_documents(source, "a.yaml"), SETTINGS, NOW)
    await projects.save(pool, plan, actor="ann", now=NOW)
    found = {one.project.id: one.project for one in await projects.listed(pool)}
    minutes = {"outlet": 30, "stage": 0, "test": 5, "shop": 5}
    for name, hold in minutes.items():
        assert ProjectContext.of(settings, name, found.get(name)).send_hold == timedelta(minutes=hold), name


@pytest.mark.parametrize(
    ("written", "path", "said"),
    [
        ({"hold": "31d"}, "sends.hold", "must be at most 30d"),
        ({"hold": 10}, "sends.hold", "must be a duration"),
        ({"wait": "10m"}, "sends.wait", "hold"),
        ("10m", "sends", "must be a mapping"),
    ],
    ids=["too long", "a number", "another key", "no mapping"],
)
def test_a_hold_that_cannot_be_is_refused(written: object, path: str, said: str) -> None:
    with pytest.raises(DefinitionInvalid) as refused:
        parse_project({"project": "outlet", "sends": written}, checks=ProjectChecks("shop", ()), version=1, now=NOW)
    (problem,) = refused.value.problems
    assert (problem.path, said in problem.message) == (path, True), problem


async def test_a_project_says_that_it_tracks_and_the_default_one_by_the_settings(pool: asyncpg.Pool) -> None:
    source = "project: outlet\ntracking: {clicks: true}\n"
    plan = await projects.plan(pool, parse_documents(source, "a.yaml"), SETTINGS, NOW)
    await projects.save(pool, plan, actor="ann", now=NOW)
    stored = (await projects.find(pool, "outlet")).project
    settings = Settings(project_id="shop", tracking=("opens",))
    assert ProjectContext.of(settings, "outlet", stored).tracking == Tracking(clicks=True)
    assert ProjectContext.of(settings, "other").tracking == Tracking()
    assert ProjectContext.of(settings, "shop").tracking == Tracking(opens=True)


@pytest.mark.parametrize(
    ("written", "path"), [({"open": True}, "tracking.open"), ({"opens": "yes"}, "tracking.opens"), (True, "tracking")]
)
def test_a_tracking_that_cannot_be_is_refused(written: object, path: str) -> None:
    with pytest.raises(DefinitionInvalid) as refused:
        parse_project({"project": "outlet", "tracking": written}, checks=ProjectChecks("shop", ()), version=1, now=NOW)
    assert [problem.path for problem in refused.value.problems] == [path]


async def test_definitions_take_the_timezone_of_their_project_when_they_are_applied(pool: asyncpg.Pool) -> None:
    settings = Settings(project_id="shop", brand=Brand(name="Shop"))
    source = "project: outlet\ntimezone: Asia/Tokyo\n"
    await projects.save(
        pool, await projects.plan(pool, parse_documents(source, "a.yaml"), SETTINGS, NOW), actor="ann", now=NOW
    )
    outlet = ProjectContext.of(settings, "outlet", (await projects.find(pool, "outlet")).project)
    shop = ProjectContext.of(settings, "shop")
    rule = (
        "distribution: birthday\ntrigger: {event: customer.order.paid}\nconsent: marketing\nstarts_at: 2026-12-24\n"
        "when: {customer.birthday: {day_is: today}}\n"
        "channels: [webhook: {url: 'https://hooks.example.com/x', type: t}]\n"
    )
    segment = "segment: born\nwhen: {customer.birthday: {day_is: today}}\n"
    for project, zone, starts in ((outlet, "Asia/Tokyo", "2026-12-23T15:00"), (shop, None, "2026-12-24T00:00")):
        ((_, made),) = distribution_check.check(parse_documents(rule, "r.yaml"), project, Known(offer({})), NOW)
        assert made.distribution.timezone == zone
        assert str(made.distribution.starts_at).startswith(starts.replace("T", " "))
        ((_, born),) = segments.check(parse_documents(segment, "s.yaml"), {}, project, NOW)
        assert born.timezone == zone
        assert project.brand_texts.get("timezone") == zone


def test_a_timezone_that_is_none_is_refused_with_what_was_meant() -> None:
    with pytest.raises(DefinitionInvalid, match="timezone.*IANA database"):
        parse_project({"project": "o", "timezone": "Warsaw"}, checks=ProjectChecks("shop", ()), version=1, now=NOW)


async def test_definitions_take_the_control_group_and_the_staff_of_their_project(pool: asyncpg.Pool) -> None:
    source = """\
project: outlet
control_group: {share: 2.5%, experiment: year-2027}
staff: {customer.email: {ends_with: "@ours.example"}}
"""
    plan = await projects.plan(pool, parse_documents(source, "a.yaml"), SETTINGS, NOW)
    await projects.save(pool, plan, actor="ann", now=NOW)
    outlet = ProjectContext.of(SETTINGS, "outlet", (await projects.find(pool, "outlet")).project)
    rule = (
        "distribution: hello\ntrigger: {event: customer.order.paid}\nconsent: marketing\n"
        "channels: [webhook: {url: 'https://hooks.example.com/x', type: t}]\n"
    )
    ((_, made),) = distribution_check.check(parse_documents(rule, "r.yaml"), outlet, Known(offer({})), NOW)
    assert made.distribution.control_group == ControlGroup(share=250, experiment="year-2027")
    assert made.distribution.staff == {"customer.email": {"ends_with": "@ours.example"}}


@pytest.mark.parametrize(
    ("written", "path", "said"),
    [
        ("control_group: 5", "control_group", "5 is not valid: must be a percentage from 0% to 100%"),
        ("control_group: {experiment: a}", "control_group.share", "is missing"),
        ("control_group: {share: 5%, name: a}", "control_group.name", "must be one of share, experiment"),
        ("staff: {order.id: {is: a}}", "staff", "There are: customer"),
    ],
)
def test_a_control_group_is_a_share_and_staff_a_condition_on_customers(written: str, path: str, said: str) -> None:
    (document,) = parse_documents(f"project: outlet\n{written}\n", "a.yaml")
    with pytest.raises(DefinitionInvalid) as caught:
        parse_project(document.plain, checks=ProjectChecks("shop", ()), version=1, now=NOW)
    (problem,) = caught.value.problems
    assert problem.path.startswith(path)
    assert said in problem.message


async def test_distributions_get_the_quiet_hours_of_their_project_without_being_applied(pool: asyncpg.Pool) -> None:
    outlet = ProjectContext.of(SETTINGS, "outlet")
    rule = (
        "distribution: hello\ntrigger: {event: customer.order.paid}\nconsent: marketing\n"
        "channels: [webhook: {url: 'https://hooks.example.com/x', type: t}]\n"
    )
    ((_, made),) = distribution_check.check(parse_documents(rule, "r.yaml"), outlet, Known(offer({})), NOW)
    await Control(pool).save([Change(made.distribution, "", ())], applied_by="ann", now=NOW)
    announced: list[Control] = []

    async def announce(control: Control) -> None:
        announced.append(control)

    hours = '{from: "21:00", to: "09:00", channels: [webhook], holidays: closed}'
    source = f"project: outlet\ncountry: PL\nquiet_hours: {hours}\n"
    plan = await projects.plan(pool, parse_documents(source, "a.yaml"), SETTINGS, NOW)
    written = [one.change[0] for one in plan]
    for count in (1, 0):
        assert await quiet_hours.roll_out(pool, written, SETTINGS, announce, actor="ann", now=NOW) == count
    found = (await Control(pool).current("outlet"))["hello"]
    quiet = QuietHours(begins="21:00", ends="09:00", channels=["webhook"], closed_on_holidays=True)
    assert (found.version, found.quiet_hours, found.country) == (2, quiet, "PL")
    assert len(announced) == 2, "what was saved may not be announced yet"


@pytest.mark.parametrize(
    ("written", "path", "said"),
    [
        ('{from: "21:00"}', "quiet_hours.to", "is missing"),
        ('{from: "21:00", to: "21:00"}', "quiet_hours.to", "leaves no hour to send in"),
        ('{from: "00:00", to: "24:00"}', "quiet_hours.to", "leaves no hour to send in"),
        ('{from: "21:00", to: "09:00", channels: [smss]}', "quiet_hours.channels", 'Did you mean "sms"?'),
        ('{from: "21:00", to: "09:00", holidays: close}', "quiet_hours.holidays", 'Did you mean "closed"?'),
    ],
)
def test_quiet_hours_that_cannot_be_are_refused(written: str, path: str, said: str) -> None:
    (document,) = parse_documents(f"project: outlet\nquiet_hours: {written}\n", "a.yaml")
    with pytest.raises(DefinitionInvalid) as refused:
        parse_project(document.plain, checks=ProjectChecks("shop", ()), version=1, now=NOW)
    (problem,) = refused.value.problems
    assert problem.path.startswith(path)
    assert said in str(problem)


def test_a_country_without_known_holidays_is_refused() -> None:
    for written in ("ZZ", "pl", "Poland", 48):
        with pytest.raises(DefinitionInvalid, match="country: .* must be a country of ISO 3166 whose public holidays"):
            parse_project({"project": "o", "country": written}, checks=ProjectChecks("shop", ()), version=1, now=NOW)
    for written in ("PL", "POL"):
        found = parse_project({"project": "o", "country": written}, checks=ProjectChecks("s", ()), version=1, now=NOW)
        assert found.country == written
