"""A channel before its fake, as the laws of all channels need it. Each channel's own test file has one: `CASE`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol

from channels.contract import AnyChannel
from channels.fakes.http import Reply
from schemas.delivery import Delivery
from schemas.receipt import Receipt
from schemas.template import StoredTemplate


class Fake(Protocol):
    """A provider on loopback. `ids` are the deliveries that it took, one entry each time."""

    @property
    def port(self) -> int: ...

    @property
    def ids(self) -> list[str]: ...

    async def start(self, port: int = 0) -> None: ...

    async def stop(self) -> None: ...


_LOGINS = ("login", "_login", "_proof", "_key", "_token")
"""Fakes keep under one of these what they let in."""


@contextmanager
def revoked(*fakes: Any) -> Iterator[None]:
    """Have them let nobody in meanwhile, each as its provider would."""
    known = [(fake, name, getattr(fake, name)) for fake in fakes for name in _LOGINS if hasattr(fake, name)]
    for fake, name, login in known:
        setattr(fake, name, ("nobody", "knows") if isinstance(login, tuple) else type(login)())
    try:
        yield
    finally:
        for fake, name, login in known:
            setattr(fake, name, login)


@dataclass(frozen=True, slots=True)
class Answer:
    """The next answer of a fake, and the kind of receipt that it makes. `retry_after` where it names a wait."""

    prepare: Callable[[Any], None]
    kind: type[Receipt]
    retry_after: float | None = None


class ChannelCase(Protocol):
    """One channel. `secrets` are those of its account; `names` are the customer's, in what `delivery` makes.

    `account` is one as somebody wrote it.
    """

    name: str
    secrets: tuple[str, ...]
    names: tuple[str, ...]
    account: Any
    template: StoredTemplate | None
    answers: Mapping[str, Answer]
    """By what they are called here: each row of the provider's table, the unknown and the hostile."""
    kept: tuple[str, ...]
    """Names of all that its fake keeps of messages, as its provider would."""
    is_untrusted: type[Receipt]
    """The receipt where a server's certificate is not trusted."""

    def fake(self) -> Fake:
        """One that behaves."""

    def slow(self, fake: Any, seconds: float) -> None:
        """Have it read whole messages and answer that much later."""

    def channel(self, fake: Fake) -> AnyChannel:
        """The channel as it is set up for that fake."""

    def delivery(self, fake: Fake) -> Delivery:
        """A message to a customer, over that fake."""

    def key(self, delivery: Delivery) -> str:
        """The part of a request by which its provider knows it again: here, the delivery's id.

        Of what is idempotent by nature, the one whom it is about.
        """
        return delivery.delivery_id

    def elsewhere(self, host: str, port: int, *, tls: bool) -> tuple[AnyChannel, Delivery]:
        """The same to a server that is not one of its fakes."""

    def sent(self, request: Any) -> bytes:
        """All that a request puts on the wire, without what an attempt adds."""


class HttpCase(ChannelCase):
    """A channel over HTTP before a fake of `channels/fakes/http.py`."""

    def slow(self, fake: Any, seconds: float) -> None:
        fake.usually = replace(fake.usually, delay=seconds)

    def sent(self, request: Any) -> bytes:
        written: bytes = request.url.encode() + repr(dict(request.headers)).encode() + request.body
        return written


def says(status: int, kind: type[Receipt], body: bytes = b"", **how: Any) -> Answer:
    """The next answer of such a fake."""
    return Answer(lambda fake: fake.replies.append(Reply(status, body=body, **how)), kind)
