"""Keys made for tests, and the record that DNS would have of each."""

from __future__ import annotations

from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from channels.email.dkim import Signer

DOMAIN, SELECTOR = "example.com", "s1"


@cache
def pem(kind: str) -> str:
    """A private key as PEM, in PKCS 8; `rsa1` in PKCS 1."""
    form = PrivateFormat.TraditionalOpenSSL if kind == "rsa1" else PrivateFormat.PKCS8
    lock = BestAvailableEncryption(b"x") if kind == "locked" else NoEncryption()
    return _key(kind).private_bytes(Encoding.PEM, form, lock).decode()


def _key(kind: str) -> rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey:
    match kind:
        case "rsa":
            return rsa.generate_private_key(65537, 2048)
        case "rsa1":
            return rsa.generate_private_key(65537, 1024)  # noqa: S505 - the smallest that is taken
        case "ec":
            return ec.generate_private_key(ec.SECP256R1())
        case _:
            return ed25519.Ed25519PrivateKey.generate()


def signer(kind: str) -> Signer:
    return Signer(DOMAIN, SELECTOR, pem(kind))


def record(one: Signer) -> str:
    return f"v=DKIM1; k={one.kind}; p={one.public_key}"
