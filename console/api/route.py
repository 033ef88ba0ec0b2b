"""A route as it is declared: everything that decoding, refusing, describing and testing it is made from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, BinaryIO, Generic, Literal, TypeVar

import asyncpg
import msgspec
from msgspec import Meta

from agents.broker.producer import Producer
from agents.wiring import Wiring
from console.api.bodies import CSV, NDJSON
from console.control.context import ProjectContext, whole_project
from console.control.distributions import Announce
from schemas.access import Permission
from store.api_keys import KeyHolder

API = "/api/v1"
Method = Literal["GET", "PUT", "POST", "DELETE"]
MOST_BYTES = 1024 * 1024
MOST_ON_A_PAGE = 200
HANDLE_SECONDS = 30.0
"""For a request, from its body on: what waits for Postgres, Kafka or a provider for longer is told to come again."""

Name = Annotated[str, Meta(min_length=1, max_length=256)]
Cursor = Annotated[
    str, Meta(max_length=1024, description="`next` of the page before; leave it out for the first page.")
]
Limit = Annotated[int, Meta(ge=1, le=MOST_ON_A_PAGE, description="On a page, at most.")]
Moment = Annotated[str, Meta(min_length=1, max_length=64)]
"""A point of time as somebody writes it: a time, a day, or a span before now."""
Instant = Annotated[datetime, Meta(tz=True)]
"""A point of time in a reply."""
PRIVATE = {"private": True}
"""The `extra` of a field that holds somebody's address: no problem shows what was given."""
IsDryRun = Annotated[bool, Meta(description="Answer what would come of it, and change nothing.")]


class Nothing(msgspec.Struct, frozen=True, kw_only=True):
    """No parameter."""


class ById(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters of a path that names one thing."""

    id: Name


class Paged(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters of a list."""

    limit: Limit = 50
    cursor: Cursor | None = None


class Writing(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters of every change."""

    dry_run: IsDryRun = False


class Overriding(Writing, frozen=True, kw_only=True):
    """The parameters of a change of what may be managed from Git."""

    override: Annotated[bool, Meta(description="Also what is managed from Git; the audit log says so.")] = False


P = TypeVar("P", bound=msgspec.Struct)
Q = TypeVar("Q", bound=msgspec.Struct)
B = TypeVar("B")


@dataclass(frozen=True, slots=True)
class Call(Generic[P, Q, B]):
    """One request, decoded and allowed: who asks and when, for which project, and what."""

    holder: KeyHolder
    now: datetime
    wiring: Wiring
    pool: asyncpg.Pool
    announce: Announce
    producer: Callable[[], Producer]
    path: P
    query: Q
    body: B
    if_match: str | None = None
    if_none_match: str | None = None

    @property
    def project_id(self) -> str:
        """The project of the key: no request reaches another."""
        return self.holder.project_id

    @property
    def actor(self) -> str:
        """Whoever is named as the one who did it."""
        return f"key:{self.holder.name}"

    async def project(self) -> ProjectContext:
        """The project with its document and the accounts that are its own. Raises TryLater."""
        return await whole_project(self.pool, self.wiring.settings, self.project_id)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: one of those that the route declares.

    `shown_once` stands in place of `value` for whoever asks first, and is kept nowhere: it has a secret in it.
    `file` is an open one, at its end, that is sent in place of `value`.
    """

    value: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    shown_once: Any = field(default=None, repr=False)
    file: BinaryIO | None = field(default=None, repr=False)


Handler = Callable[[Call[Any, Any, Any]], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class DocumentBody:
    """A body that is a document as authors write it: `kind` names it, its schema is that which editors are told."""

    kind: Literal["brand", "campaign", "distribution", "project", "segment"]


@dataclass(frozen=True, slots=True)
class EventsBody:
    """A body that is one event, or a list of them, as the topics have them."""

    most: int


@dataclass(frozen=True, slots=True)
class ProfilesBody:
    """A body that is one customer's profile, or a list of them where it may be `most`, as the topic has them."""

    most: int | None = None


@dataclass(frozen=True, slots=True)
class AccountBody:
    """A body that is fields of an account, as its channel has them: no problem shows a value of one that is secret."""


@dataclass(frozen=True, slots=True)
class CsvBody:
    """A body that is a CSV file; `said` is what its lines are. `or_json`: it may be one JSON object a line instead.

    It comes as an `Upload`, as many bytes as the settings allow; no process has all of it in memory.
    """

    said: str
    or_json: bool = False

    @property
    def types(self) -> tuple[str, ...]:
        """The media types that it may have."""
        return (CSV, NDJSON) if self.or_json else (CSV,)


Body = type[msgspec.Struct] | AccountBody | CsvBody | DocumentBody | EventsBody | ProfilesBody


@dataclass(frozen=True, slots=True)
class Route:
    """One method at one path. `examples` are a path's, a query's and a body's, which are tried by tests.

    `etag`: the reply to a GET says which version it is, and a change is refused where that is no longer the newest.
    `is_safe` is said of one that changes nothing although it has a body. `seconds` is how long it may take.
    """

    method: Method
    path: str
    permission: Permission
    summary: str
    handler: Handler
    replies: Mapping[int, Any]
    path_type: type[msgspec.Struct] = Nothing
    query_type: type[msgspec.Struct] = Nothing
    body: Body | None = None
    etag: bool = False
    most_bytes: int = MOST_BYTES
    path_example: Mapping[str, Any] = field(default_factory=dict)
    body_example: Any = None
    is_safe: bool = False
    seconds: float = HANDLE_SECONDS

    @property
    def writes(self) -> bool:
        """True of a route that changes something, and so takes `dry_run`."""
        return self.method != "GET" and not self.is_safe

    @property
    def name(self) -> str:
        """As metrics, logs and the description name it, as in put_distributions_id."""
        steps = [step.strip("{}").replace("-", "_") for step in self.path.split("/") if step]
        return "_".join([self.method.lower(), *steps])

    @property
    def example(self) -> str:
        """Its path with the example's values."""
        return API + self.path.format(**self.path_example)
