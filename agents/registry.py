"""A Confluent-compatible schema registry over HTTP: schemas by number, numbers by subject.

Source: the Confluent Schema Registry REST API v1. Answers never change, so each is asked for once a process.
"""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from typing import Any

from schemas.errors import CannotStart, TryLater, Undecodable

_TIMEOUT = 5.0


class HttpSchemaRegistry:
    """Blocking, since it is asked a handful of times in the life of a process. `password` never appears in errors."""

    def __init__(self, url: str, username: str | None = None, password: str | None = None) -> None:
        if not url.startswith(("http://", "https://")):
            raise CannotStart(f"wire.registry_url must start with http:// or https://, got {url.split(':', 1)[0]!r}")
        self._url = url.rstrip("/")
        self._headers = {"content-type": "application/vnd.schemaregistry.v1+json"}
        if username:
            token = base64.b64encode(f"{username}:{password or ''}".encode()).decode()
            self._headers["authorization"] = f"Basic {token}"
        self._schemas: dict[int, dict[str, Any]] = {}
        self._numbers: dict[str, int] = {}

    def schema(self, number: int) -> dict[str, Any]:
        """See schemas.registry.SchemaRegistry."""
        if number not in self._schemas:
            answer = self._ask(f"/schemas/ids/{number}", unknown=f"schema number {number} is not in the registry")
            self._schemas[number] = json.loads(answer["schema"])
        return self._schemas[number]

    def number(self, subject: str, schema: dict[str, Any]) -> int:
        """See schemas.registry.SchemaRegistry."""
        if subject not in self._numbers:
            body = json.dumps({"schema": json.dumps(schema)}).encode()
            unknown = f"the registry refuses the schema of {subject}"
            try:
                answer = self._ask(f"/subjects/{subject}/versions", unknown=unknown, body=body)
            except Undecodable as error:
                raise CannotStart(str(error)) from error
            self._numbers[subject] = int(answer["id"])
        return self._numbers[subject]

    def _ask(self, path: str, *, unknown: str, body: bytes | None = None) -> dict[str, Any]:
        request = urllib.request.Request(self._url + path, data=body, headers=self._headers)  # noqa: S310 - scheme checked
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:  # noqa: S310 - scheme checked
                found: dict[str, Any] = json.load(answer)
                return found
        except urllib.error.HTTPError as error:
            if 400 <= error.code < 500 and error.code not in (401, 403, 429):
                raise Undecodable(f"{unknown} (HTTP {error.code})") from error
            raise TryLater(f"the schema registry answers HTTP {error.code}") from error
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            raise TryLater(f"the schema registry does not answer: {getattr(error, 'reason', error)}") from error
