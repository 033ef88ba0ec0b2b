"""Sections of an e-mail's MJML as cards: each is a part of the file, and all together are the file, to the byte.

A card is a call of a known section (`{{ header("Hello") }}`) or an element of MJML that is one
(`<mj-text>…</mj-text>`), where it stands for itself. Whatever else there is (conditions with what is in them, tables,
layouts, imports) is a card of its own that shows its source. In the fields of a card variables are written as
everywhere, `Hello {{ customer.name }}`; in its source that is `"Hello " ~ customer.name`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

SectionKind = Literal["subject", "header", "text", "code", "qr", "button", "image", "divider", "source"]
CALLS: Mapping[str, tuple[str, ...]] = {
    "header": ("title",), "text": ("body",), "code": ("value", "label"), "qr": ("url", "alt"),
    "button": ("label", "url"), "image": ("url", "alt"), "divider": (),
}  # fmt: skip
"""The sections that a template may import, each with its arguments."""
_ELEMENTS: Mapping[str, tuple[SectionKind, Mapping[str, str], str]] = {
    "mj-text": ("text", {}, "body"), "mj-button": ("button", {"href": "url"}, "label"),
    "mj-image": ("image", {"src": "url", "alt": "alt"}, ""), "mj-divider": ("divider", {}, ""),
}  # fmt: skip
"""Elements of MJML that are sections: the kind, the field of each attribute, and the field of what is in it."""
NEW: Mapping[str, str] = {
    "header": '{{ header("Title") }}\n', "text": "<mj-text>Write here.</mj-text>\n",
    "code": '{{ code(voucher.code, "Your code") }}\n',
    "qr": '<mj-image src="cid:qr" alt="Your code as a picture" width="180px"></mj-image>\n',
    "barcode": '<mj-image src="cid:barcode" alt="Your code as a barcode" width="240px"></mj-image>\n',
    "button": '{{ button("To the shop", "https://shop.example.com") }}\n',
    "image": '{{ image("https://shop.example.com/cup.png", "A cup") }}\n', "divider": "{{ divider() }}\n",
}  # fmt: skip
"""The source of a card that is added, by what it is."""
_CONTAINERS = frozenset({"mjml", "mj-body", "mj-wrapper", "mj-section", "mj-group", "mj-column", "mj-hero"})
_ATTRIBUTES = r"""(?:"[^"]*"|'[^']*'|\{\{.*?\}\}|\{%.*?%\}|[^<>"'])*?"""
_TOKEN = re.compile(
    r"(?P<comment>\{#.*?#\}|<!--.*?-->)|(?P<call>\{\{.*?\}\})|(?P<block>\{%[-+]?\s*(?P<word>\w+).*?%\})"
    rf"|(?P<tag><(?P<end>/?)(?P<name>mjml|mj-[a-z-]+)(?P<attributes>\s{_ATTRIBUTES})?(?P<closed>/?)>)",
    re.DOTALL,
)
_CALL = re.compile(r"\{\{[-+]?\s*(?P<name>[a-z]+)\((?P<arguments>.*)\)\s*[-+]?\}\}", re.DOTALL)
_ATTRIBUTE = re.compile(r"""(?P<name>[a-z-]+)\s*=\s*(?P<quote>["'])(?P<value>.*?)(?P=quote)""", re.DOTALL)
_FRONT = re.compile(r"---\n(?P<key>subject:\s*)(?P<value>[^\n]*)\n---\n")
_IMPORT = re.compile(r'(\{%[-+]?\s*from\s+["\']sections["\']\s+import\s+)([\w,\s]*?)(\s*[-+]?%\})')
_VARIABLE = re.compile(r"\{\{\s*(.*?)\s*\}\}", re.DOTALL)
_OPENING = frozenset({"if", "for", "macro", "block", "filter", "call", "with", "autoescape", "raw"})
_BINDS_LESS = re.compile(r"(?<![\w.])(?:if|else|and|or|not|in|is)(?![\w.])|[<>=!+*/%-]|,")
_STRING = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'""", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Card:
    """A part of a file. `source` is what it is written as, between the blanks of `before` and `after`."""

    kind: SectionKind
    source: str
    fields: Mapping[str, str] = field(default_factory=dict)
    before: str = ""
    after: str = ""
    is_fixed: bool = False
    """True of what opens or closes what others stand in: it stays where it is, and they stay inside."""

    @property
    def whole(self) -> str:
        """Its part of the file."""
        return self.before + self.source + self.after


class NotWritable(ValueError):
    """A text that cannot stand in the field of a card; the message says why."""


def split(source: str) -> list[Card]:
    """The cards of a file: `joined` makes it of them again, to the byte."""
    cards: list[Card] = []
    for card in _parts(source):
        if cards and cards[-1].kind == card.kind == "source":
            is_fixed = cards[-1].is_fixed or card.is_fixed
            cards[-1] = replace(cards[-1], source=cards[-1].source + card.source, is_fixed=is_fixed)
        else:
            cards.append(card)
    return _with_blanks([_trimmed(one) for one in cards])


def _with_blanks(cards: Sequence[Card]) -> list[Card]:
    """Cards of which each has the blanks before it on its line, and all behind it that end the line."""
    found, gap = list[Card](), ""
    for card in cards:
        if not card.source:
            gap += card.whole
            continue
        if found:
            ended, newline, indent = (found[-1].after + gap + card.before).rpartition("\n")
            found[-1] = replace(found[-1], after=ended + newline)
        else:
            indent = gap + card.before
        found.append(replace(card, before=indent))
        gap = ""
    if not found:
        return [Card("source", "", before=gap)] if gap else []
    return [*found[:-1], replace(found[-1], after=found[-1].after + gap)]


def joined(cards: Iterable[Card]) -> str:
    """The file that cards make."""
    return "".join(one.whole for one in cards)


def _trimmed(card: Card) -> Card:
    if card.kind != "source":
        return card
    whole = card.whole
    core = whole.strip()
    start = whole.index(core) if core else 0
    return replace(card, before=whole[:start], source=core, after=whole[start + len(core) :])


def _parts(source: str) -> Iterator[Card]:
    """Cards and what is between them, in order."""
    at = 0
    if (front := _front(source)) is not None:
        yield front
        at = len(front.source)
    while (token := _TOKEN.search(source, at)) is not None:
        if token.start() > at:
            yield Card("source", source[at : token.start()])
        end = _end(source, token)
        part = source[token.start() : end]
        yield Card("source", part, is_fixed=True) if token["name"] in _CONTAINERS else _card(part, token)
        at = end
    if at < len(source):
        yield Card("source", source[at:])


def _front(source: str) -> Card | None:
    found = _FRONT.match(source)
    if found is None:
        return None
    subject = _plain(found["value"])
    return None if subject is None else Card("subject", found[0], {"subject": subject})


def _plain(written: str) -> str | None:
    """A subject in double quotes, as JSON has it too; None for one that is written otherwise."""
    try:
        read = json.loads(written)
    except ValueError:
        return None
    return read if isinstance(read, str) else None


def _end(source: str, token: re.Match[str]) -> int:
    """The end of what begins with a token: of a condition its end, of an element its closing tag."""
    if token["word"] in _OPENING or (token["word"] == "set" and "=" not in token["block"]):
        return _balanced(source, token, lambda one: one["word"] or "", token["word"], f"end{token['word']}")
    if token["name"] in _CONTAINERS:
        return token.end()
    if token["tag"] and not token["end"] and not token["closed"]:
        named = "/" + token["name"]
        return _balanced(source, token, lambda one: (one["end"] or "") + (one["name"] or ""), token["name"], named)
    return token.end()


def _balanced(source: str, first: re.Match[str], name: object, opening: str, closing: str) -> int:
    depth = 0
    for one in _TOKEN.finditer(source, first.start()):
        said = name(one)  # type: ignore[operator]
        depth += said == opening and not one["closed"]
        depth -= said == closing
        if depth == 0:
            return one.end()
    return len(source)


def _card(part: str, token: re.Match[str]) -> Card:
    fields: Mapping[str, str] | None = None
    kind: SectionKind = "source"
    if token["call"] and (call := _CALL.fullmatch(part)) and call["name"] in CALLS:
        fields = _arguments(call["name"], call["arguments"])
        kind = call["name"]  # type: ignore[assignment]
    elif token["tag"] and token["name"] in _ELEMENTS:
        kind, attributes, inner = _ELEMENTS[token["name"]]
        fields = _element(part, token, attributes, inner)
    return Card("source", part) if fields is None else Card(kind, part, fields)


# -- calls --------------------------------------------------------------------------------------------------------


def _arguments(name: str, written: str) -> dict[str, str] | None:
    """The fields of a call; None where its arguments are not plain enough to be written again."""
    names, found = CALLS[name], dict[str, str]()
    for number, one in enumerate(_pieces(written, ",")):
        key, value = _named(one, names)
        key = key or (names[number] if number < len(names) else "")
        text = _shown(value)
        if not key or key in found or text is None:
            return None
        found[key] = text
    return {one: found.get(one, "") for one in names} if set(found) >= set(names[:1]) else None


def _named(argument: str, names: Sequence[str]) -> tuple[str, str]:
    key, equals, value = argument.partition("=")
    if equals and key.strip() in names and not value.startswith("="):
        return key.strip(), value.strip()
    return "", argument.strip()


def _pieces(written: str, separator: str) -> list[str]:
    """The parts between separators that stand in no text and no bracket."""
    pieces, depth, start, at = list[str](), 0, 0, 0
    while at < len(written):
        if (text := _STRING.match(written, at)) is not None:
            at = text.end()
            continue
        depth += (written[at] in "([{") - (written[at] in ")]}")
        if written[at] == separator and depth == 0:
            pieces.append(written[start:at])
            start = at + 1
        at += 1
    return [*pieces, written[start:]] if written[start:].strip() or pieces else []


def _shown(expression: str) -> str | None:
    """An expression as a text with variables in it; None for one whose text would be read otherwise."""
    pieces = [one.strip() for one in _pieces(expression, "~")]
    variables = [one for one in pieces if not _STRING.fullmatch(one)]
    if len(pieces) > 1 and any(_BINDS_LESS.search(_bare(one)) for one in variables):
        pieces = [expression.strip()]
    shown = "".join(_literal(one) if _STRING.fullmatch(one) else f"{{{{ {_unwrapped(one)} }}}}" for one in pieces)
    literals = (_literal(one) for one in pieces if _STRING.fullmatch(one))
    return None if any("{{" in one or "}}" in one for one in literals) or "}}" in "".join(variables) else shown


def _bare(expression: str) -> str:
    """An expression without what is in its texts and brackets."""
    without = _STRING.sub('""', expression)
    while (inner := re.sub(r"\([^()]*\)|\[[^\[\]]*\]", "_", without)) != without:
        without = inner
    return without


def _unwrapped(expression: str) -> str:
    inner = expression[1:-1]
    return inner.strip() if expression.startswith("(") and _bare(expression) == "_" else expression


def _literal(written: str) -> str:
    return re.sub(r"\\(.)", lambda found: {"n": "\n", "t": "\t", "r": "\r"}.get(found[1], found[1]), written[1:-1])


def _expression(text: str) -> str:
    """A text with variables in it as an expression. Raises NotWritable."""
    pieces, at = list[str](), 0
    for found in _VARIABLE.finditer(text):
        if text[at : found.start()]:
            pieces.append(_quoted(text[at : found.start()]))
        if not found[1] or "{{" in found[1]:
            raise NotWritable("has {{ }} without a variable in it, as in {{ customer.name }}")
        pieces.append(found[1])
        at = found.end()
    if text[at:] or not pieces:
        pieces.append(_quoted(text[at:]))
    if len(pieces) == 1:
        return pieces[0]
    return " ~ ".join(one if _STRING.fullmatch(one) or re.fullmatch(r"[\w.]+", one) else f"({one})" for one in pieces)


def _quoted(text: str) -> str:
    if "{{" in text or "}}" in text or "{%" in text or "%}" in text:
        raise NotWritable("has a bracket of a variable that is not closed, or a condition: edit the source for that")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


# -- elements -----------------------------------------------------------------------------------------------------


def _element(part: str, token: re.Match[str], attributes: Mapping[str, str], inner: str) -> dict[str, str] | None:
    found = {one["name"]: one["value"] for one in _ATTRIBUTE.finditer(token["attributes"] or "")}
    opening, closing = token["tag"], f"</{token['name']}>"
    content = part[len(opening) :].removesuffix(closing)
    is_closed = bool(token["closed"]) or part.endswith(closing)
    if not is_closed or (content.strip() and not inner) or (inner and token["closed"]):
        return None
    fields = {shown: found.get(name, "") for name, shown in attributes.items()}
    return {**fields, **({inner: content} if inner else {})}


def _element_with(card: Card, fields: Mapping[str, str]) -> str:
    token = _TOKEN.match(card.source)
    if token is None:  # it was split off by it
        return card.source
    _, attributes, inner = _ELEMENTS[token["name"]]
    opening, closing = token["tag"], f"</{token['name']}>"
    for name, shown in attributes.items():
        if fields[shown] != card.fields[shown]:
            opening = _with_attribute(opening, name, fields[shown])
    if token["closed"]:
        return opening
    content = card.source[len(token["tag"]) :].removesuffix(closing)
    changed = bool(inner) and fields[inner] != card.fields[inner]
    return opening + (fields[inner] if changed else content) + closing


def _with_attribute(opening: str, name: str, value: str) -> str:
    quote = '"' if '"' not in value else "'"
    if quote in value or "<" in value or ">" in value:
        raise NotWritable(
            "has both kinds of quotes, or a bracket, which no attribute may have: edit the source for that"
        )
    written = f"{name}={quote}{value}{quote}"
    for found in _ATTRIBUTE.finditer(opening):
        if found["name"] == name:
            return opening[: found.start()] + written + opening[found.end() :]
    end = len(opening) - (2 if opening.endswith("/>") else 1)
    return f"{opening[:end].rstrip()} {written}{opening[end:]}"


# -- what is done to them -----------------------------------------------------------------------------------------


def rewritten(card: Card, fields: Mapping[str, str]) -> Card:
    """A card with other fields; nothing of it changes where they are the same. Raises NotWritable."""
    known = {name: fields.get(name, text) for name, text in card.fields.items()}
    if card.kind == "source":
        return replace(card, source=fields.get("source", card.source))
    if known == card.fields:
        return card
    if card.kind == "subject":
        source = _FRONT.sub(
            lambda found: f"---\n{found['key']}{json.dumps(known['subject'], ensure_ascii=False)}\n---\n", card.source
        )
    elif card.source.startswith("<"):
        source = _element_with(card, known)
    else:
        source = _call_with(card, known)
    return replace(card, source=source, fields=known)


def _call_with(card: Card, fields: Mapping[str, str]) -> str:
    written = [_expression(fields[name]) for name in CALLS[card.kind]]
    while len(written) > 1 and written[-1] == '""':
        written.pop()  # which leaves the section's own default
    return f"{{{{ {card.kind}({', '.join(written)}) }}}}"


def moved(cards: Sequence[Card], number: int, by: int) -> list[Card]:
    """The cards with one of them so many places further on; where it cannot go there, as they were."""
    to = number + by
    if not (0 <= number < len(cards) and 0 <= to < len(cards) and is_movable(cards[number]) and is_movable(cards[to])):
        return list(cards)
    changed = list(cards)
    changed.insert(to, changed.pop(number))
    return _on_lines(changed, cards[-1])


def is_movable(card: Card) -> bool:
    """True of a card that may stand elsewhere, or go."""
    return card.kind != "subject" and not card.is_fixed


def without(cards: Sequence[Card], number: int) -> list[Card]:
    """The cards but for one."""
    return [one for at, one in enumerate(cards) if at != number or not is_movable(one)]


def with_new(cards: Sequence[Card], kind: str) -> list[Card]:
    """The cards with a new one at their end, and with what it imports."""
    (new,) = split(NEW[kind])
    name = new.kind if new.source.startswith("{{") else ""
    imported = _importing(cards, name) if name else list(cards)
    return _on_lines([*imported, new], imported[-1]) if imported else [new]


def _importing(cards: Sequence[Card], name: str) -> list[Card]:
    for at, one in enumerate(cards):
        found = _IMPORT.search(one.source) if one.kind == "source" else None
        if found is not None:
            names = [known.strip() for known in found[2].split(",")]
            said = found[2] if name in names else f"{found[2].rstrip(', ')}, {name}"
            source = one.source[: found.start()] + found[1] + said + found[3] + one.source[found.end() :]
            return [*cards[:at], replace(one, source=source), *cards[at + 1 :]]
    new = Card("source", f'{{% from "sections" import {name} %}}', after="\n")
    first = 1 if cards and cards[0].kind == "subject" else 0
    return [*cards[:first], new, *cards[first:]]


def _on_lines(cards: Sequence[Card], last: Card) -> list[Card]:
    """Cards of which the one that was `last`, where no line ended, is on a line of its own."""
    is_open = "\n" not in last.after
    return [
        replace(one, after=f"{one.after}\n") if is_open and one is last and at + 1 < len(cards) else one
        for at, one in enumerate(cards)
    ]
