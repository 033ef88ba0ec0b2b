"""The reference pages that are written from the code: `python -m console.reference` writes them again.

A test holds the files equal to what this module writes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_origin

import msgspec

from schemas.closed import Action
from schemas.triggers import ACTION_NAMES, ALL, TRIGGERS, Trigger, object_fields

FOLDER = Path(__file__).parents[1] / "deploy" / "reference"

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

Written from `schemas/triggers.py` by `python -m console.reference`.

A record's key is the customer's id. `data` holds `customer` and the objects below; an event that lacks a required one
is dead-lettered with its name. Objects may carry `metadata` and fields of upstream's own, which are kept and forwarded.
Actions: P tells of a promotion tier, C publishes a code of a campaign, M sends a message. What else upstream may send
(CloudEvents, the old system's webhooks) is in [upstream.md](upstream.md).
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


PAGES: dict[str, Callable[[], str]] = {"triggers.md": triggers_page}
"""File name to what writes it."""


def write_pages() -> None:
    """Write every page."""
    FOLDER.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page())


if __name__ == "__main__":
    write_pages()
