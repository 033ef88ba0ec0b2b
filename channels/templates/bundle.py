"""A template made complete before it is stored: footers and sections for every locale."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, partial

import msgspec

from channels.templates.author_lines import author_line
from channels.templates.mjml import LAYOUT
from schemas.errors import PartWrong
from schemas.formats.languages import forms, taken
from schemas.names import ROUGHLY_LIKE, did_you_mean
from schemas.template import LocalText, StoredTemplate

_IMPORT = re.compile(r"\{%-?\s*from\s+[\"']sections[\"']\s+import\s+([\w\s,]+?)\s*-?%\}")
_MACRO = re.compile(r"\{% macro ((\w+)\(.*?\)) %\}.*?\{% endmacro %\}", re.DOTALL)
_REACHING_OUT = re.compile(r"\{%[-+]?\s*(include|extends|import|from)\b.*?%\}", re.DOTALL)

_UNDETERMINED = re.compile(r"(<[a-z]+\b[^<>]*?\blang=[\"'])und([\"'])", re.IGNORECASE)

_WORDS: dict[str, dict[str, str]] = {
    "en": {
        "view": "View in browser",
        "unsubscribe": "Unsubscribe",
        "preferences": "Preferences",
        "privacy": "Privacy policy",
        "terms": "Terms",
    },
    "pl": {
        "view": "Zobacz w przeglądarce",
        "unsubscribe": "Wypisz się",
        "preferences": "Preferencje",
        "privacy": "Polityka prywatności",
        "terms": "Regulamin",
    },
    "de": {
        "view": "Im Browser ansehen",
        "unsubscribe": "Abmelden",
        "preferences": "Einstellungen",
        "privacy": "Datenschutz",
        "terms": "AGB",
    },
    "fr": {
        "view": "Voir dans le navigateur",
        "unsubscribe": "Se désabonner",
        "preferences": "Préférences",
        "privacy": "Confidentialité",
        "terms": "Conditions",
    },
    "ja": {
        "view": "ブラウザで表示",
        "unsubscribe": "配信停止",
        "preferences": "配信設定",
        "privacy": "プライバシーポリシー",
        "terms": "利用規約",
    },
}


FOOTER_LANGUAGES = tuple(_WORDS)
"""Those that the footer has words for; in others it is English."""


class SectionWrong(PartWrong):
    """A template names a section that there is not."""


def bundled(template: StoredTemplate, brand: Mapping[str, str]) -> StoredTemplate:
    """With brand footer and sections in every locale. Raises SectionWrong.

    One without a subject is a text message, and has no footer.
    The footer of the default variant is in the brand's own language, `brand.locale`.
    """
    default = LocalText(subject=template.subject, text=template.text, html=template.html)
    complete = partial(_complete, has_footer=bool(template.subject))
    whole = complete(default, brand.get("locale", ""))
    locales = {tag: complete(local, tag, variant=tag) for tag, local in template.locales.items()}
    return msgspec.structs.replace(template, text=whole.text, html=whole.html, locales=locales, brand=dict(brand))


def _complete(local: LocalText, tag: str, variant: str = "", *, has_footer: bool) -> LocalText:
    html, text = local.html, local.text
    if has_footer and text is not None and "brand.address" not in text:
        text = text.rstrip("\n") + "\n" + _footer("txt")
    if has_footer and html is not None and "brand.address" not in html:
        html = _before_end(html, _footer("html"))
    return LocalText(
        subject=_resolved(local.subject, "subject", tag, variant),
        text=_resolved(text, "text", tag, variant),
        html=_resolved(html, "html", tag, variant),
    )


def _resolved(source: str | None, part: str, tag: str, variant: str) -> str | None:
    if source is None:
        return None
    words = _WORDS[taken(_WORDS, tag) or "en"]
    source = _UNDETERMINED.sub(lambda found: found.group(1) + _language(tag) + found.group(2), source)
    said = re.sub(r"\{\{ footer_words\.(\w+) \}\}", lambda found: words[found.group(1)], source)
    return _IMPORT.sub(lambda found: _sections(found, said, part, variant), said)


def _language(tag: str) -> str:
    """As HTML has it, in which screen readers speak; what is the brand's and has no locale is English."""
    return next(iter(forms(tag)), "en").replace("_", "-")


def _sections(imported: re.Match[str], source: str, part: str, variant: str) -> str:
    """The macros on as many lines as the import took, so that what follows keeps its own."""
    kind = "html" if part == "html" else "txt"
    there = {found.group(2): found.group() for found in _MACRO.finditer(_shipped(f"sections.{kind}"))}
    wanted = _listed(imported.group(1))
    for name in wanted:
        if name not in there:
            place = author_line(source, imported.start())
            raise SectionWrong(_no_section(name), part, place.line, variant=variant, file=place.file)
    lines = "\n" * imported.group().count("\n")
    trimmed = "{#" + lines + " -#}" if lines or kind == "txt" else ""  # its line is no empty line of the message
    return "".join(there[name] for name in wanted) + trimmed


def sections() -> dict[str, str]:
    """Every section by name, with how it is called, as in `code(value, label="")`."""
    return {found.group(2): found.group(1) for found in _MACRO.finditer(_shipped("sections.html"))}


def wrong_sections(source: str) -> tuple[tuple[int, str], ...]:
    """Names that a source takes from elsewhere and that are missing, each with its author's line, counted from 1."""
    wrong = []
    for tag in _REACHING_OUT.finditer(source):
        line = author_line(source, tag.start()).line
        imported = _IMPORT.fullmatch(tag.group())
        if imported is None:
            takes = '{% from "sections" import ' + ", ".join(sections()) + " %}"
            wrong.append((line, f"{tag.group(1)} reaches nothing: from elsewhere a template takes only {takes}"))
            continue
        wrong += [(line, _no_section(name)) for name in _listed(imported.group(1)) if name not in sections()]
    return tuple(wrong)


def _listed(names: str) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()]


def _no_section(name: str) -> str:
    there = sections()
    hint = did_you_mean(name, there, ROUGHLY_LIKE)
    return f"there is no section {name}.{hint} There are: {', '.join(there)}."


def _before_end(html: str, footer: str) -> str:
    head, end, tail = html.rpartition("</body>")
    return f"{head}{footer}{end}{tail}" if end else f"{html}{footer}"


def _footer(kind: str) -> str:
    return _shipped(f"footer.{kind}")


@cache
def _shipped(name: str) -> str:
    return (LAYOUT / name).read_text()
