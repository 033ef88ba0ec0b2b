"""A call as it may be shown and kept: beginnings of bodies, names of headers, and no secret in any of it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from channels.http.api import HttpRequest
from channels.http.transport import Reply
from channels.webhook.calls import Call
from schemas.receipt import Receipt

MOST_OF_REQUEST, MOST_OF_REPLY = 2000, 1000
"""Characters that are kept of a body."""
HIDDEN = "…"
"""Stands for a part of an address that may be secret."""
_LOOKED_AT = 8192
"""Bytes of a body in which secrets are looked for: what is kept of it is less."""
_LONGEST_VALUE = 200
_SHORTEST_SECRET = 8
_TELLING = frozenset(
    {"content-type", "retry-after", "location", "server", "date", "x-request-id", "request-id", "www-authenticate"}
)
_OF_LIMITS = ("ratelimit", "x-ratelimit")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,20}:(?:\\?/){2}(?:\\/|[^\s\"'<>\\])+")
_MAY_BE_SECRET = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z]).{8,}|.{20,}")


def call_of(
    request: HttpRequest, names: Collection[str], proofs: Collection[str], answer: Reply | None, receipt: Receipt,
    seconds: float,
) -> Call:  # fmt: skip
    """A call as it may be kept. `names` are those of all headers, `proofs` what the request proved itself by."""
    proved_by = (*proofs, *request.headers.values(), *_hidden_in(request.url))
    secrets = sorted((one for one in proved_by if len(one) >= _SHORTEST_SECRET), key=len, reverse=True)
    return Call(
        project_id=request.project_id,
        endpoint=request.account,
        delivery_id=request.delivery_id,
        url=shown_address(request.url),
        headers=tuple(sorted(names)),
        body=_shown(request.body, secrets, MOST_OF_REQUEST),
        body_bytes=len(request.body),
        outcome=type(receipt).__name__.lower(),
        detail=_without(receipt.detail, secrets),
        milliseconds=round(seconds * 1000),
        status=answer.status if answer else None,
        reply_headers=_telling(answer.headers, secrets) if answer else {},
        reply_body=_shown(answer.body, secrets, MOST_OF_REPLY) if answer else "",
    )


def shown_address(url: str) -> str:
    """An address without what may be secret in it: values of its query, and parts of its path that look drawn."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return HIDDEN
    path = "/".join(HIDDEN if _MAY_BE_SECRET.fullmatch(part) else part for part in parts.path.split("/"))
    names = [part.partition("=") for part in parts.query.split("&") if part]
    query = "&".join(f"{name}={HIDDEN}" if equals else HIDDEN for name, equals, _ in names)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{path}" + (f"?{query}" if query else "")


def _hidden_in(url: str) -> list[str]:
    """The parts of an address that `shown_address` leaves out: a receiver may repeat them alone."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return []
    values = [part.partition("=")[2] or part for part in parts.query.split("&")]
    user = parts.netloc.rpartition("@")[0].split(":")
    return [*user, *values, *(part for part in parts.path.split("/") if _MAY_BE_SECRET.fullmatch(part))]


def _shown(body: bytes, secrets: Collection[str], most: int) -> str:
    text = _without(body[:_LOOKED_AT].decode(errors="replace"), secrets)
    return "".join(one if one.isprintable() or one in "\n\t" else "\N{REPLACEMENT CHARACTER}" for one in text[:most])


def _without(text: str, secrets: Collection[str]) -> str:
    text = _ADDRESS.sub(lambda found: shown_address(found[0].replace("\\/", "/")), text)
    for secret in secrets:
        text = text.replace(secret, "[secret]")
    return text


def _telling(headers: Mapping[str, str], secrets: Collection[str]) -> dict[str, str]:
    """The headers of a reply that say something of it."""
    found = {}
    for name, value in headers.items():
        lower = name.lower()
        if lower in _TELLING or lower.startswith(_OF_LIMITS):
            found[lower] = _shown(value.encode(errors="replace"), secrets, _LONGEST_VALUE)
    return found
