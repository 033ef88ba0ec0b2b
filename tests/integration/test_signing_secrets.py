"""Signing secrets that are rotated: receivers have time to follow, whichever sender signs."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from standardwebhooks import Webhook as Reference

from agents.accounts import LiveAccounts
from channels.http.ssrf import OWN_NETWORKS
from channels.webhook.channel import Webhook
from channels.webhook.signing import Signer, is_signed
from console.control import accounts as control
from console.control.signing_secrets import GRACE, rotate_secret, with_secret
from deploy.secret import Secret
from deploy.settings.accounts import AccountKeys
from deploy.settings.settings import Settings
from schemas.channels.webhook import SIGNING
from schemas.errors import DefinitionInvalid, TidingsError
from store.accounts import AccountKey, Accounts
from store.encryption import Keys
from tests.factory import SECRET, delivery
from tests.integration.test_webhook_trial import Run, run

__all__ = ["run"]

KEY = AccountKey("shop", "webhook", SIGNING)
RING = f"k1:{base64.b64encode(bytes(32)).decode()}"


class Senders:
    """As many as there are at work: each with its own look at the accounts, and channel."""

    def __init__(self, pool: asyncpg.Pool, settings: Settings, count: int) -> None:
        self.lives = [LiveAccounts(Accounts(pool), settings) for _ in range(count)]

    async def look(self) -> list[bool]:
        """True for each that has found a change."""
        return [await live.refresh() for live in self.lives]

    def headers(self) -> list[dict[str, str]]:
        """The headers of one attempt by each, at the same moment."""
        now = datetime.now(UTC)
        return [dict(channel.attempt_headers(channel.render(MADE), now)) for channel in map(_channel, self.lives)]

    def signed_by(self, *secrets: str) -> list[list[str]]:
        """The secrets that prove each, in the order of its signatures."""
        body, found = _channel(self.lives[0]).render(MADE).body, []
        for headers in self.headers():
            singles = [{**headers, "webhook-signature": one} for one in headers["webhook-signature"].split(" ")]
            now = datetime.now(UTC)
            found.append([name for one in singles for name in secrets if is_signed((name,), one, body, now=now)])
            for name in found[-1]:
                Reference(name).verify(body, headers)
        return found


MADE: Any = delivery("webhook")


def _channel(live: LiveAccounts) -> Webhook:
    return Webhook(Signer([]), reach=OWN_NETWORKS, max_bytes=100_000, accounts=live.book.of("webhook"))


@pytest.fixture
def keyed(settings: Settings) -> Settings:
    return replace(settings, accounts=AccountKeys((Secret(RING),)))


async def end_of_grace(pool: asyncpg.Pool) -> None:
    await pool.execute("update accounts set retires_at = now() - interval '1 second'")


async def test_a_replaced_secret_signs_beside_the_new_one_until_its_time_is_over_at_every_sender(
    pool: asyncpg.Pool, keyed: Settings
) -> None:
    stored, senders = Accounts(pool), Senders(pool, keyed, 2)
    await control.add(stored, keyed, KEY, {"secrets": [SECRET], "legacy_secret": "old"}, actor="me")
    await senders.look()
    assert senders.signed_by(SECRET) == [[SECRET]] * 2

    done = await rotate_secret(stored, keyed, KEY, {}, GRACE, actor="me")
    new = done.secret
    assert (new.startswith("whsec_"), done.retiring, done.ended) == (True, 1, 0)
    assert done.until is not None
    assert abs((done.until - datetime.now(UTC)) - timedelta(hours=24)) < timedelta(minutes=5)
    assert await senders.look() == [True, True]
    assert senders.signed_by(SECRET, new) == [[new, SECRET]] * 2
    assert Senders(pool, keyed, 1).lives[0].book.names("webhook", "shop") == []
    started = Senders(pool, keyed, 1)
    await started.look()
    assert started.signed_by(SECRET, new) == [[new, SECRET]]
    assert len({one["x-voucherify-signature"] for one in senders.headers()}) == 1
    assert f"until {done.until:%Y-%m-%d}" in (await control.check(stored, keyed, KEY)).said

    await control.change(stored, keyed, KEY, {"rate": "50"}, actor="me")
    await senders.look()
    assert senders.signed_by(SECRET, new) == [[new, SECRET]] * 2
    await end_of_grace(pool)
    assert await senders.look() == [True, True]
    assert await senders.look() == [False, False]
    assert senders.signed_by(SECRET, new) == [[new]] * 2
    assert "until" not in (await control.check(stored, keyed, KEY)).said
    assert SECRET not in repr([await stored.get(KEY), done, (await stored.all())[0].read(Keys.read([RING]))])


async def test_a_second_rotation_keeps_two_and_no_grace_keeps_one(pool: asyncpg.Pool, keyed: Settings) -> None:
    stored, senders = Accounts(pool), Senders(pool, keyed, 1)
    await control.add(stored, keyed, KEY, {"secrets": [SECRET]}, actor="me")
    first = await rotate_secret(stored, keyed, KEY, {}, "3d", actor="me")
    second = await rotate_secret(stored, keyed, KEY, {}, "3d", actor="me")
    known = (SECRET, first.secret, second.secret)
    assert (second.retiring, second.ended) == (1, 1)
    assert await senders.look() == [True]
    assert senders.signed_by(*known) == [[second.secret, first.secret]]
    with pytest.raises(DefinitionInvalid, match="must be another than those that sign now"):
        await rotate_secret(stored, keyed, KEY, {"secrets": [first.secret]}, "3d", actor="me")
    leaked = await rotate_secret(stored, keyed, KEY, {"secrets": [SECRET]}, "0s", actor="me")
    assert (leaked.secret, leaked.retiring, leaked.until) == ("", 0, None)
    assert await senders.look() == [True]
    assert senders.signed_by(*known) == [[SECRET]]


async def test_every_change_is_noticed_whatever_the_grace(pool: asyncpg.Pool, keyed: Settings) -> None:
    stored = Accounts(pool)
    await control.add(stored, keyed, KEY, {"secrets": [SECRET]}, actor="me")
    seen = [await stored.version()]
    for grace in ("1d", "1d", "0s", "1d"):
        await rotate_secret(stored, keyed, KEY, {}, grace, actor="me")
        seen.append(await stored.version())
    await end_of_grace(pool)
    seen.append(await stored.version())
    await rotate_secret(stored, keyed, KEY, {}, "1d", actor="me")
    seen.append(await stored.version())
    assert seen == sorted(set(seen))


REFUSED: list[tuple[str, dict[str, object], str, str]] = [
    ("webhook/main", {}, "24", "is not a duration"),
    ("webhook/main", {}, "31d", "must be at most 30d"),
    ("webhook/main", {"legacy_secret": "x"}, "1d", "nothing else is rotated"),
    ("webhook/main", {"secrets": ["whsec_x"]}, "1d", "a secret is whsec_ and base64"),
    (
        "webhook/main",
        {"secrets": [f"whsec_{'QUFB' * 8}", f"whsec_{'QUFC' * 8}"]},
        "1d",
        "must be one secret, not 2",
    ),
    ("webhook/hooks.example", {}, "1d", "the database has no account webhook/hooks.example: add"),
    ("email/main", {}, "1d", "tidings accounts add email/main --change"),
]


async def test_what_cannot_be_rotated_is_refused_and_changes_nothing(pool: asyncpg.Pool, keyed: Settings) -> None:
    stored = Accounts(pool)
    await control.add(stored, keyed, KEY, {"secrets": [SECRET]}, actor="me")
    before = await stored.version()
    for account, written, grace, said in REFUSED:
        with pytest.raises(TidingsError, match=said):
            await rotate_secret(stored, keyed, control.account_key("shop", account), written, grace, actor="me")
    assert await stored.version() == before


async def test_an_account_without_secrets_gets_one_and_one_with_any_keeps_it() -> None:
    written, made = with_secret(KEY, {"rate": "5"})
    assert (written, made[:6], len(base64.b64decode(made[6:]))) == ({"rate": "5", "secrets": [made]}, "whsec_", 32)
    assert with_secret(KEY, {})[1] != made
    for kept in ({"secrets": [SECRET]}, {"legacy_secret": "old"}):
        assert with_secret(KEY, kept) == (kept, "")
    assert with_secret(AccountKey("shop", "email", "main"), {}) == ({}, "")


async def test_commands_show_a_new_secret_once_and_say_until_when_the_old_one_signs(
    run: Run, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    added = await run("accounts", "add", "webhook/hooks.example:8443", "rate=9")
    assert added.exit_code == 0, added.output
    (first,) = re.findall(r"whsec_\S+", added.stdout)
    rotated = await run("accounts", "rotate", "webhook/hooks.example:8443", "--grace", "2h")
    assert rotated.exit_code == 0, rotated.output
    (second,) = re.findall(r"whsec_\S+", rotated.stdout)
    assert re.search(
        r"signs by the new secret, and by the one before until \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", rotated.stdout
    )
    (tmp_path / "mine").write_text(SECRET + "\n")
    brought = await run("accounts", "rotate", "webhook/hooks.example:8443", f"secrets=@{tmp_path}/mine", "--json")
    said = json.loads(brought.stdout)
    assert (said["secret"], said["retiring"], said["ended"], SECRET in brought.output) == ("", 1, 1, False)
    tested = await run("accounts", "test", "webhook/hooks.example:8443")
    assert "2 secrets of 16 to 64 bytes sign" in tested.stdout
    assert f"until {said['until'][:10]}" in tested.stdout
    listed = await run("accounts", "list")
    assert [one in listed.output for one in ("webhook/hooks.example:8443", first, second, SECRET)] == [
        True,
        *[False] * 3,
    ]
    assert (await run("accounts", "rotate")).stdout == "encrypted again: 0\n"
    leaked = await run("accounts", "rotate", "webhook/hooks.example:8443", "--grace", "0s")
    assert "signs by the new secret alone" in leaked.stdout
