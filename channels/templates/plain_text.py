"""The text part of an e-mail whose author wrote HTML alone, made of what each customer's HTML became.

Inscriptis lays out what lxml has read, as a browser would: cells, rows and lists stay apart. What only arranges a page
is taken out first, so that a table of columns is not read as a table of data.
"""

from __future__ import annotations

import re

from inscriptis.css_profiles import CSS_PROFILES
from inscriptis.html_engine import Inscriptis
from inscriptis.html_properties import Display
from inscriptis.model.config import ParserConfig
from inscriptis.model.html_element import HtmlElement as Style
from lxml.etree import ParserError
from lxml.html import HtmlElement, document_fromstring

_LINES = ("table", "hr", "dl", "dt", "dd", "section", "center", "form", "caption", "details", "summary", "fieldset")
_STYLES = CSS_PROFILES["strict"] | {name: Style(display=Display.block) for name in _LINES}
_CONFIG = ParserConfig(css=_STYLES, table_cell_separator="  ")
_UNSEEN = ("head", "style", "script", "template", "title", "noscript", "object", "svg")
_HIDDEN = re.compile(
    r"(?<![a-z-])(?:display:none|visibility:hidden|(?:max-)?height:0(?:px)?(?:;|!|$)|opacity:0(?:;|!|$))"
)
_PARTS = ("table", "div", "p", "ul", "ol", "h1", "h2", "h3")
_BLOCKS = f"descendant::*[{' or '.join(f'self::{name}' for name in _PARTS)}]"
_INSTEAD = "data-text"
"""An attribute that says what stands in the text instead of an element, as those of our sections do."""
_HARD, _KEPT = "\u00a0", "\ue0a0"
"""A space that does not break, and what stands for it while others are put together."""
_NO_ADDRESS = ("#", "cid:", "javascript:")
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""Characters that lxml takes in no text, and nobody sees."""
_FILLERS = re.compile(r"[\u034f\u00ad\u200b\u2060\ufeff]+")
_JOINERS = re.compile(r"(?<!\S)[\u200c-\u200f]+(?!\S)|(?<!\S)[\u200c\u200d]+|[\u200c\u200d]+(?!\S)")
"""Fillers of a preview, only beside blanks: within a word Persian, Indic scripts and emoji are written with it."""


def text_of(html: str) -> str:
    """The text for a reader without HTML: links with their addresses, pictures as what is said of them."""
    try:
        tree = document_fromstring(_NO_TEXT.sub("", html))
    except ParserError:
        return ""
    for element in tree.xpath(f"//*[@{_INSTEAD}]"):
        _say_instead(element)
    for element in list(tree.iter()):
        if element is not tree and _is_unseen(element):
            element.drop_tree()
    for table in tree.xpath("//table"):
        (_alone if _is_data(table) else _flatten)(table)
    for image in tree.xpath("//img"):
        image.tail = f" {image.get('alt', '')} {image.tail or ''}"
        image.drop_tree()
    for link in tree.xpath("//a[@href]"):
        _show_address(link)
    for element in tree.iter():
        _bare(element)
    return _tidy(Inscriptis(tree, _CONFIG).get_text())


def has_data(html: str) -> bool:
    """Tell whether a table of it is laid out by how long its cells are."""
    try:
        return any(_is_data(table) for table in document_fromstring(_NO_TEXT.sub("", html)).xpath("//table"))
    except ParserError:
        return False


def _say_instead(element: HtmlElement) -> None:
    said, tail = element.get(_INSTEAD), element.tail
    element.clear()
    element.tag, element.text, element.tail = "div", said, tail


def _is_unseen(element: HtmlElement) -> bool:
    if not isinstance(element.tag, str) or element.tag in _UNSEEN or element.get("hidden") is not None:
        return True
    style = element.get("style")
    return style is not None and _HIDDEN.search("".join(style.lower().split())) is not None


def _is_data(table: HtmlElement) -> bool:
    """Rows of several cells; where cells hold parts of a page, only with headings: the others arrange a page."""
    if not any(len(row.xpath("td|th")) > 1 for row in table.iter("tr")):
        return False
    return not table.xpath(_BLOCKS) or (not table.xpath("descendant::table") and bool(table.xpath("descendant::th")))


def _flatten(table: HtmlElement) -> None:
    """A table that arranges a page: each cell is a part of its own."""
    for part in table.xpath("tr|*/tr|tr/td|tr/th|*/tr/td|*/tr/th|tbody|thead|tfoot"):
        part.tag = "p" if part.tag in ("td", "th") else "div"
    table.tag = "div"


def _alone(table: HtmlElement) -> None:
    """On lines of its own, whatever stands before and behind it."""
    around = table.makeelement("div")
    around.tail, table.tail = table.tail, None
    table.getparent().replace(table, around)
    around.append(table)


def _bare(element: HtmlElement) -> None:
    """An element without how it looks, which is nothing here and takes most of the time, but for being a block."""
    if "display:block" in element.get("style", "").replace(" ", ""):
        element.tag = "div"
    element.attrib.clear()
    element.text = element.text and element.text.replace(_HARD, _KEPT)
    element.tail = element.tail and element.tail.replace(_HARD, _KEPT)


def _show_address(link: HtmlElement) -> None:
    address, label = link.get("href", "").strip(), " ".join(link.text_content().split())
    read = " ".join(address.split())
    if not address or address.startswith(_NO_ADDRESS) or label in (read, read.partition(":")[2]):
        return
    shown = f" ({address})" if label else address
    link.tail = f" {link.tail or ''}" if _is_glued(link) else link.tail
    if len(link):
        link[-1].tail = (link[-1].tail or "") + shown
    else:
        link.text = (link.text or "").rstrip() + shown


def _is_glued(link: HtmlElement) -> bool:
    """Tell whether what comes next would be read as a part of the address."""
    following = link.getnext()
    is_link = following is not None and following.tag == "a"
    return link.tail[0].isalnum() if link.tail else is_link


def _tidy(text: str) -> str:
    """Without the characters that fill a preview, blanks at the ends of lines, and more than one empty line."""
    visible = _JOINERS.sub("", _FILLERS.sub("", text.replace(_KEPT, _HARD)))
    lines = (line.rstrip() for line in visible.splitlines())
    whole = "\n".join("-- " if line == "--" else line for line in lines)  # what separates a signature (RFC 3676, 4.3)
    return re.sub(r"\n{3,}", "\n\n", whole).strip("\n")
