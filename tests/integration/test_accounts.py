"""Accounts that change under a running sender: added, rotated, paused and removed while deliveries wait for them."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast, get_args

import asyncpg
import msgspec
import pytest
import structlog

from agents.accounts import LiveAccounts
from agents.renewals import Renewals
from channels.accounts import HeldAccount
from channels.email.channel import Email
from channels.fakes.email import SmtpSink
from channels.fakes.tokens import TokenEndpointFake
from channels.fakes.webhook import WebhookReceiver
from console.control import accounts as control
from console.control.doctor_accounts import examine_stored
from deploy.secret import Secret
from deploy.settings.accounts import AccountKeys
from deploy.settings.settings import Settings
from schemas.channels.email import EmailAccountForm
from schemas.channels.webhook import SIGNING, WebhookAccountForm
from schemas.closed import ChannelName, HoldKind
from schemas.delivery import Delivery
from schemas.destination import Destination
from schemas.errors import AccountHeld, DefinitionInvalid, TidingsError, TryLater
from store.accounts import AccountKey, Accounts
from store.encryption import CannotDecrypt, Keys
from store.sending.ledger import Ledger
from tests.factory import SECRET
from tests.integration.test_providers import Running, mailbox, mails, receiver, running, until, webhooks
from tests.unit.channels.email.dkim_keys import pem, record, signer

__all__ = ["mailbox", "receiver"]

PLANTED = "pl4nted-pa55word-of-the-mailbox"
SIGNING_SECRET = "whsec_" + base64.b64encode(b"planted signing secret").decode()
OLD, NEW = (f"k{number}:{base64.b64encode(bytes([number]) * 32).decode()}" for number in (1, 2))


def keyed(settings: Settings, *keys: str) -> Settings:
    return replace(settings, accounts=AccountKeys(tuple(map(Secret, keys))))


def mail_of(sink: SmtpSink, password: str = PLANTED) -> EmailAccountForm:
    return EmailAccountForm(
        host="127.0.0.1", port=sink.port, security="none", sender="a@example.com", username="u", password=password
    )


def key(name: str, project: str = "default") -> AccountKey:
    return AccountKey(project, "email", name)


def through(name: str, count: int, project: str = "default", run: str = "a") -> list[Delivery]:
    of = f"{run}-{name}-{project}"
    return [
        msgspec.structs.replace(one, account=name, project_id=project, delivery_id=f"{one.delivery_id}-{of}")
        for one in mails(count)
    ]


async def held(pool: asyncpg.Pool) -> dict[str, str]:
    return {row["destination"]: row["reason"] for row in await pool.fetch("select * from paused_destinations")}


@pytest.fixture
async def guarded() -> AsyncIterator[SmtpSink]:
    made = SmtpSink(login=("u", PLANTED))
    await made.start()
    yield made
    await made.stop()


async def test_an_account_is_added_paused_removed_and_added_again_while_hundreds_wait(
    settings: Settings, pool: asyncpg.Pool, guarded: SmtpSink
) -> None:
    stored, ring = Accounts(pool), Keys.read([OLD])
    with structlog.testing.capture_logs() as logs:
        async with running(keyed(settings, OLD), pool) as run:
            assert await stored.add(key("shop"), mail_of(guarded), ring, by="me")
            await until(lambda: _knows(run, "shop"))
            await run.take(through("shop", 20))
            await until(lambda: _sent(run, 20))

            assert await stored.pause(key("shop"), by="me")
            await until(lambda: _is_held(run, "shop"))
            await run.take(through("shop", 300, run="b"))
            await stored.remove(key("shop"), by="me")
            await until(lambda: _is_held(run, "shop"))
            assert (await run.counts())["waiting"] == 300
            assert len(guarded.mails) == 20
            assert "account email/shop" in (await held(pool))["shop"]
            assert await pool.fetchval("select content from accounts") is None

            assert await stored.add(key("shop"), mail_of(guarded), ring, by="me")
            await until(lambda: _sent(run, 320))
        told = repr(run.topic.told)
    dump = repr([dict(row) for row in await pool.fetch("select * from accounts")])
    rows = repr([dict(row) for row in await pool.fetch("select * from open_deliveries")])
    assert [PLANTED in text for text in (repr(logs), told, dump, rows)] == [False] * 4
    assert len({mail.message_id for mail in guarded.mails}) == len(guarded.mails) == 320


async def test_a_removed_account_never_sends_as_another_projects_and_holds_what_is_in_memory(
    settings: Settings, pool: asyncpg.Pool, guarded: SmtpSink
) -> None:
    stored, ring = Accounts(pool), Keys.read([OLD])
    for project in ("default", "outlet"):
        await stored.add(key("own", project), mail_of(guarded), ring, by="me")
    await stored.remove(key("own", "outlet"), by="me")
    await pool.execute("delete from paused_destinations")  # as if a sender had not looked yet
    async with running(keyed(settings, OLD), pool) as run:
        await run.take(through("own", 1, "outlet"))

        async def is_paused() -> bool:
            return "was removed" in (await held(pool)).get("own", "")

        await until(is_paused)
        assert (await run.counts()) == {"waiting": 1}
        assert guarded.mails == []


async def test_an_account_paused_in_one_project_sends_on_for_another_that_names_its_own_the_same(
    settings: Settings, pool: asyncpg.Pool, guarded: SmtpSink
) -> None:
    stored, ring = Accounts(pool), Keys.read([OLD])
    for project in ("default", "outlet"):
        await stored.add(key("own", project), mail_of(guarded), ring, by="me")
    async with running(keyed(settings, OLD), pool) as run:
        await stored.pause(key("own", "outlet"), by="me")
        await until(lambda: _is_held(run, "own", project="outlet"))
        await run.take([*through("own", 20), *through("own", 20, "outlet")])
        await until(lambda: _sent(run, 20))
        rows = await pool.fetch("select project_id, state, count(*) from deliveries group by 1, 2 order by 1")
        assert [tuple(row) for row in rows] == [("default", "sent", 20), ("outlet", "waiting", 20)]
        await stored.pause(key("own"), by="me")
        await stored.resume(key("own", "outlet"), by="me")
        await until(lambda: _sent(run, 40))
        assert await held(pool) == {"own": "account email/own is paused: tidings accounts resume"}
        assert await pool.fetchval("select project_id from paused_destinations") == "default"


async def test_a_password_that_was_refused_and_is_changed_sends_what_waits(
    settings: Settings, pool: asyncpg.Pool, guarded: SmtpSink
) -> None:
    stored, ring = Accounts(pool), Keys.read([OLD])
    await stored.add(key("shop"), mail_of(guarded, "wrong"), ring, by="me")
    other = key("shop", "outlet")
    await stored.add(other, mail_of(guarded, "wrong"), ring, by="me")
    async with running(keyed(settings, OLD), pool) as run:
        await run.take([*through("shop", 50), *through("shop", 1, "outlet")])

        async def both_paused() -> bool:
            rows = await pool.fetch("select reason from paused_destinations")
            return len(rows) == 2 and all("535" in row["reason"] for row in rows)

        await until(both_paused)
        right = mail_of(guarded)
        await stored.change(key("shop"), lambda _: right, ring, by="me")
        await until(lambda: _sent(run, 50))
        (left,) = await pool.fetch("select project_id, reason from paused_destinations")
        assert (left["project_id"], "535" in left["reason"]) == ("outlet", True)
        email = run.sender._channels["email"]
        assert isinstance(email, Email)
        assert sorted(account.password for account in email._pools) == sorted((PLANTED, "wrong"))  # that of the other
        for project in ("default", "outlet"):
            await stored.remove(key("shop", project), by="me")

        async def none_open() -> bool:
            return not email._pools

        await until(none_open)
    assert len({mail.message_id for mail in guarded.mails}) == len(guarded.mails) == 50


@pytest.mark.parametrize("is_paused", [False, True])
async def test_an_account_that_is_changed_while_no_sender_runs_sends_unless_it_is_paused(
    pool: asyncpg.Pool, guarded: SmtpSink, is_paused: bool
) -> None:
    stored, ring, ledger = Accounts(pool), Keys.read([OLD]), Ledger(pool)
    refused, elsewhere = Destination("default", "email", "shop"), Destination("outlet", "email", "shop")
    await stored.add(key("shop"), mail_of(guarded, "wrong"), ring, by="me")
    for destination in (refused, elsewhere):
        await ledger.pause_destination(destination, "refused", "auth: 535 5.7.8 no")
    if is_paused:
        await stored.pause(key("shop"), by="me")
    assert await stored.change(key("shop"), lambda _: mail_of(guarded), ring, by="me")
    assert set(await ledger.paused_destinations()) == ({refused, elsewhere} if is_paused else {elsewhere})


@pytest.mark.parametrize("act", ["add", "change", "resume"])
async def test_endpoints_that_refused_us_are_sent_to_again_by_another_signing_secret(
    pool: asyncpg.Pool, act: str
) -> None:
    stored, ring, ledger = Accounts(pool), Keys.read([OLD]), Ledger(pool)
    signing, form = AccountKey("shop", "webhook", SIGNING), WebhookAccountForm(secrets=(SECRET,))
    kinds: tuple[HoldKind, ...] = get_args(HoldKind)
    if act != "add":
        await stored.add(signing, form, ring, by="me")
    for kind in kinds:
        await ledger.pause_destination(Destination("shop", "webhook", f"https://{kind}.example"), kind, "HTTP 401")
    elsewhere = [Destination("spa", "webhook", "https://a.example"), Destination("shop", "email", SIGNING)]
    for one in elsewhere:
        await ledger.pause_destination(one, "refused", "no")
    rotated = WebhookAccountForm(secrets=(SIGNING_SECRET, SECRET))
    acts = {
        "add": lambda: stored.add(signing, rotated, ring, by="me"),
        "change": lambda: stored.change(signing, lambda _: rotated, ring, by="me"),
        "resume": lambda: stored.resume(signing, by="me"),
    }
    assert await acts[act]()
    left = await ledger.pauses()
    assert left.keys() >= set(elsewhere)
    assert {pause.kind for one, pause in left.items() if one not in elsewhere} == {"gone", "exhausted", "reputation"}


async def test_an_account_that_was_refused_and_is_removed_and_added_again_sends(pool: asyncpg.Pool) -> None:
    stored, ring, ledger = Accounts(pool), Keys.read([OLD]), Ledger(pool)
    form = EmailAccountForm(host="mail.shop.example", sender="news@shop.example")
    await stored.add(key("shop"), form, ring, by="me")
    await ledger.pause_destination(Destination("default", "email", "shop"), "refused", "auth: 535 5.7.8 no")
    await stored.remove(key("shop"), by="me")
    assert await stored.add(key("shop"), form, ring, by="me")
    assert await ledger.pauses() == {}


async def test_what_is_held_is_known_while_another_account_is_released(
    settings: Settings, pool: asyncpg.Pool, guarded: SmtpSink
) -> None:
    stored, ring = Accounts(pool), Keys.read([OLD])
    live = LiveAccounts(stored, keyed(settings, OLD))
    await stored.add(key("shop"), mail_of(guarded), ring, by="me")
    await live.refresh()
    await stored.change(key("shop"), lambda form: form, ring, by="me")
    await stored.add(key("new"), mail_of(guarded), ring, by="me")
    await stored.pause(key("new"), by="me")
    (mail,) = through("new", 1)
    held: list[bool] = []

    async def release(changed: AccountKey) -> None:
        with pytest.raises(AccountHeld, match="^account email/new is paused: tidings accounts resume$") as caught:
            live.book.of("email").find("default", "new")
        assert changed == key("shop")
        held.append(await live.hold(mail, str(caught.value)))
        if len(held) == 1:
            raise TryLater("Postgres is away")

    live._accounts = cast(Any, SimpleNamespace(
        release=release, version=stored.version, all=stored.all, hold_destination=stored.hold_destination,
    ))  # fmt: skip
    with pytest.raises(TryLater):
        await live.refresh()
    assert await live.refresh()
    assert len(held) == 2


async def test_a_project_signs_with_its_own_secrets_and_waits_when_they_are_gone(
    settings: Settings, pool: asyncpg.Pool, receiver: WebhookReceiver
) -> None:
    stored, ring = Accounts(pool), Keys.read([OLD])
    signing = AccountKey("outlet", "webhook", SIGNING)
    await stored.add(signing, WebhookAccountForm(secrets=(SIGNING_SECRET, SECRET)), ring, by="me")
    (one,) = webhooks(1, receiver.url)
    async with running(keyed(settings, OLD), pool) as run:
        await run.take([msgspec.structs.replace(one, project_id="outlet")])
        await until(lambda: _sent(run, 1))
        await stored.pause(signing, by="me")
        await until(lambda: _is_held(run, SIGNING, "webhook", "outlet"))
        await run.take([msgspec.structs.replace(one, project_id="outlet", delivery_id="dlv_later")])

        async def waits() -> bool:
            return "account webhook/main is paused" in (await held(pool)).get(one.account, "")

        await until(waits)
        await stored.resume(signing, by="me")
        await until(lambda: _sent(run, 2))


async def test_an_endpoint_is_signed_for_by_its_own_account_and_by_the_projects_once_that_is_removed(
    settings: Settings, pool: asyncpg.Pool, receiver: WebhookReceiver
) -> None:
    stored, ring = Accounts(pool), Keys.read([OLD])
    (one,) = webhooks(1, receiver.url)
    many = [msgspec.structs.replace(one, project_id="outlet", delivery_id=f"dlv_o{number}") for number in range(3)]
    project, own = (AccountKey("outlet", "webhook", name) for name in (SIGNING, one.account))
    await stored.add(project, WebhookAccountForm(secrets=(SIGNING_SECRET,)), ring, by="me")
    await stored.add(own, WebhookAccountForm(secrets=(SECRET,)), ring, by="me")
    async with running(keyed(settings, OLD), pool) as run:
        await run.take(many[:1])
        await until(lambda: _sent(run, 1))  # the receiver knows SECRET alone
        await stored.pause(own, by="me")
        await until(lambda: _is_held(run, one.account, "webhook", "outlet"))
        await stored.change(project, lambda form: replace(form, rate="100"), ring, by="me")
        assert "is paused" in (await held(pool))[one.account]  # not the project's to resume
        await run.take(many[1:2])
        await stored.resume(own, by="me")
        await until(lambda: _sent(run, 2))
        await stored.change(project, lambda _: WebhookAccountForm(secrets=(SECRET,)), ring, by="me")
        await stored.remove(own, by="me")
        await until(lambda: _is_gone(run, one.account))
        assert "was removed" in (await held(pool))[one.account]
        await run.ledger.resume_destination(Destination("outlet", "webhook", one.account), by="me")
        await run.take(many[2:])
        await until(lambda: _sent(run, 3))
    assert receiver.unverified == 0


async def test_keys_are_rotated_and_a_row_copied_elsewhere_is_of_no_use(pool: asyncpg.Pool) -> None:
    stored, sink = Accounts(pool), SmtpSink()
    old, both, new = Keys.read([OLD]), Keys.read([NEW, OLD]), Keys.read([NEW])
    for number in range(30):
        await stored.add(key(f"n{number}", ("default", "outlet")[number % 2]), mail_of(sink), old, by="me")
    version = await stored.version()
    assert (await stored.rotate(new, by="me")).count == 0
    assert len((await stored.rotate(new, by="me")).unreadable) == 30
    assert [(await stored.rotate(both, by="me")).count for _ in range(2)] == [30, 0]
    assert await stored.version() == version
    assert {cast(EmailAccountForm, one.read(new)).password for one in await stored.all()} == {PLANTED}
    await pool.execute(
        "update accounts set content = (select content from accounts where name = 'n0') where name in ('n1', 'n2')"
    )
    for one in await stored.all():
        if one.key.name in ("n1", "n2"):
            with pytest.raises(CannotDecrypt, match="copied from another account"):
                one.read(new)


async def test_the_use_cases_add_try_change_list_and_remove_and_name_what_is_near(
    settings: Settings, pool: asyncpg.Pool, guarded: SmtpSink
) -> None:
    stored, keys = Accounts(pool), keyed(settings, OLD)
    one = control.account_key("default", "email/shop")
    written = {
        "host": "127.0.0.1", "port": str(guarded.port), "security": "none", "sender": "a@example.com",
        "username": "u", "password": "wrong",
    }  # fmt: skip
    with pytest.raises(TidingsError, match="there is no key"):
        await control.add(stored, settings, one, written, actor="me")
    await control.add(stored, keys, one, written, actor="me")
    with pytest.raises(TidingsError, match="there is an account email/shop already"):
        await control.add(stored, keys, one, written, actor="me")
    assert "the login of u is refused" in (await control.check(stored, keys, one)).said
    with pytest.raises(DefinitionInvalid, match="port: "):
        await control.change(stored, keys, one, {"port": "0"}, actor="me")
    await control.change(stored, keys, one, {"password": PLANTED}, actor="you")
    assert (await control.check(stored, keys, one)).is_well
    with pytest.raises(TidingsError, match='no account "email/shpo". Did you mean "email/shop"'):
        await control.check(stored, keys, control.account_key("default", "email/shpo"))
    (shown,) = await control.shown(stored, keys, "default")
    assert (shown.account, shown.kept_in, shown.state, shown.key, shown.changed_by) == (
        "email/shop", "database", "active", "k1", "you",
    )  # fmt: skip
    assert PLANTED not in repr(shown)
    with pytest.raises(TidingsError, match='no account email/shap. Did you mean "email/shop"'):
        await control.pause(stored, control.account_key("default", "email/shap"), actor="me")
    assert (await control.rotate(stored, keyed(settings, NEW, OLD), actor="me")).count == 1
    await control.remove(stored, one, actor="me")
    assert await control.shown(stored, keys, "default") == []


async def test_an_account_that_signs_for_another_domain_is_kept_with_a_warning(
    settings: Settings, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch, guarded: SmtpSink
) -> None:
    stored, keys, one = Accounts(pool), keyed(settings, OLD), control.account_key("default", "email/shop")
    written = {
        "host": "127.0.0.1", "port": str(guarded.port), "security": "none", "sender": "a@example.com",
        "username": "u", "password": PLANTED,
        "dkim_domain": "other.example", "dkim_selector": "s1", "dkim_private_key": pem("ed25519"),
    }  # fmt: skip
    await control.add(stored, keys, one, written, actor="me")
    assert "DMARC does not count" in await control.advice(stored, keys, one)
    await control.change(stored, keys, one, {"dkim_domain": "example.com"}, actor="me")
    assert await control.advice(stored, keys, one) == ""

    async def published(place: str) -> list[str]:
        return [record(signer("ed25519"))] if place == "s1._domainkey.example.com" else []

    monkeypatch.setattr("channels.email.dkim_record.published", published)
    assert "is the one that signs" in (await control.check(stored, keys, one)).said
    assert "PRIVATE" not in repr([dict(row) for row in await pool.fetch("select * from accounts")])


async def test_doctor_names_project_account_field_and_what_would_be_right(
    settings: Settings, pool: asyncpg.Pool, guarded: SmtpSink
) -> None:
    stored, old, new, keys = Accounts(pool), Keys.read([OLD]), Keys.read([NEW]), keyed(settings, OLD)
    assert await examine_stored(pool, settings, log_in=True) == "0 in the database let us in"
    await stored.add(key("good"), mail_of(guarded), old, by="me")
    await stored.add(key("held", "outlet"), mail_of(guarded), old, by="me")
    await stored.add(key("gone"), mail_of(guarded), new, by="me")
    await stored.pause(key("held", "outlet"), by="me")
    await stored.remove(key("gone"), by="me")
    held = "; paused (tidings accounts resume): project outlet, account email/held"
    assert await examine_stored(pool, keys, log_in=False) == f"2 in the database can be read{held}"
    assert await examine_stored(pool, keys, log_in=True) == f"2 in the database let us in{held}"

    await stored.add(key("unread"), mail_of(guarded), new, by="me")
    await stored.add(key("refused"), mail_of(guarded, "wrong" + PLANTED), old, by="me")
    await stored.add(key("place", "outlet"), replace(mail_of(guarded), host=f"u:{PLANTED}@x"), old, by="me")
    await stored.add(key("file"), replace(mail_of(guarded), security="tls", ssl_cafile="/nowhere"), old, by="me")
    with pytest.raises(TidingsError) as caught:
        await examine_stored(pool, keys, log_in=True)
    said = str(caught.value)
    for part in (
        "project default, account email/unread: it is encrypted under key k2; accounts.keys has: k1. Put that key back",
        "project default, account email/refused: the login of u is refused (535",
        "project outlet, account email/place: host must be a host such as smtp.example.com",
        "tidings accounts add email/place --change --project outlet host=…",
        "project default, account email/file: account email/file cannot be used: No such file",
    ):
        assert part in said
    assert "email/good" not in said
    assert PLANTED not in said


async def _sent(run: Running, count: int) -> bool:
    return (await run.counts())["sent"] == count


async def _knows(run: Running, name: str) -> bool:
    return name in run.sender._accounts.book.names("email", "default")


async def _is_gone(run: Running, endpoint: str) -> bool:
    return run.sender._accounts.book.find("webhook", "outlet", endpoint) is None


async def _is_held(run: Running, name: str, channel: ChannelName = "email", project: str = "default") -> bool:
    return isinstance(run.sender._accounts.book.find(channel, project, name), HeldAccount)


async def test_a_mailbox_is_added_by_its_address_and_tried_with_a_token(settings: Settings, pool: asyncpg.Pool) -> None:
    stored, one = Accounts(pool), control.account_key("default", "email/shop")
    near = replace(keyed(settings, OLD), sender=replace(settings.sender, webhook_allow_private=True))
    sink, endpoint = SmtpSink(token_logins=("XOAUTH2",)), TokenEndpointFake()
    endpoint.given_to.append(sink.tokens)
    written = {
        "sender": "a@gmail.com",
        "client_id": "client",
        "client_secret": "client-secret",
        "refresh_token": "refresh-1",
    }

    async def nobody(domain: str) -> list[str]:
        return []

    for fake in (sink, endpoint):
        await fake.start()
    try:
        preset = await control.add(stored, near, one, written, actor="me", exchangers=nobody)
        assert preset is not None
        kept = await stored.get(one)
        assert kept is not None
        form = cast(EmailAccountForm, kept.read(Keys.read([OLD])))
        assert (form.host, form.username, form.rate) == ("smtp.gmail.com", "a@gmail.com", "500/d")
        moved = {"host": "127.0.0.1", "port": str(sink.port), "security": "none", "token_url": endpoint.url}
        with pytest.raises(DefinitionInvalid, match="must be written anew where host, token_url changes"):
            await control.change(stored, near, one, moved, actor="me")
        await control.change(stored, near, one, {**written, **moved}, actor="me")
        found = await control.check(stored, near, one)
        assert (found.is_well, "lets a@gmail.com in" in found.said) == (True, True), found
        endpoint.refresh_tokens.clear()
        assert "sign in again" in (await control.check(stored, near, one)).said
        closed = replace(near, sender=replace(near.sender, webhook_allow_private=False))
        assert "may not be called" in (await control.check(stored, closed, one)).said
    finally:
        for fake in (sink, endpoint):
            await fake.stop()
    with pytest.raises(DefinitionInvalid, match="no preset fits shop.example"):
        await control.add(
            stored, near, control.account_key("default", "email/x"), {"sender": "a@shop.example"}, actor="me",
            exchangers=nobody,
        )  # fmt: skip


async def test_a_refresh_token_that_came_in_place_of_another_is_kept_unless_somebody_changed_the_account(
    settings: Settings, pool: asyncpg.Pool
) -> None:
    stored, keyed_settings = Accounts(pool), keyed(settings, OLD)
    keys, one = Keys.read([OLD]), key("oauth")
    form = EmailAccountForm(
        host="smtp.office365.com", sender="a@example.com", username="a@example.com", client_id="c", client_secret="s",
        refresh_token="refresh-1",
    )  # fmt: skip
    await stored.add(one, form, keys, by="me")
    live = LiveAccounts(stored, keyed_settings)
    await live.refresh()
    grant = cast(Any, live.book.find("email", "default", "oauth")).grant
    clock = SimpleNamespace(now=0.0)
    renewals = Renewals(stored, live.book, lambda: clock.now)

    async def kept() -> str:
        found = await stored.get(one)
        assert found is not None
        return cast(EmailAccountForm, found.read(keys)).refresh_token

    async def renewed(token: str) -> str:
        live.book.of("email").renew(grant, token)
        await renewals.keep(live._stored, keys)
        return await kept()

    version = await stored.version()
    assert await renewed("refresh-2") == "refresh-2"
    assert await renewed("refresh-3") == "refresh-2", "once a day"
    clock.now += 86_400
    await renewals.keep(live._stored, keys)
    assert await kept() == "refresh-3"
    assert (await stored.version(), await live.refresh()) == (version, False), "nobody has to hear of it"
    assert live.book.renewed == {}
    await stored.change(one, lambda form: replace(cast(Any, form), refresh_token="written"), keys, by="you")
    clock.now += 86_400
    assert await renewed("refresh-4") == "written"
