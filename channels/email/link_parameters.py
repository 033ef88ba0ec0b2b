"""Parameters on the links of an e-mail, by which a shop's analytics tell where a visit comes from (UTM).

Links keep their own query and fragment, and a parameter that they have already. What is no page gets none (`mailto:`,
`tel:`, `cid:`), nor do the customer's own links: they are signed, and whoever leaves is no visit.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from html import escape, unescape
from urllib.parse import quote

HREF = re.compile(
    r"""(<(?:a|area|v:\w+)(?=[\s/])(?:[^<>"']|"[^"]*"|'[^']*')*?(?<=[\s"'/])href\s*=\s*)("[^"]*"|'[^']*')""",
    re.IGNORECASE,
)
"""The link of an element, and of the buttons that Outlook draws."""
IN_TEXT = re.compile(
    r"""https?://(?:[^\s<>"'()\[\]{}\u00ab\u00bb\u2018-\u201e\u2026\u2039\u203a\u3000-\u303f\uff00-\uffef]|'(?=\w)"""
    r"""|\([^\s<>"()]*\)|\[[^\s<>"\[\]]*\]|\{[^\s<>"{}]*\})+""",
    re.IGNORECASE,
)
"""A link in a text. Brackets are part of it where they are closed in it: those around it are not."""
_END_OF_SENTENCE = ".,;:!?"
_PAGE = ("http://", "https://")
_BEHIND = ("?", "#", "&", "/")


def with_parameters(link: str, parameters: Mapping[str, str], own: Collection[str]) -> str:
    """The link with parameters, unless it is one of the customer's `own`, or is no page."""
    if not is_page(link) or any(below(link, one) for one in own if one):
        return link
    address, mark, fragment = link.partition("#")
    page, _, query = address.partition("?")
    there = {one.partition("=")[0].lower() for one in query.split("&")}
    added = [f"{name}={quote(value, safe='')}" for name, value in parameters.items() if name not in there]
    return f"{page}?{'&'.join([query, *added] if query else added)}{mark}{fragment}" if added else link


def in_html(html: str, parameters: Mapping[str, str], own: Collection[str]) -> str:
    """HTML whose links have the parameters."""

    def tagged(found: re.Match[str]) -> str:
        mark, link = found[2][0], unescape(found[2][1:-1])
        changed = with_parameters(link.strip(), parameters, own)
        return found[0] if changed == link.strip() else f"{found[1]}{mark}{escape(changed)}{mark}"

    return HREF.sub(tagged, html)


def in_text(text: str, parameters: Mapping[str, str], own: Collection[str]) -> str:
    """A text whose links have the parameters; what ends a sentence behind one is not part of it."""

    def tagged(found: re.Match[str]) -> str:
        link = ends_sentence(found[0])
        return with_parameters(link, parameters, own) + found[0][len(link) :]

    return IN_TEXT.sub(tagged, text)


def is_page(link: str) -> bool:
    """True for a link to a page: not `mailto:`, `tel:`, `cid:` or a place in the same message."""
    return link.lower().startswith(_PAGE)


def ends_sentence(found: str) -> str:
    """A link in a text without what ends the sentence behind it."""
    return found.rstrip(_END_OF_SENTENCE)


def below(link: str, own: str) -> bool:
    """True for a link that is another one, or leads to what is below it."""
    return link.startswith(own) and (len(link) == len(own) or link[len(own)] in _BEHIND)
