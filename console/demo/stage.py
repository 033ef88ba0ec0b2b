"""The stage of the demo: fresh servers, receivers that verify, the sample distributions, and worker processes."""

from __future__ import annotations

import getpass
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from agents.broker.lag import LagReader
from agents.broker.topics import Provision
from agents.clock import utc_now
from agents.wiring import Wiring
from channels.fakes.email import SmtpSink
from channels.fakes.webhook import WebhookReceiver
from console.cli.context import database, with_endpoints
from console.cli.supervisor import Supervisor, worker_environ, workers
from console.control import campaigns, distributions
from console.control.context import ProjectContext
from console.control.distributions import announcer
from console.control.files.documents import read_documents
from deploy.embedded.jars import Progress
from deploy.embedded.servers import Servers
from deploy.settings.settings import load_settings
from schemas.closed import Role
from schemas.distribution import Distribution
from schemas.errors import CannotStart

EXAMPLES = Path(__file__).parent / "examples"
"""Those of the repository, by a link; in an installation, files."""
_SECRET = "whsec_ZGVtbyBzZWNyZXQgb2YgdGhlIGRlbW8gcnVu"  # noqa: S105 - of a receiver that lives a minute
_LEGACY = "demo"

_SETTINGS = """\
# Written by the demo. In another terminal: export TIDINGS_SETTINGS={file}
project_id = "demo"
data = {data}

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


ROLES: tuple[Role, ...] = ("matcher", "publisher", "sender")
"""Roles that the demo runs; segments come from upstream here."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that the demo touches."""

    wiring: Wiring
    receiver: WebhookReceiver
    mailbox: SmtpSink
    distributions: list[Distribution]
    workers: Supervisor
    lag: LagReader
    folder: Path


@asynccontextmanager
async def stage(folder: Path, progress: Progress) -> AsyncIterator[Stage]:
    """Set everything up below `folder`, which is emptied, and stop everything in the end."""
    servers = Servers(folder / "data", os.environ)
    servers.stop()
    _empty(folder)
    receiver, mailbox = WebhookReceiver(_SECRET, _LEGACY), SmtpSink()
    await receiver.start()
    await mailbox.start()
    try:
        endpoints = servers.start(progress)
        file = folder / "tidings.toml"
        file.write_text(
            _SETTINGS.format(
                file=file,
                data=json.dumps(str((folder / "data").absolute())),
                secret=_SECRET,
                legacy=_LEGACY,
                port=mailbox.port,
            )
        )
        settings = with_endpoints(load_settings({}, file), endpoints)
        wiring = Wiring(settings)
        Provision(wiring).apply()
        distributions = await apply_examples(wiring, folder, receiver.url)
        environ = worker_environ(settings, {**os.environ, "TIDINGS_SETTINGS": str(file.absolute())})
        everyone = Supervisor(workers(ROLES, 1, environ, folder))
        everyone.start()
        try:
            lag = LagReader(wiring)
            lag.roles = ROLES
            yield Stage(wiring, receiver, mailbox, distributions, everyone, lag, folder)
        finally:
            everyone.stop()
    finally:
        await receiver.stop()
        await mailbox.stop()
        servers.stop()


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


async def apply_examples(wiring: Wiring, folder: Path, hook: str) -> list[Distribution]:
    """The examples, with the receiver of this run for their webhooks."""
    _write_examples(folder / "examples")
    files = folder / "examples" / "distributions"
    for file in files.glob("*.yaml"):
        file.write_text(file.read_text().replace("https://hooks.example.com/tidings", hook))
        file.write_text(file.read_text().replace("https://hooks.example.com", hook))
    project, now, actor = ProjectContext.of(wiring.settings, wiring.project), utc_now(), getpass.getuser()
    async with database(wiring) as pool:
        made = await campaigns.plan(pool, read_documents([folder / "examples" / "campaigns"]), project, now)
        await campaigns.save(pool, made, actor=actor, now=now)
        plan = await distributions.plan(pool, read_documents([files]), project, now)
        await distributions.save(pool, plan, announcer(wiring), actor=actor, now=now)
    return [one.change.distribution for one in plan]
