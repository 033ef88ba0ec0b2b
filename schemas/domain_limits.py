"""Limits of recipients' domains at one account: `gmail.com: 20/s, yahoo.com: 100/m`."""

from __future__ import annotations

from schemas.formats.hosts import HostRefused, ascii_host, is_name
from schemas.limit import Limit, parse_rate

_MOST = 100
_HOW = "a domain and its rate, as in gmail.com: 20/s, yahoo.com: 100/m"


def parse_domain_limits(text: str) -> dict[str, Limit]:
    """The limit of each domain, in ASCII and small letters. Raises ValueError that says what is allowed."""
    limits: dict[str, Limit] = {}
    for part in text.split(",") if text.strip() else ():
        domain, rate = _read(part)
        if domain in limits:
            raise ValueError(f'"{domain}" is there twice')
        limits[domain] = Limit(parse_rate(rate))
    if len(limits) > _MOST:
        raise ValueError(f"must be at most {_MOST} domains")
    return limits


def domain_limits_text(text: str) -> str:
    parse_domain_limits(text)
    return text


def _read(part: str) -> tuple[str, str]:
    written, colon, rate = part.strip().partition(":")
    try:
        domain = ascii_host(written.strip()).lower()
    except HostRefused:
        domain = ""
    if not colon or not is_name(domain) or "." not in domain:
        raise ValueError(f'"{part.strip()[:60]}" is not valid: must be {_HOW}')
    return domain, rate.strip()
