"""Opens and clicks over real HTTP, kept in a real Postgres, told on a real Kafka; machines apart."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import asyncpg
import msgspec
import pytest
import structlog
from aiohttp import web

from agents.broker.outbox import publish_outbox
from agents.broker.producer import Producer
from agents.broker.reader import TopicReader
from agents.roles.sender.erasures import Erasures
from agents.roles.sender.leases import Leases
from agents.roles.sender.ledger_rows import row_of
from agents.roles.sender.work import Work
from agents.tracked_projects import TrackedProjects
from agents.wiring import Wiring
from channels.tracked import TrackedLinks
from console.control.tracking import TrackedVisits
from console.http.database import LateDatabase
from console.http.serving import listen
from console.public.tracking import MOST_OF_ONE
from deploy.secret import Secret
from deploy.settings.messages import Console
from deploy.settings.settings import Settings
from schemas.decision import DeliveryStatus
from schemas.delivery import Delivery
from schemas.errors import TryLater
from schemas.project import Project
from schemas.record_key import Keyed
from schemas.topics import DELIVERY_STATUS
from schemas.tracking import NO_TRACKING, TRACKING, Tracking
from store.consent_choices import ConsentChoices
from store.distributions import Control
from store.erasure import Erasure
from store.projects import Projects
from store.read_models.recorded import Recorded
from store.sending.ledger import Ledger
from streams.noise import Request
from tests.integration.test_providers import mails
from tests.integration.test_recorder import KEEP, put
from tests.integration.test_store import settlement

SECRET = "a secret of many characters"
PERSON = "Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0"
PATIENCE = 60.0


@dataclass
class Shop:
    """A console that tracks, its database and its Kafka; its clock is ten minutes ahead."""

    url: str
    pool: asyncpg.Pool
    wiring: Wiring
    links: TrackedLinks
    session: aiohttp.ClientSession
    sent: Delivery

    async def get(self, address: str, method: str = "GET", **headers: str) -> tuple[int, str]:
        """Status and where it leads."""
        path = address.partition("://")[2].partition("/")[2]
        named = {"user-agent": PERSON} | {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.request(method, f"{self.url}/{path}", headers=named, allow_redirects=False) as response:
            await response.read()
            return response.status, response.headers.get("location", "")

    def link(self, target: str) -> str:
        return self.links.in_mail(target, None, self.sent, [])[0]

    @property
    def picture(self) -> str:
        html = self.links.in_mail("", "<p>", self.sent, [])[1] or ""
        return html.partition('src="')[2].partition('"')[0]

    async def kept(self) -> dict[str, str]:
        """Outcomes in the outbox, each with its detail."""
        rows = await self.pool.fetch("select payload from outbox where topic = $1 order by id", DELIVERY_STATUS)
        told = [msgspec.json.decode(row["payload"]) for row in rows]
        assert len({one["outcome"] for one in told}) == len(told), "each once"
        return {one["outcome"]: one.get("detail", "") for one in told}

    async def until_kept(self, expected: dict[str, str]) -> None:
        await until(self.kept, lambda found: found == expected)

    async def told(self) -> list[tuple[str, str]]:
        """Customer and outcome of what is on the topic, once the outbox is published."""
        producer = Producer(self.wiring.settings.kafka.client())
        await publish_outbox(Control(self.pool), self.wiring, producer)
        producer.close()
        with TopicReader(self.wiring, DELIVERY_STATUS) as reader:
            records = [reader.decode(one) for one in reader.until_now()]
        return [(one["customer_id"], one["outcome"]) for one in records]


async def until(read: Callable[[], Awaitable[Any]], holds: Callable[[Any], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds(found := await read()):
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.05)


async def mailed(pool: asyncpg.Pool) -> Delivery:
    """An e-mail that was taken over just now, to a customer who agrees to be tracked."""
    made = mails(1)[0]
    data = {**made.data, "customer": {"id": made.customer.id, "consents": {TRACKING: True}}}
    made = msgspec.structs.replace(made, delivery_id=f"dlv_{1:032x}", data=data)
    ledger = Ledger(pool)
    await ledger.claim_new([row_of(Work(made, 0, made.event.created_at), timedelta())], owner="s", lease=PATIENT)
    await ledger.settle([settlement(made.delivery_id)], owner="s")
    return made


PATIENT = timedelta(minutes=1)


@pytest.fixture
async def shop(wiring: Wiring, pool: asyncpg.Pool, dsn: str) -> AsyncIterator[Shop]:
    console = Console(secrets=(Secret(SECRET),), public_url="https://shop.example", port=0)
    postgres = replace(wiring.settings.postgres, dsn=Secret(dsn))
    settings = replace(wiring.settings, postgres=postgres, project_id="shop", tracking=("opens", "clicks"))
    database = LateDatabase(settings)
    runner, port = await served(console, TrackedVisits(settings, database.pool))
    links = TrackedLinks("https://shop.example", (SECRET,), lambda _: Tracking(opens=True, clicks=True))
    async with aiohttp.ClientSession() as session:
        yield Shop(f"http://127.0.0.1:{port}", pool, wiring, links, session, await mailed(pool))
    await runner.cleanup()
    await database.close()


async def served(console: Console, visits: TrackedVisits) -> tuple[web.AppRunner, int]:
    return await listen(console, clock=lambda: time.time() + 600, visits=visits)


async def test_a_click_leads_on_and_is_told_once(shop: Shop) -> None:
    target = "https://a.example/x?a=1&b=2#c"
    for _ in range(2):
        assert await shop.get(shop.link(target)) == (302, target)
    await until_counted(shop, "person", 2)
    assert await shop.kept() == {"clicked": ""}
    assert await shop.get(shop.picture) == (200, "")
    await shop.until_kept({"clicked": "", "opened": ""})
    assert await shop.told() == [(shop.sent.customer.id, "clicked"), (shop.sent.customer.id, "opened")]


async def test_what_machines_do_is_told_apart(shop: Shop) -> None:
    link = shop.link("https://a.example/")
    assert await shop.get(link, "HEAD") == (302, "https://a.example/")
    await shop.until_kept({"machine_clicked": "head"})
    assert (await shop.get(shop.picture, user_agent="Mozilla/5.0"))[0] == 200
    await shop.until_kept({"machine_clicked": "head", "machine_opened": "proxy"})
    assert (await shop.get(link, sec_purpose="prefetch"))[0] == 302
    assert (await shop.get(link))[0] == 302
    await shop.until_kept({"machine_clicked": "head", "machine_opened": "proxy", "clicked": ""})


async def test_who_follows_all_links_at_once_is_a_machine_the_first_one_as_well(shop: Shop) -> None:
    links = [shop.link(f"https://a.example/{number}") for number in range(5)]
    answers = await asyncio.gather(*(shop.get(one) for one in links))
    assert answers == [(302, f"https://a.example/{number}") for number in range(5)]
    await shop.until_kept({"machine_clicked": "many links"})


async def test_a_link_that_somebody_changed_leads_nowhere(shop: Shop) -> None:
    link = shop.link("https://a.example/")
    middle = len(link) - 20
    changed = link[:middle] + ("A" if link[middle] != "A" else "B") + link[middle + 1 :]
    of_others = link.replace("/c/shop/", "/c/outlet/")
    for other in (changed, link[:-4], link[:-1], link + "AAAA", of_others, shop.picture.replace("/o/", "/c/")):
        assert await shop.get(other) == (404, "")
        assert await shop.get(other, "HEAD") == (404, "")
    for other in ("c/https://evil.example", "c/shop/?u=https://evil.example", "c//evil.example", "c/shop/%0d%0aa:b"):
        assert await shop.get(f"https://shop.example/{other}") == (404, "")
    assert await shop.get(f"{link}?u=https://evil.example&utm=x") == (302, "https://a.example/")
    assert (await shop.get(link, "POST"))[0] == 405
    assert (await shop.get("https://shop.example/o/shop/AAAA"))[0] == 200, "a mail shows no broken picture"


async def test_of_an_erased_customer_and_of_one_who_agrees_no_more_nothing_is_kept(shop: Shop) -> None:
    link, customer = shop.link("https://a.example/"), shop.sent.customer.id
    choices = ConsentChoices(shop.pool)
    await choices.choose("shop", customer, {TRACKING: False}, way="page", delivery_id=None)
    assert (await shop.get(link))[0] == 302
    await until_counted(shop, "not kept", 1)
    await choices.choose("shop", customer, {TRACKING: True}, way="page", delivery_id=None)
    await Erasure(shop.pool).note({Keyed("shop", customer): datetime.now(UTC)})
    erasures = Erasures(Erasure(shop.pool), Leases(PATIENT), owner="s", default_project="shop")
    await erasures.sweep([Keyed("shop", customer)])
    assert await shop.get(link) == (302, "https://a.example/")
    await until_counted(shop, "not kept", 2)
    assert await shop.kept() == {}


async def test_of_a_project_that_does_not_want_to_know_any_more_nothing_is_kept(
    wiring: Wiring, pool: asyncpg.Pool
) -> None:
    async def there() -> asyncpg.Pool:
        return pool

    sent = await mailed(pool)
    request = Request("clicked", "GET", {"user-agent": PERSON}, datetime.now(UTC) + timedelta(hours=1))
    for tracking, fate in ((("opens",), "not kept"), ((), "not kept"), (("clicks",), "person")):
        visits = TrackedVisits(replace(wiring.settings, project_id="shop", tracking=tracking), there)
        assert await visits.take("shop", sent.delivery_id, request) == fate
    assert await visits.take("outlet", sent.delivery_id, request) == "not kept"


async def test_what_is_told_is_counted_in_the_read_models_apart(shop: Shop) -> None:
    await shop.get(shop.link("https://a.example/"), "HEAD")
    await shop.until_kept({"machine_clicked": "head"})
    await shop.get(shop.link("https://a.example/"))
    await shop.until_kept({"machine_clicked": "head", "clicked": ""})
    payloads = await shop.pool.fetch("select payload from outbox where topic = $1 order by id", DELIVERY_STATUS)
    told = [msgspec.json.decode(row["payload"], type=DeliveryStatus) for row in payloads]
    recorded = Recorded(shop.pool, KEEP)
    for start in (0, 0):
        await put(recorded, told, start)
    rows = await shop.pool.fetch(
        "select outcome, sum(count)::bigint as count from recorded_statuses_by_minute group by 1"
    )
    assert {row["outcome"]: row["count"] for row in rows} == {"machine_clicked": 1, "clicked": 1}


async def test_letters_that_no_header_takes_are_encoded(shop: Shop) -> None:
    html = '<a href="https://b\u00fccher.example/caf\u00e9?q=\u4e2d#\u00fc">a</a>'
    page = shop.links.in_mail("", html, shop.sent, [])[1] or ""
    found = await shop.get(page.partition('href="')[2].partition('"')[0])
    assert found == (302, "https://xn--bcher-kva.example/caf%C3%A9?q=%E4%B8%AD#%C3%BC")


async def test_the_log_names_nobody(shop: Shop) -> None:
    with structlog.testing.capture_logs() as logged:
        await shop.get(shop.link("https://a.example/secret"))
        await shop.get(shop.link("https://a.example/secret")[:-1])
        await shop.until_kept({"clicked": ""})
    said = str(logged)
    assert [one["path"] for one in logged if one["event"] == "request"] == ["/c/\u2026/\u2026"] * 2
    for secret in (
        shop.sent.customer.id,
        shop.sent.delivery_id,
        "a.example",
        shop.link("https://a.example/secret")[-40:],
    ):
        assert secret not in said


async def test_more_than_a_mail_can_have_is_not_waited_with(shop: Shop) -> None:
    links = [shop.link(f"https://a.example/{number}") for number in range(MOST_OF_ONE + 10)]
    answers = await asyncio.gather(*(shop.get(one) for one in links))
    assert {status for status, _ in answers} == {302}
    await until_counted(shop, "lost", 10)
    await shop.until_kept({"machine_clicked": "many links"})


async def until_counted(shop: Shop, who: str, count: int) -> None:
    """Until so many clicks are judged, by what the console says of itself."""

    async def metrics() -> str:
        async with shop.session.get(f"{shop.url}/metrics") as response:
            return await response.text()

    await until(metrics, lambda text: f'tidings_tracked_total{{kind="clicked",who="{who}"}} {count}.0' in text)


async def test_without_postgres_links_lead_on_and_what_is_lost_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    async def away() -> asyncpg.Pool:
        raise TryLater("Postgres: away", what="Postgres")

    monkeypatch.setattr("console.public.tracking.PAUSE_SECONDS", 0.01)
    console = Console(secrets=(Secret(SECRET),), public_url="https://shop.example", port=0)
    runner, port = await served(console, TrackedVisits(Settings(), away))
    link = TrackedLinks("https://shop.example", (SECRET,)).link("https://a.example/", mails(1)[0])
    url = f"http://127.0.0.1:{port}"
    async with aiohttp.ClientSession() as session:
        async with session.get(url + link.removeprefix("https://shop.example"), allow_redirects=False) as response:
            assert (response.status, response.headers["location"]) == (302, "https://a.example/")

        async def metrics() -> str:
            async with session.get(f"{url}/metrics") as response:
                return await response.text()

        await until(metrics, lambda text: 'tidings_tracked_total{kind="clicked",who="lost"} 1.0' in text)
    await runner.cleanup()


async def test_a_sender_knows_what_projects_want(wiring: Wiring, pool: asyncpg.Pool) -> None:
    settings = replace(wiring.settings, tracking=("clicks",))
    found = TrackedProjects(Projects(pool), settings)
    await found.refresh()
    assert (found.wanted("shop"), found.wanted("outlet")) == (Tracking(clicks=True), NO_TRACKING)
    made = Project(id="outlet", name="Outlet", version=1, tracking=Tracking(opens=True), updated_at=datetime.now(UTC))
    await Projects(pool).save([(made, "")], applied_by="ann", now=datetime.now(UTC))
    await found.refresh()
    assert found.wanted("outlet") == Tracking(opens=True)
