"""E-mails in a browser: over real HTTP from a real Postgres, and gone with their customer or their content."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape

import aiohttp
import asyncpg
import msgspec
import pytest

from agents.roles.sender.ledger_rows import kept_record
from channels.unsubscribe import Subscriber, token_of
from channels.viewed import Viewed, view_token
from console.control.views import Views
from console.http.database import LateDatabase
from console.http.serving import listen
from deploy.secret import Secret
from deploy.settings.messages import Console
from deploy.settings.servers import Postgres
from deploy.settings.settings import Settings
from schemas.record_key import Keyed
from schemas.template import StoredTemplate
from store.erasure import Erasure
from store.sending.ledger import Ledger
from tests.factory import NOW, customer, delivery
from tests.integration.test_store import claim, new

SECRET = "a secret of many characters"
HTML = '<p>Dear {{ customer.name }}</p><a href="{{ view_url }}">v</a><img src="cid:qr" alt=""><script>x</script>'
TEMPLATE = StoredTemplate(name="hello", subject="s", html=HTML)


@pytest.fixture
async def url(settings: Settings, dsn: str, pool: asyncpg.Pool) -> AsyncIterator[str]:
    console = Console(secrets=(Secret(SECRET),), public_url="https://shop.example")
    own = replace(settings, postgres=Postgres(dsn=Secret(dsn)), console=console)
    database = LateDatabase(own)
    runner, port = await listen(replace(console, port=0), clock=NOW.timestamp, views=Views(own, database.pool))
    yield f"http://127.0.0.1:{port}"
    await runner.cleanup()
    await database.close()


async def mailed(pool: asyncpg.Pool, number: int, project_id: str, customer_id: str, name: str) -> str:
    """An e-mail in the ledger; its link's token."""
    made = delivery("email", customer(id=customer_id, name=name))
    data = {**made.data, "customer": customer(id=customer_id, name=name), "voucher": {"code": "A-1"}}
    email = msgspec.structs.replace(made.email, template=TEMPLATE.ref)
    made = msgspec.structs.replace(made, delivery_id=f"d{number}", project_id=project_id, data=data, email=email)
    where = {"project_id": project_id, "customer_id": customer_id, "channel": "email"}
    await claim(Ledger(pool), "s", [new(number, record=kept_record(made), **where)])
    body = msgspec.json.encode(TEMPLATE).decode()
    put = (
        "insert into templates (digest, name, body, created_at) values ($1, 'hello', $2, now()) on conflict do nothing"
    )
    await pool.execute(put, TEMPLATE.ref.digest, body)
    return view_token(Viewed(project_id, f"d{number}"), SECRET)


async def get(url: str, token: str, **headers: str) -> tuple[int, str, dict[str, str]]:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/view/{token}", headers=headers) as response:
        shown = {name.lower(): value for name, value in response.headers.items()}
        return response.status, await response.text(), shown


async def test_a_link_shows_its_own_message_and_no_other(url: str, pool: asyncpg.Pool) -> None:
    ann, bob = await mailed(pool, 1, "shop", "c1", "Ann"), await mailed(pool, 2, "other", "c1", "Bob")
    for token, name in ((ann, "Ann"), (bob, "Bob")):
        status, page, headers = await get(url, token)
        assert (status, f"<p>Dear {name}</p>" in page) == (200, True)
        assert f"https://shop.example/view/{token}" in unescape(page)
        assert 'src="data:image/png;base64,' in page
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; img-src") and "script" not in policy
        assert (headers["x-robots-tag"], headers["cache-control"], headers["referrer-policy"]) == (
            "noindex", "no-store", "no-referrer",
        )  # fmt: skip


@pytest.mark.parametrize(
    "token",
    [
        view_token(Viewed("shop", "d1"), "another secret of ours"),
        view_token(Viewed("other", "d1"), SECRET),
        view_token(Viewed("shop", "d9"), SECRET),
        token_of(Subscriber("shop", "c1", "marketing", "d1"), SECRET),
        "A" * 60,
    ],
)
async def test_a_link_that_was_made_for_nothing_there_shows_nothing(url: str, pool: asyncpg.Pool, token: str) -> None:
    await mailed(pool, 1, "shop", "c1", "Ann")
    status, page, _ = await get(url, token, **{"accept-language": "de"})
    assert (status, "Diese Nachricht ist nicht da" in page) == (404, True)
    assert "Ann" not in page


async def test_a_message_is_gone_with_its_customer_and_with_its_content(url: str, pool: asyncpg.Pool) -> None:
    ann, bob = await mailed(pool, 1, "shop", "c1", "Ann"), await mailed(pool, 2, "shop", "c2", "Bob")
    await Erasure(pool).note({Keyed("shop", "c1"): datetime.now(UTC)})
    assert [(await get(url, token))[0] for token in (ann, bob)] == [404, 200]
    await pool.execute("update open_deliveries set record = '' where delivery_id = 'd2'")
    assert (await get(url, bob))[0] == 404
