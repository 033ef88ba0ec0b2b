"""Klaviyo on loopback: takes what its reference allows, ignores an event that it has had, and subscribes nobody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web

from channels.fakes.http import HttpFake, Reply

REVISION = "2026-10-15"
MOST_PROPERTIES = 400
_OPT_OUT = "x-klaviyo-revision-fall-forward-opt-out"
_JSON_API = "application/vnd.api+json"
_NAMES = ("external_id", "email", "phone_number", "id", "anonymous_id")
_TAKEN = {"/api/profile-import": 201, "/api/events": 202}
_PROFILE_JOBS, _EVENT_JOBS = "/api/profile-bulk-import-jobs", "/api/event-bulk-create-jobs"
_MOST = {_PROFILE_JOBS: ("profiles", 10_000), _EVENT_JOBS: ("events-bulk-create", 1000)}
_MOST_BYTES = 5_000_000


class KlaviyoFake(HttpFake):
    """Lets in who has the key and names the revision. `profiles` by external id, `events` by `unique_id`.

    `invalid` are values that it does not want anywhere, `invalid_late` those that a job refuses as it is worked off,
    once it was asked for it `looks` times; `names_whom` it refused. `jobs` are the errors of each. `subscribed` counts
    calls that would lift a suppression.
    """

    path = ""

    def __init__(self, api_key: str) -> None:
        super().__init__()
        self._key = api_key
        self.invalid: set[str] = set()
        self.profiles: dict[str, dict[str, Any]] = {}
        self.events: dict[str, dict[str, Any]] = {}
        self.subscribed = 0
        self.invalid_late: set[str] = set()
        self.looks, self.names_whom = 0, True
        self.jobs: list[list[dict[str, Any]]] = []

    def message_id(self, request: web.Request, body: bytes) -> str:
        """See `HttpFake`: an event has a key, a profile is known by its own id."""
        attributes = _attributes(body)
        return str(attributes.get("unique_id") or attributes.get("external_id") or "")

    def refusal(self, request: web.Request, body: bytes) -> HTTPStatus | None:
        """See `HttpFake`."""
        if "subscription" in request.path:
            self.subscribed += 1
            return HTTPStatus.NOT_FOUND
        if request.headers.get("authorization") != f"Klaviyo-API-Key {self._key}":
            return HTTPStatus.UNAUTHORIZED
        if (
            request.headers.get("revision") != REVISION
            or "x-klaviyo-revision-fall-forward-opt-out" not in request.headers
        ):
            return HTTPStatus.GONE
        if (request.method, request.path) == ("GET", "/api/accounts"):
            return None
        if request.method == "GET" and request.path.startswith(f"{_PROFILE_JOBS}/"):
            return None
        if request.method != "POST" or request.path not in {**_TAKEN, **_MOST}:
            return HTTPStatus.NOT_FOUND
        return None if request.content_type == _JSON_API else HTTPStatus.UNSUPPORTED_MEDIA_TYPE

    def answered(self, request: web.Request, body: bytes, reply: Reply) -> tuple[Reply, Sequence[str]]:
        """See `HttpFake`."""
        if request.path.startswith(f"{_PROFILE_JOBS}/"):
            return self._job(request.path.removeprefix(f"{_PROFILE_JOBS}/")), []
        if request.method == "GET":
            about = {"contact_information": {"organization_name": "The Shop"}}
            return _data([{"type": "account", "id": "AbC123", "attributes": about}]), []
        if reply.body:
            return reply, [self.message_id(request, body)]
        attributes = _attributes(body)
        if request.path in _MOST:
            return self._many(request.path, attributes, len(body))
        wrong = self._wrong(request.path, attributes)
        if wrong:
            return _errors(*wrong), []
        if request.path == "/api/events":
            self.events.setdefault(attributes["unique_id"], attributes)
            self._keep(attributes["profile"]["data"]["attributes"])
        else:
            self._keep(attributes)
        return Reply(_TAKEN[request.path], body=b"{}"), [self.message_id(request, body)]

    def _many(self, path: str, attributes: Mapping[str, Any], size: int) -> tuple[Reply, Sequence[str]]:
        name, most = _MOST[path]
        if size > _MOST_BYTES:
            return Reply(413), []
        ones = [_single(path, one["attributes"]) for one in attributes[name]["data"]]
        single = "/api/profile-import" if path == _PROFILE_JOBS else "/api/events"
        wrong = [(index, found) for index, one in enumerate(ones) if (found := self._wrong(single, one))]
        if wrong or len(ones) > most:
            at = f"/data/attributes/{name}/data"
            errors = [_error(f"{at}/{index}{where.removeprefix('/data')}", said) for index, (where, said) in wrong]
            return _problem(errors or [_error(at, f"At most {most}.")]), []
        late = [index for index, one in enumerate(ones) if self.invalid_late & set(map(str, one.values()))]
        for index, one in enumerate(ones):
            if path == _EVENT_JOBS:
                self.events.setdefault(one["unique_id"], one)
            profile = one if path == _PROFILE_JOBS else one["profile"]["data"]["attributes"]
            if index not in late:
                self._keep(profile)
        self.jobs.append([_error(f"/data/attributes/{name}/data/{index}/attributes", "Refused.") for index in late])
        taken = [str(one.get("unique_id") or one.get("external_id")) for one in ones]
        told = self._job(str(len(self.jobs))).body if path == _PROFILE_JOBS else b""
        return Reply(202, body=told), taken

    def _job(self, path: str) -> Reply:
        job, _, listed = path.partition("/")
        errors = self.jobs[int(job) - 1]
        if listed:
            shown = errors if self.names_whom else []
            return _data([{"type": "import-error", "id": "e", "attributes": one} for one in shown])
        is_done = self.looks < 0
        self.looks -= 1
        status = {"status": "complete" if is_done else "processing", "failed_count": len(errors) if is_done else 0}
        return _data({"type": "profile-bulk-import-job", "id": job, "attributes": {**status, "total_count": 1}})

    def _keep(self, profile: Mapping[str, Any]) -> None:
        self.profiles.setdefault(str(profile.get("external_id")), {}).update(profile.get("properties", {}))

    def _wrong(self, path: str, attributes: Mapping[str, Any]) -> tuple[str, str] | None:
        """The place and the words of what is wrong, as JSON:API has them; None for what is taken."""
        at, profile = "/data/attributes", attributes
        if path == "/api/events":
            needed = [name for name in ("metric", "profile", "properties", "unique_id") if name not in attributes]
            if needed:
                return f"{at}/{needed[0]}", "This field is required."
            if len(attributes["properties"]) > MOST_PROPERTIES:
                return f"{at}/properties", f"At most {MOST_PROPERTIES} properties."
            at, profile = f"{at}/profile/data/attributes", attributes["profile"]["data"]["attributes"]
        if not any(profile.get(name) for name in _NAMES):
            return at, "One of email, phone_number, external_id is required."
        unwanted = next((name for name, value in profile.items() if str(value) in self.invalid), None)
        return None if unwanted is None else (f"{at}/{unwanted}", f"Invalid {unwanted}.")


def _attributes(body: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(body)["data"]["attributes"]
    except (msgspec.DecodeError, LookupError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def _data(data: object) -> Reply:
    return Reply(200, body=msgspec.json.encode({"data": data}))


def _single(path: str, one: Mapping[str, Any]) -> dict[str, Any]:
    """An object of a job as it would be alone."""
    if path == _PROFILE_JOBS:
        return dict(one)
    (event,) = one["events"]["data"]
    return {**event["attributes"], "profile": one["profile"]}


def _errors(pointer: str, detail: str) -> Reply:
    return _problem([_error(pointer, detail)])


def _error(pointer: str, detail: str) -> dict[str, Any]:
    source = {"pointer": pointer}
    return {"status": 400, "code": "invalid", "title": "Invalid input.", "detail": detail, "source": source}


def _problem(errors: Sequence[Mapping[str, Any]]) -> Reply:
    return Reply(400, body=msgspec.json.encode({"errors": errors}))
