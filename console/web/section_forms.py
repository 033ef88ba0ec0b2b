"""Forms of sections: the file that they are goes along as it is, so that what nobody edits stays to the byte."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping, Sequence

from console.control.section_cards import (
    NEW,
    Card,
    NotWritable,
    is_movable,
    joined,
    moved,
    rewritten,
    split,
    with_new,
    without,
)
from console.web.pages import FieldProblem
from console.web.project_templates import CardField, ShownCard
from console.web.template_forms import as_it_was
from console.web.words import inert

LABELS: Mapping[str, str] = {
    "subject": "Subject", "header": "Header", "text": "Text", "code": "Code", "qr": "QR code", "barcode": "Barcode",
    "button": "Button", "image": "Image", "divider": "Divider", "source": "Source",
}  # fmt: skip
KINDS = [(kind, LABELS[kind]) for kind in NEW]
_FIELDS: Mapping[str, str] = {
    "subject": "Subject", "title": "Title", "body": "Text", "value": "Code", "label": "Label", "url": "Address",
    "alt": "In words, where no picture is shown", "source": "Source",
}  # fmt: skip
_LONG = ("body", "source")
_ACT = re.compile(r"(up|down|remove):(\d{1,4})")


def state_of(source: str) -> str:
    """A file as it goes along in a form, which would else end its lines in another way."""
    return base64.urlsafe_b64encode(source.encode()).decode()


def read_state(written: str) -> str | None:
    """The file that went along; None for what is not one."""
    try:
        return base64.urlsafe_b64decode(written.encode("ascii")).decode()
    except (ValueError, binascii.Error, UnicodeError):
        return None


def changed(source: str, form: Mapping[str, str]) -> tuple[str, list[FieldProblem]]:
    """The file with what is written in its cards, and with what a button asks for; and what cannot be written."""
    cards, problems = list[Card](), list[FieldProblem]()
    for number, card in enumerate(split(source)):
        try:
            cards.append(rewritten(card, _written(form, number, card)))
        except NotWritable as error:
            problems.append(FieldProblem(_first(number, card), f"{_label(card)}: {inert(error)}"))
            cards.append(card)
    return (source if problems else joined(_acted(cards, form))), problems


def _acted(cards: Sequence[Card], form: Mapping[str, str]) -> Sequence[Card]:
    act = form.get("act", "")
    if act == "add":
        kind = form.get("kind", "")
        return with_new(cards, kind) if kind in NEW else cards
    if found := _ACT.fullmatch(act):
        number = int(found[2])
        return without(cards, number) if found[1] == "remove" else moved(cards, number, -1 if found[1] == "up" else 1)
    return cards


def _written(form: Mapping[str, str], number: int, card: Card) -> dict[str, str]:
    """The fields of a card as they came; one that is as it was keeps its line ends."""
    return {
        name: as_it_was(text, form[field])
        for name, text in _texts(card).items()
        if (field := f"f_{number}_{name}") in form
    }


def _texts(card: Card) -> Mapping[str, str]:
    return {"source": card.source} if card.kind == "source" else card.fields


def _first(number: int, card: Card) -> str:
    return next((f"f_{number}_{name}" for name in _texts(card)), "main")


def shown(source: str, form: Mapping[str, str] | None = None) -> list[ShownCard]:
    """The cards of a file; with a form what it says in place of what there is."""
    cards, written = split(source), form or {}
    return [
        ShownCard(number, _label(card), list(_fields(number, card, written)), is_movable(card))
        for number, card in enumerate(cards)
    ]


def _fields(number: int, card: Card, written: Mapping[str, str]) -> Iterator[CardField]:
    for name, text in _texts(card).items():
        field = f"f_{number}_{name}"
        yield CardField(field, _FIELDS[name], written.get(field, text), _rows(name, text))


def _label(card: Card) -> str:
    url = card.fields.get("url", "")
    if "cid:barcode" in url or "barcode_url" in url:
        return LABELS["barcode"]
    if "cid:qr" in url or "qr_url" in url:
        return LABELS["qr"]
    return LABELS[card.kind]


def _rows(name: str, text: str) -> int:
    """The lines of a field: one of a single line would lose the ends of lines."""
    ends = text.count("\n") + text.count("\r")
    return min(16, max(3, ends + 2)) if name in _LONG or ends else 1
