"""The other forms in which upstream may send an event, made into ours.

- *Ours*: what has `id`, `project_id`, a trigger's `type`, `created_at` and `data` is taken as it is, before all else.
- *CloudEvents 1.0, structured*: a JSON object with `specversion`; `time` is when it happened, `data` our data.
- *CloudEvents 1.0, binary*: record headers `ce_specversion`, `ce_id`, `ce_type`, `ce_time`; the value is our data.
- *A webhook of the old system*: what happened stands inside `event`; its own `type` is a free name and says nothing.

`id` is taken alone, so it has to be unique in the project, not only at its `source`. `type` is a trigger's, with any
labels before it, as in `com.example.customer.order.paid`. The project is the attribute `projectid` or `project_id`,
else the configured one. An event in another form pays for its reading; one of ours does not.

Sources: CloudEvents 1.0.2, "Context Attributes" and "JSON Event Format"; its Kafka protocol binding, section 3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from schemas.errors import InvalidEvent
from schemas.events.triggers import TRIGGERS
from schemas.record import JsonObject

Headers = Iterable[tuple[str, bytes | None]]

_OURS = frozenset(("id", "project_id", "created_at", "data"))
_PREFIX = "ce_"
_CONTENT_TYPE = "content-type"
_ATTRIBUTES = ("id", "type", "time")
_READ = (*_ATTRIBUTES, "specversion", "datacontenttype", "projectid", "project_id")


def unwrapped(decoded: JsonObject, headers: Headers, project_id: str) -> JsonObject:
    """A decoded record as an event of ours, or as it came where it is in none of the forms.

    `project_id` is the configured one. Raises InvalidEvent for a CloudEvent that lacks what an event needs.
    """
    kind = decoded.get("type")
    if isinstance(kind, str) and kind in TRIGGERS and decoded.keys() >= _OURS:
        return decoded
    if "specversion" in decoded:
        return _from_cloud_event(decoded, _structured_data(decoded), project_id)
    attributes = _attributes(headers)
    if "specversion" in attributes:
        return _from_cloud_event(attributes, decoded, project_id)
    inner = decoded.get("event")
    if isinstance(inner, Mapping) and "type" in inner and "data" in decoded:
        return _from_old_webhook(decoded, inner, project_id)
    return decoded


def trigger_type(name: object) -> object:
    """The trigger's type that a name ends with, after a dot; the name itself where it ends with none."""
    rest = name.lower() if isinstance(name, str) else ""
    while rest and rest not in TRIGGERS:
        rest = rest.partition(".")[2]
    return rest or name


def _from_cloud_event(attributes: Mapping[str, Any], data: Any, project_id: str) -> JsonObject:
    version = attributes["specversion"]
    if version != "1.0":
        raise InvalidEvent(f"CloudEvents {str(version)[:20]!r} is not read here; 1.0 is", path="specversion")
    for name in _ATTRIBUTES:
        if attributes.get(name) is None:
            raise InvalidEvent(f"the CloudEvent lacks {name}; it needs {', '.join(_ATTRIBUTES)}", path=name)
    _check_content_type(attributes.get("datacontenttype"))
    project = attributes.get("projectid") or attributes.get("project_id") or project_id
    return _event(attributes["id"], project, attributes["type"], attributes["time"], data)


def _structured_data(decoded: JsonObject) -> Any:
    if "data_base64" in decoded:
        raise InvalidEvent("the CloudEvent has data_base64; it has to be a JSON object in data", path="data")
    if not isinstance(decoded.get("data"), Mapping):
        raise InvalidEvent("the CloudEvent lacks data: a JSON object with the objects of its type", path="data")
    return decoded["data"]


def _check_content_type(content_type: object) -> None:
    bare = str(content_type or "application/json").partition(";")[0].strip().lower()
    if bare not in ("application/json", "text/json") and not bare.endswith("+json"):
        raise InvalidEvent(
            f"the CloudEvent's data is {bare[:60]}; application/json is read here", path="datacontenttype"
        )


def _attributes(headers: Headers) -> dict[str, str]:
    """The attributes in the headers of a record in binary mode; of several with one name the last, as Kafka has it.

    A header without a value does not count. What is not text is refused only where it would be taken for something.
    """
    found = {}
    for name, value in headers:
        attribute = "datacontenttype" if name == _CONTENT_TYPE else name.removeprefix(_PREFIX)
        if value is not None and attribute in _READ and (name == _CONTENT_TYPE or name.startswith(_PREFIX)):
            found[attribute] = value
    return {attribute: _text(value, attribute) for attribute, value in found.items()} if "specversion" in found else {}


def _text(value: bytes, attribute: str) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise InvalidEvent(f"the header {_PREFIX}{attribute} is not UTF-8", path=attribute) from error


def _from_old_webhook(envelope: JsonObject, inner: Mapping[str, Any], project_id: str) -> JsonObject:
    """An event of the inner one's fields, and the envelope's where it lacks some."""
    identity, moment = inner.get("id") or envelope.get("id"), inner.get("created_at") or envelope.get("created_at")
    return _event(identity, envelope.get("project_id") or project_id, inner["type"], moment, envelope["data"])


def _event(identity: Any, project_id: Any, name: Any, moment: Any, data: Any) -> JsonObject:
    return {"id": identity, "project_id": project_id, "type": trigger_type(name), "created_at": moment, "data": data}
