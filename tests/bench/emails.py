"""Personalised e-mails into a mail server that only counts them: ours from delivery to receipt, and others that send
the same texts to the same customers over as many connections.

- `EmailMessage`: a message of the standard library made anew for each, given to aiosmtplib; the same template engine
  fills the texts. Its text and HTML are what `set_content` makes of them.
- nodemailer: its pool, in a process of its own; the texts are filled by one regular expression.

The server is a process of its own and offers PIPELINING and 8BITMIME to all. Senders share the first core in turn.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, formataddr
from pathlib import Path
from typing import Any

import aiosmtplib
import minijinja
import msgspec
import uvloop

from channels.accounts import fixed_accounts
from channels.email.channel import Email
from channels.email.smtp_session import EmailAccount
from channels.templates.bundle import bundled
from channels.templates.engine import Templates
from channels.templates.mjml import built_in_layout, compile_mjml
from channels.unsubscribe import UnsubscribeLinks
from schemas.channels.email import EmailAddress, EmailDelivery
from schemas.delivery import DistributionRef, EventRef, Recipient
from schemas.receipt import Accepted
from schemas.template import StoredTemplate

EMAILS = int(os.environ.get("EMAILS", "6000"))
BUILT_ANEW = max(EMAILS // 4, 1)
CONNECTIONS = 4
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
LINKS = UnsubscribeLinks("https://mail.shop.example.com", ("a secret of the bench, long enough",))
MJML = """\
{% from "sections" import header, code %}
{{ header("A code for you") }}
<mj-text><p>Hello {{ customer.name }},</p><p>thank you for your order {{ order.id }}. Here is something for the next
one: <a href="https://shop.example.com/new">see what is new</a>.</p></mj-text>
{{ code(voucher.code, "Your code") }}
<mj-button href="https://shop.example.com/new">See what is new</mj-button>
"""
TEXT = """\
Hello {{ customer.name }},

thank you for your order {{ order.id }}. Here is something for the next one: {{ voucher.code }}

See what is new: https://shop.example.com/new
"""
BRAND = {
    "name": "The Shop", "address": "Long Street 1, 00-001 Warsaw", "contact": "shop@example.com",
    "logo_url": "https://shop.example.com/logo.png", "privacy_url": "https://shop.example.com/privacy",
    "terms_url": "https://shop.example.com/terms", "permission_reminder": "You asked for it in our shop.",
}  # fmt: skip
HEADERS = {"Auto-Submitted": "auto-generated", "Feedback-ID": "codes:marketing:shop:tidings"}
NAMES = ("Jo Smith", "Zoë Żółć", "Anna Nowak")

Report = dict[str, Any]
Way = Callable[[int, int], tuple[float, float]]
"""From the server's port and a number of messages to seconds and seconds of CPU."""


def template() -> StoredTemplate:
    """As a distribution's files make it: MJML compiled, with footer and sections."""
    html = compile_mjml(MJML, built_in_layout())
    written = StoredTemplate(name="bench", subject="A code for {{ customer.name }}", text=TEXT, html=html)
    return bundled(written, BRAND)


def deliveries(count: int) -> list[EmailDelivery]:
    """Codes for as many customers; one name in three is not ASCII."""
    return [_delivery(number, f"{NAMES[number % 3]} {number}", f"SPRING-{number:06}") for number in range(count)]


def _delivery(number: int, name: str, code: str) -> EmailDelivery:
    return EmailDelivery(
        delivery_id=f"dlv_{number:032}",
        project_id="shop",
        distribution=DistributionRef(id="codes", version=1, name="Codes"),
        event=EventRef(id=f"ev_{number}", type="order.paid", created_at=NOW),
        customer=Recipient(id=f"c{number}"),
        account="main",
        priority=5,
        category="marketing",
        data={
            "customer": {"id": f"c{number}", "name": name, "email": f"c{number}@example.com"},
            "order": {"id": f"o{number}", "amount": 5000},
            "voucher": {"code": code},
        },
        email=EmailAddress(to=f"c{number}@example.com", name=name, template=TEMPLATE.ref),
    )


TEMPLATE = template()


def plain_texts() -> tuple[str, str, str]:
    """Subject, text and HTML with names in braces for what differs, made by our own engine."""
    made = _delivery(0, "@@name@@", "@@code@@")
    variables = {
        **made.data, "order": {"id": "@@order@@"}, "category": "marketing", "distribution": {"id": "codes"},
        "unsubscribe_url": "@@unsubscribe_url@@", "preferences_url": "@@preferences_url@@",
    }  # fmt: skip
    filled = Templates().render(TEMPLATE, variables)
    return _named(filled.subject), _named(filled.text), _named(filled.html or "")


def _named(filled: str) -> str:
    return re.sub("@@([a-z_]+)@@", r"{{ \1 }}", filled)


def rows(count: int) -> list[dict[str, str]]:
    """The parts that differ, by message."""
    return [
        {"id": one.delivery_id, "email": one.email.to, "name": one.email.name or "", "order": one.data["order"]["id"],
         "code": one.data["voucher"]["code"], **LINKS.of(one)}
        for one in deliveries(count)
    ]  # fmt: skip


# -- the ways -----------------------------------------------------------------------------------------------------


def ours(port: int, count: int) -> tuple[float, float]:
    """Each delivery rendered and sent by the channel itself."""
    account = EmailAccount(
        "main", "127.0.0.1", port, "none", "shop@example.com", "The Shop", connections=CONNECTIONS
    )  # fmt: skip
    left = iter(deliveries(count))

    async def run() -> None:
        channel = Email(fixed_accounts("email", {"main": account}), Templates(), unsubscribe=LINKS)

        async def work() -> None:
            for one in left:
                receipt = await channel.send(channel.render(one, TEMPLATE), timeout=60.0, now=datetime.now(UTC))
                assert isinstance(receipt, Accepted), receipt

        await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
        await channel.close()

    return _timed(run)


def built_anew(port: int, count: int) -> tuple[float, float]:
    """A message of the standard library for each, over aiosmtplib's connections."""
    subject, text, html = plain_texts()
    engine = minijinja.Environment(templates={"subject": subject, "text": text, "page.html": html})
    left = iter(rows(count))

    async def run() -> None:
        async def work() -> None:
            client = aiosmtplib.SMTP(hostname="127.0.0.1", port=port, use_tls=False, start_tls=False)
            async with client:
                for row in left:
                    await client.send_message(_message(engine, row))

        await asyncio.gather(*(work() for _ in range(CONNECTIONS)))

    return _timed(run)


def _message(engine: minijinja.Environment, row: dict[str, str]) -> EmailMessage:
    made = EmailMessage()
    made["From"] = formataddr(("The Shop", "shop@example.com"))
    made["To"] = formataddr((row["name"], row["email"]))
    made["Subject"] = engine.render_template("subject", **row)
    made["Date"] = format_datetime(datetime.now(UTC))
    made["Message-ID"] = f"<{row['id']}@example.com>"
    for name, value in HEADERS.items():
        made[name] = value
    made["List-Unsubscribe"] = f"<{row['unsubscribe_url']}>"
    made["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    made.set_content(engine.render_template("text", **row))
    made.add_alternative(engine.render_template("page.html", **row), subtype="html")
    return made


def nodemailer(folder: Path) -> Way | None:
    """Its pool, pinned as we are; None where Node.js is missing or the package cannot be installed."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        sys.stdout.write("  no node or npm on the PATH: nodemailer is left out\n")
        return None
    here = Path(__file__).parent / "nodemailer"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(here / "package.json", folder)
    install = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent", "--no-package-lock"]
    made = subprocess.run(install, cwd=folder, check=False, capture_output=True, text=True)
    if made.returncode:
        sys.stdout.write(f"  nodemailer cannot be installed and is left out: {made.stderr[-300:].strip()}\n")
        return None

    def run(port: int, count: int) -> tuple[float, float]:
        subject, text, html = plain_texts()
        file = folder / f"{count}.json"
        file.write_bytes(msgspec.json.encode({"subject": subject, "text": text, "html": html, "rows": rows(count)}))
        command = [node, str(here / "peer.mjs"), str(folder.resolve()), str(file), str(port), str(CONNECTIONS)]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=600)
        if done.returncode:
            raise SystemExit(done.stderr[-2000:])
        found = msgspec.json.decode(done.stdout)
        return found["seconds"], found["cpu"]

    return run


def _timed(run: Callable[[], Coroutine[Any, Any, None]]) -> tuple[float, float]:
    began, used = time.perf_counter(), time.process_time()
    uvloop.run(run())
    return time.perf_counter() - began, time.process_time() - used


# -- the server, and the rounds -----------------------------------------------------------------------------------


@contextlib.contextmanager
def _sink(cores: Sequence[int]) -> Iterator[int]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.mail_sink"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        if cores:
            os.sched_setaffinity(process.pid, cores)
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.communicate("", timeout=60)


@contextlib.contextmanager
def _pinned(cores: Sequence[int]) -> Iterator[None]:
    """This process and those that it starts."""
    if not cores:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _taken(port: int) -> int:
    """Messages that the server has had."""
    with socket.create_connection(("127.0.0.1", port)) as asked, asked.makefile("rwb") as stream:
        stream.readline()
        stream.write(b"XCOUNT\r\n")
        stream.flush()
        return int(stream.readline().split()[1])


def measure(folder: Path, rounds: int, two_cores: bool, say: Callable[[str], None]) -> Report:
    """Messages a second, and the CPU of each, as medians of interleaved rounds."""
    ways: dict[str, tuple[Way, int]] = {"ours": (ours, EMAILS), "EmailMessage": (built_anew, BUILT_ANEW)}
    peer = nodemailer(folder)
    if peer is not None:
        ways["nodemailer"] = (peer, EMAILS)
    rates: dict[str, list[float]] = {name: [] for name in ways}
    costs: dict[str, list[float]] = {name: [] for name in ways}
    with _sink([1] if two_cores else []) as port, _pinned([0] if two_cores else []):
        for number in range(rounds):
            for name, (way, count) in ways.items():
                before = _taken(port)
                seconds, cpu = way(port, count)
                assert _taken(port) - before == count, f"{name} lost some"
                rates[name].append(count / seconds)
                costs[name].append(1e6 * cpu / count)
                rate, cost = rates[name][-1], costs[name][-1]
                say(f"  round {number + 1}  {name:<13} {rate:>7,.0f} e-mails/s, {cost:>5.0f} µs of CPU each")
    medians = {name: statistics.median(found) for name, found in rates.items()}
    cpu_each = {name: statistics.median(found) for name, found in costs.items()}
    ratios = {f"ours / {name}": round(medians["ours"] / medians[name], 2) for name in ways if name != "ours"}
    less = {f"{name} / ours": round(cpu_each[name] / cpu_each["ours"], 2) for name in ways if name != "ours"}
    say("  e-mails/s: " + ", ".join(f"{name} = {ratio}" for name, ratio in ratios.items()))
    say("  CPU of each: " + ", ".join(f"{name} = {ratio}" for name, ratio in less.items()))
    return {"e-mails": EMAILS, "per_second": medians, "cpu_us": cpu_each, "ratios": ratios, "cpu_ratios": less}
