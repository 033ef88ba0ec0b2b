"""Codes shown in an e-mail itself: `<img src="cid:qr">` or `cid:barcode` in its HTML brings the picture along.

Sources: RFC 2392 (`cid:` names a Content-ID), RFC 2045 section 7 (a Content-ID is unique in the world).
"""

from __future__ import annotations

import re
from base64 import b64encode
from typing import Any, cast

from channels.codes.images import CodeKind, code_image
from channels.email.mime import InlineImage
from schemas.channels.email import EmailDelivery
from schemas.errors import TemplateFailed

_REFERENCE = re.compile(r"""([=(]\s*["']?cid:)(qr|barcode)(?=["'\s>)])""")
"""An attribute's value or a style's url(…); the same words in a text are no reference."""


def codes_shown(html: str) -> tuple[CodeKind, ...]:
    """The pictures that an HTML, or a template of one, brings along, each once."""
    return tuple(dict.fromkeys(cast(CodeKind, found[2]) for found in _REFERENCE.finditer(html)))


def with_inline_codes(html: str | None, delivery: EmailDelivery, domain: str) -> tuple[str | None, list[InlineImage]]:
    """The HTML with references that are unique, and each picture of `data.voucher.code` that it shows, once.

    `domain` is the sender's, in ASCII. Raises TemplateFailed where there is no code, RenderRefused for one that has no
    picture.
    """
    if html is None or "cid:" not in html:
        return html, []
    images = [_image(kind, delivery, domain) for kind in codes_shown(html)]
    return _REFERENCE.sub(lambda found: found[1] + _content_id(found[2], delivery, domain), html), images


def with_data_codes(html: str, delivery: EmailDelivery) -> str:
    """The HTML with each picture in its place as a `data:` address (RFC 2397). Raises as `with_inline_codes` does."""
    urls = {kind: f"data:image/png;base64,{b64encode(_png(kind, delivery)).decode()}" for kind in codes_shown(html)}
    return _REFERENCE.sub(lambda found: found[1].removesuffix("cid:") + urls[cast(CodeKind, found[2])], html)


def _image(kind: CodeKind, delivery: EmailDelivery, domain: str) -> InlineImage:
    return InlineImage(_content_id(kind, delivery, domain), f"{kind}.png", _png(kind, delivery))


def _png(kind: CodeKind, delivery: EmailDelivery) -> bytes:
    return code_image(_code(kind, delivery), kind, "png")


def _content_id(kind: str, delivery: EmailDelivery, domain: str) -> str:
    return f"{kind}.{delivery.delivery_id}@{domain}"


def _code(kind: CodeKind, delivery: EmailDelivery) -> str:
    voucher: Any = delivery.data.get("voucher")
    code = voucher.get("code") if isinstance(voucher, dict) else None
    if isinstance(code, str) and code:
        return code
    lacking = "voucher.code is no text" if code else "the data has no voucher.code"
    name = delivery.email.template.name
    raise TemplateFailed(f"template {name}, html: cid:{kind} shows voucher.code, and {lacking}")
