"""Messages as tests, over the API and by the command: what leaves, what is answered, and that nothing else is noted."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from agents.wiring import Wiring
from channels.fakes.email import SmtpSink
from channels.fakes.sms import SmsFake
from channels.fakes.webhook import WebhookReceiver
from console.cli.main import app
from deploy.secret import Secret
from deploy.settings.accounts import AccountKeys
from deploy.settings.messages import Brand, EmailAccountSettings, Webhook
from deploy.settings.servers import Postgres
from deploy.settings.settings import Settings
from schemas.project import Project, Sandbox
from schemas.suppression import NewSuppression
from store.accounts import AccountKey, Accounts
from store.distributions import Change, Control
from store.encryption import Keys
from store.projects import Projects
from store.sending.suppressions import Suppressions
from streams.documents.distribution import parse_definition
from tests.contract.channels.test_sms import SID, TOKEN, TWILIO
from tests.factory import CONTEXT, NOW, SECRET, definition, order_event
from tests.integration.api_client import Answer, Api, running_api
from tests.integration.test_web_template_edit import keep_profile

RING = "k1:" + base64.b64encode(bytes(32)).decode()
URL = "https://shop.example.com"
BRAND = Brand("Shop", "x", "x", privacy_url=URL, terms_url=URL, logo_url=URL, permission_reminder="x")
NAME = "{{ customer.name | default('you') }}"
MAIL: Any = {"email": {"account": "main", "subject": f"For {NAME}", "text": "Order {{ order.id }}"}}
TEXT: Any = {"sms": {"account": "main", "text": f"Order {{{{ order.id }}}} for {NAME}"}}
MINE, NUMBER = "eve@office.example", "+48600100200"
ANN: dict[str, Any] = {"id": "c1", "name": "Ann", "email": "ann@shop.example"}


@pytest.fixture
async def mailbox() -> AsyncIterator[SmtpSink]:
    made = SmtpSink()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    made = WebhookReceiver(SECRET)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def texts() -> AsyncIterator[SmsFake]:
    made = SmsFake(SID, TOKEN)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def api(settings: Settings, dsn: str, mailbox: SmtpSink) -> AsyncIterator[Api]:
    own = replace(
        settings,
        postgres=Postgres(dsn=Secret(dsn)),
        accounts=AccountKeys((Secret(RING),)),
        email_accounts={
            "main": EmailAccountSettings("127.0.0.1", "a@shop.example", port=mailbox.port, security="none")
        },
        webhook=Webhook(secrets=(Secret(SECRET),)),
        sender=replace(settings.sender, webhook_allow_private=True),
        brand=BRAND,
    )
    async with running_api(Wiring(own)) as running:
        yield running


async def drafted(api: Api, *channels: Any, identity: str = "thanks", **changes: Any) -> None:
    written = {"distribution": identity, "consent": "transactional", "status": "DRAFT", **changes}
    made = parse_definition(definition(channels=[*channels], **written), CONTEXT)
    change = Change(made.distribution, "", tuple(template for _, template in made.templates))
    await Control(api.pool).save([change], applied_by="ann", now=NOW)


async def tried(api: Api, query: str = "", identity: str = "thanks", **asked: Any) -> Answer:
    how = {name: asked.pop(name) for name in ("role", "key", "project", "idempotency_key") if name in asked}
    return await api.ask("POST", f"/distributions/{identity}/test{query}", asked, **{"role": "editor", **how})


async def kept(api: Api) -> dict[str, int]:
    """The rows of each table."""
    found = await api.pool.fetch(
        "select relname as name from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace"
    )
    return {one["name"]: await api.pool.fetchval(f"select count(*) from {one['name']}") for one in found}  # noqa: S608


async def noted(api: Api) -> list[Any]:
    rows = (await api.ask("GET", "/audit?action=distribution.tested")).json["items"]
    return [(one["thing"], one["version"], one["change"]) for one in rows]


async def test_a_mail_leaves_through_the_account_marked_and_noted_by_nobody_but_the_audit_log(
    api: Api, mailbox: SmtpSink
) -> None:
    await drafted(api, MAIL)
    before = await kept(api)
    sent = await tried(api, to=MINE, customer=ANN)
    assert (sent.status, sent.json["outcome"], sent.json["channel"], sent.json["account"]) == (
        200, "accepted", "email", "main",
    )  # fmt: skip
    (mail,) = mailbox.mails
    assert (mail.recipients, mail.parsed()["subject"]) == ((MINE,), "[Test] For Ann")
    assert "Order ord_1" in mail.content.decode()
    assert (mail.message_id, "queued as 1" in sent.json["detail"]) == (sent.json["test_id"], True)
    assert sent.json["test_id"].startswith("test_")
    after = await kept(api)
    assert {name: after[name] - before[name] for name in after if after[name] != before[name]} == {"audit_log": 1}
    assert await noted(api) == [
        ("thanks", 1, {"channel": "email", "account": "main", "delivery": sent.json["test_id"]})
    ]
    assert MINE not in str(api.logged) + sent.raw.decode()


async def test_a_dry_run_renders_it_and_asks_nobody(api: Api, mailbox: SmtpSink) -> None:
    await drafted(api, MAIL)
    test_key = await api.new_key("editor", kind="test")
    for key in (None, test_key):
        dry = await tried(api, "?dry_run=true", to=MINE, key=key)
        assert (dry.status, dry.json["outcome"], dry.json["dry_run"]) == (200, None, True)
    assert (await tried(api, to=MINE, key=test_key)).status == 403
    named = {"email": {**MAIL["email"], "text": "{{ customer.name }}"}}
    draft = definition(consent="transactional", channels=[named])
    broken = await tried(api, "?dry_run=true", document=draft, to=MINE, customer={"id": "c1"})
    assert (broken.status, "customer.name" in broken.json["detail"]) == (409, True), broken.json
    assert (mailbox.mails, await noted(api)) == ([], [])


async def test_the_same_request_again_sends_none(api: Api, mailbox: SmtpSink) -> None:
    await drafted(api, MAIL)
    answers = [await tried(api, to=MINE, idempotency_key="k1") for _ in range(2)]
    assert (answers[0].json, len(mailbox.mails)) == (answers[1].json, 1)
    rows = await api.pool.fetch("select convert_from(body, 'utf8') as body from api_replies")
    assert [MINE in row["body"] for row in rows] == [False]


async def test_who_is_suppressed_or_out_of_a_sandbox_gets_none(api: Api, mailbox: SmtpSink) -> None:
    await drafted(api, MAIL)
    entry = NewSuppression("shop", "office.example", "requested", "x", "ann", channel="sms")
    await Suppressions(api.pool).add([entry])
    assert (await tried(api, to=MINE)).status == 200, "suppressed on another channel"
    await Suppressions(api.pool).add([replace(entry, channel=None)])
    for query in ("", "?dry_run=true"):
        refused = await tried(api, query, to=MINE)
        assert (refused.status, "suppressed: somebody asked for it" in refused.json["detail"]) == (409, True)
    assert (await tried(api, to="ann@shop.example")).status == 200
    sandbox = Project(id="shop", name="Shop", version=1, sandbox=Sandbox(allow=["lab.example"]), updated_at=NOW)
    await Projects(api.pool).save([(sandbox, "")], applied_by="ann", now=NOW)
    refused = await tried(api, to="ann@shop.example")
    assert (refused.status, "sandbox" in refused.json["detail"]) == (409, True)
    assert (await tried(api, to="ann@lab.example")).status == 200
    assert [mail.recipients[0] for mail in mailbox.mails] == [MINE, "ann@shop.example", "ann@lab.example"]


async def test_what_the_provider_refuses_is_told_without_the_address(api: Api, mailbox: SmtpSink) -> None:
    await drafted(api, MAIL)
    mailbox.at_stage = "rcpt"
    for reply, outcome in (("550 5.1.1 {}: no such user", "refused"), ("451 4.7.1 {} greylisted", "deferred")):
        mailbox.replies.append(reply.format(f"<{MINE}>"))
        answer = await tried(api, to=MINE)
        assert (answer.status, answer.json["outcome"], answer.json["provider_id"]) == (200, outcome, None)
        assert (MINE in answer.raw.decode(), reply[:9] in answer.json["detail"]) == (False, True), str(answer.json)
    await mailbox.stop()
    away = await tried(api, to=MINE)
    assert (away.status, away.json["outcome"]) == (200, "deferred")


async def test_a_draft_in_the_request_is_sent_and_not_applied(api: Api, mailbox: SmtpSink) -> None:
    draft = definition(distribution="later", consent="transactional", channels=[MAIL])
    assert (await tried(api, identity="later", to=MINE)).status == 404
    sent = await tried(api, identity="later", to=MINE, document=draft)
    assert (sent.status, sent.json["version"], len(mailbox.mails)) == (200, 1, 1)
    assert (await api.ask("GET", "/distributions")).json["items"] == []
    for wrong, pointer in (
        ({**draft, "distribution": "other"}, "/document/distribution"),
        ({**draft, "consnt": "x"}, "/document/consnt"),
        (
            {**draft, "channels": [{"email": {**MAIL["email"], "account": "nobody"}}]},
            "/document/channels/0/email/account",
        ),
    ):
        answer = await tried(api, identity="later", to=MINE, document=wrong)
        assert (answer.status, answer.json["errors"][0]["pointer"]) == (422, pointer), answer.json
    assert len(mailbox.mails) == 1


async def test_what_is_wrong_with_a_test_is_said_at_its_place(api: Api, mailbox: SmtpSink) -> None:
    await drafted(api, MAIL, {"webhook": {"url": f"{URL}/hooks", "type": "thanks"}})
    wrong: tuple[tuple[dict[str, Any], str], ...] = (
        ({}, "/channel"), ({"channel": "email"}, "/to"), ({"channel": "sms"}, "/channel"),
        ({"channel": "webhook", "to": MINE}, "/to"), ({"to": "eve at office"}, "/to"), ({"to": 7}, "/to"),
        ({"to": MINE, "customer": {"id": 7.5}}, "/customer/id"), ({"to": MINE, "event": {}}, "/event"),
        ({"to": MINE, "event": order_event(), "customer": {"id": "c2"}}, "/customer/id"), ({"two": MINE}, "/two"),
    )  # fmt: skip
    for asked, pointer in wrong:
        answer = await tried(api, **asked)
        found = [one.get("pointer", "") for one in answer.json["errors"]]
        assert (answer.status, any(one.startswith(pointer) for one in found)) == (422, True), (asked, answer.json)
        assert "eve at office" not in answer.raw.decode()
    unreached = await tried(api, channel="email", customer={"id": "c1", "name": "Ann"})
    assert (unreached.status, "no email" in unreached.json["detail"]) == (409, True)
    assert mailbox.mails == []


async def test_nobody_sends_a_test_who_may_not_or_of_another_project(api: Api, mailbox: SmtpSink) -> None:
    await drafted(api, MAIL)
    for role in ("viewer", "operator"):
        refused = await tried(api, to=MINE, role=role)
        assert (refused.status, refused.json["permission"]) == (403, "distributions:test")
    assert (await tried(api, to=MINE, project="outlet")).status == 404
    assert mailbox.mails == []


async def test_a_text_goes_over_the_channel_that_comes_second(api: Api, texts: SmsFake, mailbox: SmtpSink) -> None:
    form = replace(TWILIO, base_url=texts.base_url)
    await Accounts(api.pool).add(AccountKey("shop", "sms", "main"), form, Keys.read([RING]), by="ann")
    await drafted(api, MAIL, TEXT, order="first_available")
    sent = await tried(api, to=NUMBER, customer=ANN)
    assert (sent.json["channel"], sent.json["outcome"]) == ("sms", "accepted"), sent.json
    (text,) = texts.texts
    assert (text.to, text.body, sent.json["provider_id"]) == (NUMBER, "[Test] Order ord_1 for Ann", text.sid)
    texts.invalid.add(NUMBER)
    refused = await tried(api, to=NUMBER, customer=ANN)
    assert (refused.json["outcome"], NUMBER[1:] in refused.raw.decode()) == ("refused", False), refused.json
    await Accounts(api.pool).pause(AccountKey("shop", "sms", "main"), by="ann")
    held = await tried(api, to=NUMBER, customer=ANN)
    assert (held.status, "sms/main is paused" in held.json["detail"]) == (409, True)
    assert (len(texts.texts), mailbox.mails) == (1, [])


async def test_a_webhook_is_signed_and_has_an_id_of_a_test(api: Api, receiver: WebhookReceiver) -> None:
    await drafted(api, {"webhook": {"url": receiver.url, "type": "thanks"}})
    event = order_event(data={"customer": ANN, "order": {"id": "o7", "amount": 1}})
    sent = await tried(api, event=event)
    (received,) = receiver.received
    assert (received.id, json.loads(received.body)["data"]["order"]["id"]) == (sent.json["test_id"], "o7")
    assert (sent.json["outcome"], receiver.unverified) == ("accepted", 0)


async def test_the_profile_that_is_kept_counts_in_place_of_the_events_own(api: Api, mailbox: SmtpSink) -> None:
    await drafted(api, MAIL)
    await keep_profile(api.pool, {"id": "c1", "name": "Kept", "email": "kept@shop.example"})
    event = order_event(data={"customer": {"id": "c1"}, "order": {"id": "o7", "amount": 1}})
    shown = await api.ask("POST", "/distributions/thanks/preview", {"event": event}, role="viewer")
    assert [one["facts"]["subject"] for one in shown.json["messages"]] == ["For Kept"]
    assert (await tried(api, event=event)).json["outcome"] == "accepted"
    assert (await tried(api, event=event, customer=ANN)).json["outcome"] == "accepted", "one that is given wins"
    first, second = mailbox.mails
    assert (first.recipients, first.parsed()["subject"]) == (("kept@shop.example",), "[Test] For Kept")
    assert second.parsed()["subject"] == "[Test] For Ann"


async def test_the_command_sends_what_is_applied_and_what_is_in_a_file(
    api: Api, dsn: str, mailbox: SmtpSink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await drafted(api, MAIL)
    (tmp_path / "tidings.toml").write_text(
        f'project_id = "shop"\n[accounts]\nkeys = ["{RING}"]\n'
        f'[email_accounts.main]\nhost = "127.0.0.1"\nport = {mailbox.port}\n'
        'sender = "a@shop.example"\nsecurity = "none"\n'
    )
    (tmp_path / "later.json").write_text(json.dumps(definition(consent="transactional", channels=[MAIL])))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIDINGS_POSTGRES", dsn)

    async def run(*arguments: str) -> Any:
        return await asyncio.to_thread(CliRunner().invoke, app, ["distributions", "test", *arguments])

    sent = await run("thanks", "--to", MINE, "--json")
    assert (sent.exit_code, json.loads(sent.stdout)["outcome"]) == (0, "accepted"), sent.output
    dry = await run("later.json", "--to", MINE, "--dry-run")
    assert (dry.exit_code, "would send thanks" in dry.stdout, len(mailbox.mails)) == (0, True, 1)
    assert (await run("later.json", "--to", MINE)).exit_code == 0
    mailbox.replies.append("554 5.7.1 no")
    refused = await run("thanks", "--to", MINE)
    assert (refused.exit_code, len(mailbox.mails)) == (1, 2)
    assert (await run("thanks")).exit_code == 1
