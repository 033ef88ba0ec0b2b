"""The step of timing: how often, when and how many, and ways of sending it that are compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from console.control.document_edit import GONE
from console.control.document_texts import written
from console.web.builder.asked import Asked
from console.web.builder.fields import Bound, changes
from console.web.builder.known import Known
from console.web.builder.records import Button, FormField, Section
from schemas.closed import Outside

AGAIN, AGAIN_OF, DELAY, ARM = "again", "again_of", "delay", "arms_new"
_AGAIN = (
    ("every_event", "for every event"), ("once_per_customer", "once"), ("once_per", "once for each value of a field"),
    ("once_in", "once in a span"),
)  # fmt: skip
_OUTSIDE: Mapping[Outside, str] = {
    "hold": "it waits for the next begin", "skip": "it is not sent", "next_channel": "it goes over the next channel",
}  # fmt: skip
_HOLIDAYS = {"open": "as on other days", "closed": "closed"}
_ARMS = "Its id, as in b. Arms are ways of sending it that are compared; there are at least two."
_AS = "Empty: as in the channels."


def _when() -> list[Bound]:
    return [
        Bound(("starts_at",), "Starts", "A day, or a moment, as in 2026-11-20T09:00:00Z. Empty: at once."),
        Bound(("ends_at",), "Ends", "A day, which it includes, or a moment. Empty: never."),
        Bound(("expires_after",), "Not worth sending after",
              "A span after its event, as in 2h. Empty: it does not expire."),
        Bound(("priority",), "Priority", "Of one event, higher ones go first.", "number"),
    ]  # fmt: skip


def _delay() -> list[Bound]:
    return [
        Bound(
            ("delay", "until"), "Until a date of the event or the customer", "A path, as in voucher.expiration_date."
        ),
        Bound(("delay", "before"), "That long before it", "A span, as in 7d."),
    ]


def _digest() -> list[Bound]:
    return [
        Bound(("digest", "for"), "Gathered for", "A span from the first event on, as in 4h; this or a time."),
        Bound(("digest", "at"), "Gathered until", "A time of the customer's day, as in 09:00."),
        Bound(("digest", "days"), "On the days", "As in: monday, thursday. Empty: every day.", "list"),
        Bound(("digest", "by"), "Each value by itself", "A path, as in order.id."),
        Bound(("digest", "first"), "The first event is sent at once", holds="flag", nothing="no"),
    ]


def _window() -> list[Bound]:
    outside = list(_OUTSIDE.items())
    return [
        Bound(("window", "from"), "From", "By the customer's clock, as in 09:00."),
        Bound(("window", "to"), "To", "As in 20:00."),
        Bound(("window", "days"), "Days", "As in: monday, tuesday. Empty: every day.", "list"),
        Bound(("window", "outside"), "At other times", choices=outside, nothing="as usual: it waits"),
        Bound(("window", "holidays"), "On public holidays", choices=list(_HOLIDAYS.items()),
              nothing="as usual: as on other days"),
    ]  # fmt: skip


def _cap() -> list[Bound]:
    return [
        Bound(("cap", "at_most"), "At most", "Messages to one customer.", "number"),
        Bound(("cap", "in"), "In", "day, week, month, or a span such as 7d."),
        Bound(
            ("cap", "of"), "Of", "project, channel, category, or the name of a channel or a consent. Empty: project."
        ),
        Bound(("cap", "then", "wait"), "One too many waits for", "A span, as in 3d. Empty: it is skipped."),
    ]


def _tried() -> list[Bound]:
    return [
        Bound(("holdout",), "Held out", "Customers who get nothing, so that both can be compared, as in 5%."),
        Bound(("experiment",), "Name of the draw", "Another one draws anew who is held out, and who gets which arm."),
        Bound(("winner",), "Winner", "The arm that everybody gets from now on."),
    ]


def _arms(values: Mapping[str, Any], known: Known) -> list[tuple[str, list[Bound]]]:
    """The fields of each arm; of those that are not mappings, none."""
    arms = values.get("arms")
    templates = [(one, one) for one in known.templates]
    return [
        (
            name,
            [
                Bound(("arms", name, "share"), "Share", "As in 50%; together 100%.", named=f"arms_{number}_share"),
                Bound(("arms", name, "template"), "Template", choices=templates, nothing="as in the channels",
                      named=f"arms_{number}_template"),
                Bound(("arms", name, "subject"), "Subject", _AS, named=f"arms_{number}_subject"),
                Bound(("arms", name, "text"), "Text", _AS, is_long=True, named=f"arms_{number}_text"),
            ],
        )
        for number, (name, arm) in enumerate(arms.items() if isinstance(arms, Mapping) else ())
        if isinstance(arm, Mapping)
    ]  # fmt: skip


def sections(asked: Asked, known: Known) -> list[Section]:
    """All that decides when, how often and to how many it goes."""
    values = asked.values
    made = [
        Section("How often", _again_fields(values), kept=_kept(values, "again") if not _again_fields(values) else ""),
        _group(values, "When", _when()),
        Section("Delay", _span(values), kept="")
        if _is_span(values)
        else _group(values, "Delay until a date", _delay()),
        _group(values, "Hours", _window(), _quiet(asked)),
        _group(values, "Cap", _cap()),
        _group(values, "Many events in one message", _digest()),
        _group(values, "Tried out", _tried()),
    ]
    for number, (name, bounds) in enumerate(_arms(values, known)):
        fields = tuple(one.field(values) for one in bounds if one.fits(values))
        arm = values["arms"][name]
        kept = {
            key: one for key, one in arm.items() if key not in {bound.at[-1] for bound in bounds if bound.fits(values)}
        }
        remove = Button(f"disarm:{number}", "", f"Take the arm {name} out")
        made.append(Section(f"Arm {name}", fields, kept=written(kept) if kept else "", remove=remove))
    new = FormField(ARM, "A new arm", hint=_ARMS, path="arms")
    rest = {key: values[key] for key in ("unless",) if key in values}
    ended = (
        Section("Ended by another event", hint="It has no field here: change it in the YAML.", kept=written(rest))
        if rest
        else None
    )
    return [*made, Section("Arms", (new,), buttons=(Button("stay", "Add this arm"),)), *([ended] if ended else [])]


def _group(values: Mapping[str, Any], legend: str, bounds: list[Bound], hint: str = "") -> Section:
    """The fields of a group; a value that has none is shown as it is."""
    fields = tuple(one.field(values) for one in bounds if one.fits(values))
    tops = dict.fromkeys(str(one.at[0]) for one in bounds)
    unfit = {top for top in tops for one in bounds if one.at[0] == top and not one.fits(values)}
    unfit |= {top for top in tops if _unknown(values.get(top), [one for one in bounds if one.at[0] == top])}
    kept = written({top: values[top] for top in tops if top in unfit}) if unfit else ""
    return Section(legend, fields, hint, kept=kept)


def _unknown(value: Any, bounds: list[Bound]) -> bool:
    return isinstance(value, Mapping) and not set(value) <= {one.at[1] for one in bounds if len(one.at) > 1}


def _kept(values: Mapping[str, Any], key: str) -> str:
    return written({key: values[key]}) if values.get(key) is not None else ""


def _quiet(asked: Asked) -> str:
    quiet = asked.project.quiet_hours
    if quiet is None:
        return ""
    return f"The project keeps quiet from {quiet.begins} to {quiet.ends}, whatever stands here."


def _is_span(values: Mapping[str, Any]) -> bool:
    delay = values.get("delay")
    return delay is None or isinstance(delay, str)


def _span(values: Mapping[str, Any]) -> tuple[FormField, ...]:
    hint = "A span after the event, as in 2h; or until: and the path of a date, as in until: voucher.expiration_date."
    return (FormField(DELAY, "It waits", values.get("delay") or "", hint, path="delay"),)


def _again_fields(values: Mapping[str, Any]) -> tuple[FormField, ...]:
    found = _again_of(values.get("again"))
    if found is None:
        return ()
    return (
        FormField(AGAIN, "A customer gets it", found[0], kind="choice", choices=_AGAIN, path="again"),
        FormField(
            AGAIN_OF, "The field, or the span", found[1], "For the last two: order.id, or 30d.", path="again.once_in"
        ),
    )


def _again_of(again: Any) -> tuple[str, str] | None:
    """The mode and what it is of; None for what is not a form of it."""
    match again:
        case None:
            return "every_event", ""
        case "every_event" | "once_per_customer":
            return again, ""
        case {"once_per": str(of), **rest} if not rest:
            return "once_per", of
        case {"once_in": str(of), **rest} if not rest:
            return "once_in", of
    return None


def take(asked: Asked, known: Known) -> Asked:
    """All fields; then an arm that is added, or taken out."""
    values, form = asked.values, asked.form
    bounds = [*_when(), *_window(), *_cap(), *_digest(), *_tried()]
    bounds += [] if _is_span(values) else _delay()
    bounds += [bound for _, arm in _arms(values, known) for bound in arm]
    made = {**changes(bounds, values, form), **_again_changes(values, form), **_delay_changes(values, form)}
    asked = asked.changed(made)
    return asked.changed(_arm_changes(asked, known))


def _again_changes(values: Mapping[str, Any], form: Mapping[str, str]) -> dict[str, Any]:
    before = _again_of(values.get("again"))
    if before is None or AGAIN not in form:
        return {}
    mode, of = form[AGAIN], form.get(AGAIN_OF, "").strip()
    has_of = mode in ("once_per", "once_in")
    if (mode, of if has_of else "") == before:
        return {}
    return {"again": {mode: of} if has_of else mode}


def _delay_changes(values: Mapping[str, Any], form: Mapping[str, str]) -> dict[str, Any]:
    given = form.get(DELAY, "").strip()
    if DELAY not in form or not _is_span(values) or given == (values.get("delay") or ""):
        return {}
    if given.startswith("until:"):
        return {"delay": {"until": given.removeprefix("until:").strip()}}
    return {"delay": given or GONE}


def _arm_changes(asked: Asked, known: Known) -> dict[str, Any]:
    values, new = asked.values, asked.form.get(ARM, "").strip()
    arms = values.get("arms")
    if arms is not None and not isinstance(arms, Mapping):
        return {}
    before = dict(arms or {})
    listed = dict(before)
    what, _, about = asked.do.partition(":")
    names = [name for name, _ in _arms(values, known)]
    if what == "disarm" and about.isdecimal() and about.isascii() and int(about) < len(names):
        del listed[names[int(about)]]
    if new and new not in listed:
        listed[new] = {}
    return {} if listed == before else {"arms": listed or GONE}
