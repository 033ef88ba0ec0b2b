"""Links by which customers leave, and choose what they are sent: opaque, and made by nobody without the secret.

A token is a delivery's project, customer, category and id, encrypted and authenticated at once by AES-SIV (RFC 5297).
That is deterministic, so that a message is the same at each attempt, and shows nothing, so that a link that is passed
on or logged names nobody. It lasts as long as its secret: a link in an old mail still has to work.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from channels.codes.links import code_links
from channels.email.goodbyes import goodbye_subject
from schemas.delivery import Delivery
from schemas.distribution import TRANSACTIONAL

UNSUBSCRIBE_PATH = "/unsubscribe/"
PREFERENCES_PATH = "/preferences/"
LONGEST_TOKEN = 4000
_KEY_BYTES = 64
_PURPOSE = b"tidings unsubscribe link"


@dataclass(frozen=True, slots=True)
class Subscriber:
    """The customer that a link is about; the category and the delivery that it came with."""

    project_id: str
    customer_id: str = field(repr=False)
    category: str
    delivery_id: str


@dataclass(frozen=True, slots=True)
class UnsubscribeLinks:
    """Links below the public address, signed with the first secret; none without both.

    `mailboxes` are addresses whose mail is read: one to them with the token in its subject counts as the link does.
    """

    public_url: str = ""
    secrets: Sequence[str] = field(default=(), repr=False)
    mailboxes: frozenset[str] = frozenset()

    def of(self, delivery: Delivery) -> dict[str, str]:
        """`unsubscribe_url`, of what needs consent, and `preferences_url`."""
        if not self.public_url or not self.secrets or not delivery.customer.id:
            return {}
        base, token = self.public_url.rstrip("/"), self._token(delivery)
        links = {"unsubscribe_url": UNSUBSCRIBE_PATH, "preferences_url": PREFERENCES_PATH}
        if delivery.category == TRANSACTIONAL:
            del links["unsubscribe_url"]
        return {name: f"{base}{path}{token}" for name, path in links.items()}

    def mailto(self, delivery: Delivery, address: str) -> str:
        """The `mailto:` of an address, with the token in the subject where its mail is read; empty without one."""
        if not address:
            return ""
        has_token = self.secrets and delivery.customer.id and delivery.category != TRANSACTIONAL
        if address.lower() not in self.mailboxes or not has_token:
            return f"mailto:{address}"
        return f"mailto:{address}?subject={goodbye_subject(self._token(delivery))}"

    def _token(self, delivery: Delivery) -> str:
        subscriber = Subscriber(delivery.project_id, delivery.customer.id, delivery.category, delivery.delivery_id)
        return token_of(subscriber, self.secrets[0])


NO_UNSUBSCRIBE_LINKS = UnsubscribeLinks()


@dataclass(frozen=True, slots=True)
class OwnLinks:
    """All links below the public address: `Links` of channels."""

    public_url: str
    secrets: Sequence[str] = field(repr=False)

    def __call__(self, code: str, /) -> Mapping[str, str]:
        """Pictures of a code."""
        return code_links(code, self.public_url, self.secrets)

    def of(self, delivery: Delivery, /) -> Mapping[str, str]:
        """Pages of a delivery's customer."""
        return UnsubscribeLinks(self.public_url, self.secrets).of(delivery)


def token_of(subscriber: Subscriber, secret: str) -> str:
    """The token of a link, in base64url. Raises ValueError for an empty secret: anyone could make it."""
    if not secret:
        raise ValueError("a link takes a secret that is not empty")
    parts = (subscriber.project_id, subscriber.customer_id, subscriber.category, subscriber.delivery_id)
    sealed = _cipher(secret).encrypt(msgspec.msgpack.encode(parts), None)
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def subscriber_of(token: str, secrets: Sequence[str]) -> Subscriber | None:
    """The content of a token; None where no secret proves it."""
    if len(token) > LONGEST_TOKEN or not token.isascii():
        return None
    try:
        sealed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    for secret in filter(None, secrets):
        try:
            parts = msgspec.msgpack.decode(_cipher(secret).decrypt(sealed, None), type=tuple[str, str, str, str])
        except (InvalidTag, ValueError):  # of which a damaged content is one
            continue
        return Subscriber(*parts)
    return None


@cache
def _cipher(secret: str) -> AESSIV:
    """A key of its own for this purpose, so that no other signature of the secret is one of these."""
    return AESSIV(HKDF(SHA256(), _KEY_BYTES, salt=None, info=_PURPOSE).derive(secret.encode()))
