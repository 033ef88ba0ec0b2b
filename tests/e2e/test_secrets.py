"""Planted secrets, and everything that could have kept or shown one while all kinds of things went wrong."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import urllib.request
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import asyncpg
import msgspec
import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from agents.accounts import account_keys
from agents.channels import channels_of, email_form, shared_accounts
from agents.wiring import Wiring
from channels.email.smtp_session import EmailAccount
from channels.fakes.email import SmtpSink
from channels.fakes.imap import ImapServer
from console.cli.context import database
from deploy.secret import Secret
from deploy.settings.servers import Postgres
from deploy.settings.settings import Settings
from schemas.channels.email import EmailAccountForm
from schemas.channels.webhook import WebhookAccountForm, WebhookDelivery
from schemas.delivery import Delivery
from store.accounts import AccountKey, Accounts
from store.distributions import Change, Control
from store.encryption import Keys
from tests import ROOT
from tests.e2e.harness import Product, product
from tests.factory import NOW, TEMPLATE, rule
from tests.integration.test_providers import mails, webhooks

pytestmark = pytest.mark.timeout(600)

IN_SETTINGS, STORED, IN_HOST, IN_URL = "pl4nt3dSettings", "pl4nt3dStored", "pl4nt3dInHost", "pl4nt3dInUrl"
SIGNING, CALLBACK, KEY, OTHER_KEY = "pl4nt3dSigning", "pl4nt3dCallback", "pl4nt3dKey", "pl4nt3dOtherKey"
LEGACY, NOTICE, TYPED, IMAP = "pl4nt3dLegacy", "pl4nt3dNotice", "pl4nt3dTyped", "pl4nt3dImap"
OURS = (IN_SETTINGS, STORED, SIGNING, CALLBACK, KEY, OTHER_KEY, LEGACY, TYPED, IMAP)
"""Nowhere at all. `IN_HOST`, `IN_URL` and `NOTICE` stand where no secret belongs, and are told by nothing either."""
KEPT_WITH_THE_RECORD = (
    "values on deliveries.",
    "values on dead-letters",
    "table open_deliveries",
    "table ended_deliveries",
    "table deliveries",
)
"""Places in which a record of somebody else's is kept as it came."""


def password(core: str) -> str:
    """One whose spellings differ in JSON, in URLs and in SQL."""
    return f'"{core}"\\ü %&\'+/'


def signing(core: str) -> str:
    """A secret of webhooks whose bytes hold the core."""
    return "whsec_" + b64encode(core.encode().ljust(24, b"~")).decode()


def key(core: str, name: str) -> str:
    """A key of 32 bytes that hold the core."""
    return f"{name}:{b64encode(core.encode().ljust(32, b'~')).decode()}"


def spellings(core: str) -> Iterator[bytes]:
    """The core as it stands in a text, however that is escaped, in hexadecimals, and in base64 wherever it begins."""
    yield core.encode()
    yield core.encode().hex().encode()
    for before in range(3):
        text = b64encode(b"\0" * before + core.encode())
        yield text[(before * 8 + 5) // 6 : (before + len(core)) * 8 // 6]


def found(places: dict[str, bytes], cores: tuple[str, ...]) -> list[str]:
    """The places in which a planted secret stands, each with the secret's name."""
    return [
        f"{core} in {place}: …{content[max(0, at - 80) : at + 80]!r}"
        for place, content in places.items()
        for core in cores
        for spelling in spellings(core)
        if (at := content.lower().find(spelling.lower())) >= 0
    ]


def more(sink: SmtpSink, imap: ImapServer) -> str:
    """The rest of the settings: secrets in each place that takes one."""
    written = password(IN_SETTINGS)
    return f"""
callback_secrets = ["{signing(CALLBACK)}"]
[email_accounts.wrong]
host = "127.0.0.1"
port = {sink.port}
security = "none"
sender = "shop@example.com"
username = "u"
password = {json.dumps(written, ensure_ascii=False)}
[email_accounts.copied]
host = "user:{IN_HOST}@127.0.0.1"
port = {sink.port}
sender = "shop@example.com"
[mailboxes.bounces]
host = "127.0.0.1"
port = {imap.port}
security = "none"
username = "bounces"
password = {json.dumps(password(IMAP), ensure_ascii=False)}
[notices]
webhook = "https://user:{NOTICE}@localhost/{NOTICE}"
[accounts]
keys = ["{key(KEY, "k1")}"]
"""


async def add_accounts(running: Product, pool: asyncpg.Pool, sink: SmtpSink) -> None:
    """Accounts that are refused, cannot be reached, cannot be read and are not complete, and one that signs."""
    stored, ours, others = Accounts(pool), account_keys(running.wiring.settings), Keys.read([key(OTHER_KEY, "k9")])
    mail = EmailAccountForm(
        host="127.0.0.1", port=sink.port, security="none", sender="a@example.com", username="u",
        password=password(STORED),
    )  # fmt: skip
    forms: dict[str, tuple[EmailAccountForm, Keys]] = {
        "refused": (mail, ours),
        "no-tls": (replace(mail, security="tls"), ours),
        "in-host": (replace(mail, host=f"user:{IN_HOST}@127.0.0.1"), ours),
        "unread": (mail, others),
    }
    for name, (form, keys) in forms.items():
        await stored.add(AccountKey("shop", "email", name), form, keys, by="me")
    signs = WebhookAccountForm(secrets=(signing(SIGNING),), legacy_secret=f"{LEGACY}-secret")
    await stored.add(AccountKey("shop", "webhook", "main"), signs, ours, by="me")


THROUGH = ("wrong", "copied", "refused", "no-tls", "in-host", "unread", "gone")


async def publish(running: Product) -> int:
    """Messages through each account, to endpoints that refuse us, and records that nobody can read; how many wait."""
    (mail,), (hook,) = mails(1), webhooks(1, running.receiver.url)
    made: list[tuple[str, Delivery]] = [
        ("deliveries.email", msgspec.structs.replace(mail, account=name, delivery_id=f"dlv_{name}")) for name in THROUGH
    ]
    made.append(("deliveries.webhook", hook))
    for number, url in enumerate((f"http://u:{IN_URL}@127.0.0.1/x", f"ftp://u:{IN_URL}@x/")):
        address: Any = msgspec.structs.replace(cast(WebhookDelivery, hook).webhook, url=url)
        made.append(
            ("deliveries.webhook", msgspec.structs.replace(hook, webhook=address, delivery_id=f"dlv_url{number}"))
        )
    for topic, one in made:
        ours = msgspec.structs.replace(one, project_id="shop")
        await running.publish_raw(topic, b"c1", running.wiring.codec(topic).encode(ours))
    for value in (IN_URL.encode(), b'{"password": "%s"}' % IN_URL.encode()):
        await running.publish_raw("deliveries.email", b"c1", value)
    return len(made)


COMMANDS: tuple[tuple[str, ...], ...] = (
    ("doctor", "--log-in"),
    ("accounts", "list", "--json"),
    ("accounts", "test", "email/refused"),
    ("accounts", "add", "email/typed", "host=x.example", "sender=a@b.example", "username=u", f"password={TYPED}"),
    ("accounts", "add", "email/typed", f"host=u:{TYPED}@x.example", "sender=x", "username=u", "password=-"),
    ("reports", "poll", "--once"),
    ("deliveries", "list", "--json"),
    ("destinations", "--json"),
    ("notices", "list", "--json"),
    ("dead-letters", "list", "--json"),
)


EACH = """
import io, json, sys
from console.cli.main import main
commands, typed = json.load(sys.stdin)
for arguments in commands:
    print("tidings", *arguments[:2], flush=True)
    sys.argv, sys.stdin = ["tidings", *arguments], io.StringIO(typed)
    try:
        main()
    except SystemExit as ended:
        print(f"ended: {ended.code}", flush=True)
"""
"""All in one process, since most of what a command takes is its start."""


def outputs_of_commands(running: Product) -> dict[str, bytes]:
    """The words of all commands, most of which have something to complain about."""
    around = {name: value for name, value in os.environ.items() if not name.startswith("TIDINGS_")}
    environ = {**around, "TIDINGS_SETTINGS": str(running.folder / "tidings.toml"), "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        [sys.executable, "-c", EACH], cwd=running.folder, env=environ, capture_output=True, timeout=300, check=False,
        input=json.dumps([COMMANDS, password(TYPED)]).encode(),
    )  # fmt: skip
    assert ended.stdout.count(b"ended: ") == len(COMMANDS), ended.stderr
    return {"tidings": ended.stdout + ended.stderr}


def reports_of_workers(running: Product) -> dict[str, bytes]:
    """The pages that workers show about themselves."""
    pages = [
        f"{one.status_file.read_text()}/{page}"
        for one in running.workers.workers
        for page in ("metrics", "healthz")
        if one.status_file
    ]
    return {page: urllib.request.urlopen(page, timeout=60).read() for page in pages}


def topics(wiring: Wiring) -> dict[str, bytes]:
    """Keys, headers and values of every record of every topic of ours, changelogs among them."""
    consumer = Consumer(
        {**wiring.settings.kafka.client(), "group.id": "secrets", "enable.auto.commit": False, "log_level": 0,
         "enable.partition.eof": True, "isolation.level": "read_uncommitted"}
    )  # fmt: skip
    read, prefix = dict[str, bytes](), wiring.settings.topics.prefix
    listed = consumer.list_topics(timeout=60).topics.items()
    parts = [
        TopicPartition(name, number, OFFSET_BEGINNING)
        for name, one in listed
        if name.startswith(prefix)
        for number in one.partitions
    ]
    consumer.assign(parts)
    ended = 0
    while ended < len(parts):
        message = consumer.poll(60.0)
        assert message is not None
        if message.error() is not None:
            assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
            ended += 1
            continue
        name = (message.topic() or "").removeprefix(prefix)
        facts = b"\n".join([message.key() or b"", *(f"{header!r}".encode() for header in message.headers() or [])])
        read[f"facts on {name}"] = read.get(f"facts on {name}", b"") + facts + b"\n"
        read[f"values on {name}"] = read.get(f"values on {name}", b"") + (message.value() or b"") + b"\n"
    consumer.close()
    return read


async def tables(pool: asyncpg.Pool) -> dict[str, bytes]:
    """Every row of every table, and what the server says that its sessions do."""
    names = await pool.fetch("select format('%I', tablename) from pg_tables where schemaname = 'public'")
    read = dict[str, bytes]()
    for (name,) in names:
        rows = await pool.fetch(f"select t::text from {name} t")  # noqa: S608 - its own names
        read[f"table {name}"] = "\n".join(row[0] for row in rows).encode()
    activity = await pool.fetch("select query from pg_stat_activity")
    return {**read, "pg_stat_activity": "\n".join(row[0] or "" for row in activity).encode()}


def processes(running: Product) -> dict[str, bytes]:
    """The lists of processes as the machine shows them: arguments and environments of the workers."""
    return {
        f"/proc/{one.instance}/{name}": Path(f"/proc/{one.pid}/{name}").read_bytes()
        for one in running.workers.workers
        for name in ("cmdline", "environ")
    }


def files(folder: Path) -> dict[str, bytes]:
    """All that lies in the data folder and beside it, the logs of the workers; not what we wrote there ourselves."""
    ours = folder / "tidings.toml"
    return {str(one): one.read_bytes() for one in folder.rglob("*") if one.is_file() and one != ours}


def shown(settings: Settings, request: object) -> dict[str, bytes]:
    """The text that a traceback or a debugger would show of whatever holds a secret."""
    channels = channels_of(settings)
    forms = [email_form(one) for one in settings.email_accounts.values()]
    holders = (
        settings, *forms, *(EmailAccount.of("x", one) for one in forms), account_keys(settings),
        shared_accounts(settings), channels, [vars(one) for one in channels.values()], request,
    )  # fmt: skip
    return {f"repr of {type(one).__name__}": f"{one!r} {one}".encode() for one in holders}


def test_the_search_finds_each_spelling() -> None:
    core = IN_SETTINGS
    for number in range(6):
        text = b"x" * number + password(core).encode()
        texts = (text, b64encode(text), text.hex().encode(), quote(text).encode(), json.dumps(text.decode()).encode())
        assert len([one for one in texts if found({"": one}, (core,))]) == len(texts)
    assert not found({"": b64encode(b"nothing of the kind, however long it may be")}, OURS)


@asynccontextmanager
async def servers_that_refuse() -> AsyncIterator[tuple[SmtpSink, ImapServer]]:
    """A mail server and a mailbox that know other passwords."""
    sink, imap = SmtpSink(login=("u", "another")), ImapServer(login=("bounces", "another"))
    await sink.start()
    await imap.start()
    yield sink, imap
    await sink.stop()
    await imap.stop()


async def test_no_planted_secret_is_anywhere_whatever_goes_wrong(settings: Settings, dsn: str, tmp_path: Path) -> None:
    folder = tmp_path / "product"
    folder.mkdir()
    own = replace(settings, postgres=Postgres(dsn=Secret(dsn)))
    async with (
        servers_that_refuse() as (sink, imap),
        product(own, folder, roles=("sender",), more=more(sink, imap)) as running,
        database(running.wiring) as pool,
    ):
        await Control(pool).save([Change(rule(), "", (TEMPLATE,))], applied_by="me", now=NOW)
        await add_accounts(running, pool, sink)
        stored = await Accounts(pool).get(AccountKey("shop", "email", "refused"))
        expected = await publish(running)

        def are_told() -> bool:
            return running.logs_of("sender").count("destination_paused") >= 2

        await running.until(are_told, "refusals pause")
        await running.until(running.all_processed, "everything is in the ledger")
        said = await asyncio.to_thread(outputs_of_commands, running)
        places = {
            **said,
            **await asyncio.to_thread(reports_of_workers, running),
            **await asyncio.to_thread(topics, running.wiring),
            **await tables(pool),
            **processes(running),
            **files(folder),
            **shown(running.wiring.settings, stored),
        }
        assert await pool.fetchval("select count(*) from deliveries") == expected
    assert {place for place, content in places.items() if found({place: content}, (IN_URL,))} >= {
        "values on deliveries.webhook", "values on dead-letters",
    }, "the search looks into what is there"  # fmt: skip
    assert found(places, OURS) == []
    for core, kept in ((IN_URL, KEPT_WITH_THE_RECORD), (IN_HOST, ("repr of ",)), (NOTICE, ("repr of Settings",))):
        told = {place: content for place, content in places.items() if not place.startswith(kept)}
        assert found(told, (core,)) == []
