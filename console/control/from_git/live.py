"""Everything of a project that is live, as files that would make it: documents, templates, and what is beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

import asyncpg

from channels.templates.mjml import is_document
from console.control.document_texts import mappings_in, own_text, values_of, with_status, written
from console.control.template_source import LAYOUT
from schemas.distribution import Distribution
from schemas.errors import TidingsError
from schemas.managed import ManagedKind
from schemas.template import StoredTemplate
from store.campaigns import Campaigns
from store.distributions import Control
from store.segments import Segments
from store.templates import NamedTemplates

FOLDERS: Mapping[ManagedKind, str] = {
    "campaign": "campaigns",
    "segment": "segments",
    "template": "templates",
    "distribution": "distributions",
}
"""By kind, the folder of its files."""


@dataclass(frozen=True, slots=True)
class LiveDocument:
    """A document as it was written; in the status that it has now."""

    kind: ManagedKind
    identity: str
    text: str

    @property
    def place(self) -> str:
        """The file that it is written to where it is new in a folder."""
        return f"{FOLDERS[self.kind]}/{self.identity}.yaml"

    @property
    def values(self) -> Any:
        """The values that it says."""
        return next(iter(values_of(self.text)), None)


@dataclass(slots=True)
class Live:
    """A project as files: its documents, the files of its templates by name, and others by their place in the folder.

    `notes` say what could not be written as it was.
    """

    documents: list[LiveDocument] = field(default_factory=list)
    templates: dict[str, str] = field(default_factory=dict)
    others: dict[str, bytes] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


async def live(pool: asyncpg.Pool, project_id: str) -> Live:
    """A project as it is now. Raises TidingsError where two templates cannot be in one folder, TryLater."""
    found = Live()
    for identity, source in (await Campaigns(pool).sources(project_id)).items():
        _add(found, "campaign", identity, own_text(source, "campaign", identity))
    for identity, (definition, source) in (await Segments(pool).sources(project_id)).items():
        text = own_text(source, "segment", identity)
        _add(found, "segment", identity, _with_members(found, text, definition.members or []))
    named = await NamedTemplates(pool).current(project_id)
    for name, template in named.items():
        _place(found, name, template.files)
    _must_share_a_layout(found, {name: template.files for name, template in named.items()})
    await _distributions(pool, project_id, found, named)
    return found


def _add(found: Live, kind: ManagedKind, identity: str, text: str) -> None:
    if text:
        found.documents.append(LiveDocument(kind, identity, text))
    else:
        found.notes.append(f"{kind} {identity} was applied without a document, and is left out")


# -- segments ----------------------------------------------------------------------------------------------------


def _with_members(found: Live, text: str, members: list[str]) -> str:
    """A list in a file is written beside the document, whatever folder it was in."""
    (values,) = values_of(text) or [None]
    file = values.get("members_file") if isinstance(values, dict) else None
    if not isinstance(file, str):
        return text
    place = PurePath(file)
    if place.is_absolute() or ".." in place.parts:
        text, place = written({**values, "members_file": place.name}), PurePath(place.name)
    found.others[f"segments/{place}"] = "".join(f"{one}\n" for one in ("id", *members)).encode()
    return text


# -- templates ---------------------------------------------------------------------------------------------------


def _place(found: Live, name: str, files: Mapping[str, str]) -> None:
    for file, text in files.items():
        before = found.templates.setdefault(file, text)
        if before != text:
            raise TidingsError(f"{file} of template {name} differs from that of another: one folder cannot hold both")


def _must_share_a_layout(found: Live, templates: Mapping[str, Mapping[str, str]]) -> None:
    """A layout is around all templates of its folder. Raises TidingsError."""
    for name, files in templates.items():
        is_content = any(file.endswith(".mjml") and not is_document(text) for file, text in files.items())
        if LAYOUT in found.templates and is_content and LAYOUT not in files:
            raise TidingsError(f"template {name} is in the built-in layout, and others are in one of their own")


def _as_sent(template: StoredTemplate) -> dict[str, str]:
    """Files that make what is sent, of a template whose own were not kept."""
    files: dict[str, str] = {}
    for tag in ("", *template.locales):
        local = template.locales.get(tag) if tag else None
        subject, one = local.subject if local else None, template.in_locale(tag)
        front = "" if subject is None else f"---\n{written({'subject': subject})}---\n"
        stem = f"{template.name}.{tag}" if tag else template.name
        files |= {f"{stem}.{end}": front + text for end, text in (("html", one.html), ("txt", one.text)) if text}
    return files


# -- distributions -----------------------------------------------------------------------------------------------


async def _distributions(pool: asyncpg.Pool, project_id: str, found: Live, named: Mapping[str, object]) -> None:
    control = Control(pool)
    sources = await control.sources(project_id)
    for identity, now in (await control.current(project_id)).items():
        if now.status == "ARCHIVED":
            found.notes.append(f"distribution {identity} is archived, and is left out")
            continue
        before, source = sources.get(identity, (now, ""))
        text = own_text(source, "distribution", identity) if source else ""
        if text and now.status != before.status:
            text = with_status(text, now.status)
        _add(found, "distribution", identity, text)
        if text:
            await _beside(control, now, values_of(text), found, named)


async def _beside(control: Control, rule: Distribution, values: Any, found: Live, named: Mapping[str, object]) -> None:
    """Templates that it was applied with and that are not stored, and files that it attaches."""
    asked, attached = set(_written(values, "template")), list(_attachments(values))
    for _, plan in rule.plans():
        template = await control.template(plan.template.digest) if plan.template else None
        if template is None:
            continue
        if template.version is None and template.name in asked and template.name not in named:
            _place(found, template.name, _as_sent(template))
            found.notes.append(f"template {template.name} of {rule.id} was not stored: it is written as it is sent")
        for file in template.files:
            places = [path for path, name in attached if name == file.name]
            data = await control.file(file.digest)
            if places and data is not None:
                found.others[f"distributions/{places[0]}"] = data


def _written(values: Any, key: str) -> Iterator[str]:
    """Every text under a key, however deep."""
    return (one[key] for one in mappings_in(values) if isinstance(one.get(key), str))


def _attachments(values: Any) -> Iterator[tuple[str, str]]:
    """Each file that is attached: its place beside the document, and its name in the message."""
    for one in mappings_in(values):
        if isinstance(one.get("file"), str):
            yield one["file"], str(one.get("name") or PurePath(one["file"]).name)
