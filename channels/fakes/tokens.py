"""A token endpoint of OAuth 2 on loopback: gives a new access token for a grant that it knows, or says why not."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import parse_qs

import msgspec
from aiohttp import web

from channels.fakes.http import HttpFake, Reply


class TokenEndpointFake(HttpFake):
    """Knows one client and one refresh token; `asked` are the forms that came, `given` the tokens that it gave.

    `rotates`: each answer has another refresh token, which is taken as well. `lasts` is the life of a token in seconds.
    `given_to` are sets that learn each token, as a mail server would.
    """

    path = "/token"

    def __init__(self, client: tuple[str, str] = ("client", "client-secret")) -> None:
        super().__init__()
        self._client = client
        self.refresh_tokens = {"refresh-1"}
        self.rotates, self.lasts = False, 3600
        self.asked: list[dict[str, str]] = []
        self.given: list[str] = []
        self.given_to: list[set[str]] = []
        self.token_bytes = 20

    def message_id(self, request: web.Request, body: bytes) -> str:
        """See `HttpFake`: it is about no delivery."""
        return ""

    def refusal(self, request: web.Request, body: bytes) -> HTTPStatus | None:
        """See `HttpFake`."""
        if (request.method, request.path) != ("POST", self.path):
            return HTTPStatus.NOT_FOUND
        return None

    def answered(self, request: web.Request, body: bytes, reply: Reply) -> tuple[Reply, list[str]]:
        """See `HttpFake`."""
        asked = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        self.asked.append(asked)
        if (asked.get("client_id"), asked.get("client_secret", "")) != self._client:
            return _refused(401, "invalid_client", f"not {asked.get('client_secret')}"), []
        if asked.get("grant_type") == "refresh_token" and asked.get("refresh_token") not in self.refresh_tokens:
            return _refused(
                400, "invalid_grant", f"Token {asked.get('refresh_token')} has been expired or revoked."
            ), []
        return Reply(200, body=msgspec.json.encode(self._answer())), []

    def _answer(self) -> dict[str, object]:
        token = f"access-{len(self.given) + 1}-".ljust(self.token_bytes, "x")
        self.given.append(token)
        for known in self.given_to:
            known.add(token)
        answer: dict[str, object] = {"access_token": token, "token_type": "Bearer", "expires_in": self.lasts}
        if self.rotates:
            answer["refresh_token"] = f"refresh-{len(self.given) + 1}"
            self.refresh_tokens.add(str(answer["refresh_token"]))
        return answer


def _refused(status: int, error: str, why: str) -> Reply:
    return Reply(status, body=msgspec.json.encode({"error": error, "error_description": why}))
