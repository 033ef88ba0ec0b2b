"""Customers leave, and choose what they are sent: over real HTTP into a real Postgres, and what follows from it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import asyncpg
import msgspec
import pytest
import structlog

from agents.broker.outbox import _output
from agents.wiring import Wiring
from channels.unsubscribe import Subscriber, token_of
from console.control.subscriptions import Subscriptions
from console.http.database import LateDatabase
from console.http.serving import listen
from deploy.secret import Secret
from deploy.settings.messages import Brand, Console
from deploy.settings.servers import Postgres
from deploy.settings.settings import Settings
from schemas.consent_choice import CustomerChoices
from schemas.project import Project
from schemas.record_key import Keyed
from schemas.topics import CONSENTS
from schemas.wire.read_as import read_as
from store.consent_choices import ConsentChoices
from store.distributions import OutboxEntry
from store.erasure import Erasure
from store.projects import Projects
from store.sending.consents import Given
from store.sending.ledger import Ledger, Stop
from tests.factory import NOW
from tests.integration.test_store import claim
from tests.integration.test_store import new as new_delivery

LINK_SECRET = "a secret of many characters"
ONE_CLICK = {"List-Unsubscribe": "One-Click"}
LEFT, ASKED = "You are unsubscribed", "Do you want to stop these messages?"


class Browser:
    """A console on a free port, as mail programs and browsers use it."""

    def __init__(self, port: int, session: aiohttp.ClientSession, logged: list[Any]) -> None:
        self.port, self.session, self.logged = port, session, logged

    async def ask(self, path: str, method: str = "GET", **how: Any) -> tuple[int, Any, str]:
        url = f"http://127.0.0.1:{self.port}{path}"
        async with self.session.request(method, url, **how) as response:
            return response.status, response.headers, await response.text()

    async def page(self, path: str, **how: Any) -> str:
        status, _, text = await self.ask(path, **how)
        assert status == 200
        return text


@pytest.fixture
async def browser(settings: Settings, dsn: str, pool: asyncpg.Pool) -> AsyncIterator[Browser]:
    async with served(settings, dsn) as made:
        yield made


@asynccontextmanager
async def served(settings: Settings, dsn: str) -> AsyncIterator[Browser]:
    own = replace(settings, postgres=Postgres(dsn=Secret(dsn)), brand=Brand(name="North <b>Shop</b>"))
    database = LateDatabase(own)
    console = Console(secrets=(Secret(LINK_SECRET),))
    runner, port = await listen(console, clock=NOW.timestamp, subscriptions=Subscriptions(own, database.pool))
    with structlog.testing.capture_logs() as logged:
        async with aiohttp.ClientSession() as session:
            yield Browser(port, session, logged)
    await runner.cleanup()
    await database.close()


def link(category: str = "marketing", customer: str = "c1", page: str = "unsubscribe", project: str = "shop") -> str:
    return f"/{page}/{token_of(Subscriber(project, customer, category, 'dlv_9'), LINK_SECRET)}"


async def test_the_links_of_a_test_change_nobodys_choices(browser: Browser, pool: asyncpg.Pool) -> None:
    for page in ("unsubscribe", "preferences"):
        path = f"/{page}/{token_of(Subscriber('shop', 'c1', 'marketing', 'test_9'), LINK_SECRET)}"
        assert (await browser.ask(path))[0] == (await browser.ask(path, "POST", data={"what": "all"}))[0] == 200
    assert await stops(pool, "marketing") is None
    assert await pool.fetchval("select count(*) from consent_choices") == 0


def choices(category: str = "marketing", project: str = "shop") -> str:
    return link(category, page="preferences", project=project)


async def stops(pool: asyncpg.Pool, category: str, customer: str = "c1", identity: int = 1) -> Stop | None:
    """The reason why a delivery that has just come does not leave."""
    await claim(Ledger(pool), "s", [new_delivery(identity, category=category, customer_id=customer)])
    query = "select state, reason, detail from deliveries where delivery_id = $1"
    row = await pool.fetchrow(query, f"d{identity}")
    assert row is not None
    return None if row["state"] == "waiting" else Stop(row["reason"], row["detail"])


async def leave(pool: asyncpg.Pool, *categories: str, first: int) -> list[bool]:
    return [await stops(pool, one, identity=number) is None for number, one in enumerate(categories, first)]


async def told(pool: asyncpg.Pool, wiring: Wiring) -> list[tuple[bytes | None, CustomerChoices | None]]:
    """Key and value of what goes to `consents`."""
    rows = await pool.fetch("select id, topic, key, payload from outbox where topic = $1 order by id", CONSENTS)
    made = [_output(OutboxEntry(row["id"], row["topic"], row["key"], row["payload"]), wiring) for row in rows]
    codec = wiring.codec(CONSENTS)
    return [(one.key, read_as(codec.decode(one.value), CustomerChoices) if one.value else None) for one in made]


@pytest.mark.parametrize(
    "form",
    [
        {"data": ONE_CLICK},
        {"data": aiohttp.FormData(ONE_CLICK, default_to_multipart=True)},
        {"data": b"\xff\xfe", "headers": {"content-type": "multipart/form-data; boundary=x"}},
        {"data": b"a" * 2_000_000, "headers": {"content-type": "application/x-www-form-urlencoded"}},
        {},
    ],
)
async def test_whoever_presses_the_button_has_left_at_once(
    browser: Browser, pool: asyncpg.Pool, settings: Settings, form: dict[str, Any]
) -> None:
    assert LEFT in await browser.page(link(), method="POST", **form)
    today = datetime.now(UTC).date()
    assert await stops(pool, "marketing") == Stop("consent", f"marketing: withdrawn by the customer on {today}")
    assert await stops(pool, "loyalty", identity=2) is None
    assert await stops(pool, "transactional", identity=3) is None
    assert await stops(pool, "marketing", customer="c2", identity=4) is None
    assert await stops(pool, "marketing", identity=5) is not None
    ((key, record),) = await told(pool, Wiring(settings))
    assert record is not None
    (one,) = record.choices
    assert (key, record.customer_id, one.category, one.given, one.delivery_id) == (
        b"c1",
        "c1",
        "marketing",
        False,
        "dlv_9",
    )


async def test_leaving_again_changes_and_tells_nothing(
    browser: Browser, pool: asyncpg.Pool, settings: Settings
) -> None:
    pressed = await asyncio.gather(*(browser.page(link(), method="POST", data=ONE_CLICK) for _ in range(5)))
    assert all(LEFT in page for page in pressed)
    ((_, record),) = await told(pool, Wiring(settings))
    assert record is not None
    assert [one.way for one in record.choices] == ["one_click"]


async def test_looking_changes_nothing(browser: Browser, pool: asyncpg.Pool, settings: Settings) -> None:
    for method in ("GET", "HEAD"):
        for path in (link(), choices(), link("transactional")):
            assert (await browser.ask(path, method))[0] == 200
    for method in ("PUT", "DELETE", "PATCH"):
        assert (await browser.ask(link(), method))[0] == 405
    assert await told(pool, Wiring(settings)) == []
    assert await stops(pool, "marketing") is None


async def test_everything_is_left_with_one_button_as_well(browser: Browser, pool: asyncpg.Pool) -> None:
    assert ASKED in await browser.page(link())
    assert LEFT in await browser.page(link(), method="POST", data={"what": "all"})
    assert LEFT in await browser.page(link())
    found = [await stops(pool, one, identity=number) for number, one in enumerate(("marketing", "loyalty", "another"))]
    assert all(one is not None and one.reason == "consent" for one in found)
    assert await stops(pool, "transactional", identity=9) is None


async def test_the_link_of_a_transactional_message_leaves_everything(browser: Browser, pool: asyncpg.Pool) -> None:
    assert 'value="category"' not in await browser.page(link("transactional"))
    await browser.page(link("transactional"), method="POST")
    assert await stops(pool, "transactional") is None
    assert await stops(pool, "marketing", identity=2) is not None


async def test_the_page_of_choices_keeps_what_is_checked(
    browser: Browser, pool: asyncpg.Pool, settings: Settings
) -> None:
    await Ledger(pool).consents.note({Keyed("shop", "c1"): Given(("marketing", "loyalty"), datetime.now(UTC))})
    assert checked(await browser.page(choices())) == {"marketing", "loyalty"}
    page = await browser.page(choices(), method="POST", data=[("category", "loyalty"), ("category", "surveys")])
    assert checked(page) == {"loyalty", "surveys"}
    assert await leave(pool, "marketing", "loyalty", first=1) == [False, True]
    assert checked(await browser.page(choices(), method="POST", data={"category": "nothing of the kind"})) == set()
    assert await stops(pool, "loyalty", identity=8) is not None
    assert checked(await browser.page(choices(), method="POST", data={"category": "marketing"})) == {"marketing"}
    assert await leave(pool, "marketing", "loyalty", first=10) == [True, False]
    *_, (_, record) = await told(pool, Wiring(settings))
    assert record is not None
    said = {one.category: one.given for one in record.choices}
    assert said == {"*": True, "marketing": True, "loyalty": False, "surveys": False}


def checked(page: str) -> set[str]:
    return {line.split('value="')[1].split('"')[0] for line in page.splitlines() if " checked>" in line}


async def test_a_later_profile_takes_a_choice_over_and_may_give_the_consent_anew(
    browser: Browser, pool: asyncpg.Pool
) -> None:
    one, consents = Keyed("shop", "c1"), Ledger(pool).consents
    await consents.note({one: Given(("marketing",), datetime.now(UTC) - timedelta(minutes=5))})
    await browser.page(link(), method="POST", data=ONE_CLICK)
    for given in ((), ("marketing",)):  # read once more from before
        await consents.note({one: Given(given, datetime.now(UTC) - timedelta(minutes=4))})
    assert await stops(pool, "marketing", identity=1) is not None
    later = datetime.now(UTC) + timedelta(minutes=1)
    await consents.note({one: Given(("marketing",), later)})  # has not heard of it yet
    assert await stops(pool, "marketing", identity=2) is not None
    await consents.note({one: Given((), later + timedelta(seconds=1))})
    await consents.note({one: Given(("marketing",), later + timedelta(seconds=2))})
    assert await stops(pool, "marketing", identity=3) is None


@pytest.mark.parametrize(("project", "has_consents"), [("outlet", True), ("shop", False)])
async def test_projects_keep_their_own(browser: Browser, pool: asyncpg.Pool, project: str, has_consents: bool) -> None:
    """Of the default one the brand alone: the settings say the rest."""
    brand = {"name": "Outlet"}
    document = Project(id=project, name="Shop", version=1, consents=["news"], brand=brand, updated_at=NOW)
    await Projects(pool).save([(document, "")], applied_by="ann", now=NOW)
    page = await browser.page(choices("news", project=project))
    assert (checked(page) & {"news"}, "Outlet" in page, "loyalty" in page) == ({"news"}, True, not has_consents)


async def test_what_an_erased_customer_chose_is_forgotten_here_and_in_the_topic(
    browser: Browser, pool: asyncpg.Pool, settings: Settings
) -> None:
    await browser.page(link(), method="POST", data=ONE_CLICK)
    await browser.page(link(customer="c2"), method="POST", data=ONE_CLICK)
    await Erasure(pool).note({Keyed("shop", "c1"): None, Keyed("shop", "c3"): None})
    wiring = Wiring(settings)
    assert [(key, value is None) for key, value in await told(pool, wiring)] == [
        (b"c1", False),
        (b"c2", False),
        (b"c1", True),
    ]
    assert await pool.fetch("select customer_id from consent_choices") == [("c2",)]


@pytest.mark.parametrize("page", ["unsubscribe", "preferences"])
async def test_a_link_that_nobody_made_says_so_and_nothing_more(browser: Browser, page: str) -> None:
    made = link(page=page)
    for path in (f"/{page}/x", made[:-2], f"/{page}/" + token_of(Subscriber("shop", "c1", "marketing", "d"), "other")):
        for method in ("GET", "POST"):
            status, _, text = await browser.ask(path, method)
            assert (status, "This link is not valid" in text) == (404, True)


@pytest.mark.parametrize("tracking", [(), ("opens",)])
async def test_who_is_tracked_can_say_no_to_it_beside_the_categories(
    settings: Settings, dsn: str, pool: asyncpg.Pool, tracking: tuple[str, ...]
) -> None:
    async with served(replace(settings, project_id="shop", tracking=tracking), dsn) as browser:
        text = await browser.page(choices())
        assert ('value="tracking"' in text) is bool(tracking)
        await browser.page(choices(), method="POST", data={"category": ["marketing"]})
    query = "select given from consent_choices where category = 'tracking'"
    assert await pool.fetchval(query) is (False if tracking else None)


async def test_a_page_runs_nothing_and_names_nobody(browser: Browser) -> None:
    status, headers, text = await browser.ask(link("mark<script>"), headers={"accept-language": "tlh, de-AT;q=0.9"})
    assert (status, headers["content-language"], "Abmelden" in text) == (200, "de", True)
    assert "default-src 'none'" in headers["content-security-policy"]
    assert ("<script" in text, "<b>" in text, "&lt;b&gt;" in text, "c1" in text) == (False, False, True, False)
    assert (headers["referrer-policy"], headers["cache-control"]) == ("no-referrer", "no-store")
    token = link("mark<script>").rpartition("/")[2]
    assert token not in str(browser.logged)


async def test_a_database_that_is_away_is_said_and_nobody_is_told_to_have_left(settings: Settings, dsn: str) -> None:
    async with served(
        settings, dsn.replace("postgres:@", "postgres:@").replace("/", "/nowhere_", 0) + "_not_there"
    ) as one:
        status, headers, text = await one.ask(link(), "POST", data=ONE_CLICK)
    assert (status, headers["retry-after"], LEFT in text) == (503, "60", False)


def test_the_record_is_what_its_schema_says() -> None:
    made = CustomerChoices(project_id="shop", customer_id="c1", choices=[], changed_at=NOW)
    assert msgspec.json.decode(msgspec.json.encode(made), type=CustomerChoices) == made


async def test_a_choice_is_told_with_how_it_was_made_and_whether_it_still_counts(
    browser: Browser, pool: asyncpg.Pool
) -> None:
    await browser.page(link(), method="POST", data=ONE_CLICK)
    (one,) = await ConsentChoices(pool).of("shop", "c1")
    assert (one.category, one.given, one.way, one.delivery_id, one.is_taken_over) == (
        "marketing", False, "one_click", "dlv_9", False,
    )  # fmt: skip
    assert (one.withdraws("marketing"), one.withdraws("newsletter")) == (True, False)
    said = Given((), datetime.now(UTC) + timedelta(seconds=1))
    await Ledger(pool).consents.note({Keyed("shop", "c1"): said})
    (one,) = await ConsentChoices(pool).of("shop", "c1")
    assert (one.is_taken_over, one.withdraws("marketing")) == (True, False)
