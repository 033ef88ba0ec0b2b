"""Links of messages: those that lead nowhere, as they are written, and those that nothing is behind, as they answer.

Only what the author wrote whole is asked for: a link with a customer's values in it may do something when it is opened.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from html.parser import HTMLParser
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from aiohttp import ClientError

from channels.email.link_parameters import IN_TEXT, ends_sentence, is_page
from channels.http.ip_ranges import ip_of, is_public_ip
from channels.http.names import Names
from channels.http.reply_heads import Exchange
from channels.http.ssrf import PlaceRefused, Reach
from channels.http.transport import BodyLimits, Transport
from channels.templates.engine import PARTS
from channels.tracked import target_of
from schemas.formats.hosts import is_name
from schemas.template import StoredTemplate

MOST_ASKED = 50
_AT_ONCE = 8
_SECONDS = 5.0
_ALL_SECONDS = 15.0
_GONE = (404, 410)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_ELEMENTS = ("a", "area")
_UNOPENED = ("javascript", "vbscript", "file", "about", "blob")
"""Schemes that mail readers do not follow; any other, as of an app, may be right."""
_TAGS = ("{{", "}}", "{%", "*|", "%7B%7B")
_NO_VALUES = frozenset({"none", "null", "undefined", "nan"})
_LOCAL = (".localhost", ".local", ".internal", ".lan", ".home.arpa")
_HEADERS = {"accept-encoding": "identity", "user-agent": "Tidings/1 (preflight)"}

Fault = tuple[Literal["link_empty", "link_malformed", "link_private"], str]
Answer = tuple[Literal["link_broken", "link_unknown"], str]


class _Reader(HTMLParser):
    """Takes the links of a page, also those without an address, and the addresses of its pictures."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """See `HTMLParser`."""
        name = "href" if tag in _ELEMENTS or tag.startswith("v:") else "src" if tag == "img" else ""
        self.links += [value or "" for key, value in attrs if key == name]

    handle_startendtag = handle_starttag


def links_of(html: str | None, text: str | None) -> list[str]:
    """The links of a message, each once, in their order."""
    reader = _Reader()
    reader.feed(html or "")
    reader.close()
    in_text = (ends_sentence(one[0]) for one in IN_TEXT.finditer(text or ""))
    return list(dict.fromkeys((*(one.strip() for one in reader.links), *in_text)))


def fault_of(link: str) -> Fault | None:
    """The fault of a link as it stands in a message; None where it may lead somewhere."""
    if link in ("", "#"):
        return "link_empty", "it has no address" if not link else "# leads to no place of the message"
    if any(tag in link for tag in _TAGS):
        return "link_malformed", f"a tag stands in it: {shown(link)}"
    scheme, colon, rest = link.partition(":")
    if link.startswith("#"):
        return None
    if not colon or not _SCHEME.fullmatch(scheme) or ("." in scheme and rest[:1].isdigit()):
        return "link_malformed", f"{shown(link)} does not begin with https://"
    if scheme.lower() in _UNOPENED:
        return "link_malformed", f"no mail reader opens {scheme.lower()}:"
    if not is_page(link):
        web = scheme.lower() in ("http", "https")
        return ("link_malformed", f"{shown(link)} is not an address") if web or not rest else None
    return _of_page(link)


def _of_page(link: str) -> Fault | None:
    target = target_of(link)
    if target is None:
        return "link_malformed", f"{shown(link)} is not an address"
    parts = urlsplit(target)
    host = (parts.hostname or "").rstrip(".")
    if ip_of(host) is None and not is_name(host):
        return "link_malformed", f"{shown(link)} is not an address"
    if _is_private(host):
        return "link_private", f"{host} is not reached from outside"
    values = [unquote(step) for step in parts.path.split("/")] + [value for _, value in parse_qsl(parts.query)]
    lacking = next((one for one in values if one.lower() in _NO_VALUES), None)
    return None if lacking is None else ("link_malformed", f'"{lacking}" stands in it, where a value is missing')


def shown(link: str) -> str:
    """A link as a finding shows it: without its query, which may hold what is a customer's own."""
    page = link.partition("?")[0].partition("#")[0]
    return f"{page[:80]}…" if len(page) > 80 else page


def written_links(template: StoredTemplate) -> Iterator[str]:
    """The pages to which a template links, that stand in it whole, in any locale; those of its brand as well."""
    for tag in ("", *template.locales):
        one = template.in_locale(tag)
        sources = [text for part in PARTS if (text := getattr(one, part))]
        for link in links_of(one.html, one.text):
            if is_page(link) and "{" not in link and fault_of(link) is None:
                yield link
        for name, value in template.brand.items():
            if name.endswith("_url") and any(f"brand.{name}" in source for source in sources) and is_page(str(value)):
                yield str(value)


async def ask(links: Collection[str], reach: Reach) -> dict[str, Answer]:
    """Ask for pages, side by side; what is wrong with each that does not answer as a page does."""
    transport, at_once = Transport(replace(reach, http=True), Names()), asyncio.Semaphore(_AT_ONCE)

    async def one(link: str) -> Answer | None:
        async with at_once:
            return await _asked(transport, link)

    tasks = {link: asyncio.ensure_future(one(link)) for link in list(links)[:MOST_ASKED]}
    try:
        if tasks:
            await asyncio.wait(tasks.values(), timeout=_ALL_SECONDS)
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        transport.close()
    return {link: answer for link, task in tasks.items() if (answer := _answer_of(task)) is not None}


def _answer_of(task: asyncio.Future[Answer | None]) -> Answer | None:
    return ("link_unknown", f"it did not answer within {_ALL_SECONDS:g} s") if task.cancelled() else task.result()


async def _asked(transport: Transport, link: str) -> Answer | None:
    url = target_of(link)
    if url is None:
        return "link_unknown", "it cannot be asked for"
    limits = BodyLimits(kept=0, read=0)
    try:
        async with asyncio.timeout(_SECONDS):
            page = url.partition("#")[0]
            reply = await transport.request("GET", page, _HEADERS, b"", Exchange(), limits, fresh=True)
    except PlaceRefused as error:
        return "link_unknown", str(error)
    except socket.gaierror as error:
        is_gone = error.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))
        return ("link_broken", "no such host") if is_gone else ("link_unknown", "its name could not be looked up")
    except ssl.SSLCertVerificationError as error:
        return "link_broken", f"its certificate is not trusted: {error.verify_message}"
    except (ClientError, OSError, TimeoutError, ValueError) as error:
        return "link_unknown", f"it did not answer ({type(error).__name__})"
    if reply.status in _GONE:
        return "link_broken", f"it answers {reply.status}"
    return None if reply.status < 400 else ("link_unknown", f"it answers a program {reply.status}")


def _is_private(host: str) -> bool:
    ip = ip_of(host)
    if ip is not None:
        return not is_public_ip(ip)
    return host == "localhost" or host.endswith(_LOCAL) or "." not in host


def counted(links: Iterable[Iterable[str]]) -> dict[str, int]:
    """Each link of some messages, and in how many of them it is."""
    found: dict[str, int] = {}
    for of_message in links:
        for link in of_message:
            found[link] = found.get(link, 0) + 1
    return found
