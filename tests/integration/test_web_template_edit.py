"""Templates edited, looked at, rolled out and tried on pages, on a real PostgreSQL and Kafka, to a mail server."""

from __future__ import annotations

import html
import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import aiohttp
import asyncpg
import pytest

from agents.clock import utc_now
from channels.fakes.email import SmtpSink
from console.control import template_edit, templates
from deploy.settings.messages import Brand, EmailAccountSettings
from deploy.settings.settings import Settings
from deploy.settings.web import Web
from tests.integration.api_client import running_api, wired
from tests.integration.test_web import Browser, Page, Site, running
from tests.integration.test_web_projects import EVIL, signed_in, site

__all__ = ["site"]
LIST = "/p/shop/templates"
URL = "https://shop.example.com"
BRAND = Brand("Shop", "x", "x", privacy_url=URL, terms_url=URL, logo_url=URL, permission_reminder="x")
MJML = (
    '---\nsubject: "News"\n---\n'
    '{% from "sections" import header %}\n{{ header("Hello") }}\n'
    '<mj-text>Dear {{ customer.name | default("you") }},  \n</mj-text>'
)


async def store(site: Site, name: str = "hello", **files: str) -> None:
    """Version by version, as somebody else does it."""
    seen = await templates.version(site.pool, "shop", name)
    of = files or {f"{name}.mjml": MJML}
    await template_edit.store(site.pool, "shop", name, of, seen, actor="kim", now=utc_now())


def fields(page: Page) -> dict[str, str]:
    """The form of the editor as a browser would send it."""
    form = page.text.partition('enctype="multipart/form-data"')[2].partition("</form>")[0]
    found = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form))
    for name, text in re.findall(r'<textarea id="(\w+)"[^>]*>\n([^<]*)</textarea>', form):
        found[name] = re.sub("\r\n?|\n", "\r\n", text)
    return {name: html.unescape(text) for name, text in found.items()}


async def post(mine: Browser, path: str, given: dict[str, str], **changes: str) -> Page:
    data = aiohttp.FormData(default_to_multipart=True)
    for name, text in {**given, **changes}.items():
        data.add_field(name, text)
    data.add_field("nothing", b"", filename="", content_type="application/octet-stream")
    return await mine.ask("POST", path, data)


async def files(site: Site, name: str = "hello") -> dict[str, str]:
    return dict((await templates.find(site.pool, "shop", name)).template.files)


def said(page: Page) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", "", page.text.partition("<main")[2])))


async def test_a_template_is_edited_saved_and_shows_its_problems_at_their_lines(site: Site) -> None:
    await store(site)
    mine, path = await signed_in(site, "editor"), f"{LIST}/hello/edit"
    page = await mine.ask("GET", path)
    assert (page.status, page.title) == (200, "Edit template hello")
    form = fields(page)
    same = await post(mine, path, form)
    assert (same.status, same.headers["location"]) == (303, f"{LIST}/hello?same=1")
    wrong = await post(mine, path, form, text_0=form["text_0"].replace("customer.name", "custmer.name"))
    assert wrong.status == 422
    (error,) = re.findall(r'id="text_0-error">([^<]*)<', wrong.text)
    assert "hello.mjml, line 6:" in html.unescape(error)
    assert "it says: <mj-text>Dear {{ custmer.name | " in html.unescape(error)
    assert "custmer.name" in fields(wrong)["text_0"], "what was written is kept"
    checked = await post(mine, path, form, text_0=form["text_0"].replace("Hello", "Hi"), step="check")
    assert (checked.status, "Nothing is wrong. Saving it: hello.mjml:5:" in said(checked)) == (200, True)
    added = {"name_new": "hello.pl.txt", "text_new": "Cześć {{ customer.name }}\r\n"}
    saved = await post(mine, path, form, text_0=form["text_0"].replace("Hello", "Hi"), **added)
    assert (saved.status, saved.headers["location"]) == (303, f"{LIST}/hello?saved=2")
    assert await files(site) == {
        "hello.mjml": MJML.replace("Hello", "Hi"),
        "hello.pl.txt": "Cześć {{ customer.name }}\n",
    }
    assert "Version 2 is saved" in said(await mine.ask("GET", saved.headers["location"]))
    form = fields(await mine.ask("GET", path))
    gone = await post(mine, path, form, gone_1="yes")
    assert gone.headers["location"] == f"{LIST}/hello?saved=3"
    assert list(await files(site)) == ["hello.mjml"]
    looks = await signed_in(site)
    assert (await looks.ask("GET", path)).status == 403
    assert (await post(looks, path, form)).status == 403
    assert (await mine.ask("GET", f"{LIST}/nothing/edit")).status == 404
    assert (await post(mine, f"{LIST}/nothing/edit", form)).status == 404


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
async def test_what_nobody_changed_stays_to_the_byte(site: Site, ends: str) -> None:
    first, second = f"\n\n Hi  {ends}\t{{{{ customer.name }}}}{ends}", f"Cześć{ends}a{ends}{ends}"
    await store(site, **{"hello.txt": first, "hello.pl.txt": second})
    mine, path = await signed_in(site, "editor"), f"{LIST}/hello/edit"
    form = fields(await mine.ask("GET", path))
    saved = await post(mine, path, form, text_1=form["text_1"] + "b\r\n")
    assert saved.status == 303
    assert await files(site) == {"hello.txt": first, "hello.pl.txt": f"{second}b{ends}"}


async def test_the_second_of_two_editors_is_told_and_shown_what_differs(site: Site) -> None:
    await store(site)
    mine, path = await signed_in(site, "editor"), f"{LIST}/hello/edit"
    form = fields(await mine.ask("GET", path))
    await store(site, **{"hello.mjml": MJML.replace("Hello", "Theirs"), "hello.txt": EVIL.partition("{{")[0]})
    late = await post(mine, path, form, text_0=form["text_0"].replace("Hello", "Mine"))
    assert (late.status, "somebody else meanwhile: it is in version 2" in said(late)) == (422, True)
    assert re.findall(r'<li class="removed">- ([^<]*)', late.text)[0] == "{{ header(&quot;Theirs&quot;) }}"
    assert re.findall(r'<li class="added">\+ ([^<]*)', late.text)[0] == "{{ header(&quot;Mine&quot;) }}"
    assert ("<script>" in late.text, "Mine" in fields(late)["text_0"]) == (False, True)
    again = await post(mine, path, fields(late))
    assert again.headers["location"] == f"{LIST}/hello?saved=3"
    assert await files(site) == {"hello.mjml": MJML.replace("Hello", "Mine")}
    rows = await site.pool.fetch("select actor from audit_log where action = 'template.changed' order by position")
    assert rows[-1]["actor"].startswith("user:")


async def test_a_new_template_begins_with_a_design(site: Site) -> None:
    mine, path = await signed_in(site, "editor"), "/p/shop/new-template"
    for design in ("", "default-code"):
        name = f"new{design}"
        made = await mine.ask("POST", path, {"name": name, "design": design})
        assert (made.status, made.headers["location"]) == (303, f"{LIST}/{name}/edit")
        page = await mine.ask("GET", made.headers["location"])
        assert page.status == 200
        frame = await mine.ask("GET", f"{LIST}/{name}/preview")
        assert (frame.status, "srcdoc=" in frame.text) == (200, True), frame.text
    for given, words in (
        ({"name": ""}, "is missing"), ({"name": "new"}, "by somebody else"), ({"name": "a/b"}, "slash"),
        ({"name": "a.pl", "design": "default-code"}, "locale"), ({"name": "x", "design": "no"}, "no design"),
        ({"name": "ü"}, "is not valid"),
    ):  # fmt: skip
        wrong = await mine.ask("POST", path, given)
        assert (wrong.status, words in html.unescape(wrong.text)) == (422, True), given
    assert (await (await signed_in(site)).ask("GET", path)).status == 403


# -- how it looks -------------------------------------------------------------------------------------------------


async def keep_profile(pool: asyncpg.Pool, profile: dict[str, Any]) -> None:
    """The profile of a customer, as segmenters keep it."""
    await pool.execute(
        "insert into segment_customers (project_id, customer_id, partition, epoch, profile) values ($1, $2, 0, 1, $3)",
        "shop", profile["id"], json.dumps(profile).encode(),
    )  # fmt: skip


def mail(page: Page) -> str:
    return html.unescape(re.findall(r'srcdoc="([^"]*)"', page.text)[0])


async def test_a_preview_is_the_senders_in_a_frame_in_which_nothing_runs(site: Site) -> None:
    await store(site, **{"hello.mjml": MJML, "hello.pl.txt": "Cześć {{ customer.name }}"})
    await keep_profile(site.pool, {"id": "cust_7", "name": "<script>alert(1)</script>", "locale": "pl-PL"})
    mine, path = await signed_in(site), f"{LIST}/hello/preview"
    page = await mine.ask("GET", f"{path}?version=1&locale=en")
    assert page.status == 200
    policy = page.headers["content-security-policy"]
    assert ("default-src 'none'" in policy, "script-src" in policy, policy.endswith("; sandbox")) == (True, False, True)
    assert ("Dear Jack Nowak," in mail(page), '<base target="_blank">' in mail(page)) == (True, True)
    assert page.text.count("<iframe sandbox title=") == 2
    assert "<dd><bdi>News</bdi></dd>" in page.text
    assert "img-src data: https: http:;" in policy
    own = await mine.ask("GET", f"{path}?customer=cust_7&locale=en")
    elsewhere = re.findall(r"https?:", own.headers["content-security-policy"])
    assert (elsewhere, "it is about somebody" in own.text) == ([], True), "no picture's address tells others of them"
    own = await mine.ask("GET", f"{path}?customer=cust_7")
    assert ("<script>" in own.text, "Cześć <script>" in html.unescape(own.text)) == (False, True)
    assert "Dear &lt;script&gt;" in mail(await mine.ask("GET", f"{path}?customer=cust_7&locale=en"))
    for query, words in (
        ("?customer=nobody", "no profile of customer"), ("?trigger=no", "customer.referred"),
        ("?version=9", "no version 9"),
    ):  # fmt: skip
        failed = await mine.ask("GET", path + query)
        assert (failed.status, words in html.unescape(failed.text)) == (422, True), (query, failed.text)
    assert "Dear you," in mail(await mine.ask("GET", f"{path}?bare=yes"))
    assert (await mine.ask("GET", f"{path}?message=dlv_1")).status == 403
    admin = await signed_in(site, "admin")
    assert "no content of message" in html.unescape((await admin.ask("GET", f"{path}?message=dlv_1")).text)
    assert (await mine.ask("GET", f"{LIST}/nothing/preview")).status == 422


async def test_what_is_not_saved_is_shown_as_well(site: Site) -> None:
    await store(site)
    mine = await signed_in(site, "editor")
    form = fields(await mine.ask("GET", f"{LIST}/hello/edit"))
    draft = (
        form["text_0"]
        .replace("Hello", "Unsaved")
        .replace("</mj-text>", '</mj-text>\r\n<mj-image src="cid:qr"></mj-image>')
    )
    page = await post(mine, f"{LIST}/hello/preview", form, text_0=draft, trigger="customer.publication.succeeded")
    assert (page.status, "Unsaved" in mail(page)) == (200, True), page.text
    assert 'src="data:image/png;base64,' in mail(page), "its picture is in it"
    assert "Unsaved" not in (await files(site))["hello.mjml"]
    wrong = await post(mine, f"{LIST}/hello/preview", form, text_0="<mj-text>")
    assert (wrong.status, "hello.mjml" in wrong.text) == (422, True)
    assert (await mine.ask("POST", f"{LIST}/hello/preview", {})).status == 422


# -- rolled out, and tried ----------------------------------------------------------------------------------------

WINBACK: Any = {
    "trigger": "customer.order.paid",
    "consent": "transactional",
    "channels": [
        {"email": {"account": "main", "subject": "For {{ customer.name | default('you') }}", "template": "hello"}},
        {"webhook": {"url": "https://hooks.example.com/x?key=planted", "type": "paid"}},
    ],
}


@pytest.fixture
async def mailbox() -> AsyncIterator[SmtpSink]:
    made = SmtpSink()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def shop(settings: Settings, dsn: str, mailbox: SmtpSink) -> AsyncIterator[Site]:
    """Pages beside Kafka, with a mailbox, and a distribution that sends a stored template."""
    accounts = {"main": EmailAccountSettings("127.0.0.1", "a@shop.example", port=mailbox.port, security="none")}
    own = replace(settings, email_accounts=accounts, brand=BRAND)
    with wired(own, dsn, ("distributions",)) as wiring:
        async with running_api(wiring) as api, running(wiring.settings, dsn, Web()) as one:
            await store(one)
            applied = await api.ask("PUT", "/distributions/winback", WINBACK)
            assert applied.status == 201, applied.json
            yield one


async def version(site: Site) -> int:
    return int(
        await site.pool.fetchval("select max(version) from distribution_versions where distribution_id = 'winback'")
    )


async def test_what_is_sent_changes_when_the_template_is_rolled_out(shop: Site) -> None:
    mine, looks = await signed_in(shop, "approver"), await signed_in(shop, "editor")
    page = await mine.ask("GET", f"{LIST}/hello")
    assert ("/roll-out" in html.unescape(page.text), "/delete" in html.unescape(page.text)) == (False, False)
    used = await mine.ask("POST", f"{LIST}/hello/delete", {"version": "1"})
    assert (used.status, "is used by winback" in said(used)) == (422, True)
    await store(shop, **{"hello.mjml": MJML.replace("Hello", "Hi")})
    page = await mine.ask("GET", f"{LIST}/hello")
    assert "Roll version 2 out to 1 distribution<" in page.text
    assert "/roll-out" not in html.unescape((await looks.ask("GET", f"{LIST}/hello")).text)
    assert (await looks.ask("POST", f"{LIST}/hello/roll-out", {"version": "2"})).status == 403
    late = await mine.ask("POST", f"{LIST}/hello/roll-out", {"version": "1"})
    assert (late.status, "not the version that you looked at" in said(late)) == (422, True)
    done = await mine.ask("POST", f"{LIST}/hello/roll-out", {"version": "2"})
    assert (done.status, done.headers["location"]) == (303, f"{LIST}/hello?rolled=1")
    assert await version(shop) == 2
    assert "1 distribution send the newest" in said(await mine.ask("GET", done.headers["location"]))
    await store(shop, **{"hello.mjml": "{{ loyalty_tier.name }}"})
    wrong = await mine.ask("POST", f"{LIST}/hello/roll-out", {"version": "3"})
    assert (wrong.status, "distribution winback" in said(wrong)) == (422, True)


async def test_a_template_that_nobody_sends_is_deleted(site: Site) -> None:
    await store(site)
    mine = await signed_in(site, "editor")
    assert "/hello/delete" in html.unescape((await mine.ask("GET", f"{LIST}/hello")).text)
    done = await mine.ask("POST", f"{LIST}/hello/delete", {"version": "1"})
    assert (done.status, done.headers["location"]) == (303, f"{LIST}?deleted=1")
    assert "Its name is free again" in (await mine.ask("GET", done.headers["location"])).text
    assert (await mine.ask("GET", f"{LIST}/hello")).status == 404


async def test_a_distributions_messages_are_shown_and_one_is_sent_as_a_test(shop: Site, mailbox: SmtpSink) -> None:
    mine, path = await signed_in(shop, "editor"), "/p/shop/preview"
    page = await mine.ask("GET", f"{path}?distribution=winback")
    assert (page.status, page.title) == (200, "Preview winback")
    assert ('"type": "paid"' in html.unescape(page.text), "planted" in page.text) == (True, False)
    assert "The profile is a sample." in page.text
    await keep_profile(shop.pool, {"id": "cust_9", "name": "Kept"})
    of_one = await mine.ask("GET", f"{path}?distribution=winback&customer=cust_9&locale=pl")
    assert "The profile of cust_9 as it is kept now. But in the locale pl." in of_one.text
    (frame,) = map(html.unescape, re.findall(r'<iframe sandbox class="message"[^>]* src="([^"]*)"', page.text))
    shown = await mine.ask("GET", frame)
    assert ("For Jack Nowak" in shown.text, "Hello" in mail(shown)) == (True, True)
    await store(shop, **{"hello.mjml": MJML.replace("Hello", "Hi")})
    assert "Hello" in mail(await mine.ask("GET", frame))
    assert "Hi" in mail(await mine.ask("GET", f"{frame}&newest=yes"))
    given = {"distribution": "winback", "to": "eve@office.example"}
    sent = await mine.ask("POST", path, given)
    assert (sent.status, "The test was sent. It was taken" in said(sent)) == (200, True), said(sent)
    newest = await mine.ask("POST", path, {**given, "newest": "yes"})
    assert "It was taken" in said(newest)
    (first, second) = mailbox.mails
    assert (first.recipients, second.recipients) == (("eve@office.example",), ("eve@office.example",))
    assert (b"Hi" in second.content, b"[Test] For" in first.content) == (True, True)
    for changes, words in (
        ({"to": "nobody"}, "an e-mail address"), ({"to": ""}, "must be one of"), ({"customer": "no"}, "no profile"),
        ({"distribution": ""}, "nothing was asked for"), ({"arm": "x"}, "arm"),
    ):  # fmt: skip
        wrong = await mine.ask("POST", f"{path}?distribution=winback", {**given, **changes})
        assert (wrong.status, words in said(wrong)) == (422, True), (changes, said(wrong))
    assert len(mailbox.mails) == 2
    assert (await mine.ask("GET", f"{path}?distribution=nothing")).status == 404
    assert (await (await signed_in(shop)).ask("POST", path, given)).status == 403
    noted = await shop.pool.fetch("select actor, row_to_json(audit_log)::text as row from audit_log"
                                  " where action = 'distribution.tested'")  # fmt: skip
    assert len(noted) == 2
    assert all(one["actor"].startswith("user:") and "office" not in one["row"] for one in noted)
