"""The reference pages that are written from the code: `python -m console.reference.pages` writes them again.

A test holds the files equal to what this module writes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_origin

import msgspec

from console.api.openapi import description
from console.reference.asyncapi import asyncapi_description
from console.reference.callbacks import callbacks_description
from console.reference.documents import (
    campaigns_page,
    distributions_page,
    event_schemas_page,
    projects_page,
    segments_page,
)
from console.reference.gallery import gallery_page
from console.reference.payload import payload_page
from console.reference.preflight import preflight_page
from console.reference.providers import providers_page
from console.reference.retries import retries_page
from console.reference.templates import templates_page
from schemas.closed import Action
from schemas.events.triggers import ACTION_NAMES, ALL, TRIGGERS, Trigger, object_fields
from streams.conditions.answer import Kind
from streams.conditions.behaviour import MOST_EVENTS
from streams.conditions.parse import CALENDARS, LONGEST_WINDOW
from streams.conditions.predicates import EVENT_TESTS, ITEM_TESTS, PREDICATES, TIME_TESTS, tests_for

FOLDER = Path(__file__).parents[2] / "deploy" / "reference"

_LETTERS: dict[Action, str] = {"promote": "P", "publish": "C", "message": "M"}


def triggers_page() -> str:
    """Every event type: a row each, then a section each with its objects, selectors, actions and sample."""
    rows = [
        f"| {trigger.topic} | [{trigger.type}](#{_anchor(trigger.type)}) | {_named(trigger.required)} "
        f"| {_named(trigger.optional)} | {_selects(trigger)} | {_purposes(trigger)} |"
        for trigger in TRIGGERS.values()
    ]
    head = "| topic | type | required beside customer | optional | selectors | P C M |\n|---|---|---|---|---|---|"
    return "\n".join([_TRIGGERS_HEAD, head, *rows, "", *map(_section, TRIGGERS.values())]).rstrip() + "\n"


_TRIGGERS_HEAD = """\
# Triggers

Written from `schemas/events/triggers.py` by `python -m console.reference.pages`.

A record's key is the customer's id, of another project than the default one [the pair](upstream.md#keys). `data` holds
`customer` and the objects below; an event that lacks a required one is dead-lettered with its name. Objects may carry
`metadata` and fields of upstream's own, which are kept and forwarded. Actions: P tells of a promotion tier, C publishes
a code of a campaign, M sends a message. What else upstream may send (CloudEvents, the old system's webhooks) is in
[upstream.md](upstream.md).
"""


def _section(trigger: Trigger) -> str:
    hints = object_fields(trigger.data)
    objects = "\n".join(
        f"| {name} | {'yes' if name not in trigger.optional else ''} | {_fields(hints[name])} |"
        for name in trigger.objects
    )
    sample = json.dumps(trigger.sample(), indent=2, ensure_ascii=False)
    return (
        f"## {trigger.type}\n\nTopic `{trigger.topic}`. {_selection_said(trigger)}\n\n{_actions_said(trigger)}\n\n"
        f"| object | required | known fields |\n|---|---|---|\n{objects}\n\n"
        f"<details><summary>Sample</summary>\n\n```json\n{sample}\n```\n\n</details>\n"
    )


def _selection_said(trigger: Trigger) -> str:
    if trigger.addressed:
        return "An event fits only the distribution whose id is `data.distribution.id`; there is nothing to select."
    if not trigger.selectors:
        return "There is nothing to select."
    said = " and ".join(f"`{one.key}:` (the id of `data.{one.object}`)" for one in trigger.selectors)
    return f"May select by {said}."


def _actions_said(trigger: Trigger) -> str:
    names: dict[Action, str] = {**ACTION_NAMES, "message": trigger.about}
    said = "; ".join(f"{_LETTERS[action]}: {names[action]}" for action in ALL if action in trigger.purposes)
    return f"Offers {said}." + (" M does not go over webhook." if trigger.addressed else "")


def _fields(hint: Any) -> str:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return ", ".join(object_fields(hint))
    kind = get_origin(hint) or hint
    return "a list" if kind is list else "an object" if kind is dict else "a whole number" if hint is int else str(kind)


def _named(objects: tuple[str, ...]) -> str:
    return ", ".join(objects) or ""


def _selects(trigger: Trigger) -> str:
    return "the distribution itself" if trigger.addressed else ", ".join(trigger.selector_keys) or ""


def _purposes(trigger: Trigger) -> str:
    return " ".join(_LETTERS[action] for action in ALL if action in trigger.purposes)


def _anchor(title: str) -> str:
    """As code hosts make it of a heading."""
    return "".join(character for character in title.lower() if character.isalnum() or character in "-_ ")


def conditions_page() -> str:
    """Every test of the condition language, with an example of each."""
    kinds: tuple[Kind, ...] = ("text", "number", "boolean", "list", "object")
    by_kind = [f"| {kind} | {', '.join(tests_for(kind))} |" for kind in kinds]
    examples = {name: test.example for name, test in PREDICATES.items()} | dict(ITEM_TESTS)
    rows = [f"| {name} | `{source}` |" for name, source in examples.items()]
    did = [f"| {name} | `{source}` |" for name, source in EVENT_TESTS.items()]
    head = "| a field that holds a | tests |\n|---|---|"
    return "\n".join([_CONDITIONS_HEAD, head, *by_kind, "", "| test | example |\n|---|---|", *rows, _DID, *did]) + "\n"


_CONDITIONS_HEAD = """\
# Conditions

Written from `streams/conditions/` by `python -m console.reference.pages`.

A path on the left, a test on the right; a bare value means `is`, a bare list `in`, several entries `all`. Groups:
`all`, `any`, `not`. Metadata and fields of upstream's own take every test. A name that holds a dot, a bracket or a
quote stands in quotes: `'customer.metadata."first.order"'`, as in the paths of payloads and of `again: {once_per: …}`.

**Missing.** A missing value passes no test but `is_not`, `not_in` and `is_set: false`; a missing list has no items.
Null is missing. So is a blank text (nothing, spaces, or characters that show nothing) for every test but those of
texts, which compare it as it stands: `is_set: true` is false of it, it is no date, no number and no list. An empty
list where an object belongs is an empty object.

**Kinds.** "42" (a text) and 42 (a number) are neither equal nor different. An operand that is not of its field's kind
is refused on save. Where the kind is only known when an event comes, as in metadata, a value of another kind is an
error (`rule_error`), for every test and inside lists too, and `not` of an error is one as well; the decision says what
was there. `any` is still true where another part is, and `all` still false. An event is never lost for a field of
another kind that no rule reads.

**Days.** They begin where the customer is, by `customer.timezone`, else in the project's timezone (`timezone` in its
document, else in the settings; a definition keeps the one that it was applied with); a timezone that is not one of the
IANA database is an error for the tests that need it. That holds for
`day_is` and for `on` with a word or a date. A birthday is the day as it is written, whatever time or offset stands
behind it. `day_is` is about the day of the year: 29 February is 28 February in years that have none. `before` and
`after` take a date (its midnight in UTC) or a moment, `now`, `in 7d` and `7d ago`; `on` and `day_is` take `today`,
`tomorrow`, `yesterday`, `in 7d` and `7d ago`.

`every_item` is false of an empty list. `count` and `sum` take the tests of a number, and `where` for the items
that count.
"""

_DID = f"""
## What customers did

In segments alone: `events: {{type, when, within}}` with at least one of `count`, `sum`, `first` and `last`, all of
which have to hold. A guard asks for the segment, as in `customer.segments: {{contains: loyal}}`. `type` is an event
type of upstream, `when` a condition on the event (asked once, at the event's own time), `within` how far back from now:
a duration of at most {LONGEST_WINDOW.days}d, or {", ".join(f"`{one}`" for one in CALENDARS)} in the project's timezone,
weeks from Monday. Without `within` all that is known counts. `count` and `sum` (of a field, `of`) take the tests of a
number, a bare number means `is`. `first` and `last` take {", ".join(f"`{name}`" for name in TIME_TESTS)}, of all times.
"No order for 30 days" is `{{type: customer.order.paid, within: 30d, count: 0}}` (those who never ordered, too) or
`last: {{before: 30d ago}}` (without them); "never ordered" is `{{type: customer.order.paid, count: 0}}`.

An event counts at its `created_at`, or when it was written, if that was earlier; so a late one counts where it belongs.
One with an id that is known counts once. Of each customer and behaviour the latest {MOST_EVENTS} events are known one
by one with their ids; older ones are added up by the day (UTC), and leave a window by whole days. What no window
reaches is forgotten, at the latest when it is looked at; all of it with the erased customer, and with the last
segment that asks for it.

A new behaviour is counted from what its topic still holds. Until that is done nobody enters or leaves the segment, and
whoever is in it then has not entered. Where records were gone before, events are known since then: a window that
begins earlier is judged only where no further event would change the answer (`at_least: 3`, and there are three), else
the segment cannot judge the customer, until the window is known as a whole. Sums are taken to grow. Without `within`,
what is known is all there is. `tidings segments show` says since when. An event whose `when` cannot be judged, or whose
`of` is not a number, makes the count it belongs to one that nobody can say.

A customer who comes with an event and has no profile is a customer with an id: consents and addresses are unknown.

| of what customers did | example |
|---|---|"""

PAGES: dict[str, Callable[[], str]] = {
    "asyncapi.json": asyncapi_description,
    "callbacks.openapi.json": callbacks_description,
    "openapi.json": description,
    "distributions.md": distributions_page,
    "campaigns.md": campaigns_page,
    "segments.md": segments_page,
    "projects.md": projects_page,
    "event-schemas.md": event_schemas_page,
    "triggers.md": triggers_page,
    "conditions.md": conditions_page,
    "payload.md": payload_page,
    "gallery.md": gallery_page,
    "templates.md": templates_page,
    "preflight.md": preflight_page,
    "providers.md": providers_page,
    "retries.md": retries_page,
}
"""File name to what writes it."""


def write_pages() -> None:
    """Write every page."""
    FOLDER.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page())
