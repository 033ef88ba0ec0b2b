"""Addresses of code pictures that only a holder of the secret can make: `/codes/qr/<code>.<expiry>.<signature>.png`.

The code stands in the address in base64url, so an address is as confidential as the code: neither is logged.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, get_args

from channels.codes.images import CodeKind, ImageFormat, can_draw
from schemas.campaign import LONGEST_CODE
from schemas.delivery import Delivery
from schemas.record import JsonObject

_LONGEST_TOKEN = 6 * LONGEST_CODE + 100
_EXPIRY_DIGITS = 15
_KINDS: dict[str, CodeKind] = {kind: kind for kind in get_args(CodeKind)}
_FORMATS: dict[str, ImageFormat] = {image_format: image_format for image_format in get_args(ImageFormat)}


@dataclass(frozen=True, slots=True)
class ProvenCode:
    """A signed address. `expires` is in Unix seconds, 0 for never. The code is not part of its `repr`."""

    code: str = field(repr=False)
    kind: CodeKind
    image_format: ImageFormat
    expires: int


def code_path(kind: CodeKind, image_format: ImageFormat, code: str, secrets: Sequence[str], *, expires: int = 0) -> str:
    """The path of a picture, signed with the first secret. `expires` is in Unix seconds, 0 for never.

    Raises ValueError without a secret, or with an empty one: anyone could sign with that.
    """
    if not secrets or not secrets[0]:
        raise ValueError("signing an address takes a secret that is not empty")
    signed = f"{_base64url(code.encode())}.{expires}"
    return f"/codes/{kind}/{signed}.{_signature(secrets[0], kind, image_format, signed)}.{image_format}"


def code_of_path(kind: str, name: str, secrets: Sequence[str], *, now: float) -> ProvenCode | None:
    """The content of a path `/codes/<kind>/<name>`; None when no secret proves it, or it has expired."""
    token, _, ending = name.rpartition(".")
    signed, _, signature = token.rpartition(".")
    known_kind, image_format = _KINDS.get(kind), _FORMATS.get(ending)
    if known_kind is None or image_format is None or len(token) > _LONGEST_TOKEN or not token.isascii():
        return None
    proofs = [_signature(secret, kind, image_format, signed) for secret in secrets if secret]
    if not any(hmac.compare_digest(proof, signature) for proof in proofs):
        return None
    packed, _, expires = signed.partition(".")
    code = _text(packed) if _lasts(expires, now) else None
    return None if code is None else ProvenCode(code, known_kind, image_format, int(expires))


def code_links(code: str, public_url: str, secrets: Sequence[str]) -> dict[str, str]:
    """`qr_url` and `barcode_url` of a code as PNG; nothing where it, the address or the secret is missing or unfit."""
    if not public_url or not secrets or not secrets[0] or not can_draw(code):
        return {}
    base = public_url.rstrip("/")
    return {
        "qr_url": base + code_path("qr", "png", code, secrets),
        "barcode_url": base + code_path("barcode", "png", code, secrets),
    }


class Links(Protocol):
    """Addresses that we serve: of the pictures of a code, and of the pages of a delivery's customer."""

    def __call__(self, code: str, /) -> Mapping[str, str]:
        """`qr_url` and `barcode_url` of a code."""
        ...

    def of(self, delivery: Delivery, /) -> Mapping[str, str]:
        """`unsubscribe_url`, of what needs consent, and `preferences_url`."""
        ...


class _NoLinks:
    def __call__(self, _code: str, /) -> Mapping[str, str]:
        return {}

    def of(self, _delivery: Delivery, /) -> Mapping[str, str]:
        return {}


no_links: Links = _NoLinks()
"""Links where nothing is served."""


def with_links(data: JsonObject, links: Callable[[str], Mapping[str, str]]) -> JsonObject:
    """The data of a delivery, its voucher with the addresses of its pictures, where it has one and they are served."""
    voucher = data.get("voucher")
    code = voucher.get("code") if isinstance(voucher, dict) else None
    found = links(code) if isinstance(code, str) else None
    return {**data, "voucher": {**voucher, **found}} if voucher and found else data


def _signature(secret: str, kind: str, image_format: str, signed: str) -> str:
    """Over all that the address says, so that no part can be exchanged."""
    message = f"{kind}.{image_format}.{signed}".encode()
    return _base64url(hmac.new(secret.encode(), message, hashlib.sha256).digest())


def _lasts(expires: str, now: float) -> bool:
    if not expires.isdecimal() or len(expires) > _EXPIRY_DIGITS:
        return False
    return int(expires) == 0 or now < int(expires)


def _text(packed: str) -> str | None:
    try:
        return base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
