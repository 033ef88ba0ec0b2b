"""Links and pictures by which it is known that an e-mail was opened and clicked.

A token holds the delivery and the address that the link leads to, encrypted and authenticated at once with a key of its
project: nobody can make the console redirect to an address that did not stand in a message of that project, and a link
that is passed on names nobody.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from html import escape, unescape
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from channels.email.link_parameters import HREF, IN_TEXT, below, ends_sentence, is_page
from channels.link_tokens import opened, sealed
from schemas.delivery import TEST_ID, Delivery
from schemas.formats.hosts import HostRefused, ascii_url
from schemas.tracking import NO_TRACKING, Tracking, agrees

CLICK_PATH = "/c/"
OPEN_PATH = "/o/"
LONGEST_LINK = 2000
"""Outlook opens addresses of up to 2,083 characters."""
_CLICKS = b"tidings tracked link of "
_OPENS = b"tidings opened picture of "
_TARGET = re.compile(r"https?://[\x21-\x7e]+", re.IGNORECASE)
_DROPPED_BY_BROWSERS = re.compile(r"[\t\r\n]")
_NOT_IN_ADDRESSES = re.compile(r'[\x00-\x20"<>\x7f]')
_REST_OF_TAG = re.compile(r"""(?:[^<>"']|"[^"]*"|'[^']*')*""")
_UNTRACKED = re.compile(r"""(?<=[\s"'/])(?:data-tracking|clicktracking)\s*=\s*["']?off\b""", re.IGNORECASE)
_BODY_END = re.compile(r"</body\s*>", re.IGNORECASE)


class Clicked(NamedTuple):
    """A link of a delivery, and where it leads."""

    delivery_id: str
    target: str


class Opened(NamedTuple):
    """The picture of a delivery."""

    delivery_id: str


def clicked_of(project_id: str, token: str, secrets: Sequence[str]) -> Clicked | None:
    """The content of a link's token; None where no secret proves it for this project, or it leads to no page."""
    parts = opened(token, secrets, _purpose(_CLICKS, project_id))
    found = Clicked(*parts) if parts is not None and len(parts) == len(Clicked._fields) else None
    return found if found is not None and _TARGET.fullmatch(found.target) else None


def opened_of(project_id: str, token: str, secrets: Sequence[str]) -> Opened | None:
    """The content of a picture's token; None where no secret proves it for this project."""
    parts = opened(token, secrets, _purpose(_OPENS, project_id))
    return Opened(*parts) if parts is not None and len(parts) == len(Opened._fields) else None


def target_of(link: str) -> str | None:
    """A link as a browser would follow it, in ASCII, so that a header takes it; None where it is not one to a page."""
    try:
        target = ascii_url(_DROPPED_BY_BROWSERS.sub("", link))
        has_host = is_page(target) and bool(urlsplit(target).hostname)
    except (HostRefused, ValueError):
        return None
    return _NOT_IN_ADDRESSES.sub(lambda found: f"%{ord(found[0]):02X}", target) if has_host else None


def _none(_: str) -> Tracking:
    return NO_TRACKING


@dataclass(frozen=True, slots=True)
class TrackedLinks:
    """Links below the public address, signed with the first secret; none without both.

    `wanted` says what a project wants to know now.
    """

    public_url: str = ""
    secrets: Sequence[str] = field(default=(), repr=False)
    wanted: Callable[[str], Tracking] = _none

    def of(self, delivery: Delivery) -> Tracking:
        """Tracking of a delivery: nothing of tests, and of customers who have not agreed."""
        if not self.public_url or not self.secrets or delivery.delivery_id.startswith(TEST_ID):
            return NO_TRACKING
        wanted = self.wanted(delivery.project_id)
        return wanted if wanted != NO_TRACKING and agrees(delivery.data) else NO_TRACKING

    def in_mail(
        self, text: str, html: str | None, delivery: Delivery, own: Collection[str], pages: Collection[str] = ()
    ) -> tuple[str, str | None]:
        """Text and HTML with tracked links, and the picture at the end of the HTML, as far as they are wanted.

        `own` are links of the customer, which are left as they are, with all below them, as are the `pages`, and what
        the HTML says is not to be tracked: in the text as well.
        """
        tracking = self.of(delivery)
        if tracking.clicks:
            spared = frozenset(_page(one) for one in pages) | _untracked(html or "")
            links = _Links(self, delivery, [one for one in own if one], spared)
            text = IN_TEXT.sub(links.in_text, text)
            html = html and HREF.sub(links.in_html, html)
        return text, _with_picture(html, self._picture(delivery)) if html and tracking.opens else html

    def link(self, target: str, delivery: Delivery) -> str:
        """The address that leads to a target."""
        return self._address(CLICK_PATH, delivery, Clicked(delivery.delivery_id, target), _CLICKS)

    def _picture(self, delivery: Delivery) -> str:
        address = self._address(OPEN_PATH, delivery, Opened(delivery.delivery_id), _OPENS)
        return f'<img src="{escape(address)}" width="1" height="1" alt="" style="display:block;border:0">'

    def _address(self, path: str, delivery: Delivery, parts: Sequence[str], purpose: bytes) -> str:
        token = sealed(parts, self.secrets[0], _purpose(purpose, delivery.project_id))
        return f"{self.public_url.rstrip('/')}{path}{quote(delivery.project_id, safe='')}/{token}"


NO_TRACKED_LINKS = TrackedLinks()


class _Links(NamedTuple):
    """The links of one message."""

    tracked: TrackedLinks
    delivery: Delivery
    own: Sequence[str]
    spared: frozenset[str]

    def in_html(self, found: re.Match[str]) -> str:
        """An element with its link tracked."""
        changed = None if _says_untracked(found) else self._changed(_link(found))
        return found[0] if changed is None else f"{found[1]}{found[2][0]}{escape(changed)}{found[2][0]}"

    def in_text(self, found: re.Match[str]) -> str:
        """A link of a text, tracked. With other letters than ASCII it is left: nobody knows where in them it ends."""
        link = ends_sentence(found[0])
        changed = self._changed(link) if link.isascii() else None
        return found[0] if changed is None else changed + found[0][len(link) :]

    def _changed(self, link: str) -> str | None:
        """The tracked link; None where it is no page, is one of ours or the customer's, or gets too long."""
        target = None if self._is_spared(link) else target_of(link)
        changed = None if target is None else self.tracked.link(target, self.delivery)
        return None if changed is None or len(changed) > LONGEST_LINK else changed

    def _is_spared(self, link: str) -> bool:
        base = self.tracked.public_url.rstrip("/")
        return _page(link) in self.spared or any(below(link, one) for one in (base, *self.own))


def _purpose(of: bytes, project_id: str) -> bytes:
    return of + project_id.encode("utf-8", "surrogatepass")


def _link(found: re.Match[str]) -> str:
    return unescape(found[2][1:-1]).strip()


def _page(link: str) -> str:
    """A link without what leads to a place in its page, or asks something of it."""
    return link.partition("#")[0].partition("?")[0]


def _says_untracked(found: re.Match[str]) -> bool:
    rest = _REST_OF_TAG.match(found.string, found.end())
    return _UNTRACKED.search(f"{found[1]}{rest[0] if rest else ''}") is not None


def _untracked(html: str) -> frozenset[str]:
    return frozenset(_page(_link(found)) for found in HREF.finditer(html) if _says_untracked(found))


def _with_picture(html: str, picture: str) -> str:
    """At the end of the body: what comes before it is seen first."""
    ends = list(_BODY_END.finditer(html))
    return f"{html[: ends[-1].start()]}{picture}{html[ends[-1].start() :]}" if ends else html + picture
