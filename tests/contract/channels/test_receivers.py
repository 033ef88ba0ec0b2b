"""The examples by which receivers verify our requests, as they stand in the page, on requests that really left."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from channels.fakes.http import HttpFake
from channels.http.ssrf import OWN_NETWORKS
from channels.webhook.channel import Webhook
from schemas.channels.webhook import WebhookAccountForm
from schemas.receipt import Accepted
from tests.factory import customer, delivery

PAGE = Path(__file__).parents[3] / "deploy" / "reference" / "webhooks.md"
OLD, NEW, OTHER = (f"whsec_{base64.b64encode(letter * 32).decode()}" for letter in (b"o", b"n", b"x"))

Case = tuple[list[str], dict[str, str], bytes, float]
"""Secrets that a receiver knows, headers, body, and its time."""
Verify = Callable[[Sequence[Case]], list[bool]]


def example(language: str) -> str:
    (code,) = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return str(code)


def in_python(cases: Sequence[Case]) -> list[bool]:
    names: dict[str, Any] = {}
    exec(compile(example("python"), "webhooks.md", "exec"), names)  # noqa: S102 - our own page
    return [names["verify"](secrets, headers, body, now) for secrets, headers, body, now in cases]


_RUN = """
const cases = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
const answers = cases.map(([secrets, headers, body, now]) =>
  verify(secrets, headers, Buffer.from(body, "base64"), now));
console.log(JSON.stringify(answers));
"""


def in_node(cases: Sequence[Case]) -> list[bool]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no node on this machine to run the example in")
    given = json.dumps(
        [[secrets, headers, base64.b64encode(body).decode(), now] for secrets, headers, body, now in cases]
    )
    script = example("js") + _RUN
    done = subprocess.run([node, "-e", script], input=given, capture_output=True, text=True, timeout=60, check=True)
    answers: list[bool] = json.loads(done.stdout)
    return answers


def arabic(number: int) -> str:
    return "".join(chr(0x660 + int(digit)) for digit in str(number))


class Caught(HttpFake):
    """Keeps each request as it came."""

    path = "/hook"

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[tuple[dict[str, str], bytes]] = []

    def message_id(self, request: web.Request, body: bytes) -> str:
        self.requests.append(({name.lower(): value for name, value in request.headers.items()}, body))
        return request.headers["webhook-id"]


@pytest.fixture
async def caught() -> AsyncIterator[Caught]:
    made = Caught()
    await made.start()
    yield made
    await made.stop()


async def sent(caught: Caught, form: WebhookAccountForm) -> tuple[dict[str, str], bytes]:
    """A request of ours as its receiver got it."""
    channel = Webhook(Webhook.account("main", form), reach=OWN_NETWORKS, max_bytes=100_000)
    made = delivery("webhook", customer(name="Zoë ☃"), url=caught.url)
    assert isinstance(await channel.send(channel.render(made), timeout=60.0, now=datetime.now(UTC)), Accepted)
    await channel.close()
    return caught.requests[-1]


@pytest.mark.parametrize("verify", [in_python, in_node])
async def test_the_examples_tell_ours_from_all_else(verify: Verify, caught: Caught) -> None:
    headers, body = await sent(caught, WebhookAccountForm(secrets=(OLD,), legacy_secret="hush"))
    rotated, second = await sent(caught, WebhookAccountForm(secrets=(OLD,)).rotated(NEW))
    assert rotated["webhook-signature"].count("v1,") == 2
    at = int(headers["webhook-timestamp"])
    assert abs(at - time.time()) < 60

    def but(name: str, value: str | None) -> dict[str, str]:
        rest = {key: one for key, one in headers.items() if key != name}
        return rest if value is None else {**rest, name: value}

    given = headers["webhook-signature"]
    table: dict[str, tuple[Case, bool]] = {
        "as it came": (([OLD], headers, body, at), True),
        "five minutes late": (([OLD], headers, body, at + 300), True),
        "five minutes early": (([OLD], headers, body, at - 300), True),
        "stale": (([OLD], headers, body, at + 301), False),
        "from the future": (([OLD], headers, body, at - 301), False),
        "its time made fresh": (([OLD], but("webhook-timestamp", str(at + 600)), body, at + 600), False),
        "a body that was changed": (([OLD], headers, body.replace(b"GIFT-1", b"GIFT-2"), at), False),
        "a body that was written again": (([OLD], headers, json.dumps(json.loads(body), indent=1).encode(), at), False),
        "another id": (([OLD], but("webhook-id", "dlv_other"), body, at), False),
        "another secret": (([OTHER], headers, body, at), False),
        "no secret": (([], headers, body, at), False),
        "a receiver that knows two": (([OTHER, OLD], headers, body, at), True),
        "rotated, known by the old": (([OLD], rotated, second, at), True),
        "rotated, known by the new": (([NEW], rotated, second, at), True),
        "rotated, known by neither": (([OTHER], rotated, second, at), False),
        "a signature of another version first": (([OLD], but("webhook-signature", f"v1a,x {given}"), body, at), True),
        "another version alone": (([OLD], but("webhook-signature", given.replace("v1,", "v2,")), body, at), False),
        "a signature cut short": (([OLD], but("webhook-signature", given[:-3]), body, at), False),
        "a signature of other letters": (([OLD], but("webhook-signature", "v1,ż☃"), body, at), False),
        "the old header alone": (([OLD], but("webhook-signature", None), body, at), False),
        "an empty signature": (([OLD], but("webhook-signature", ""), body, at), False),
        "no id": (([OLD], but("webhook-id", None), body, at), False),
        "no time": (([OLD], but("webhook-timestamp", None), body, at), False),
        "a time that is not a number": (([OLD], but("webhook-timestamp", "soon"), body, at), False),
        "a time before all time": (([OLD], but("webhook-timestamp", f"-{at}"), body, at), False),
        "a time without end": (([OLD], but("webhook-timestamp", "9" * 9999), body, at), False),
        "a time in other digits": (([OLD], but("webhook-timestamp", arabic(at)), body, at), False),
    }  # fmt: skip
    answers = verify([case for case, _ in table.values()])
    assert dict(zip(table, answers, strict=True)) == {name: expected for name, (_, expected) in table.items()}


@pytest.mark.parametrize(
    ("language", "compares"), [("python", "hmac.compare_digest"), ("js", "crypto.timingSafeEqual")]
)
def test_the_examples_compare_in_constant_time_and_need_nothing_else(language: str, compares: str) -> None:
    code = example(language)
    assert code.count(compares) == 1
    assert not re.search(r"===? *(signature|given|expected)\b(?!\.length)|\b(signature|given|expected) *===?", code)
    imported = re.findall(r"^import (\w+)|require\(\"([\w:]+)\"\)", code, re.MULTILINE)
    assert {one or other for one, other in imported} <= {"base64", "hashlib", "hmac", "time", "node:crypto"}
