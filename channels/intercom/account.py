"""An account of Intercom: whose token it is, and which attributes its workspace has."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import msgspec

from channels.contract import AccountCheck, shortened
from channels.http.transport import Reply
from channels.intercom.contacts import Ask
from channels.intercom.request import IntercomRequest
from schemas.channels.intercom import IntercomAccountForm
from schemas.known_fields import FieldKind, KnownField, KnownFields
from schemas.names import did_you_mean
from schemas.receipt import Receipt, Refused

ME = "/me"
_KEPT_SECONDS = 60.0
_OK = 200
_KINDS: Mapping[str | None, FieldKind] = {
    "string": "text",
    "integer": "number",
    "float": "number",
    "boolean": "boolean",
    "date": "moment",
}


class _App(msgspec.Struct):
    id_code: str
    name: str | None = ""


class _Me(msgspec.Struct):
    id: str
    app: _App


class _Attribute(msgspec.Struct):
    name: str
    custom: bool | None = False
    api_writable: bool | None = True
    data_type: str | None = None

    @property
    def known(self) -> KnownField:
        """The attribute as an author writes it."""
        name = f"date({self.name})" if self.data_type == "date" else self.name
        return KnownField(name, _KINDS.get(self.data_type, "any"))


class _Attributes(msgspec.Struct):
    data: list[_Attribute]


class _Said(msgspec.Struct):
    custom_attributes: dict[str, object]


class AttributeNames:
    """The attributes of each account's workspace: asked for where something was refused, once a minute at most."""

    path = "/data_attributes?model=contact"

    def __init__(self) -> None:
        self._names: dict[tuple[str, str], tuple[float, tuple[str, ...]]] = {}

    async def explained(self, request: IntercomRequest, said: bytes, refused: Refused, ask: Ask) -> Refused:
        """A refusal with the names that there are not, where that is why."""
        names = await self._of(request, ask)
        wanted = msgspec.json.decode(said, type=_Said).custom_attributes
        unknown = [name for name in wanted if name not in names]
        if not names or not unknown:
            return refused
        hint = did_you_mean(unknown[0], names)
        return Refused(
            shortened(f"Intercom has no attribute {', '.join(unknown)}.{hint} There are: {', '.join(names)}")
        )

    async def _of(self, request: IntercomRequest, ask: Ask) -> tuple[str, ...]:
        key = request.project_id, request.account
        until, names = self._names.get(key, (0.0, ()))
        if time.monotonic() >= until:
            names = tuple(one.name for one in _listed(await ask("GET", self.path, b"")) or ())
            self._names[key] = time.monotonic() + _KEPT_SECONDS, names
        return names


def checked(form: IntercomAccountForm, me: Reply, listed: Reply | Receipt) -> AccountCheck:
    """The state of an account by the answers to whose it is, and what attributes there are."""
    found, attributes = msgspec.json.decode(me.body, type=_Me), _listed(listed)
    whose = f"the token is that of admin {found.id} in {found.app.name or 'a workspace'} (app_id {found.app.id_code})"
    if form.app_id and form.app_id != found.app.id_code:
        return AccountCheck(False, f"{whose}, and not in app_id {form.app_id}")
    if attributes is None:
        return AccountCheck(True, f"{whose}; its attributes cannot be read, for which it needs to read data attributes")
    known = KnownFields(tuple(one.known for one in attributes), "attribute")
    return AccountCheck(True, f"{whose}; attributes: {', '.join(known.names) or 'none of its own'}", known)


def _listed(answer: Reply | Receipt) -> Sequence[_Attribute] | None:
    """Attributes that may be set, by name; None where they cannot be read."""
    if not isinstance(answer, Reply) or answer.status != _OK:
        return None
    try:
        there = msgspec.json.decode(answer.body, type=_Attributes).data
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    usable = [one for one in there if one.custom and one.api_writable is not False]
    return sorted(usable, key=lambda one: one.name)
