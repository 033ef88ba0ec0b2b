"""A project as its author writes it, checked to the last key: a `Project`, or every problem found."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

import msgspec

from schemas.brand import FONTS
from schemas.distribution import CONSENTS, TRANSACTIONAL, Cap, ControlGroup
from schemas.events.event import MAX_ID
from schemas.formats.days import zone_of
from schemas.formats.hosts import HostRefused, ascii_url
from schemas.formats.mail_address import mail_address
from schemas.notice import NoticeAddresses
from schemas.plan import PLAN_NAMES, MessageLimits
from schemas.project import COLOR, CURRENCY, LANGUAGE_TAG, Project, Sandbox
from schemas.record import JsonObject
from schemas.suppression import suppression_key
from schemas.tracking import Tracking
from streams.documents.cap_keys import CapForm, cap_of
from streams.documents.experiments import ControlGroupForm
from streams.documents.segment import CustomerCondition
from streams.documents.windows import QUIET_HOURS, quiet_hours_of_project
from streams.holidays import known_country
from streams.values.kinds import Flag, Group, Identifier, Key, ListOf, OneOf, Plain, Span, Text, Whole
from streams.values.reader import DocumentReader
from streams.values.wording import unknown

_WEB = r"https?://"
_LONGEST_HOLD = 30 * 24 * 60 * 60
MOST_MESSAGES = 10**9
"""In a limit: more is no limit."""


@dataclass(frozen=True, slots=True)
class Written(Plain[str]):
    """A text of a form. `check` raises ValueError where the form alone does not say what is wrong."""

    allowed_as: str
    pattern: str
    check: Callable[[str], object] = str

    @property
    def allowed(self) -> str:
        return self.allowed_as

    def accepted(self, value: object) -> str | None:
        if not isinstance(value, str) or not re.match(f"(?:{self.pattern})", value):
            return None
        try:
            self.check(value)
        except (ValueError, HostRefused):
            return None
        return value

    def schema(self) -> JsonObject:
        return {"type": "string", "pattern": f"^(?:{self.pattern})"}


_PAGE = Written("an address such as https://shop.example/page", rf"{_WEB}[^\s/]+", ascii_url)
_COLOR = Written("a color such as '#1d4ed8'", rf"{COLOR}$")
_CURRENCY = Written("a currency of ISO 4217, as in EUR", rf"{CURRENCY}$")
_FONT = Written("names of fonts, separated by commas and without quotes, as in Georgia, serif", rf"{FONTS}$")
_COUNTRY = Written(
    "a country of ISO 3166 whose public holidays are known, as in PL or POL", r"[A-Z]{2,3}$", known_country
)
_LOCALE = Written("a language tag such as pl or pl-PL", rf"{LANGUAGE_TAG}$")
_REACHED = Written(
    "an address, a domain or a wildcard, as in ann@shop.example, shop.example or *.shop.example",
    r"\S+$",
    suppression_key,
)
_ADDRESS = Written("an address such as ops@shop.example", r"[^\s@]+@[^\s@]+$", mail_address)
_CONSENT = Text(": a consent category, as in marketing")


def _text(doc: str, example: str) -> Key:
    return Key(Text(), doc=doc, example=example)


def _page(doc: str, example: str) -> Key:
    return Key(_PAGE, doc=doc, example=example)


BRAND = Group(
    {
        "name": _text("The sender as customers know it.", "Outlet"),
        "address": _text("Its postal address.", "'Street 1, Town'"),
        "contact": _text("How it is reached.", "help@outlet.example"),
        "privacy_url": _page("Its privacy policy.", "https://outlet.example/privacy"),
        "terms_url": _page("Its terms.", "https://outlet.example/terms"),
        "logo_url": _page("Its logo.", "https://outlet.example/logo.png"),
        "permission_reminder": _text("Why customers get its mail.", "You shopped with us."),
        "preferences_url": _page("Where customers choose what they get.", "https://outlet.example/preferences"),
        "shop_url": _page("Where the buttons of default templates lead.", "https://outlet.example/shop"),
        "color": Key(_COLOR, doc="The color of buttons and of frames around codes.", example="'#0f766e'"),
        "letters_color": Key(
            _COLOR,
            doc="The color of letters on it.",
            default="black or white, whichever can be read",
            example="'#ffffff'",
        ),
        "font": Key(_FONT, doc="The fonts of templates that name `brand.font`.", example="Georgia, serif"),
        "currency": Key(_CURRENCY, doc="That of amounts in events, by ISO 4217.", example="EUR"),
        **{
            f"{where.lower()}_url": _page(f"Its page on {where}.", f"https://{where.lower()}.example/outlet")
            for where in ("Facebook", "Instagram", "LinkedIn", "TikTok", "X", "YouTube")
        },
    },
    "{name: Outlet, contact: help@outlet.example}",
)
SANDBOX = Group(
    {
        "allow": Key(
            ListOf(_REACHED, "addresses", least=0),
            required=True,
            doc="All that is reached; everything else ends as suppressed.",
            example="[ann@outlet.example, test.example, '*.hooks.example']",
        )
    },
    "{allow: [test.example]}",
)
TRACKING = Group(
    {
        "opens": Key(Flag(), doc="Opens are told: by a picture in the HTML.", default="false", example="true"),
        "clicks": Key(Flag(), doc="Clicks are told: links lead through the console.", default="false", example="true"),
    },
    "{opens: true, clicks: true}",
)
_MESSAGES = Whole(1, MOST_MESSAGES, ": messages")
LIMITS = Group(
    {
        "in_all": Key(_MESSAGES, doc="How many leave in all.", default="the plan's", example="10"),
        "a_day": Key(_MESSAGES, doc="How many leave in a day of its timezone.", default="the plan's", example="500"),
        "a_month": Key(_MESSAGES, doc="How many leave in a month.", default="the plan's", example="10000"),
    },
    "{a_day: 500, a_month: 10000}",
)
SENDS = Group(
    {
        "hold": Key(
            Span(),
            doc="How long a send can still be edited or stopped once it is confirmed; 30d at most, 0s sends at once.",
            default="the settings'",
            example="30m",
        )
    },
    "{hold: 30m}",
)
APPROVALS = Group(
    {
        "above": Key(
            Whole(1, MOST_MESSAGES, ": customers"),
            required=True,
            doc="A manual send to more customers is confirmed once another than who wrote it has approved it.",
            example="1000",
        )
    },
    "{above: 1000}",
)
NOTICES = Group(
    {
        "emails": Key(ListOf(_ADDRESS, "addresses"), doc="People who hear of it.", example="[ops@outlet.example]"),
        "account": Key(
            Text(": an e-mail account"),
            doc="The account that the mail leaves through.",
            default="the settings'",
            example="main",
        ),
        "webhook": _page("A program that hears of it, and of its end.", "https://ops.outlet.example/notices"),
    },
    "{emails: [ops@outlet.example], account: main}",
)
PROJECT = Group(
    {
        "project": Key(Identifier("outlet", most=MAX_ID), required=True, doc="Its id.", example="outlet"),
        "name": Key(Text(": what people call it"), doc="What people call it.", default="its id", example="Outlet"),
        "timezone": Key(
            Written("a timezone of the IANA database, as in Europe/Warsaw", r"\S+$", zone_of),
            doc="Where its days begin, for customers without a timezone of their own.",
            default="the settings'",
            example="Europe/Warsaw",
        ),
        "country": Key(
            _COUNTRY,
            doc="Whose public holidays count, for customers whose address names no country.",
            default="the settings'",
            example="PL",
        ),
        "locale": Key(_LOCALE, doc="The language of templates without a locale.", default="the brand's", example="pl"),
        "consents": Key(
            ListOf(_CONSENT, "consent categories", least=0),
            doc="Its consent categories.",
            default="the settings'",
            example="[marketing, loyalty]",
        ),
        "brand": Key(BRAND, doc="The sender as customers see it.", default="the settings'", example=BRAND.example),
        "notices": Key(
            NOTICES,
            doc="Whoever hears what waits for a person; those of the settings then do not.",
            default="the settings'",
            example=NOTICES.example,
        ),
        "sandbox": Key(
            SANDBOX,
            doc="Where it is written, nothing reaches anybody but those whom it allows.",
            default="everybody is reached",
            example=SANDBOX.example,
        ),
        "tracking": Key(
            TRACKING,
            doc="What is told of e-mails to customers whose profile has the consent `tracking`; of nobody else.",
            default="nothing is tracked",
            example=TRACKING.example,
        ),
        "control_group": Key(
            ControlGroupForm(),
            doc="Customers who get none of its messages but transactional ones, so that all of them can be compared; "
            "another `experiment` draws anew.",
            default="0%",
            example="{share: 5%, experiment: year-2027}",
        ),
        "cap": Key(
            CapForm(),
            doc="How many messages one customer gets of all its distributions; transactional ones always go.",
            default="no limit",
            example="[{at_most: 1, in: day, of: sms}, {at_most: 3, in: week, of: category, then: {wait: 3d}}]",
        ),
        "staff": Key(
            CustomerCondition(),
            doc="Customers who are in no experiment: they always get it and are never counted.",
            default="nobody",
            example='{customer.email: {ends_with: "@ours.example"}}',
        ),
        "quiet_hours": Key(
            QUIET_HOURS,
            doc="The hours of a customer's day in which nothing is sent but what is transactional: it waits until they "
            "are over and its own `window` is open.",
            default="the settings'",
            example=QUIET_HOURS.example,
        ),
        "sends": Key(SENDS, doc="What holds for its manual sends.", default="the settings'", example=SENDS.example),
        "approvals": Key(
            APPROVALS,
            doc="Which of its manual sends two people have to look at.",
            default="the settings'",
            example=APPROVALS.example,
        ),
        "git_lock": Key(
            Flag(),
            doc="Whether what was applied from Git is changed elsewhere only by those who insist. Without it the next "
            "plan of the folder shows such a change as drift all the same.",
            default="the settings'",
            example="false",
        ),
        "plan": Key(
            OneOf(PLAN_NAMES),
            doc="How many messages leave, one a channel counted at its first attempt: 10 in all (trial), 10 a day and "
            "100 a month (verified), or any number (paid). What is over it fails as `limit`.",
            default="paid",
            example="verified",
        ),
        "limits": Key(
            LIMITS, doc="Own numbers in place of the plan's.", default="the plan's", example=LIMITS.example
        ),
    }
)  # fmt: skip
"""All that a project may say."""
OF_THE_DEFAULT = frozenset({"project", "brand"})
"""All that the default project may: the settings say the rest, to processes that ask no database as well."""


@dataclass(frozen=True, slots=True)
class ProjectChecks:
    """The default project, whose document says its brand alone, and the e-mail accounts that notices may leave through.

    `notices_account` is the one that they leave through where a document names none.
    """

    default_project: str
    accounts: Collection[str]
    notices_account: str = ""
    consents: Collection[str] = CONSENTS
    """Those of a project that declares none."""


def parse_project(source: object, *, checks: ProjectChecks, version: int, now: datetime) -> Project:
    """Check a document. Raises DefinitionInvalid with all problems, each with path and valid options."""
    reader = _Reader(checks)
    read = reader.checked(reader.project(source))
    identity, sandbox, notices = str(read.pop("project")), read.pop("sandbox", None), read.pop("notices", None)
    limits, sends = read.pop("limits", None), read.pop("sends", None) or {}
    approvals = read.pop("approvals", None) or {}
    tracking = read.pop("tracking", None)
    return Project(
        id=identity,
        caps=read.pop("cap"),
        version=version,
        notices=None if notices is None else NoticeAddresses(**notices),
        limits=MessageLimits(**limits) if limits else None,
        send_hold=sends.get("hold"),
        approve_above=approvals.get("above"),
        sandbox=None if sandbox is None else Sandbox(**sandbox),
        tracking=None if tracking is None else Tracking(**tracking),
        updated_at=now,
        **{"name": identity, **read},
    )


@dataclass(frozen=True, slots=True)
class ProjectValues:
    """The keys that the settings say of the default project in the words of a document."""

    caps: tuple[Cap, ...] = ()
    control_group: ControlGroup | None = None
    staff: JsonObject | None = None
    country: str | None = None


def parse_values(written: JsonObject, consents: Collection[str]) -> ProjectValues:
    """Check those keys of a project without a document. Raises DefinitionInvalid with all problems."""
    reader = _Reader(ProjectChecks("", (), consents=consents))
    return reader.checked(reader.values(written))


class _Reader(DocumentReader):
    """Check what has to hold between the keys, beside what each may hold."""

    def __init__(self, checks: ProjectChecks) -> None:
        super().__init__()
        self._checks = checks

    def project(self, source: object) -> JsonObject:
        written = self._document(source, "project", PROJECT.keys)
        read = {} if written is None else self._value(PROJECT, written, "") or {}
        if written is not None and read.get("project") == self._checks.default_project:
            for name in (one for one in PROJECT.keys if one in written and one not in OF_THE_DEFAULT):
                self._problem(name, f"{read['project']} is the default project: the settings say this of it")
        if TRANSACTIONAL in read.get("consents", ()):
            self._problem("consents", f"{TRANSACTIONAL} is not a consent: it is sent without one")
        notices = read.get("notices") or {}
        account = notices.get("account") or self._checks.notices_account or None
        if notices.get("emails") and account not in self._checks.accounts:
            self._problem("notices.account", unknown(account, sorted(self._checks.accounts)))
        if "quiet_hours" in read:
            read["quiet_hours"] = quiet_hours_of_project(read["quiet_hours"], self._problem)
        if ((read.get("sends") or {}).get("hold") or 0) > _LONGEST_HOLD:
            self._problem("sends.hold", "must be at most 30d")
        return {**read, "cap": self._caps(read, read.get("consents", self._checks.consents))}

    def values(self, written: JsonObject) -> ProjectValues:
        keys = {name: PROJECT.keys[name] for name in ("cap", "control_group", "staff", "country")}
        read = self._value(Group(keys, PROJECT.example), written, "") or {}
        caps = self._caps(read, self._checks.consents)
        return ProjectValues(tuple(caps), read.get("control_group"), read.get("staff"), read.get("country"))

    def _caps(self, read: JsonObject, consents: Collection[str]) -> list[Cap]:
        """All its caps, as those of a project."""
        caps = [cap_of(place, keys, consents, self._problem) for place, keys in read.get("cap") or ()]
        return [msgspec.structs.replace(cap, of_project=True) for cap in caps if cap]
