"""Test events at endpoints, by the command itself: what leaves, what is said, and that nothing is noted."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from typer.testing import CliRunner

from channels.fakes.http import Reply
from channels.fakes.webhook import WebhookReceiver
from console.cli.main import app
from schemas.channels.webhook import WebhookAccountForm
from store.accounts import AccountKey, Accounts
from store.encryption import Keys
from tests.factory import SECRET

RING = f"k1:{base64.b64encode(bytes(32)).decode()}"
OTHER = f"whsec_{base64.b64encode(b'x' * 24).decode()}"
SETTINGS = f"""
project_id = "shop"
[accounts]
keys = ["{RING}"]
[sender]
webhook_allow_private = true
webhook_timeout = "30s"
"""

Run = Callable[..., Awaitable[Any]]


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    made = WebhookReceiver(SECRET)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def run(tmp_path: Path, dsn: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    (tmp_path / "tidings.toml").write_text(SETTINGS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIDINGS_POSTGRES", dsn)

    async def invoke(*arguments: str) -> Any:
        return await asyncio.to_thread(CliRunner().invoke, app, [*arguments])

    return invoke


def words(made: Any) -> str:
    """All that a command says, with the error that ends it."""
    return f"{made.output} {made.exception or ''}".replace("\n", " ")


async def signing(pool: asyncpg.Pool, name: str, secret: str) -> None:
    key = AccountKey("shop", "webhook", name)
    await Accounts(pool).add(key, WebhookAccountForm(secrets=(secret,)), Keys.read([RING]), by="me")


async def rows(pool: asyncpg.Pool) -> dict[str, int]:
    tables = [row["name"] for row in await pool.fetch("select relname as name from pg_class where relkind in ('r', 'p')"
                                                      " and relnamespace = 'public'::regnamespace")]  # fmt: skip
    return {table: await pool.fetchval(f"select count(*) from {table}") for table in tables}  # noqa: S608


async def test_an_address_gets_one_signed_example_and_nothing_is_noted(
    run: Run, pool: asyncpg.Pool, receiver: WebhookReceiver
) -> None:
    await signing(pool, "main", OTHER)
    await signing(pool, f"127.0.0.1:{receiver.port}", SECRET)
    receiver.replies.append(Reply(202, headers=(("x-request-id", "r7"),), body=b"taken"))
    before = await rows(pool)
    made = await run("webhooks", "test", f"{receiver.url}?token=s3cret", "--json")
    assert made.exit_code == 0, made.output
    (said,) = [json.loads(line) for line in made.stdout.splitlines()]
    call = said["call"]
    assert (said["is_accepted"], said["mend"], said["signed_by"]) == (True, "", f"webhook/127.0.0.1:{receiver.port}")
    assert (call["status"], call["reply_body"], call["reply_headers"]["x-request-id"]) == (202, "taken", "r7")
    assert call["delivery_id"].startswith("test_")
    assert (call["url"], "s3cret" in made.output) == (f"{receiver.url}?token=…", False)
    (received,) = receiver.received
    body = json.loads(received.body)
    assert (received.id, body["type"], body["data"]["order"]["id"]) == (call["delivery_id"], "tidings.test", "ord_1")
    assert (receiver.unverified, await rows(pool)) == (0, before)
    shown = await run("webhooks", "test", receiver.url)
    assert (shown.exit_code, "HTTP 200" in shown.stdout, "webhook-signature" in shown.stdout) == (0, True, True)


async def test_a_distribution_is_tested_as_it_is_written(
    run: Run, pool: asyncpg.Pool, receiver: WebhookReceiver, tmp_path: Path
) -> None:
    await signing(pool, "main", SECRET)
    (tmp_path / "hello.yaml").write_text(
        "distribution: hello\ntrigger: {event: customer.order.paid}\nconsent: transactional\n"
        "when: {all: [{order.amount: {at_least: 99999999}}]}\n"
        f"channels: [{{webhook: {{url: {receiver.url}, type: hello, payload: {{n: 1}}, envelope: false}}}}]\n"
    )
    assert (await run("webhooks", "test", "hello.yaml")).exit_code == 0
    (received,) = receiver.received
    assert received.body == b'{"n":1}'
    missing = await run("webhooks", "test", "hullo")
    assert (missing.exit_code, "hullo" in words(missing)) == (1, True)


ANSWERS: list[tuple[Reply, str]] = [
    (Reply(307, headers=(("location", "https://moved.example/x"),)), "the address that it leads to, https://moved"),
    (Reply(404), "nothing at this path"),
    (Reply(410, body=b"gone"), "tidings destinations --resume"),
    (Reply(422, body=b"no order"), "refuses what it was sent"),
    (Reply(429, headers=(("retry-after", "9"),)), "asked too often"),
    (Reply(503), "the receiver failed"),
    (Reply(drop=True), "answer first, work then"),
]


async def test_what_is_not_accepted_is_said_with_what_would_mend_it(
    run: Run, pool: asyncpg.Pool, receiver: WebhookReceiver
) -> None:
    await signing(pool, "main", SECRET)
    for number, (reply, said) in enumerate(ANSWERS, 1):
        receiver.replies.append(reply)
        made = await run("webhooks", "test", receiver.url)
        assert (made.exit_code, said in words(made)) == (1, True), made.output
        assert sum(receiver.tried.values()) == number
    assert await pool.fetchval("select count(*) from paused_destinations") == 0


async def test_who_does_not_answer_in_time_is_told_to(
    run: Run, pool: asyncpg.Pool, receiver: WebhookReceiver, tmp_path: Path
) -> None:
    (tmp_path / "tidings.toml").write_text(SETTINGS.replace('"30s"', '"5s"'))
    await signing(pool, "main", SECRET)
    receiver.replies.append(Reply(delay=30.0))
    made = await run("webhooks", "test", receiver.url)
    assert (made.exit_code, "answer first, work then" in words(made)) == (1, True), made.output


async def test_what_cannot_be_reached_or_may_not_be_is_said(
    run: Run, pool: asyncpg.Pool, receiver: WebhookReceiver, tmp_path: Path
) -> None:
    unsigned = await run("webhooks", "test", receiver.url)
    assert (unsigned.exit_code, "tidings accounts add webhook/main" in words(unsigned)) == (1, True)
    await signing(pool, "main", OTHER)
    refused = await run("webhooks", "test", receiver.url)
    assert (refused.exit_code, "give it the secret of webhook/main" in refused.output) == (1, True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = await run("webhooks", "test", f"http://127.0.0.1:{free.getsockname()[1]}/x")
    assert (closed.exit_code, "listens at this port" in closed.output) == (1, True)
    await Accounts(pool).pause(AccountKey("shop", "webhook", "main"), by="me")
    held = await run("webhooks", "test", receiver.url)
    assert (held.exit_code, "webhook/main is paused" in words(held)) == (1, True)
    for url in ("http://169.254.169.254/latest", "http://user:pw@hooks.example/x"):
        guarded = await run("webhooks", "test", url)
        assert (guarded.exit_code, "user:pw" in words(guarded)) == (1, False)
    assert receiver.received == []


async def test_nothing_leaves_where_the_settings_open_no_private_address(
    run: Run, pool: asyncpg.Pool, receiver: WebhookReceiver, tmp_path: Path
) -> None:
    (tmp_path / "tidings.toml").write_text(SETTINGS.replace("webhook_allow_private = true", ""))
    await signing(pool, "main", SECRET)
    made = await run("webhooks", "test", receiver.url)
    assert (made.exit_code, sum(receiver.tried.values())) == (1, 0)
    assert "127.0.0.1" in words(made)
