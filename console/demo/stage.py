"""The stage of the demo: fresh servers, receivers that verify, the sample distributions, and worker processes."""

from __future__ import annotations

import asyncio
import base64
import getpass
import json
import os
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp

from agents.broker.lag import LagReader
from agents.broker.topics import Provision
from agents.clock import utc_now
from agents.wiring import Wiring
from console.cli.context import database, with_endpoints
from console.cli.supervisor import Supervisor, servers, worker_environ, workers
from console.control import accounts, api_keys, campaigns, distributions, users
from console.control.api_keys import NewKey
from console.control.context import ProjectContext
from console.control.distributions import announcer
from console.control.files.documents import read_documents
from console.control.user_links import address_of_link
from console.control.users import NewUser
from console.demo.asked import Api
from console.demo.stands import EXAMPLES, LEGACY_SECRET, STANDS, WEBHOOK_SECRET, Fake
from deploy.embedded.jars import Progress
from deploy.embedded.process import free_port
from deploy.embedded.servers import Servers
from deploy.settings.settings import load_settings
from schemas.api_key import RANDOM_BYTES
from schemas.closed import ChannelName, Role
from schemas.distribution import Distribution
from schemas.errors import CannotStart
from store.accounts import AccountKey, Accounts
from store.api_keys import ApiKeys
from store.users import Users

PROJECT = "demo"
FOLDERS = ("distributions", "providers")
"""Of examples that are distributions; those of providers have accounts that are kept in the database."""
_SETTINGS = """\
# Written by the demo. In another terminal: export TIDINGS_SETTINGS={file}
project_id = "{project}"
data = {data}

[accounts]
keys = ["demo:{key}"]

[api]
port = {api}

[web]
port = {web}

[topics]
partitions = 2

[sender]
webhook_allow_private = true

[webhook]
secrets = ["{secret}"]
legacy_secret = "{legacy}"

[brand]
name = "The Demo Shop"
address = "ul. Prosta 1, 00-001 Warszawa, Poland"
contact = "help@demo.example.com"
privacy_url = "https://demo.example.com/privacy"
terms_url = "https://demo.example.com/terms"
logo_url = "https://demo.example.com/logo.png"
permission_reminder = "You get this e-mail because you are a customer of The Demo Shop."

[email_accounts.main]
host = "127.0.0.1"
port = {port}
security = "none"
sender = "shop@demo.example.com"
sender_name = "The Demo Shop"
unsubscribe_mailto = "unsubscribe@demo.example.com"
"""


ROLES: tuple[Role, ...] = ("matcher", "publisher", "sender", "recorder")
"""Roles that the demo runs; segments come from upstream here."""
_FURTHER_ROLES: tuple[Role, ...] = ("holder", "fan_out", "segmenter")
"""Roles that whoever plays on may need."""
_ANSWERS_WITHIN = 60.0
_ADMIN = "you@demo.example.com"


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that the demo touches. `written` are the channels of each distribution as its file has them."""

    wiring: Wiring
    fakes: Mapping[ChannelName, Any]
    distributions: list[Distribution]
    written: Mapping[str, Any]
    workers: Supervisor
    lag: LagReader
    folder: Path
    api: Api
    environ: Mapping[str, str]


@asynccontextmanager
async def stage(folder: Path, progress: Progress) -> AsyncIterator[Stage]:
    """Set everything up below `folder`, which is emptied, and stop everything in the end."""
    embedded = Servers(folder / "data", os.environ)
    embedded.stop()
    _empty(folder)
    fakes: dict[ChannelName, Any] = {channel: one.fake() for channel, one in STANDS.items()}
    for fake in fakes.values():
        await fake.start()
    try:
        endpoints = embedded.start(progress)
        file = _write_settings(folder, fakes["email"])
        settings = with_endpoints(load_settings({}, file), endpoints)
        wiring = Wiring(settings)
        Provision(wiring).apply()
        await add_accounts(wiring, fakes)
        made = await apply_examples(wiring, folder, fakes["webhook"].url, FOLDERS)
        documents = read_documents([folder / "examples" / name for name in FOLDERS])
        written = {one.plain["distribution"]: one.plain["channels"] for one in documents}
        environ = worker_environ(settings, {**os.environ, "TIDINGS_SETTINGS": str(file.absolute())})
        everyone = Supervisor([*workers(ROLES, 1, environ, folder), *servers(("api",), environ, folder)])
        api = Api(f"http://127.0.0.1:{settings.api.port}/api/v1", await _key(wiring))
        everyone.start()
        try:
            lag = LagReader(wiring, ROLES)
            yield Stage(wiring, fakes, made, written, everyone, lag, folder, api, environ)
        finally:
            everyone.stop()
    finally:
        for fake in fakes.values():
            await fake.stop()
        embedded.stop()


@asynccontextmanager
async def everything(played: Stage) -> AsyncIterator[str]:
    """Run what the demo needs not, the pages too; the link by which their first admin comes, once they answer."""
    new = NewUser(played.wiring.project, _ADMIN, "You", "admin")
    async with database(played.wiring) as pool:
        made = await users.invite(Users(pool), new, secrets.token_bytes, actor=getpass.getuser())
    further = workers(_FURTHER_ROLES, 1, played.environ, played.folder)
    pages = Supervisor([*further, *servers(("web",), played.environ, played.folder)])
    address = f"http://127.0.0.1:{played.wiring.settings.web.port}"
    pages.start()
    try:
        await _until_answered(f"{address}/healthz", pages)
        yield address_of_link(address, made.token)
    finally:
        pages.stop()


async def _until_answered(url: str, running: Supervisor) -> None:
    """Raises CannotStart where nothing answers in time."""
    ends_at = time.monotonic() + _ANSWERS_WITHIN
    async with aiohttp.ClientSession() as session:
        while time.monotonic() < ends_at:
            running.look()
            with suppress(aiohttp.ClientError, TimeoutError):
                async with session.get(url, timeout=aiohttp.ClientTimeout(5)) as answer:
                    if answer.status == HTTPStatus.OK:
                        return
            await asyncio.sleep(0.1)
    raise CannotStart(f"the pages do not answer at {url}; what they say is in web.log")


def _write_settings(folder: Path, mailbox: Fake) -> Path:
    file = folder / "tidings.toml"
    text = _SETTINGS.format(
        file=file,
        project=PROJECT,
        data=json.dumps(str((folder / "data").absolute())),
        key=base64.b64encode(os.urandom(32)).decode(),
        secret=WEBHOOK_SECRET,
        legacy=LEGACY_SECRET,
        port=mailbox.port,
        api=free_port(),
        web=free_port(),
    )
    file.write_text(text)
    return file


async def add_accounts(wiring: Wiring, fakes: Mapping[ChannelName, Any]) -> None:
    """The account `main` of each provider that has its accounts in the database."""
    async with database(wiring) as pool:
        for channel, fake in fakes.items():
            fields = STANDS[channel].account(f"http://127.0.0.1:{fake.port}")
            if fields:
                key = AccountKey(wiring.project, channel, "main")
                await accounts.add(Accounts(pool), wiring.settings, key, fields, actor=getpass.getuser())


async def _key(wiring: Wiring) -> str:
    """A key that looks and changes nothing."""
    new, random = NewKey(wiring.project, "demo", "viewer"), secrets.token_bytes(RANDOM_BYTES)
    async with database(wiring) as pool:
        key, _ = await api_keys.create(ApiKeys(pool), new, random, actor=getpass.getuser())
    return key


def _empty(folder: Path) -> None:
    """A folder without anything in it. Raises CannotStart."""
    try:
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
    except OSError as error:
        raise CannotStart(
            f"cannot make {folder} anew ({error.strerror}: {error.filename}); run it in a folder that is yours"
        ) from error


def _write_examples(folder: Path) -> None:
    """Our own copies, which may be changed even where the installation is read-only."""
    for file in sorted(EXAMPLES.rglob("*")):
        if file.is_file():
            copy = folder / file.relative_to(EXAMPLES)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.read_bytes())


async def apply_examples(
    wiring: Wiring, folder: Path, hook: str, folders: Sequence[str] = ("distributions",)
) -> list[Distribution]:
    """The examples, with the receiver of this run for their webhooks."""
    _write_examples(folder / "examples")
    files = [folder / "examples" / name for name in folders]
    for file in (file for one in files for file in one.glob("*.yaml")):
        file.write_text(file.read_text().replace("https://hooks.example.com/tidings", hook))
        file.write_text(file.read_text().replace("https://hooks.example.com", hook))
    now, actor = utc_now(), getpass.getuser()
    async with database(wiring) as pool:
        stored = await Accounts(pool).of_project(wiring.project)
        known = ((one.channel, one.name) for one in stored)
        project = ProjectContext.of(wiring.settings, wiring.project).with_accounts(known)
        made = await campaigns.plan(pool, read_documents([folder / "examples" / "campaigns"]), project, now)
        await campaigns.save(pool, made, actor=actor, now=now)
        plan = await distributions.plan(pool, read_documents(files), project, now)
        await distributions.save(pool, plan, announcer(wiring), actor=actor, now=now)
    return [one.change.distribution for one in plan]
