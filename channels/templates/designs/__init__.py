"""Designs of the product: the default template of each kind of message, and a gallery to copy from.

A design is a body of MJML and the words of every language. `[[title]]` in a body is a word of the design, or one that
all have in common, and may say others; `[[?code]]…[[/code]]` is there for designs that say `code` or use it.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from schemas.closed import Action
from schemas.formats.languages import taken

DESIGNS = Path(__file__).parent
LANGUAGES = ("en", "pl", "de", "fr", "ja")

_WORD = re.compile(r"\[\[(\w+)\]\]")
_PART = re.compile(r"\[\[\?(\w+)\]\](.*?)\[\[/\1\]\]", re.DOTALL)
_EMPTY = re.compile(r"\n\s*\n")


@cache
def design_names() -> tuple[str, ...]:
    """Every design, those of the gallery first."""
    names = sorted(file.stem for file in DESIGNS.glob("*.toml") if file.stem != "common")
    return tuple(sorted(names, key=is_default))


def is_default(name: str) -> bool:
    """Tell whether an e-mail without a template may take this design; others are there to be copied."""
    return name.startswith("default-")


def about(name: str) -> str:
    """The use that a design of the gallery is made for, in a sentence; empty for a default."""
    return str(_written(name).get("about", ""))


def fits(name: str) -> tuple[tuple[Action, str], ...]:
    """The actions and event types that a design of the gallery is made for; none of a default."""
    return tuple((action, event_type) for action, event_type in _written(name).get("fits", ()))


def language_of(locale: str | None) -> str:
    """The language of the default variant, where the brand has this locale."""
    return taken(LANGUAGES, locale) or LANGUAGES[0]


def design_files(design: str, language: str, name: str | None = None) -> dict[str, str]:
    """The files of a design by their names, as an author would write them; the default variant is in `language`.

    `name` is the template's, if not that of the design.
    """
    others = {f".{tag}": tag for tag in LANGUAGES if tag != language}
    return {f"{name or design}{end}.mjml": _source(design, tag) for end, tag in {"": language, **others}.items()}


def design_subject(design: str) -> str:
    """The subject in English, as it is written."""
    return str(_written(design)["en"]["subject"])


def _source(design: str, language: str) -> str:
    common, own = _written("common"), _written(design)
    words = {**common, **common[language], **own, **own[language]}
    body = (DESIGNS / f"{own.get('body', 'default')}.mjml").read_text(encoding="utf-8")
    there = {*own, *own.get("uses", ())}
    while _PART.search(body):
        body = _PART.sub(lambda found: found[2] if found[1] in there else "", body)
    while _WORD.search(body):
        body = _WORD.sub(lambda found: str(words[found[1]]), body)
    said = _EMPTY.sub("\n", body).strip()
    return f"---\nsubject: {json.dumps(words['subject'], ensure_ascii=False)}\n---\n{said}\n"


@cache
def _written(name: str) -> Mapping[str, Any]:
    return tomllib.loads((DESIGNS / f"{name}.toml").read_text(encoding="utf-8"))
