"""The first steps of the builder: what it is called and how it is started, its trigger, and what it does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from console.control.document_edit import GONE
from console.web.builder import guard as guards
from console.web.builder import guard_form
from console.web.builder.asked import Asked
from console.web.builder.fields import Bound, changes
from console.web.builder.known import Known
from console.web.builder.records import CHOOSE, FormField, Section
from console.web.summary import event_words
from schemas.closed import Action, WhenEmpty
from schemas.events.triggers import ACTION_NAMES, BACKFILLED, MANUAL, PUBLISHED, TRIGGERS, Trigger
from streams.conditions.fields import Fields

MODE, EVENT, ACTION = "mode", "trigger_event", "action"
_AUTOMATIC, _MANUAL = "automatic", "manual"
_MODES = (
    (_AUTOMATIC, "automatic: it stands, and reacts to each event of its trigger"),
    (_MANUAL, "manual: it is sent once, to one customer or to a segment, when somebody sends it"),
)
_NOT_IN_IDS = re.compile(r"[^A-Za-z0-9_.-]+")
_SELECTED: Mapping[str, str] = {
    "segment": "Segment", "campaign": "Campaign", "event_schema": "Event schema", "tier": "Loyalty tier",
}  # fmt: skip
_EMPTY: Mapping[WhenEmpty, str] = {
    "stop": "stop: pause it, and tell somebody", "wait": "wait until there are more", "skip": "skip the customer",
    "send_without": "send without a code",
}  # fmt: skip

_NAMES = (
    Bound(("name",), "Name", "What people call it, as in: Win back."),
    Bound(("distribution",), "Id", "It keeps it: letters, digits, dash, dot and underscore. Empty: made of the name."),
)


# -- mode ------------------------------------------------------------------------------------------------------------


def mode_sections(asked: Asked, _: Known) -> list[Section]:
    """Its names, and how it is started."""
    names = [one.field(asked.values) for one in _NAMES if one.fits(asked.values)]
    if asked.before is not None:
        names = [one for one in names if one.name != "distribution"]
    chosen = _MANUAL if event_of(asked.values) == MANUAL else _AUTOMATIC
    mode = FormField(MODE, "Mode", chosen, kind="choice", choices=_MODES)
    return [Section("", (*names, mode))]


def take_mode(asked: Asked, _: Known) -> Asked:
    """Its names, and its trigger where somebody sends it."""
    values, form = asked.values, asked.form
    made = changes(_NAMES if asked.before is None else _NAMES[:1], values, form)
    name = made.get("name", values.get("name"))
    if asked.before is None and not made.get("distribution", values.get("distribution")) and isinstance(name, str):
        made["distribution"] = _NOT_IN_IDS.sub("-", name.lower()).strip("-.") or GONE
        made = {one: value for one, value in made.items() if value is not GONE or one in values}
    is_manual = event_of(values) == MANUAL
    if form.get(MODE) == _MANUAL and not is_manual:
        made |= {"trigger": {"event": MANUAL}, **_without(values, "when", "backfill")}
    elif form.get(MODE) == _AUTOMATIC and is_manual:
        made |= _without(values, "trigger", "when")
    return asked.changed(made)


def _without(values: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: GONE for name in names if name in values}


# -- trigger ---------------------------------------------------------------------------------------------------------


def event_of(values: Mapping[str, Any]) -> str:
    """The event type of its trigger; empty for none."""
    trigger = values.get("trigger")
    event = trigger.get("event") if isinstance(trigger, Mapping) else trigger
    return event if isinstance(event, str) else ""


def trigger_of(values: Mapping[str, Any]) -> Trigger | None:
    """Its trigger, where that is one."""
    return TRIGGERS.get(event_of(values))


def trigger_sections(asked: Asked, known: Known) -> list[Section]:
    """The event type, what it has to be about, and the conditions."""
    values, trigger = asked.values, trigger_of(asked.values)
    made = []
    if trigger is not None and trigger.addressed:
        hint = "Somebody sends it by hand, to one customer or to a segment. There is nothing to choose here."
        made.append(Section("Trigger", hint=hint))
    else:
        event = FormField(
            EVENT,
            "Event",
            event_of(values),
            "What has to happen.",
            "choice",
            _events(event_of(values)),
            CHOOSE,
            path="trigger",
        )
        made.append(Section("Trigger", (event, *_selectors(values, trigger, known))))
    if trigger is None:
        return made
    fields = Fields.of(trigger)
    paths = sorted({*guard_form.paths_of(fields), *(one for one in known.fields if _is_of(one, trigger))})
    guard = guards.guard_of(values.get(guards.KEY), fields)
    return [*made, *guard_form.sections(guard, fields, paths, guard_form.opened(asked.do))]


def _is_of(path: str, trigger: Trigger) -> bool:
    return path.partition(".")[0] in (*trigger.objects, "event")


def _events(chosen: str) -> list[tuple[str, str]]:
    known = {one.type: event_words(one.type) for one in TRIGGERS.values() if not one.addressed}
    return [*known.items(), *([(chosen, chosen)] if chosen and chosen not in known else ())]


def _selectors(values: Mapping[str, Any], trigger: Trigger | None, known: Known) -> list[FormField]:
    written = values.get("trigger")
    whole = {"trigger": written if isinstance(written, Mapping) else {}}
    bounds = _selecting(trigger, known)
    return [one.field(whole) for one in bounds if one.fits(whole)]


def _selecting(trigger: Trigger | None, known: Known) -> list[Bound]:
    return [
        Bound(
            ("trigger", key), _SELECTED[key], f"Its id. Empty: events about every {key.replace('_', ' ')}.",
            known=known.selected_by(key),
        )
        for key in (trigger.selector_keys if trigger else ())
    ]  # fmt: skip


def take_trigger(asked: Asked, known: Known) -> Asked:
    """The event type, what it has to be about, and the conditions; what another type has not is taken away."""
    values, form, trigger = asked.values, asked.form, trigger_of(asked.values)
    written = values.get("trigger")
    whole = dict(written) if isinstance(written, Mapping) else {"event": written} if written else {}
    before = dict(whole)
    for bound in _selecting(trigger, known):
        if (made := changes([bound], {"trigger": whole}, form)) and made["trigger"] is not GONE:
            whole = made["trigger"]
    event = form.get(EVENT, event_of(values))
    if event != event_of(values) and (trigger is None or not trigger.addressed):
        new = TRIGGERS.get(event)
        whole = {name: one for name, one in whole.items() if new and name in new.selector_keys}
        whole = {"event": event, **whole} if event else {}
    made = {"trigger": whole or GONE} if whole != before and (whole or before) else {}
    if trigger is not None and event == trigger.type:
        made |= guards.changes(values, form, asked.do, Fields.of(trigger))
    if event not in (event_of(values), BACKFILLED):
        made |= _without(values, "backfill")
    return asked.changed(made)


# -- action ----------------------------------------------------------------------------------------------------------


def action_of(values: Mapping[str, Any]) -> Action:
    """The action beside sending, by the keys that are there."""
    return (
        "publish"
        if values.get("publish") is not None
        else "promote"
        if values.get("promote") is not None
        else "message"
    )


def offered(trigger: Trigger) -> list[tuple[str, str]]:
    """The actions of a trigger, as the builder calls them."""
    purposes = [one for one in trigger.purposes if one != "publish" or trigger.type != PUBLISHED]
    return [(one, ACTION_NAMES[one] if len(purposes) > 1 else trigger.about) for one in purposes]


def action_sections(asked: Asked, known: Known) -> list[Section]:
    """The actions that its trigger offers, and the keys of the one that is chosen."""
    values, trigger, action = asked.values, trigger_of(asked.values), action_of(asked.values)
    if trigger is None:
        return [Section("Action", hint="Choose a trigger first: it says what may be done.")]
    choices, mine = offered(trigger), dict(offered(trigger))
    if action not in mine:
        choices = [*choices, (action, f"{ACTION_NAMES[action]}: not with this trigger")]
    chosen = FormField(ACTION, "What customers get", action, kind="choice", choices=choices, path=action)
    made = [Section("Action", (chosen,))]
    bounds = _acting(action, known)
    if bounds:
        made.append(Section(ACTION_NAMES[action], tuple(one.field(values) for one in bounds if one.fits(values))))
    return made


def _acting(action: Action, known: Known) -> list[Bound]:
    match action:
        case "publish":
            campaigns = [(one, one) for one in known.with_codes]
            none = "" if campaigns else "There is no campaign that gives codes yet: tidings campaigns apply"
            empty = list(_EMPTY.items())
            return [
                Bound(("publish", "campaign"), "Campaign", none or "Whose code is published.", choices=campaigns,
                      nothing=CHOOSE),
                Bound(("publish", "when_empty"), "Where no code is left", choices=empty, nothing="as usual: stop"),
            ]  # fmt: skip
        case "promote":
            campaigns = [(one, one) for one in known.with_tiers]
            none = "" if campaigns else "There is no campaign with promotion tiers yet: tidings campaigns apply"
            return [
                Bound(("promote", "campaign"), "Campaign", none or "Whose tier is told of.", choices=campaigns,
                      nothing=CHOOSE),
                Bound(("promote", "tier"), "Tier", choices=known.promotion_tiers(), nothing=CHOOSE),
            ]  # fmt: skip
        case _:
            return []


def take_action(asked: Asked, known: Known) -> Asked:
    """The action, and its campaign."""
    values, action = asked.values, action_of(asked.values)
    chosen = asked.form.get(ACTION, action)
    if chosen != action:
        made = _without(values, "publish", "promote")
        return asked.changed({**made, chosen: {}} if chosen in ("publish", "promote") else made)
    made = changes(_acting(action, known), values, asked.form)
    return asked.changed({name: {} if value is GONE else value for name, value in made.items()})
