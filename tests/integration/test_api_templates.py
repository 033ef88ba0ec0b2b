"""Stored templates over the API, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from deploy.settings.messages import Brand, EmailAccountSettings
from deploy.settings.settings import Settings
from tests.integration.api_client import Api, running_api, wired

URL = "https://shop.example.com"
BRAND = Brand("x", "x", "x", privacy_url=URL, terms_url=URL, logo_url=URL, permission_reminder="x")
HELLO: dict[str, Any] = {"files": {"hello.txt": "Hello {{ customer.id }}"}}
WINBACK: dict[str, Any] = {
    "trigger": "customer.order.paid",
    "consent": "transactional",
    "channels": [{"email": {"account": "main", "subject": "Hello", "template": "hello"}}],
}


@pytest.fixture
async def api(settings: Settings, dsn: str) -> AsyncIterator[Api]:
    accounts = {"main": EmailAccountSettings("127.0.0.1", "a@example.com")}
    own = replace(settings, email_accounts=accounts, brand=BRAND)
    with wired(own, dsn, ("distributions", "events.orders")) as wiring:
        async with running_api(wiring) as running:
            yield running


async def test_a_template_is_stored_read_changed_and_deleted(api: Api) -> None:
    tried = await api.ask("PUT", "/templates/hello?dry_run=true", HELLO, role="editor")
    assert (tried.status, tried.json["plan"], tried.json["dry_run"]) == (200, "new", True)
    assert (await api.ask("GET", "/templates/hello")).status == 404
    made, same = [await api.ask("PUT", "/templates/hello", HELLO, role="editor") for _ in range(2)]
    assert [(one.status, one.json["plan"], one.headers["etag"]) for one in (made, same)] == [
        (201, "new", '"v1"'), (200, "unchanged", '"v1"'),
    ]  # fmt: skip
    files = {**HELLO["files"], "hello.pl.txt": "Cześć"}
    changed = await api.ask("PUT", "/templates/hello", {"files": files}, if_match='"v1"')
    assert (changed.status, changed.json["version"], changed.json["changes"]) == (200, 2, ["hello.pl.txt: new"])
    assert (await api.ask("PUT", "/templates/hello", HELLO, if_match='"v1"')).status == 412
    got = await api.ask("GET", "/templates/hello", role="viewer")
    assert (got.json["files"], got.json["summary"]["locales"]) == (files, "default, pl")
    assert (await api.ask("GET", "/templates/hello?version=1")).json["files"] == HELLO["files"]
    assert (await api.ask("GET", "/templates/hello", if_none_match='"v2"')).status == 304
    assert await api.listed("/templates/hello/versions?limit=1", "version") == [2, 1]
    for query, left in (("?dry_run=true", ["hello"]), ("", [])):
        assert (await api.ask("DELETE", f"/templates/hello{query}", role="editor")).status == 200
        assert [one["template"] for one in (await api.ask("GET", "/templates")).json["items"]] == left
    assert (await api.ask("GET", "/templates/hello")).status == 404
    assert (await api.ask("PUT", "/templates/hello", HELLO)).headers["etag"] == '"v3"'


async def test_what_is_sent_goes_on_as_it_was_until_it_is_rolled_out(api: Api) -> None:
    await api.ask("PUT", "/templates/hello", HELLO)
    applied = await api.ask("PUT", "/distributions/winback", WINBACK)
    assert applied.status == 201, applied.json
    stored = await api.ask("PUT", "/templates/hello", {"files": {"hello.txt": "Hello again"}}, role="editor")
    assert stored.json["older"] == ["winback"]
    for query in ("?dry_run=true", ""):
        used = await api.ask("DELETE", f"/templates/hello{query}")
        assert (used.status, "winback" in used.json["detail"]) == (409, True)
    assert (await api.ask("POST", "/templates/hello/roll-out", role="editor")).status == 403
    for query, version in (("?dry_run=true", 1), ("", 2)):
        rolled = await api.ask("POST", f"/templates/hello/roll-out{query}", role="approver")
        upgraded = [(one["distribution"], one["version"]) for one in rolled.json["distributions"]]
        assert (rolled.status, rolled.json["version"], upgraded) == (200, 2, [("winback", 2)])
        assert (await api.ask("GET", "/distributions/winback")).headers["etag"] == f'"v{version}"'
    again = await api.ask("POST", "/templates/hello/roll-out")
    assert (again.status, again.json["distributions"]) == (200, [])


async def test_templates_are_listed_by_pages(api: Api) -> None:
    for number in range(5):
        await api.ask("PUT", f"/templates/t{number}", {"files": {f"t{number}.txt": "Hello"}})
    seen = await api.listed("/templates?limit=2", "template", role="viewer")
    assert seen == [f"t{number}" for number in range(5)]


async def test_of_two_who_store_at_once_each_is_told(api: Api) -> None:
    bodies = [{"files": {"hello.txt": f"Hello {number}"}} for number in range(6)]
    ends = await asyncio.gather(*(api.ask("PUT", "/templates/hello", body, if_none_match="*") for body in bodies))
    assert sorted(one.status for one in ends if one.status not in (409, 412)) == [201]
    assert (await api.ask("GET", "/templates/hello/versions")).json["items"][0]["version"] == 1


WRONG: tuple[tuple[dict[str, Any], str], ...] = (
    ({"files": {}}, "/files"),
    ({"files": {"other.txt": "Hello"}}, "/files/other.txt"),
    ({"files": {"hello.txt": "Hello", "other.txt": "Hello"}}, "/files/other.txt"),
    ({"files": {"layout.mjml": "<mjml></mjml>"}}, "/files/layout.mjml"),
    ({"files": {"hello.txt": "Hello", "hello.pdf": "%PDF"}}, "/files/hello.pdf"),
    ({"files": {"../hello.txt": "Hello"}}, "/files/..~1hello.txt"),
    ({"files": {"hello.txt": "Hello {{ customer.name"}}, "/files/hello.txt"),
    ({"files": {"hello.pl.txt": "Hello"}}, "/files/hello.pl.txt"),
    ({"files": {"hello.mjml": "<mj-txt>"}}, "/files/hello.mjml"),
    ({"files": {"hello.txt": "a\0b"}}, "/files/hello.txt"),
    ({"files": {"hello.txt": 7}}, "/files"),
)


async def test_a_template_that_is_not_valid_says_in_which_file(api: Api) -> None:
    for body, pointer in WRONG:
        answer = await api.ask("PUT", "/templates/hello", body, role="editor")
        assert answer.status == 422, (body, answer.json)
        assert pointer in [one["pointer"] for one in answer.json["errors"]], (body, answer.json)
    assert (await api.ask("GET", "/templates")).json["items"] == []
    checked = await api.ask("POST", "/templates/validate", {"template": "hello", **HELLO}, role="viewer")
    assert (checked.status, checked.json["plan"], checked.json["dry_run"]) == (200, "new", True)
