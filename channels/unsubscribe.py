"""Links by which customers leave, and choose what they are sent: a delivery's project, customer, category and id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

from channels.codes.links import code_links
from channels.email.goodbyes import goodbye_subject
from channels.link_tokens import opened, sealed
from channels.viewed import VIEW_PATH, Viewed, view_token
from schemas.delivery import Delivery
from schemas.distribution import TRANSACTIONAL

UNSUBSCRIBE_PATH = "/unsubscribe/"
PREFERENCES_PATH = "/preferences/"
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

    def view(self, delivery: Delivery) -> str:
        """`view_url`: the page of an e-mail; empty where none is served."""
        if not self.public_url or not self.secrets:
            return ""
        token = view_token(Viewed(delivery.project_id, delivery.delivery_id), self.secrets[0])
        return f"{self.public_url.rstrip('/')}{VIEW_PATH}{token}"

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
    parts = (subscriber.project_id, subscriber.customer_id, subscriber.category, subscriber.delivery_id)
    return sealed(parts, secret, _PURPOSE)


def subscriber_of(token: str, secrets: Sequence[str]) -> Subscriber | None:
    """The content of a token; None where no secret proves it."""
    parts = opened(token, secrets, _PURPOSE)
    return Subscriber(*parts) if parts is not None and len(parts) == len(fields(Subscriber)) else None
