"""A Confluent-compatible schema registry over HTTP: schemas by number, numbers by subject.

Source: the Confluent Schema Registry REST API v1. Answers never change, so each is asked for once a process.
"""

from __future__ import annotations

import base64
import http.client
import json
import threading
import time
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import quote

from schemas.errors import Asking, CannotStart, TidingsError, TryLater, Undecodable
from schemas.wire.registry import AVRO, RegisteredSchema

_TIMEOUT = 5.0
_ANSWER_SECONDS = 15.0
"""A question that is under way for longer counts as not answered."""
_UNKNOWN_SECONDS = 10.0
"""For so long a number that the registry does not know is not asked for again."""
_MOST_REFERENCES, _MOST_WORDS = 200, 500
_NOT_FOUND = range(40400, 40500)
"""`error_code` of what a registry does not have; a 404 without one comes from something else at that address."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The password must not follow to another host."""

    def redirect_request(self, *_: Any) -> None:
        """Never."""


class HttpSchemaRegistry:
    """Blocking; `RegistryAside` is for whoever must not wait. `password` never appears in errors."""

    def __init__(self, url: str, username: str | None = None, password: str | None = None) -> None:
        if not url.startswith(("http://", "https://")):
            raise CannotStart(f"wire.registry_url must start with http:// or https://, got {url.split(':', 1)[0]!r}")
        self._url = url.rstrip("/")
        self._headers = {"content-type": "application/vnd.schemaregistry.v1+json"}
        if username:
            token = base64.b64encode(f"{username}:{password or ''}".encode()).decode()
            self._headers["authorization"] = f"Basic {token}"
        self._open = urllib.request.build_opener(_NoRedirects).open
        self.known: dict[int, RegisteredSchema] = {}
        self._numbers: dict[str, int] = {}

    def schema(self, number: int) -> RegisteredSchema:
        """See schemas.wire.registry.SchemaRegistry."""
        if number not in self.known:
            answer = self._ask(f"/schemas/ids/{number}", unknown=_unknown(number))
            kind = str(answer.get("schemaType") or AVRO)
            if kind != AVRO:
                self.known[number] = RegisteredSchema(kind)
            else:
                references: dict[tuple[str, int], Any] = {}
                self._collect(answer, f"schema number {number}", references)
                self.known[number] = RegisteredSchema(kind, _parsed(answer), tuple(references.values()))
        return self.known[number]

    def check(self) -> str:
        """The kinds of schema that it knows, to see whether it answers. Raises TryLater."""
        return ", ".join(map(str, self._answer("/schemas/types")))

    def _collect(self, answer: dict[str, Any], whose: str, found: dict[tuple[str, int], Any]) -> None:
        """Add what a schema refers to, each after what that refers to in turn."""
        for reference in answer.get("references") or ():
            subject, version = str(reference["subject"]), int(reference["version"])
            if (subject, version) in found:
                continue
            if len(found) >= _MOST_REFERENCES:
                raise Undecodable(f"{whose} refers to more than {_MOST_REFERENCES} others")
            unknown = f"{whose} refers to {subject} version {version}, which is not in the registry"
            referred = self._ask(f"/subjects/{quote(subject, safe='')}/versions/{version}", unknown=unknown)
            found[subject, version] = None  # in a ring of references the first comes last
            self._collect(referred, f"{subject} version {version}", found)
            del found[subject, version]
            found[subject, version] = _parsed(referred)

    def number(self, subject: str, schema: dict[str, Any]) -> int:
        """See schemas.wire.registry.SchemaRegistry."""
        if subject not in self._numbers:
            body = json.dumps({"schema": json.dumps(schema)}).encode()
            try:
                answer = self._ask(f"/subjects/{quote(subject, safe='')}/versions", body=body)
            except Undecodable as error:
                raise CannotStart(f"the registry refuses the schema of {subject}: {error}") from error
            self._numbers[subject] = int(answer["id"])
        return self._numbers[subject]

    def _ask(self, path: str, *, unknown: str = "", body: bytes | None = None) -> dict[str, Any]:
        """The answer. Raises Undecodable where the registry has not got it, TryLater for whatever else is wrong."""
        found = self._answer(path, unknown, body)
        if not isinstance(found, dict):
            raise TryLater("what answers at wire.registry_url is not a schema registry", what=_WHAT)
        return found

    def _answer(self, path: str, unknown: str = "", body: bytes | None = None) -> Any:
        request = urllib.request.Request(self._url + path, data=body, headers=self._headers)  # noqa: S310 - scheme checked
        try:
            with self._open(request, timeout=_TIMEOUT) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            code, words = _words_of(error)
            if (code in _NOT_FOUND) if body is None else error.code in (409, 422):
                raise Undecodable(f"{unknown or words} (HTTP {error.code})") from error
            raise TryLater(f"the schema registry answers HTTP {error.code}{_hint(error.code)}", what=_WHAT) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            said = getattr(error, "reason", error)
            raise TryLater(
                f"the schema registry does not answer: {said or type(error).__name__}", what=_WHAT
            ) from error


_WHAT = "schema registry"


def _parsed(answer: dict[str, Any]) -> Any:
    try:
        return json.loads(answer["schema"])
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise Undecodable(f"a schema of the registry is not JSON: {type(error).__name__}") from error


def _unknown(number: int) -> str:
    said = f"schema number {number} is not in the registry"
    return said if number else f"{said}; a number of eight bytes begins like that: have it written in four"


def _words_of(error: urllib.error.HTTPError) -> tuple[int, str]:
    """The code and the beginning of the words of an answer; 0 and its status where it is of something else."""
    try:
        answer = json.load(error)
        code, said = answer.get("error_code", 0), answer.get("message")
    except (OSError, http.client.HTTPException, ValueError, AttributeError):
        code, said = 0, None
    return code if isinstance(code, int) else 0, str(said or error.reason)[:_MOST_WORDS]


def _hint(status: int) -> str:
    if status in (401, 403):
        return "; check wire.registry_username and wire.registry_password"
    if status == 404 or 300 <= status < 400:
        return "; check wire.registry_url"
    return ""


class RegistryAside:
    """The same registry for a loop that must not be held: what is not known yet is asked for in a thread.

    Until its answer is there, each number raises Asking by itself; records with other schemas go on.
    """

    def __init__(self, registry: HttpSchemaRegistry) -> None:
        self._registry = registry
        self.number = registry.number
        self._asked: dict[int, float] = {}
        self._errors: dict[int, tuple[float, TidingsError]] = {}

    def schema(self, number: int) -> RegisteredSchema:
        """See schemas.wire.registry.SchemaRegistry."""
        known = self._registry.known.get(number)
        if known is not None:
            return known
        until, error = self._errors.get(number, (0.0, None))
        if error is not None:
            if isinstance(error, TryLater):
                del self._errors[number]
                raise error
            if time.monotonic() < until:
                raise error
            del self._errors[number]
        since = self._asked.get(number)
        if since is None:
            self._asked[number] = time.monotonic()
            threading.Thread(target=self._ask, args=(number,), name="schema-registry", daemon=True).start()
        elif time.monotonic() - since > _ANSWER_SECONDS:
            raise TryLater(f"the schema registry has not answered for schema {number} yet", what=_WHAT)
        raise Asking(f"schema {number} is being asked for", what=_WHAT)

    def _ask(self, number: int) -> None:
        """In the thread. Whatever goes wrong is an answer, or the number would be asked for no more."""
        try:
            self._registry.schema(number)
        except TidingsError as error:
            self._errors[number] = time.monotonic() + _UNKNOWN_SECONDS, error
        except Exception as error:
            said = Undecodable(f"schema {number} of the registry cannot be used: {type(error).__name__}")
            self._errors[number] = time.monotonic() + _UNKNOWN_SECONDS, said
        finally:
            self._asked.pop(number, None)
