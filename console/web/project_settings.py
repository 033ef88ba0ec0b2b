"""Pages of templates, accounts, keys, users and the project itself, as records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from console.web.project_lists import ListPage
from console.web.project_pages import Choice, ProjectPage


@dataclass(frozen=True, slots=True)
class TemplateRow:
    """A template in its newest version; `older` are distributions that send another one."""

    template: str
    version: int
    format: str
    locales: str
    used_by: Sequence[str]
    older: Sequence[str]
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplatesPage(ListPage):
    """The stored templates of a project."""

    template: ClassVar[str] = "templates.html"
    title: str = "Templates"
    rows: Sequence[TemplateRow]
    may_write: bool
    note: str


@dataclass(frozen=True, slots=True)
class ShownUse:
    """A distribution that sends a version of a template."""

    distribution: str
    version: int
    path: str


@dataclass(frozen=True, slots=True)
class ShownTemplateVersion:
    """A version of a template, and which versions of which distributions it went out with."""

    version: int
    applied_by: str
    applied_at: datetime
    sent_by: str
    path: str
    is_chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplatePage(ProjectPage):
    """A version of a template with its files as they were written, who sends it, and its versions.

    `older` are distributions that send another version than the `newest`; `acts` is what one may do to it.
    """

    template: ClassVar[str] = "template.html"
    name: str
    version: int
    format: str
    locales: str
    applied_by: str
    applied_at: datetime
    uses: Sequence[ShownUse]
    versions: Sequence[ShownTemplateVersion]
    files: Sequence[tuple[str, str]]
    path: str
    frame: str
    newest: int
    older: Sequence[str]
    acts: frozenset[str]
    note: str


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account at a provider, without anything secret; one of the settings is every project's."""

    account: str
    state: str
    kept_in: str
    changed_at: datetime | None
    changed_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountsPage(ListPage):
    """The accounts that messages may leave through."""

    template: ClassVar[str] = "accounts.html"
    title: str = "Accounts"
    rows: Sequence[AccountRow]
    may_write: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class AccountInput:
    """An input of the form of an account: its id, its words and what is in it, which of a secret is nothing.

    Of `choices`, values with their words, it is one, or none: `nothing` in words. Without any a text is written.
    """

    name: str
    label: str
    value: str
    is_secret: bool
    has_lines: bool
    choices: Sequence[tuple[str, str]] = ()
    nothing: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFormPage(ProjectPage):
    """The form of an account: a new one of a `channel`, or one that is there and keeps what is left empty.

    `account` is empty for a new one, `more` are inputs that few need. `providers` lead to the form of each, where there
    are several; `emptied` are fields that may be emptied: the name, its words, and the choice.
    """

    template: ClassVar[str] = "account_form.html"
    path: str
    account: str
    channel: str
    channels: Sequence[str]
    name: str
    inputs: Sequence[AccountInput]
    more: Sequence[AccountInput]
    providers: Sequence[Choice]
    emptied: Sequence[tuple[str, str, bool]]
    has_lost: bool


@dataclass(frozen=True, slots=True)
class BrandField:
    """A text of the brand: what it is for, and an example of it; e-mail needs some."""

    name: str
    label: str
    doc: str
    value: str
    example: str
    is_needed: bool

    @property
    def hint(self) -> str:
        """The purpose, with an example."""
        return f"{self.doc} As in: {self.example}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrandPage(ProjectPage):
    """The brand in a form: what e-mail needs, and the rest; `seen` is the version of the project's document.

    `missing` is what e-mail needs and nobody has written. `is_own`: it was saved; else it is that of the settings.
    """

    template: ClassVar[str] = "brand.html"
    title: str = "Brand"
    needed: Sequence[BrandField]
    more: Sequence[BrandField]
    missing: Sequence[BrandField]
    seen: int
    is_own: bool
    note: str


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key of the API without the key itself."""

    key_id: str
    name: str
    role: str
    kind: str
    state: str
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_by: str | None


def key_form() -> Mapping[str, str]:
    """The form to make a key as it is at first."""
    return {"name": "", "role": "viewer", "kind": "live", "expires": ""}


def invitation_form() -> Mapping[str, str]:
    """The form to invite somebody as it is at first."""
    return {"email": "", "display_name": "", "role": "viewer"}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysPage(ListPage):
    """The keys of a project, the newest first; `made` is the key itself of one that was made just now."""

    template: ClassVar[str] = "keys.html"
    title: str = "Keys of the API"
    rows: Sequence[KeyRow]
    roles: Sequence[tuple[str, str]]
    kinds: Sequence[tuple[str, str]]
    given: Mapping[str, str] = field(default_factory=key_form)
    made: str = ""


@dataclass(frozen=True, slots=True)
class UserRow:
    """A user as the project sees them; of who is invited, nothing but what the project itself said."""

    user_id: str
    email: str
    name: str
    role: str
    state: str
    granted_by: str
    granted_at: datetime
    last_signed_in_at: datetime | None
    is_self: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UsersPage(ListPage):
    """The users of a project; `link` is that of somebody who was invited just now, and `until` its end."""

    template: ClassVar[str] = "users.html"
    title: str = "Users"
    rows: Sequence[UserRow]
    roles: Sequence[tuple[str, str]]
    given: Mapping[str, str] = field(default_factory=invitation_form)
    link: str = ""
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class ShownLimit:
    """Messages of a span: those that are used of those that are allowed."""

    span: str
    used: int
    allowed: int
    free_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsPage(ProjectPage):
    """The project: its document, None where it has none, what is used of its limits, and what one may do here."""

    template: ClassVar[str] = "settings.html"
    title: str = "Settings"
    is_default: bool
    facts: Mapping[str, str]
    limits: Sequence[ShownLimit]
    version: int
    applied_by: str
    applied_at: datetime | None
    document: str | None
    role: str
