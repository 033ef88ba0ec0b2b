"""The request of an SMS gateway as its owner describes it: placeholders in a URL and a body, headers, paths."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import SplitResult, parse_qsl, urlsplit

import msgspec

from schemas.formats.hosts import ascii_url

PLACES = ("to", "text", "sender", "delivery_id")
PLACE = re.compile(r"\{([A-Za-z_]\w*)\}")
_PATH = re.compile(r"[\w-]+(\.[\w-]+)*", re.ASCII)
_HEADER = re.compile(r"[a-z0-9-]+")
_RESERVED = frozenset({"content-length", "content-type", "host", "connection", "transfer-encoding"})


def url_template(text: str) -> str:
    """The address of a gateway, in which placeholders stand behind the host alone. Raises ValueError."""
    if not text:
        return text
    parts = _parts(text)
    if PLACE.search(parts.netloc):
        raise ValueError("must not have placeholders in its host")
    _known_places(text)
    return text


def path_text(text: str) -> str:
    """A path in a reply, as in messages.0.id; empty for none. Raises ValueError."""
    if text and not _PATH.fullmatch(text):
        raise ValueError(f'"{text[:40]}" is not valid: must be a path such as messages.0.id')
    return text


def header_texts(text: str) -> str:
    """Headers as a JSON object of texts; kept as written. Raises ValueError that shows none of them."""
    if text:
        read_headers(text)
    return text


def read_headers(text: str) -> dict[str, str]:
    """The headers of such a text, with names in lower case. Raises ValueError."""
    try:
        found = msgspec.json.decode(text or "{}", type=dict[str, str])
    except msgspec.DecodeError:
        raise ValueError('must be a JSON object of texts, as in {"authorization": "Bearer …"}') from None
    named = {name.lower(): value for name, value in found.items()}
    for name, value in named.items():
        if not _HEADER.fullmatch(name) or name in _RESERVED:
            raise ValueError("must name headers of letters, digits and dash, and none that every request has")
        if not (value.isascii() and value.isprintable()):
            raise ValueError("must have values of printable ASCII")
    return named


def body_template(body: str, content: str) -> Mapping[str, str]:
    """The problem of a body, by its field; empty where it is right."""
    try:
        _known_places(body)
        if body and content == "json" and not isinstance(msgspec.json.decode(body), dict):
            raise ValueError('must be a JSON object, as in {"to": "{to}", "text": "{text}"}')
        if body and content == "form" and not parse_qsl(body):
            raise ValueError("must be a form, as in to={to}&text={text}")
    except msgspec.DecodeError:
        return {"body": 'is not JSON; must be an object such as {"to": "{to}", "text": "{text}"}, or content=form'}
    except ValueError as error:
        return {"body": str(error)}
    return {}


def _parts(text: str) -> SplitResult:
    try:
        parts = urlsplit(ascii_url(text))
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address or "@" in parts.netloc or not text.isprintable() or " " in text:
        raise ValueError("must be an address such as https://sms.shop.example/send, without user, password and blanks")
    return parts


def _known_places(text: str) -> None:
    for name in PLACE.findall(text):
        if name not in PLACES:
            raise ValueError(f"{{{name}}} is not known: must be one of {', '.join(f'{{{one}}}' for one in PLACES)}")
