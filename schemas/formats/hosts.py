"""Host names as DNS has them: IDNA 2008 (RFC 5891), prepared as in UTS 46 without its transitional mappings.

IDNA 2003, which Python's own codec and some clients use, makes `fass.example` of `faß.example`: somebody else's name.
"""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import quote, urlsplit, urlunsplit

import idna


class HostRefused(ValueError):
    """A name that DNS cannot have; says why."""


@lru_cache(maxsize=10_000)
def ascii_host(host: str) -> str:
    """A host in ASCII. One that is ASCII already stays as it is. Raises HostRefused."""
    if host.isascii():
        return host
    try:
        return idna.encode(host, uts46=True, transitional=False).decode()
    except idna.IDNAError as error:
        raise HostRefused(f'"{host}" is not valid: no host has this name by IDNA 2008 ({error})') from None


def ascii_url(url: str) -> str:
    """An address in ASCII: its host by IDNA 2008, other letters percent-encoded (RFC 3987, 3.1). Raises HostRefused."""
    if url.isascii():
        return url
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError as error:
        raise HostRefused(f'"{url}" is not valid: {error}') from None
    before, at, name = parts.netloc.rpartition("@")
    if not host.isascii():
        _, colon, port = name.rpartition(":") if ":" in name else (name, "", "")
        name = f"{ascii_host(host)}{colon}{port}"
    netloc, *rest = (_percent_encoded(part) for part in (f"{before}{at}{name}", *parts[2:]))
    return urlunsplit((parts.scheme, netloc, *rest))


def _percent_encoded(text: str) -> str:
    return "".join(letter if letter.isascii() else quote(letter) for letter in text)
