"""Links of messages: which lead nowhere, and which are opened."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from channels.http.ssrf import OWN_NETWORKS, Reach
from console.control.preflight.links import ask, fault_of, links_of, written_links
from schemas.template import LocalText, StoredTemplate


@pytest.mark.parametrize(
    ("link", "fault"),
    [
        ("https://shop.example/spring?utm_source=mail#top", None),
        ("https://shop.example/łódź", None),
        ("mailto:help@shop.example", None),
        ("tel:+48123", None),
        ("sms:+48123", None),
        ("cid:qr", None),
        ("shopapp://orders/7", None),
        ("#terms", None),
        ("https://shop.example/p/None-such-thing", None),
        ("", "link_empty"),
        ("#", "link_empty"),
        ("shop.example", "link_malformed"),
        ("www.shop.example/spring", "link_malformed"),
        ("shop.example:8443/spring", "link_malformed"),
        ("//cdn.shop.example/a.png", "link_malformed"),
        ("/spring", "link_malformed"),
        ("://shop.example", "link_malformed"),
        ("http//shop.example", "link_malformed"),
        ("https:/shop.example", "link_malformed"),
        ("https://", "link_malformed"),
        ("https://shop example/", "link_malformed"),
        ("mailto:", "link_malformed"),
        ("javascript:alert(1)", "link_malformed"),
        ("https://shop.example/{{ order.id }}", "link_malformed"),
        ("https://shop.example/%7B%7B order.id %7D%7D", "link_malformed"),
        ("*|UNSUB|*", "link_malformed"),
        ("https://shop.example/orders/None", "link_malformed"),
        ("https://shop.example/?order=undefined", "link_malformed"),
        ("http://localhost:8080/spring", "link_private"),
        ("https://10.0.0.7/spring", "link_private"),
        ("http://[::1]/", "link_private"),
        ("https://intranet/spring", "link_private"),
        ("https://shop.internal/", "link_private"),
    ],
)
def test_a_link_leads_somewhere_or_has_a_fault(link: str, fault: str | None) -> None:
    found = fault_of(link)
    assert (found and found[0]) == fault


def test_links_are_read_of_elements_pictures_and_texts() -> None:
    html = (
        '<a href="https://shop.example/a?x=1&amp;y=2">a</a> <a href=shop.example>b</a> <a href>c</a>'
        '<a name="top">d</a>'
        '<area href="https://shop.example/b"> <img src="cid:qr"/> <v:roundrect href="https://shop.example/c"/>'
    )
    text = "See https://shop.example/d. Or (https://shop.example/a?x=1&y=2)."
    assert links_of(html, text) == [
        "https://shop.example/a?x=1&y=2", "shop.example", "", "https://shop.example/b", "cid:qr",
        "https://shop.example/c", "https://shop.example/d",
    ]  # fmt: skip


def test_only_links_that_an_author_wrote_whole_are_opened() -> None:
    template = StoredTemplate(
        name="t",
        subject="s",
        html='<a href="https://shop.example/a">a</a><a href="https://shop.example/confirm/{{ customer.id }}">b</a>'
        '<a href="{{ unsubscribe_url }}">c</a><a href="{{ brand.terms_url }}">d</a><a href="shop.example">e</a>',
        locales={"pl": LocalText(text="https://shop.example/pl")},
        brand={"terms_url": "https://shop.example/terms", "privacy_url": "https://shop.example/privacy"},
    )
    links = {"https://shop.example/a", "https://shop.example/terms", "https://shop.example/pl"}
    assert set(written_links(template)) == links


@pytest.fixture
async def site() -> AsyncIterator[str]:
    """Pages that are there, gone, closed to programs and moved, and one that does not answer."""
    opened: list[str] = []

    async def page(request: web.Request) -> web.Response:
        opened.append(request.path)
        status = int(request.match_info["status"])
        if status == 0:
            await asyncio.sleep(60)
        return web.Response(status=status, headers={"location": "/404"} if status == 302 else {})

    made = web.Application()
    made.router.add_get("/{status}", page)
    runner = web.AppRunner(made, shutdown_timeout=0.1)
    await runner.setup()
    await (here := web.TCPSite(runner, "127.0.0.1", 0)).start()
    assert here._server is not None
    yield f"http://127.0.0.1:{here._server.sockets[0].getsockname()[1]}"  # type: ignore[attr-defined]
    await runner.cleanup()


async def test_what_is_gone_is_broken_and_what_refuses_a_program_is_not_known(site: str) -> None:
    links = [f"{site}/{status}" for status in (200, 302, 404, 410, 403, 503, 999)]
    found = await ask(links, OWN_NETWORKS)
    assert {link.rpartition("/")[2]: kind for link, (kind, _) in found.items()} == {
        "404": "link_broken", "410": "link_broken", "403": "link_unknown", "503": "link_unknown",
        "999": "link_unknown",
    }  # fmt: skip


async def test_a_host_that_is_not_there_is_broken_and_a_private_one_is_not_asked(site: str) -> None:
    found = await ask([f"{site}/404", "https://nobody.invalid/"], Reach())
    assert found[f"{site}/404"][0] == "link_unknown" and "not public" in found[f"{site}/404"][1]
    assert found["https://nobody.invalid/"][0] in ("link_broken", "link_unknown")  # as DNS is here


async def test_one_that_does_not_answer_holds_up_nobody(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.control.preflight.links._SECONDS", 0.2)
    found = await ask([f"{site}/0", f"{site}/404"], OWN_NETWORKS)
    assert (found[f"{site}/0"][0], found[f"{site}/404"][0]) == ("link_unknown", "link_broken")
