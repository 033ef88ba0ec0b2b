"""The log of an endpoint: its last calls, the newest first."""

from __future__ import annotations

from urllib.parse import urlsplit

from console.control.not_found import not_found
from schemas.channels.webhook import endpoint_account
from store.sending.endpoint_calls import EndpointCalls, LoggedCall

_ACCOUNT = "webhook/"


def endpoint_of(written: str) -> str:
    """The endpoint that somebody names: its host and port, its account, or an address of it."""
    host = urlsplit(written).netloc if "://" in written else written.removeprefix(_ACCOUNT)
    return endpoint_account(host.rpartition("@")[2])


async def newest(
    store: EndpointCalls, project_id: str, written: str, limit: int, *, delivery: str | None, is_refused: bool
) -> list[LoggedCall]:
    """Its last calls. Raises NotFound for an endpoint that no call is kept of, with those that there are."""
    endpoint = endpoint_of(written)
    found = await store.newest(project_id, endpoint, limit, delivery=delivery, is_refused=is_refused)
    if not found and endpoint not in (known := await store.endpoints(project_id)):
        raise not_found("endpoint", endpoint, known)
    return found
