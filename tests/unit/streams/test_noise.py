"""Machines are known by what they ask with and when; persons are not taken for them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from streams.noise import Kind, Noise, Request, noise_of

SENT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
LATER = SENT + timedelta(minutes=10)
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
CHROME = WINDOWS + "Chrome/143.0.0.0 Safari/537.36"
PERSONS = [
    CHROME,
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.1 "
    "Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:146.0) Gecko/20100101 Firefox/146.0",
    CHROME + " Edg/143.0.0.0",
    "Mozilla/5.0 (Linux; Android 9; CUBOT X19 Build/PPR1.180610.011) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/120.0 Mobile Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 "
    "[LinkedInApp]/9.30",
    "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko",
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Thunderbird/140.0",
]
ROBOTS = [
    "", "  ", "curl/8.5.0", "Wget/1.21", "python-requests/2.32", "Python-urllib/3.11", "Go-http-client/1.1",
    "okhttp/4.9", "Java/17.0.1", "axios/1.7", "Apache-HttpClient/4.5 (Java/17)",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0)", "Slackbot-LinkExpanding 1.0",
    "TelegramBot (like TwitterBot)", "WhatsApp/2.23.20.0", "facebookexternalhit/1.1", "SkypeUriPreview Preview/0.5",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0 Safari/537.36",
    "Barracuda Sentinel (EE)", "Mimecast-URL-Scanner", "ProofPoint URL Defense", "Microsoft Office Existence Discovery",
    "Mozilla/5.0 (Windows NT 10.0) BingPreview/1.0b", "Mozilla/5.0 (Macintosh) AppleWebKit (Zscaler)",
]  # fmt: skip
PROXIES = [
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
    "Mozilla/5.0",
    "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
    WINDOWS + "Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 Mozilla/5.0",
]


def asked(kind: Kind = "clicked", at: datetime = LATER, method: str = "GET", **headers: str) -> Request:
    named = {name.replace("_", "-"): value for name, value in ({"user_agent": CHROME} | headers).items()}
    return Request(kind, method, named, at)


@pytest.mark.parametrize("program", PERSONS)
@pytest.mark.parametrize("kind", ["opened", "clicked"])
def test_a_person_is_counted(program: str, kind: Kind) -> None:
    assert noise_of(asked(kind, user_agent=program), SENT) is None


@pytest.mark.parametrize("program", ROBOTS)
@pytest.mark.parametrize("kind", ["opened", "clicked"])
def test_a_robot_is_known_by_what_it_says_of_itself(program: str, kind: Kind) -> None:
    assert noise_of(asked(kind, user_agent=program), SENT) == "robot"
    assert noise_of(asked(kind, user_agent=program.upper()), SENT) == "robot"


@pytest.mark.parametrize("program", PROXIES)
def test_pictures_that_a_provider_fetches_are_no_open(program: str) -> None:
    assert noise_of(asked("opened", user_agent=program), SENT) == "proxy"


@pytest.mark.parametrize(
    ("changes", "noise"),
    [
        ({"method": "HEAD"}, "head"),
        ({"sec_purpose": "prefetch;prerender"}, "prefetch"),
        ({"sec_purpose": "prefetch"}, "prefetch"),
        ({"purpose": "prefetch"}, "prefetch"),
        ({"x_purpose": "preview"}, "prefetch"),
        ({"x_moz": "prefetch"}, "prefetch"),
        ({"X_Moz": "prefetch"}, None),
        ({"sec_purpose": ""}, None),
        ({"at": SENT + timedelta(seconds=4)}, "at once"),
        ({"at": SENT - timedelta(seconds=1)}, "at once"),
        ({"at": SENT + timedelta(seconds=5)}, None),
        ({"at": SENT + timedelta(seconds=1), "kind": "opened"}, "at once"),
        ({"at": SENT + timedelta(seconds=2), "kind": "opened"}, None),
    ],
)
def test_a_machine_is_known_by_how_and_when_it_asks(changes: dict[str, Any], noise: Noise | None) -> None:
    assert noise_of(asked(**changes), SENT) == noise


def test_of_a_message_that_was_not_sent_nobody_can_have_a_link() -> None:
    assert noise_of(asked(), None) == "before it was sent"


@pytest.mark.parametrize(
    ("seconds", "noise"), [(0, "many links"), (0.9, "many links"), (-0.9, "many links"), (1, None), (-5, None)]
)
def test_who_follows_two_links_within_a_second_is_a_machine(seconds: float, noise: Noise | None) -> None:
    assert noise_of(asked(), SENT, [LATER + timedelta(seconds=seconds)]) == noise
