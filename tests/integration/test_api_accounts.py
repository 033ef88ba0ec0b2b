"""Accounts over the API, on a real PostgreSQL and a mail server that asks for a login."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from agents.accounts import account_keys
from agents.wiring import Wiring
from channels.fakes.email import SmtpSink
from deploy.secret import Secret
from deploy.settings.accounts import AccountKeys
from deploy.settings.messages import EmailAccountSettings
from deploy.settings.servers import Postgres
from deploy.settings.settings import Settings
from schemas.channels.email import EmailAccountForm
from store.accounts import AccountKey, Accounts
from tests.integration.api_client import Answer, Api, running_api

PLANTED = "pl4nted-pa55word-of-the-mailbox"
SIGNING = "whsec_" + base64.b64encode(b"planted signing secret").decode()
KEY = "k1:" + base64.b64encode(bytes([7]) * 32).decode()


@pytest.fixture
async def guarded() -> AsyncIterator[SmtpSink]:
    made = SmtpSink(login=("u", PLANTED))
    await made.start()
    yield made
    await made.stop()


def keyed(settings: Settings, dsn: str, *keys: str) -> Wiring:
    secrets = AccountKeys(tuple(map(Secret, keys)))
    return Wiring(replace(settings, postgres=Postgres(dsn=Secret(dsn)), accounts=secrets))


@pytest.fixture
async def api(settings: Settings, dsn: str) -> AsyncIterator[Api]:
    async with running_api(keyed(settings, dsn, KEY)) as running:
        yield running


async def put(api: Api, account: str, body: Any, query: str = "", **more: Any) -> Answer:
    return await api.ask("PUT", f"/accounts/{account}{query}", body, **more)


async def check(api: Api, account: str = "email/main", **more: Any) -> Answer:
    return await api.ask("POST", "/accounts/check", {"account": account}, **more)


def mailbox(sink: SmtpSink, password: str = PLANTED) -> dict[str, Any]:
    return {
        "host": "127.0.0.1", "port": sink.port, "security": "none", "sender": "a@example.com", "username": "u",
        "password": password,
    }  # fmt: skip


async def kept(api: Api, name: str = "main", project: str = "shop") -> EmailAccountForm:
    stored = await Accounts(api.pool).get(AccountKey(project, "email", name))
    assert stored is not None
    form = stored.read(account_keys(api.server._wiring.settings))
    assert isinstance(form, EmailAccountForm)
    return form


async def states(api: Api, **asked: Any) -> dict[str, str]:
    asked.setdefault("role", "operator")
    pages = [page async for page in api.pages("/accounts?limit=1", **asked)]
    return {one["account"]: one["state"] for page in pages for one in page}


async def test_an_account_is_added_tried_changed_and_its_secret_is_in_no_reply_log_or_table(
    api: Api, guarded: SmtpSink
) -> None:
    tried = await put(api, "email/main", mailbox(guarded), "?dry_run=true")
    assert (tried.status, tried.json["plan"], tried.json["dry_run"]) == (200, "new", True)
    assert await states(api) == {}
    made = await put(api, "email/main", mailbox(guarded, "wrong-" + PLANTED))
    assert (made.status, made.json["plan"]) == (201, "new")
    assert made.json["fields"] == ["host", "password", "port", "security", "sender", "username"]
    bad = await check(api)
    assert (bad.status, bad.json["is_well"], bad.json["account"]) == (200, False, "email/main")
    changed = await put(api, "email/main", {"password": PLANTED, "sender_name": "Shop"})
    assert (changed.status, changed.json["plan"]) == (200, "changed")
    good = await check(api)
    assert good.json["is_well"], good.json
    form = await kept(api)
    assert (form.password, form.sender_name, form.port) == (PLANTED, "Shop", guarded.port)
    listed = await api.ask("GET", "/accounts", role="operator")
    (shown,) = listed.json["items"]
    assert (shown["account"], shown["kept_in"], shown["key_id"]) == ("email/main", "database", "k1")
    assert shown["changed_by"].startswith("key:live-admin-")
    for one in (tried, made, bad, changed, good, listed):
        assert PLANTED.encode() not in one.raw, one.json
    assert PLANTED not in str(api.logged)
    for table in await api.pool.fetch("select table_name from information_schema.tables where table_schema = 'public'"):
        rows = await api.pool.fetch(f"select t::text as row from {table['table_name']} t")  # noqa: S608
        assert all(PLANTED not in row["row"] for row in rows), table


async def test_a_secret_does_not_follow_its_account_to_another_host(api: Api, guarded: SmtpSink) -> None:
    await put(api, "email/main", mailbox(guarded))
    for query in ("?dry_run=true", ""):
        moved = await put(api, "email/main", {"host": "elsewhere.example", "security": "tls"}, query)
        assert (moved.status, moved.json["errors"][0]["pointer"]) == (422, "/password"), moved.json
        assert PLANTED.encode() not in moved.raw
    assert (await kept(api)).host == "127.0.0.1"


async def test_null_empties_a_field_also_one_that_is_secret_and_none_that_has_to_be(
    api: Api, guarded: SmtpSink
) -> None:
    await put(api, "email/main", {**mailbox(guarded), "sender_name": "Shop"})
    done = await put(api, "email/main", {"sender_name": None, "username": None, "password": None})
    assert (done.status, done.json["plan"]) == (200, "changed"), done.json
    form = await kept(api)
    assert (form.sender_name, form.username, form.password, form.sender) == ("", "", "", "a@example.com")
    wrong = await put(api, "email/main", {"sender": None})
    assert (wrong.status, wrong.json["errors"][0]["pointer"]) == (422, "/sender")


WRONG: tuple[tuple[str, Any, int], ...] = (
    ("email/main", PLANTED, 422),
    ("email/main", [PLANTED], 422),
    ("email/main", PLANTED.encode(), 400),
    ("email/main", b'{"password": "' + PLANTED.encode() + b'", "password": "b"}', 400),
    ("email/main", b'{"password": "' + PLANTED.encode(), 400),
    ("email/main", {"pasword": PLANTED, "sender": "a@example.com", "host": "h.example"}, 422),
    ("email/main", {"password": {"is": PLANTED}, "sender": "a@example.com", "host": "h.example"}, 422),
    ("email/main", {"password": f"{PLANTED}\n", "sender": "a@example.com", "host": "h.example"}, 422),
    ("email/main", {"password": PLANTED * 99, "sender": "a@example.com", "host": "h.example"}, 422),
    ("email/main", {"password": PLANTED, "sender": "a@example.com", "host": "h.example"}, 422),
    ("email/main", {"dkim_private_key": PLANTED, "sender": "a@example.com", "host": "h.example"}, 422),
    ("webhook/main", {"secrets": [PLANTED]}, 422),
    ("webhook/main", {"secrets": PLANTED}, 422),
    ("webhook/main", {"secrets": [SIGNING] * 9}, 422),
    ("webhook/main", {"secrets": [[SIGNING]]}, 422),
    ("webhook/main", {}, 422),
    ("sms/main", {"auth_token": PLANTED, "account_sid": 7}, 422),
)


async def test_what_is_wrong_is_told_without_what_is_secret(api: Api) -> None:
    for account, body, status in WRONG:
        for query in ("", "?dry_run=true"):
            answer = await put(api, account, body, query)
            assert (answer.status, answer.json["status"]) == (status, status), (account, body, answer.json)
            assert b"pl4nted" not in answer.raw, answer.json
            assert SIGNING.encode() not in answer.raw, answer.json
    assert "pl4nted" not in str(api.logged)
    assert await states(api) == {}
    answer = await put(api, "email/main", {"pasword": "x", "sender": 7})
    pointers = {one["pointer"]: one["detail"] for one in answer.json["errors"]}
    assert set(pointers) == {"/pasword", "/sender", "/host"}
    assert "password" in pointers["/pasword"]


async def test_an_account_is_paused_resumed_removed_and_added_again(api: Api, guarded: SmtpSink) -> None:
    await put(api, "email/main", mailbox(guarded))
    await put(api, "email/second", mailbox(guarded))
    steps = (("POST", "/pause", "paused"), ("POST", "/resume", "active"), ("DELETE", "", "removed"))
    before = "active"
    for method, step, state in steps:
        tried = await api.ask(method, f"/accounts/email/main{step}?dry_run=true")
        assert tried.json == {"account": "email/main", "state": state, "dry_run": True}
        assert (await states(api))["email/main"] == before
        assert (await api.ask(method, f"/accounts/email/main{step}")).json["state"] == state
        assert (await states(api)).get("email/main", "removed") == state
        before = state
    for method, step, _ in steps:
        for query in ("?dry_run=true", ""):
            gone = await api.ask(method, f"/accounts/email/main{step}{query}")
            assert (gone.status, "There are: email/second" in gone.json["detail"]) == (404, True)
    assert (await check(api)).status == 404
    again = await put(api, "email/main", mailbox(guarded))
    assert (again.status, again.json["plan"]) == (201, "new")


async def test_an_account_is_of_the_project_of_its_key(api: Api, guarded: SmtpSink) -> None:
    await put(api, "email/main", mailbox(guarded))
    assert await states(api, project="outlet") == {}
    for method, path in (("POST", "/pause"), ("POST", "/resume"), ("DELETE", "")):
        assert (await api.ask(method, f"/accounts/email/main{path}", project="outlet")).status == 404
    assert (await check(api, project="outlet")).status == 404
    other = await put(api, "email/main", {"sender_name": "x"}, project="outlet")
    assert (other.status, {one["pointer"] for one in other.json["errors"]}) == (422, {"/host", "/sender"})
    assert (await kept(api)).sender_name == ""


async def test_what_names_no_account_is_told_where_it_stands(api: Api) -> None:
    channel = await put(api, "post/main", {})
    assert (channel.status, channel.json["errors"][0]["parameter"]) == (422, "channel")
    name = await put(api, "webhook/a%20b", {"secrets": [SIGNING]})
    assert (name.status, name.json["errors"][0]["parameter"]) == (422, "name")
    for account in ("email", "emial/main", "webhook/a b"):
        answer = await check(api, account)
        assert (answer.status, answer.json["errors"][0]["pointer"]) == (422, "/account"), answer.json


async def test_without_a_key_of_the_settings_nothing_is_kept_and_a_dry_run_says_so(
    settings: Settings, dsn: str
) -> None:
    async with running_api(keyed(settings, dsn)) as api:
        for query in ("?dry_run=true", ""):
            answer = await put(api, "webhook/main", {"secrets": [SIGNING]}, query)
            assert (answer.status, "accounts.keys" in answer.json["detail"]) == (409, True), answer.json
            assert SIGNING.encode() not in answer.raw


async def test_accounts_of_the_settings_are_listed_and_stay_as_they_are(settings: Settings, dsn: str) -> None:
    shared = {"main": EmailAccountSettings("127.0.0.1", "a@example.com")}
    async with running_api(keyed(replace(settings, email_accounts=shared), dsn, KEY)) as api:
        (shown,) = (await api.ask("GET", "/accounts", role="operator", project="outlet")).json["items"]
        assert (shown["account"], shown["kept_in"], shown["changed_at"]) == ("email/main", "settings", None)
        assert (await api.ask("POST", "/accounts/email/main/pause")).status == 404
