"""Designs of the product as templates; a default is compiled when an e-mail takes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import PurePath

from channels.templates.designs import design_files, design_names, is_default, language_of
from console.control.not_found import not_found
from console.control.template_check import problems_of
from console.control.template_source import SourceFile, TemplateSource, named_file, sources, usable
from schemas.errors import TidingsError
from streams.channels.template_files import TemplateFiles


@dataclass(frozen=True, slots=True)
class DefaultTemplates(Mapping[str, TemplateFiles]):
    """Every default by its name; the variant for customers of other languages is in `language`."""

    language: str

    def __getitem__(self, name: str) -> TemplateFiles:
        if name not in tuple(self):
            raise KeyError(name)
        return _compiled(name, self.language)

    def __iter__(self) -> Iterator[str]:
        return filter(is_default, design_names())

    def __len__(self) -> int:
        return len(tuple(iter(self)))


def default_templates(locale: str | None) -> DefaultTemplates:
    """The defaults for a brand that has this locale."""
    return DefaultTemplates(language_of(locale))


def design_source(design: str, language: str, name: str | None = None) -> TemplateSource:
    """The files of a design, as if an author had written them. `name` is the template's, if not the design's."""
    files = design_files(design, language, name)
    return sources(SourceFile(PurePath(file), text) for file, text in files.items())[name or design]


def design_named(design: str, locale: str | None, name: str) -> dict[str, str]:
    """The files of a design as a template of this name, for a brand that has this locale.

    Raises NotFound, and TidingsError for a name that a template cannot have.
    """
    if design not in design_names():
        raise not_found("design", design, design_names())
    if named_file(PurePath(f"{name}.mjml")) != (name, ""):
        raise TidingsError(f'"{name}" is not valid: must not end as a locale does')
    language = language_of(locale)
    problems = problems_of(design_source(design, language, name))
    if problems:
        raise TidingsError(problems[0].message)
    return design_files(design, language, name)


@cache
def _compiled(name: str, language: str) -> TemplateFiles:
    return replace(usable(design_source(name, language)), files={}, is_shared=True)
