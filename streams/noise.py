"""Opens and clicks that no person made: scanners of mail, previews, proxies that fetch pictures ahead, and robots.

Whatever is in doubt is a machine's: a person who is not counted changes a share a little, a scanner that is counted
makes it worthless, and stops messages that wait for an open that never was.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

Kind = Literal["opened", "clicked"]
Noise = Literal["head", "prefetch", "robot", "proxy", "at once", "many links", "before it was sent"]
"""Why something counts as a machine's."""

_ROBOTS = re.compile(
    r"(?<!cu)bot\b|crawl|spider|slurp|scan|preview|prefetch|monitor|headless|phantom|selenium|puppeteer|playwright"
    r"|curl/|wget/|python|aiohttp|httpx|urllib|go-http|okhttp|java/|libwww|node-fetch|axios|ruby|perl|php/|guzzle|httpclient"
    r"|facebookexternalhit|whatsapp/|slack-img|embedly|vkshare"
    r"|barracuda|mimecast|proofpoint|symantec|messagelabs|forcepoint|fortinet|fortimail|sophos|trendmicro|trustwave"
    r"|cloudmark|ironport|fireeye|zscaler|safelinks|bitdefender|kaspersky|virustotal|urlscan|avira|checkpoint|vade"
    r"|microsoft office existence|ms-office|outlook-ios-preview|bingpreview|google-safety"
    r"|google-read-aloud|feedfetcher",
    re.IGNORECASE,
)
"""In what programs say of themselves: robots (Cubot makes telephones), libraries, previews, gateways of mail."""
_PROXIES = re.compile(
    r"googleimageproxy|yahoomailproxy|ymailproxy|yandeximageresizer|mail\.ru|duckduckgo", re.IGNORECASE
)
"""Programs of providers that fetch pictures for their users, or ahead of them."""
_BARE = re.compile(r"mozilla/5\.0", re.IGNORECASE)
"""All that Apple's mail privacy says of itself."""
_GMAIL_AHEAD = "Chrome/42.0.2311.135 Safari/537.36 Edge/12.246"
"""A browser of 2015 by whose name pictures are fetched at the arrival of a message."""
_AHEAD = ("prefetch", "prerender", "preview")
_AHEAD_HEADERS = ("sec-purpose", "purpose", "x-purpose", "x-moz")
AT_ONCE: Mapping[Kind, timedelta] = {"opened": timedelta(seconds=2), "clicked": timedelta(seconds=5)}
"""Nobody reads so fast: behind the sending of the message."""
TOGETHER = timedelta(seconds=1)
"""Two links of one message within so long are followed by a machine."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request for a link or a picture. Names of headers are in lower case. `at`: when it came."""

    kind: Kind
    method: str
    headers: Mapping[str, str]
    at: datetime


def noise_of(request: Request, sent_at: datetime | None, others: Collection[datetime] = ()) -> Noise | None:
    """Reason why a request is a machine's; None for what a person did.

    `sent_at` is when the message was taken over, None while it is not. `others` are moments at which other links of the
    same message were followed.
    """
    program = request.headers.get("user-agent", "").strip()
    if request.method == "HEAD":
        return "head"
    if any(word in request.headers.get(name, "").lower() for name in _AHEAD_HEADERS for word in _AHEAD):
        return "prefetch"
    if request.kind == "opened" and (_PROXIES.search(program) or _BARE.fullmatch(program) or _GMAIL_AHEAD in program):
        return "proxy"
    if not program or _ROBOTS.search(program) or _PROXIES.search(program):
        return "robot"
    if sent_at is None:
        return "before it was sent"
    if request.at - sent_at < AT_ONCE[request.kind]:
        return "at once"
    if any(abs(request.at - other) < TOGETHER for other in others):
        return "many links"
    return None
