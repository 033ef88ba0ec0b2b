"""A device that keeps passkeys, as an outer party: its keys are real, and it says what a test wants it to say."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

HOST = "tidings.shop.example"
ORIGIN = f"https://{HOST}"
PRESENT, VERIFIED, MAY_BE_SYNCED, IS_SYNCED, HAS_KEY = 0x01, 0x04, 0x08, 0x10, 0x40


def base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def from_base64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def new_key(kind: str) -> Any:
    match kind:
        case "EC":
            return ec.generate_private_key(ec.SECP256R1())
        case "RSA":
            return rsa.generate_private_key(65537, 2048)
        case _:
            return ed25519.Ed25519PrivateKey.generate()


@dataclass(slots=True)
class Device:
    """One passkey. `steps` is what a signature adds to its count: 0 of a device that does not count."""

    kind: str = "EC"
    origin: str = ORIGIN
    host: str = HOST
    steps: int = 1
    count: int = 0
    flags: int = PRESENT | VERIFIED
    cross_origin: bool = False
    user_handle: bytes | None = None
    credential_id: bytes = field(default_factory=lambda: os.urandom(32))
    key: Any = None
    fmt: str = "none"

    def create(self, options: Any, **changes: Any) -> str:
        """Make a key by options, as a browser answers."""
        assert {one["alg"] for one in options["pubKeyCredParams"]} >= {-7, -8, -257}
        chosen = options["authenticatorSelection"]
        assert (chosen["residentKey"], chosen["userVerification"]) == ("required", "required")
        assert options["rp"]["id"] == HOST
        self.key, self.user_handle = new_key(self.kind), from_base64url(options["user"]["id"])
        self.count += self.steps
        data = self._client_data("webauthn.create", options, changes)
        return self._answer(data, attestationObject=cbor2.dumps({
            "fmt": self.fmt, "attStmt": {}, "authData": self._said(HAS_KEY) + self._key_data(),
        }))  # fmt: skip

    def get(self, options: Any, **changes: Any) -> str:
        """Sign what options ask for, as a browser answers."""
        assert (options["rpId"], options["userVerification"], options["allowCredentials"]) == (HOST, "required", [])
        self.count += self.steps
        data, said = self._client_data("webauthn.get", options, changes), self._said()
        signature = self._sign(said + hashlib.sha256(data).digest())
        handle = {} if self.user_handle is None else {"userHandle": self.user_handle}
        return self._answer(data, authenticatorData=said, signature=signature, **handle)

    def _client_data(self, kind: str, options: Any, changes: Any) -> bytes:
        said = {
            "type": kind,
            "challenge": options["challenge"],
            "origin": self.origin,
            "crossOrigin": self.cross_origin,
        }
        return json.dumps({**said, **changes}).encode()

    def _said(self, flags: int = 0) -> bytes:
        return hashlib.sha256(self.host.encode()).digest() + bytes([self.flags | flags]) + self.count.to_bytes(4, "big")

    def _key_data(self) -> bytes:
        return bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id + cbor2.dumps(self._cose())

    def _cose(self) -> dict[int, Any]:
        public = self.key.public_key()
        match self.kind:
            case "EC":
                numbers = public.public_numbers()
                return {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
            case "RSA":
                numbers = public.public_numbers()
                return {1: 3, 3: -257, -1: numbers.n.to_bytes(256, "big"), -2: numbers.e.to_bytes(3, "big")}
            case _:
                return {1: 1, 3: -8, -1: 6, -2: public.public_bytes_raw()}

    def _sign(self, content: bytes) -> bytes:
        match self.kind:
            case "EC":
                return bytes(self.key.sign(content, ec.ECDSA(hashes.SHA256())))
            case "RSA":
                return bytes(self.key.sign(content, padding.PKCS1v15(), hashes.SHA256()))
            case _:
                return bytes(self.key.sign(content))

    def _answer(self, client_data: bytes, **parts: bytes) -> str:
        name = base64url(self.credential_id)
        response = {"clientDataJSON": client_data, **parts}
        said = {part: base64url(content) for part, content in response.items()}
        return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": said})
