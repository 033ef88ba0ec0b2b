"""Templates: MiniJinja in which what is not there cannot be shown, and with bounded work.

MiniJinja was chosen for its fuel limit and because it renders in Rust, about six times faster than Jinja2's sandbox.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

import minijinja

from channels.codes.references import codes_shown
from channels.templates.absent import ANYTHING, FILTERS, forgiving
from channels.templates.author_lines import AuthorLine, author_line
from channels.templates.errors import author_place, said
from channels.templates.filters import Formats, WrongValue
from channels.templates.text_shapes import Shapes
from schemas.brand import BRAND_VARIABLES
from schemas.errors import Problem, TemplateFailed
from schemas.formats.blank import is_blank
from schemas.formats.days import with_written_days
from schemas.names import ROUGHLY_LIKE, did_you_mean, nearest
from schemas.template import StoredTemplate

FUEL = 200_000
"""Instructions that one part of a template may take; a usual e-mail takes a few hundred."""

Part = Literal["subject", "text", "html"]

Objects = Mapping[str, tuple[str, ...]]
"""Names of objects, each with its known fields."""

How = Callable[[str], str | None]
"""The way in which a missing object comes; None where nothing could bring it."""

PARTS: tuple[Part, ...] = ("subject", "text", "html")
OWN_VARIABLES = (
    "distribution", "delivery_id", "category", "event", "brand", "unsubscribe_url", "preferences_url", "view_url",
)  # fmt: skip
"""Names that every template may use beside the objects of its trigger."""

_KEPT = 1000
_ABSENT: Any = "semi_strict"  # which its stub lacks
"""A missing value may be asked for in `if`, but not shown."""
_TAG = re.compile(r"\{#.*?#\}|(?P<code>\{[{%].*?[%}]\})", re.DOTALL)
"""A comment, or code: a comment may hold the beginning of code."""
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
_COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)
_FIRST_VALUE = re.compile(r"\s*\{\{[^{}]*\}\}")
_OWN_URL = re.compile(r"\b[a-z]+_url\b")
_FILTER = re.compile(r"\|\s*([A-Za-z_]\w*)")


@dataclass(frozen=True, slots=True)
class Rendered:
    """A template with its variables filled in. Where its author wrote no text, it is made of the HTML."""

    subject: str
    text: str
    html: str | None


class _Variant(NamedTuple):
    """One locale of a template, its name among the compiled ones, the brand as templates see it, and links it names."""

    of: StoredTemplate
    chosen: StoredTemplate
    digest: str
    brand: Any
    urls: frozenset[str]


class Templates:
    """Compiles each template once. `zone`: for customers whose own is not known, and projects without one."""

    def __init__(self, zone: tzinfo = UTC) -> None:
        self._formats = Formats(zone)
        self._environment = _environment(self._formats)
        self._shapes = Shapes()
        self._marking = _environment(self._formats, finalizer=self._shapes.mark)
        self._in_url = _environment(self._formats, finalizer=_percent_encoded)
        self._known: set[str] = set()
        self._variants: dict[tuple[int, str], _Variant] = {}

    def render(
        self,
        template: StoredTemplate,
        variables: Mapping[str, Any],
        *,
        locale: str | None = None,
        timezone: str | None = None,
    ) -> Rendered:
        """Fill in, as the customer's locale has it, else the brand's.

        Raises TemplateFailed that names the part and the variable.
        """
        variant = self._variant(template, template.variant(locale))
        return self._rendered(variant.chosen, variant.digest, self._present(variant, variables, locale, timezone))

    def names(self, template: StoredTemplate, locale: str | None, url: str) -> bool:
        """Tell whether a customer's variant may show a link of ours, as `view_url`: some take time to make."""
        return url in self._variant(template, template.variant(locale)).urls

    def line(
        self,
        what: str,
        template: StoredTemplate,
        variables: Mapping[str, Any],
        locale: str | None,
        timezone: str | None,
        source: str,
        *,
        in_url: bool = False,
    ) -> str:
        """A line that stands beside a template, with the same variables; `what` it is for its author.

        `in_url`: values are percent-encoded, but for one that it begins with, which is an address itself. Raises
        TemplateFailed.
        """
        present = self._present(self._variant(template, template.variant(locale)), variables, locale, timezone)
        begins = _FIRST_VALUE.match(source)
        at = (begins.end() if begins else 0) if in_url else len(source)
        pieces = ((self._environment, source[:at]), (self._in_url, source[at:]))
        try:
            return "".join(made.render_str(forgiving(piece), "line.txt", **present) for made, piece in pieces)
        except minijinja.TemplateError as error:
            raise TemplateFailed(f"{what}: {said(error)}") from None
        except WrongValue as error:
            raise TemplateFailed(f"{what}: {error}") from None

    def _present(
        self, variant: _Variant, variables: Mapping[str, Any], locale: str | None, timezone: str | None
    ) -> dict[str, Any]:
        brand = variant.of.brand
        self._formats.use(locale, timezone, brand.get("locale"), brand.get("timezone"))
        return {**without_nulls(with_written_days(variables)), "brand": variant.brand}

    def _variant(self, template: StoredTemplate, tag: str) -> _Variant:
        """One locale of a template.

        Senders keep their templates, so the object itself is the key: a digest takes longer than a message.
        """
        kept = self._variants.get((id(template), tag))
        if kept is None:
            chosen = template.in_locale(tag)
            if len(self._variants) >= _KEPT:
                self._variants.clear()
            made = _Variant(template, chosen, chosen.ref.digest, without_nulls(template.brand), _urls_in(chosen))
            kept = self._variants[id(template), tag] = made
        self._add(kept.chosen, kept.digest)
        return kept

    def _rendered(self, template: StoredTemplate, digest: str, present: Any) -> Rendered:
        subject = self._part(template, digest, "subject", present) or ""
        if template.text is not None or template.html is None:
            text = self._part(template, digest, "text", present)
            return Rendered(subject, text or "", self._part(template, digest, "html", present))
        html = self._part(template, digest, "html", present) or ""
        text = self._shapes.text(html, lambda: self._part(template, digest, "html", present, self._marking))
        return Rendered(subject, text, html)

    def _add(self, template: StoredTemplate, digest: str) -> None:
        if digest not in self._known:
            if len(self._known) >= _KEPT:
                self._environment.clear_templates()
                self._marking.clear_templates()
                self._known.clear()
            for part in PARTS:
                source = getattr(template, part)
                if source is not None:
                    _compile(self._environment, template, part, source, f"{digest}.{part}")
            if template.text is None and template.html is not None:
                _compile(self._marking, template, "html", template.html, f"{digest}.html")
            self._known.add(digest)

    def _part(
        self,
        template: StoredTemplate,
        digest: str,
        part: Part,
        variables: Any,
        environment: minijinja.Environment | None = None,
    ) -> str | None:
        if getattr(template, part) is None:
            return None
        try:
            return (environment or self._environment).render_template(f"{digest}.{part}", **variables)
        except minijinja.TemplateError as error:
            raise _failed(template, part, error) from None
        except WrongValue as error:
            place = self._place_of_wrong(getattr(template, part), part, str(error).split()[0], variables)
            said = f"template {template.name}, {part}, {place}: {error}"
            raise TemplateFailed(said, part, place.line, place.file) from None

    def _place_of_wrong(self, source: str, part: Part, name: str, variables: Any) -> AuthorLine:
        """The place of a filter that got what it cannot write: each use is tried without the others."""
        uses = [found.start(1) for found in re.finditer(rf"\|\s*({name})\b", source)]
        for use in uses:
            others = [at for at in uses if at != use]
            tried = source
            for at in reversed(others):
                tried = f"{tried[:at]}{ANYTHING}{tried[at + len(name) :]}"
            try:
                self._environment.render_str(forgiving(tried), f"use.{part}", **variables)
            except WrongValue:
                return author_line(source, use)
            except minijinja.TemplateError:
                continue
        return author_line(source, uses[0]) if uses else AuthorLine(1)


def _unsaid(_name: str) -> None:
    """Nobody knows how it comes."""


def check_template(template: StoredTemplate, objects: Objects, at: str, how: How = _unsaid) -> tuple[Problem, ...]:
    """Problems of a template, seen with the objects of its trigger and their known fields.

    `how` says how an object comes that is not there, where one could.
    """
    tags = ("", *template.locales)
    return tuple(problem for tag in tags for problem in _check(template.in_locale(tag), objects, at, tag, how))


def _check(template: StoredTemplate, objects: Objects, at: str, tag: str, how: How) -> tuple[Problem, ...]:
    environment = _environment(Formats())
    found: list[Problem] = []
    for part in PARTS:
        source = getattr(template, part)
        if source is None:
            continue
        try:
            _compile(environment, template, part, source, f"check.{part}")
        except TemplateFailed as error:
            found.append(Problem(f"{at}.{part}", str(error), error.line, tag, error.file))
            continue
        where = f"in {tag}: " if tag else ""
        for place, problem in _wrong_names(environment, source, part, objects, how):
            found.append(Problem(f"{at}.{part}", f"{where}{problem}", place.line, tag, place.file))
    return tuple(found)


def _wrong_names(
    environment: minijinja.Environment, source: str, part: Part, objects: Objects, how: How
) -> Iterator[tuple[AuthorLine, str]]:
    """Filters, variables and pictures that there are not, each with its line."""
    used = sorted(environment.undeclared_variables_in_str(source, nested=True))
    problems = [(rf"\|\s*{name}\b", _unknown_filter(name)) for name in _filters(source)]
    problems += [(rf"(?<![\w.]){re.escape(variable)}\b", _unknown(variable, objects, how)) for variable in used]
    yield from ((_place_of(pattern, source), problem) for pattern, problem in problems if problem)
    if part == "html":
        for problem in _codeless(source, objects, how):
            yield author_line(source, source.find(problem.split()[0])), problem


def names_in(source: str) -> set[str]:
    """The variables that a source names, as in `customer.address.city`; none where it cannot be read."""
    try:
        return set(_environment(Formats()).undeclared_variables_in_str(source, nested=True))
    except minijinja.TemplateError:
        return set()


def check_source(source: str, objects: Mapping[str, tuple[str, ...]]) -> tuple[tuple[int, str], ...]:
    """Problems of a text as its author wrote it, each with its line, counted from 1.

    `objects` are what it may use beside OWN_VARIABLES, with their known fields.
    """
    environment = _environment(Formats())
    try:
        environment.add_template("check.txt", source)
    except minijinja.TemplateError as error:
        return ((author_place(error).line, said(error)),)
    found = _wrong_names(environment, source, "text", objects, _unsaid)
    return tuple(sorted((place.line, problem) for place, problem in found))


def _place_of(pattern: str, source: str) -> AuthorLine:
    """The line of a pattern in the code of a source, not in its quoted texts; the first line where it is nowhere."""
    for tag in _TAG.finditer(source):
        code = _QUOTED.sub(lambda quoted: re.sub(r"[^\n]", " ", quoted.group()), tag["code"] or "")
        found = re.search(pattern, code)
        if found:
            return author_line(source, tag.start() + found.start())
    return AuthorLine(1)


def without_nulls(value: Any) -> Any:
    """A copy in which a null is simply not there, as in conditions, and a blank text is empty: as `if` takes it."""
    kind = type(value)
    if kind is str:  # most are, and a template's variables are many
        return "" if is_blank(value) else value
    if kind is dict or isinstance(value, Mapping):
        return {name: without_nulls(item) for name, item in value.items() if item is not None}
    if kind is list:
        return [without_nulls(item) for item in value]
    return value


def _environment(formats: Formats, finalizer: Callable[[Any], Any] | None = None) -> minijinja.Environment:
    return minijinja.Environment(
        finalizer=finalizer,
        undefined_behavior=_ABSENT,
        fuel=FUEL,
        auto_escape_callback=lambda name: name.endswith(".html"),
        filters={**formats.filters(), **FILTERS},
        tests={"defined": _is_there, "undefined": lambda value: not _is_there(value)},
    )


def _percent_encoded(value: Any) -> Any:
    return value if isinstance(value, bool) else quote(str(value), safe="", errors="replace")


def _is_there(value: Any) -> bool:
    return value is not None and not (isinstance(value, str) and is_blank(value))


def _urls_in(template: StoredTemplate) -> frozenset[str]:
    return frozenset(url for part in PARTS for url in _OWN_URL.findall(getattr(template, part) or ""))


def _compile(environment: minijinja.Environment, template: StoredTemplate, part: Part, source: str, name: str) -> None:
    try:
        environment.add_template(name, forgiving(source))
    except minijinja.TemplateError as error:
        raise _failed(template, part, error) from None


def _failed(template: StoredTemplate, part: Part, error: minijinja.TemplateError) -> TemplateFailed:
    place = author_place(error)
    return TemplateFailed(f"template {template.name}, {part}, {place}: {said(error)}", part, place.line, place.file)


def _filters(source: str) -> list[str]:
    """The filters that a template names; texts in quotes are no code."""
    tags = " ".join(tag["code"] or "" for tag in _TAG.finditer(source))
    return sorted(set(_FILTER.findall(_QUOTED.sub("", tags))))


def _unknown_filter(name: str) -> str | None:
    """MiniJinja looks filters up when they are reached, which may be never in a trial and once in production."""
    try:
        _environment(Formats()).render_str("{{ ''|" + name + " }}")
    except minijinja.TemplateError as error:
        if error.kind != "UnknownFilter":
            return None
        hint = did_you_mean(name, Formats().filters(), ROUGHLY_LIKE)
        return f"{error.detail}.{hint}" if hint else error.detail
    except WrongValue:
        return None
    return None


def _codeless(html: str, objects: Objects, how: How) -> list[str]:
    """Pictures of a code that the message does not have: such an e-mail could never be sent."""
    if "voucher" in objects:
        return []
    return [
        f"cid:{kind} shows voucher.code, and there is no voucher here. {how('voucher') or ''}".rstrip()
        for kind in codes_shown(_COMMENT.sub("", html))
    ]


def _unknown(variable: str, objects: Objects, how: How) -> str | None:
    """Objects may carry fields that we do not know, so a field is refused only when it looks like a slip."""
    root, *rest = variable.split(".")
    if root == "brand" and rest and rest[0] not in BRAND_VARIABLES:
        hint = did_you_mean(rest[0], BRAND_VARIABLES, ROUGHLY_LIKE)
        return f"brand has no {rest[0]}.{hint} There are: {', '.join(BRAND_VARIABLES)}."
    if root in OWN_VARIABLES:
        return None
    if root not in objects:
        hint = did_you_mean(root, objects, ROUGHLY_LIKE)
        there = ", ".join((*objects, *OWN_VARIABLES))
        comes = how(root)
        return f"there is no variable {root}.{hint} There are: {there}.{f' {comes}' if comes else ''}"
    fields = objects[root]
    if not rest or not fields or rest[0] in fields:
        return None
    meant = nearest(rest[0], fields, 0.8)
    return f'{root} has no {rest[0]}. Did you mean "{root}.{meant}"?' if meant else None
