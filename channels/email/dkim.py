"""A mail signed by DKIM (RFC 6376), relaxed/relaxed, on `cryptography`: dkimpy computes RSA in Python, for 20 times.

A mail is signed and sent in its form of 7 bits: whoever passes it on may turn 8 bits into 7 (RFC 6376, 5.3).
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from schemas.channels.dkim import DkimFields, DkimKey, parsed_key, replaced_headers

_SIGNED = (
    b"from", b"to", b"subject", b"date", b"message-id", b"reply-to", b"mime-version", b"content-type",
    b"content-transfer-encoding", b"list-unsubscribe", b"list-unsubscribe-post", b"feedback-id",
)  # fmt: skip
"""Gmail counts a Feedback-ID that is signed alone."""
_OVERSIGNED = (b"from", b"to", b"subject", b"date")
"""Listed once more than they are there: a copy that somebody adds, to be shown instead, breaks the signature (8.15)."""
_NAMES_A_LINE = 5
_ENCODED_LINE = 72
_NEXT_HEADER = re.compile(rb"\r\n(?![ \t])")
_BLANKS = re.compile(rb"[ \t]+")


@dataclass(frozen=True, slots=True)
class Signer:
    """A domain and its key; the headers in `replaced` are changed by the server that takes the mail."""

    domain: str
    selector: str
    pem: str = field(repr=False)
    replaced: frozenset[bytes] = frozenset()
    key: DkimKey = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", parsed_key(self.pem))

    @classmethod
    def of(cls, written: DkimFields, host: str) -> Signer | None:
        """The signer of an account at a host; None where its mail is not signed."""
        if not (written.dkim_domain and written.dkim_selector and written.dkim_private_key):
            return None
        replaced = frozenset(name.encode() for name in replaced_headers(host))
        return cls(written.dkim_domain, written.dkim_selector, written.dkim_private_key, replaced)

    @property
    def kind(self) -> str:
        """The kind of the key, as DNS names it."""
        return "rsa" if isinstance(self.key, RSAPrivateKey) else "ed25519"

    @property
    def public_key(self) -> str:
        """The public key, as DNS has it."""
        public = self.key.public_key()
        if isinstance(self.key, RSAPrivateKey):
            return b64encode(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
        return b64encode(public.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()

    def signature(self, data: bytes) -> bytes:
        """The signature of some bytes."""
        if isinstance(self.key, RSAPrivateKey):
            return self.key.sign(data, PKCS1v15(), SHA256())
        return self.key.sign(sha256(data).digest())  # of the hash (RFC 8463, 3)


def signed(message: bytes, signer: Signer, now: datetime) -> bytes:
    """A message of 7 bits, whose headers are each there once, with its signature in front."""
    head, _, body = message.partition(b"\r\n\r\n")
    headers = dict(map(_relaxed, _NEXT_HEADER.split(head)))
    names = [name for name in _SIGNED if name in headers and name not in signer.replaced]
    field_without = _field(signer, [*names, *(one for one in _OVERSIGNED if one in names)], body, now)
    name, value = _relaxed(field_without)
    data = b"".join(b"%b:%b\r\n" % (one, headers[one]) for one in names) + b"%b:%b" % (name, value)
    encoded = b64encode(signer.signature(data))
    lines = [encoded[at : at + _ENCODED_LINE] for at in range(0, len(encoded), _ENCODED_LINE)]
    return field_without + b"\r\n ".join(lines) + b"\r\n" + message


def _field(signer: Signer, names: list[bytes], body: bytes, now: datetime) -> bytes:
    """The header, but for the signature at its end."""
    groups = (b":".join(names[at : at + _NAMES_A_LINE]) for at in range(0, len(names), _NAMES_A_LINE))
    hashed = b64encode(sha256(_relaxed_body(body)).digest())
    return b"DKIM-Signature: v=1; a=%b-sha256; c=relaxed/relaxed;\r\n d=%b; s=%b;\r\n t=%d; h=%b;\r\n bh=%b;\r\n b=" % (
        signer.kind.encode(),
        signer.domain.encode("ascii"),
        signer.selector.encode("ascii"),
        int(now.timestamp()),
        b":\r\n ".join(groups),
        hashed,
    )


def _relaxed(header: bytes) -> tuple[bytes, bytes]:
    """The name and the value of a header as both sides hash them (3.4.2)."""
    name, _, value = header.partition(b":")
    return name.strip().lower(), _BLANKS.sub(b" ", value.replace(b"\r\n", b"")).strip()


def _relaxed_body(body: bytes) -> bytes:
    """A body as both sides hash it (3.4.4)."""
    body = body.replace(b"\t", b" ")
    while b"  " in body:  # half as many each time
        body = body.replace(b"  ", b" ")
    lines = body.replace(b" \r\n", b"\r\n").rstrip(b"\r\n")
    return lines + b"\r\n" if lines else b""
