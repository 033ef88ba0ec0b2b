"""The step of channels: what goes out over which, through whose account, and to whom it may."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from console.control.document_edit import GONE
from console.control.document_texts import written
from console.control.preview.offered import OfferedGroup, offered
from console.control.preview.variables import every_variable
from console.control.preview.variables import variables as objects_of
from console.web.builder import payload_form
from console.web.builder.asked import Asked
from console.web.builder.begin import action_of, trigger_of
from console.web.builder.fields import Bound, Holds, Place, changes
from console.web.builder.known import Known
from console.web.builder.payload import Entry
from console.web.builder.records import CHOOSE, Button, Section, Takes
from schemas.closed import ChannelOrder, Reach, members
from schemas.distribution import TRANSACTIONAL
from streams.channels.tables import CHANNEL_RULES
from streams.documents.distribution_kinds import keys_of
from streams.documents.offers import why_not_offered
from streams.values.kinds import Key

_FIRST = ("account", "subject", "template", "text", "url", "type", "event")
_LONG = ("text", "html")
_LABELS: Mapping[str, str] = {"url": "Address", "html": "HTML", "utm": "UTM", "type": "Type of the envelope"}
_HOLDS: Mapping[str, Holds] = {"string": "text", "integer": "number", "boolean": "flag"}
_TEMPLATE = ", a template"
_LINK = re.compile(r"\s*\(\[[^\]]*\]\([^)]*\)\)|`")
_ORDERS: Mapping[ChannelOrder, str] = {
    "all": "over all of them at once", "first_available": "over the first that can be used",
}  # fmt: skip
_NEEDED = "transactional: the customer has to get it, and needs no consent for it"


def channels_of(values: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The channels of a document, each with its name; an empty name for one that is not written as one."""
    written_ones = values.get("channels")
    found = []
    for one in written_ones if isinstance(written_ones, list) else ():
        is_one = isinstance(one, Mapping) and len(one) == 1
        name, body = next(iter(one.items())) if is_one else ("", one)
        found.append((name if name in CHANNEL_RULES and isinstance(body, Mapping) else "", one))
    return found


def sections(asked: Asked, known: Known) -> list[Section]:
    """The consent, each channel, and those that may be added."""
    values = asked.values
    made = [Section("Marketing permission", tuple(one.field(values) for one in _consent(known) if one.fits(values)))]
    found = channels_of(values)
    for number, (name, source) in enumerate(found):
        remove = Button(f"remove:{number}", "", f"Take {name or 'this channel'} out")
        if not name:
            hint = "This is not a channel as the form knows it: change it in the YAML."
            made.append(Section(f"{number + 1}.", hint=hint, kept=written(source), remove=remove))
            continue
        made.append(_channel(asked, number, name, known, remove))
    if len(found) > 1:
        made.append(Section("Together", tuple(one.field(values) for one in _together() if one.fits(values))))
    return [*made, _addable(asked, known)]


def variables(asked: Asked, known: Known) -> list[OfferedGroup]:
    """All that the texts of its messages may say."""
    values, trigger = asked.values, trigger_of(asked.values)
    gathers = values.get("digest") is not None
    objects = objects_of(trigger, action_of(values), gathers=gathers) if trigger else every_variable()
    return offered(objects, known.fields, in_html=any(name == "email" for name, _ in channels_of(values)))


def _channel(asked: Asked, number: int, name: str, known: Known, remove: Button) -> Section:
    values = asked.values
    mine = [one for one in _bounds(number, name, known) if one.fits(values)]
    body = values["channels"][number][name]
    shown = {one.at[3] for one in mine if one.at[3] != "event"} | payload_form.shown(values, number, name)
    kept = {key: value for key, value in body.items() if key not in shown}
    first = tuple(one.field(values) for one in mine if one.at[3] in _FIRST)
    more = tuple(one.field(values) for one in mine if one.at[3] not in _FIRST)
    rows: list[Section] = []
    fields = payload_form.fields_for(values, name)
    for design in payload_form.designs_of(values, number, name):
        entries = asked.unwritten.get(design.name) or _numbered(design.entries(values))
        if entries is not None:
            rows += payload_form.sections(design, entries, fields, known.fields)
    needs = "" if _has_account(name, known) else name
    left = written(kept) if kept else ""
    return Section(name, first, "", more, left, remove=remove, needs_account=needs, rows=rows, number=number)


def _numbered(entries: Sequence[Entry] | None) -> dict[int, Entry] | None:
    return None if entries is None else dict(enumerate(entries))


def _bounds(number: int, name: str, known: Known) -> list[Bound]:
    """A field for each key of a channel that holds one plain value."""
    at: Place = ("channels", number, name)
    keys = keys_of(CHANNEL_RULES[name]).keys
    found = [made for key, one in keys.items() if (made := _bound((*at, key), name, key, one, known))]
    named = Bound((*at, "event", "name"), "Event", "Its name there. Empty: no event is told.")
    return [*found, *([named] if "event" in keys else [])]


def _bound(at: Place, channel: str, name: str, key: Key, known: Known) -> Bound | None:
    schema, label = key.holds.schema(), _LABELS.get(name, name.replace("_", " ").capitalize())
    hint = _LINK.sub("", key.doc)
    if name == "account":
        accounts = [(one, one) for one in known.accounts.get(channel, ())]
        none = f"There is no account of {channel} yet: tidings accounts add {channel}"
        return Bound(at, label, "" if accounts else none, choices=accounts or [("", "none yet")], nothing=CHOOSE)
    if name == "template":
        templates = [(one, one) for one in known.templates]
        return Bound(at, label, hint, choices=templates, nothing="none: the text below, or the default")
    if enum := schema.get("enum"):
        return Bound(at, label, hint, choices=[(one, one) for one in enum], nothing=key.default or "not said")
    kind = schema.get("type")
    if not isinstance(kind, str) or kind not in _HOLDS:
        return None
    nothing = key.default if kind == "boolean" else ""
    takes: Takes = "html" if name == "html" else "text" if _TEMPLATE in key.holds.allowed else ""
    return Bound(at, label, hint, _HOLDS[kind], nothing=nothing, is_long=name in _LONG, takes=takes)


def _consent(known: Known) -> list[Bound]:
    choices = [
        (one, _NEEDED if one == TRANSACTIONAL else f"{one}: those who have given this consent")
        for one in known.consents
    ]
    return [Bound(("consent",), "For whom it is", choices=choices, nothing=CHOOSE)]


def _together() -> list[Bound]:
    orders = list(_ORDERS.items())
    reach = [(one, one) for one in members(Reach)]
    return [
        Bound(("order",), "It is sent", choices=orders, nothing="as usual: over all of them at once"),
        Bound(("fallback_after", "time"), "The next channel sends as well after",
              "A span, as in 2d. Only with the first that can be used."),
        Bound(("fallback_after", "unless"), "Unless the message before was", choices=reach,
              nothing="as usual: delivered"),
    ]  # fmt: skip


def _addable(asked: Asked, known: Known) -> Section:
    usable = [name for name in CHANNEL_RULES if _has_account(name, known) and _is_offered(asked.values, name)]
    others = ", ".join(name for name in CHANNEL_RULES if name not in usable)
    why = "They need an account, which tidings accounts add makes, or another trigger"
    buttons = tuple(Button(f"add:{one}", f"+ {one}", "Add this channel") for one in usable)
    lacking = next((name for name in CHANNEL_RULES if not _has_account(name, known)), "")
    hint = f"Not yet: {others}. {why}." if others else ""
    return Section("Add a channel", hint=hint, buttons=buttons, needs_account=lacking)


def _has_account(name: str, known: Known) -> bool:
    return "account" not in keys_of(CHANNEL_RULES[name]).keys or bool(known.accounts.get(name))


def _is_offered(values: Mapping[str, Any], name: Any) -> bool:
    """True where its trigger lets it do over this channel what it does; also where it may do that over none."""
    trigger, action = trigger_of(values), action_of(values)
    return trigger is None or action not in trigger.purposes or why_not_offered(trigger, action, {name}) is None


def take(asked: Asked, known: Known) -> Asked:
    """The fields of all channels; then one that is added, or taken out."""
    values = asked.values
    bounds = [*_consent(known), *_together()]
    for number, (name, _) in enumerate(channels_of(values)):
        bounds += _bounds(number, name, known) if name else []
    asked = asked.changed(changes(bounds, values, asked.form))
    asked = _with_rows(asked)
    what, _, about = asked.do.partition(":")
    found = asked.values.get("channels")
    listed = list(found) if isinstance(found, list) else []
    if what == "add" and about in CHANNEL_RULES:
        return asked.changed({"channels": [*listed, {about: _begun(asked.values, about, known)}]})
    if what == "remove" and about.isdecimal() and about.isascii() and int(about) < len(listed):
        del listed[int(about)]
        return asked.changed({"channels": listed or GONE})
    return asked


def _with_rows(asked: Asked) -> Asked:
    """The same with the rows of payloads as the form has them."""
    values = asked.values
    named = [(number, name) for number, (name, _) in enumerate(channels_of(values)) if name]
    designs = [one for number, name in named for one in payload_form.designs_of(values, number, name)]
    taken = payload_form.taken_from(values, designs, asked.form, asked.do)
    after = asked if taken.channels == values.get("channels") else asked.changed({"channels": taken.channels})
    return replace(after, unwritten=taken.unwritten, wrong=taken.problems)


def _begun(values: Mapping[str, Any], channel: str, known: Known) -> dict[str, Any]:
    accounts: Sequence[str] = known.accounts.get(channel, ())
    keys = keys_of(CHANNEL_RULES[channel]).keys
    made = {"account": accounts[0]} if "account" in keys and len(accounts) == 1 else {}
    identity = values.get("distribution")
    return {**made, "type": identity} if channel == "webhook" and isinstance(identity, str) else made
