"""The file that would be `channels/fakes/toy.py`."""

from __future__ import annotations

from http import HTTPStatus

from aiohttp import web

from channels.fakes.http import HttpFake, Reply


class ToyFake(HttpFake):
    """Lets in who has the token, and takes a message once, whatever comes of its answer."""

    path = "/texts"

    def __init__(self, token: str) -> None:
        super().__init__()
        self._token = token
        self.usually = Reply(body=b'{"id": "toy-1"}')

    def message_id(self, request: web.Request, body: bytes) -> str:
        """See `HttpFake`."""
        return request.headers.get("idempotency-key", "")

    def refusal(self, request: web.Request, body: bytes) -> HTTPStatus | None:
        """See `HttpFake`."""
        is_known = request.headers.get("authorization") == f"Bearer {self._token}"
        return None if is_known else HTTPStatus.UNAUTHORIZED
