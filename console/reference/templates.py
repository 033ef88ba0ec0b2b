"""The reference page of e-mail templates: each example is rendered as it is written down."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from typer.core import TyperArgument, TyperGroup
from typer.main import get_command

from channels.codes.links import with_links
from channels.templates.bundle import FOOTER_LANGUAGES, bundled, sections
from channels.templates.designs import LANGUAGES, design_subject
from channels.templates.engine import Templates
from channels.templates.filters import WORD_LANGUAGES
from console.cli.templates import templates_app
from console.control.context import brand_texts
from console.control.designs import default_templates
from console.control.preview.offered import ASKED_FOR
from console.control.preview.samples import SAMPLE_BRAND
from schemas.closed import Action
from schemas.events.samples import OBJECTS
from schemas.events.triggers import TRIGGERS, Trigger
from schemas.template import LocalText, StoredTemplate
from streams.channels.default_templates import default_template
from streams.channels.payload import BROUGHT

LOCALES = ("en-US", "pl-PL", "de-DE", "ja-JP")

FILTER_EXAMPLES: dict[str, tuple[str, ...]] = {
    "money": ('{{ order.amount | money("PLN") }}',),
    "number": ("{{ 1234.5 | number }}",),
    "points": ("{{ 5 | points }}",),
    "value": ("{{ voucher | value }}", '{{ gift | value("EUR") }}'),
    "date": (
        "{{ event.created_at | date }}",
        '{{ event.created_at | date("full") }}',
        '{{ event.created_at | date("d MMMM") }}',
    ),
    "datetime": ('{{ event.created_at | datetime("short") }}',),
}
"""Filter to what shows it, of the sample of `customer.order.paid` with a voucher and a gift card."""

SECTION_EXAMPLES: dict[str, str] = {
    "header": 'header("It has been a while")',
    "text": 'text("Come back and see what is new.")',
    "code": 'code(voucher.code, "Your code")',
    "qr": 'qr(voucher.qr_url, "Your code as a picture")',
    "button": 'button("To the shop", "https://shop.example.com")',
    "image": 'image("https://shop.example.com/cup.png", "A cup")',
    "divider": "divider()",
}
"""Section to a call of it."""


def templates_page() -> str:
    """Files, sections, locales, filters, variables and commands."""
    parts = (_sections, _locales, _filters, _asked_for, _by_trigger, _defaults, _stored)
    return "\n".join([_HEAD, *(line for part in parts for line in part())]).rstrip() + "\n"


def rendered(source: str, trigger: Trigger, locale: str = "en-US") -> str:
    """A text on the sample of a trigger, beside which there are a voucher, a gift card and the customer's own pages."""
    template = StoredTemplate(name="example", subject="", text=source + "{# brand.address #}")
    variables = {
        "event": trigger.sample(),
        "voucher": OBJECTS["voucher"],
        "gift": {"gift": {"amount": 5000}},
        **trigger.sample()["data"],
        "unsubscribe_url": "https://shop.example.com/unsubscribe/d_1",
        "preferences_url": "https://shop.example.com/preferences",
        "view_url": "https://shop.example.com/view/d_1",
    }
    shown = with_links(variables, _example_links)
    whole = bundled(template, brand_texts(SAMPLE_BRAND))
    made = Templates().render(whole, shown, locale=locale, timezone="Europe/Warsaw").text or ""
    return made.replace("\u00a0", " ").replace("\u202f", " ")


def _example_links(_code: str) -> dict[str, str]:
    base = "https://codes.example.com/codes"
    return {"qr_url": f"{base}/qr/….png", "barcode_url": f"{base}/barcode/….png"}


def _sections() -> list[str]:
    paid = TRIGGERS["customer.order.paid"]
    head = '{% from "sections" import ' + ", ".join(sections()) + " %}"
    calls = {name: f"{{{{ {call} }}}}" for name, call in SECTION_EXAMPLES.items()}
    rows = [
        (_code(declared), _code(calls[name]), rendered(head + calls[name], paid))
        for name, declared in sections().items()
    ]
    return [_SECTIONS_HEAD, *_table(("section", "as in", "in the text part"), rows)]


def _locales() -> list[str]:
    template = StoredTemplate(
        name="t", subject="", locales={tag: LocalText() for tag in ("pl-pl", "pl", "zh", "zh-hant", "no")}
    )
    files = {tag: f"winback.{tag}.mjml" for tag in ("pl", "zh", "no")}
    files |= {"pl-pl": "winback.pl-PL.mjml", "zh-hant": "winback.zh-Hant.mjml", "": "winback.mjml"}
    customers = ("pl-PL", "pl_pl", "pl-US", "pl", "zh-TW", "zh-CN", "nb-NO", "de-DE", "")
    rows = [(locale or "none", _code(files[template.variant(locale)])) for locale in customers]
    said = _LOCALES_TAIL.replace("LANGUAGES", ", ".join(FOOTER_LANGUAGES))
    return [_LOCALES_HEAD, *_table(("customer's locale", "file"), rows), said]


def _filters() -> list[str]:
    paid = TRIGGERS["customer.order.paid"]
    rows = [
        (_code(example), *(rendered(example, paid, locale) for locale in LOCALES))
        for examples in FILTER_EXAMPLES.values()
        for example in examples
    ]
    return [_FILTERS_HEAD.replace("WORDS", ", ".join(WORD_LANGUAGES)), *_table(("written", *LOCALES), rows)]


def _asked_for() -> list[str]:
    rows = [
        (what, _code(source), f"`{kind}`", _code(rendered(source, TRIGGERS[kind]))) for what, kind, source in ASKED_FOR
    ]
    return [_VARIABLES_HEAD, *_table(("what", "written", "for example on", "comes to"), rows)]


def _by_trigger() -> list[str]:
    rows = [
        (
            f"[{trigger.type}](triggers.md#{trigger.type.replace('.', '')})",
            ", ".join(("customer", *trigger.required)),
            ", ".join(trigger.optional),
            "; ".join(f"{action}: {', '.join(brought)}" for action, brought in _brought(trigger)),
        )
        for trigger in TRIGGERS.values()
    ]
    return [_TRIGGERS_HEAD, *_table(("trigger", "always", "perhaps", "by the action"), rows)]


def _brought(trigger: Trigger) -> list[tuple[Action, tuple[str, ...]]]:
    found = [(action, tuple(BROUGHT[action])) for action in trigger.purposes]
    return [(action, objects) for action, objects in found if objects]


def _defaults() -> list[str]:
    uses: dict[str, list[str]] = {}
    for trigger in TRIGGERS.values():
        for action in trigger.purposes:
            said = trigger.type if action == "message" else action
            uses.setdefault(default_template(trigger.type, action), []).append(f"`{said}`")
    rows = [
        (_code(name), ", ".join(dict.fromkeys(uses[name])), design_subject(name)) for name in default_templates(None)
    ]
    head = _DEFAULTS_HEAD.replace("LANGUAGES", ", ".join(LANGUAGES))
    return [head, *_table(("template", "of `publish`, `promote`, or a plain message on", "its subject"), rows)]


def _stored() -> list[str]:
    group = get_command(templates_app)
    assert isinstance(group, TyperGroup)  # noqa: S101 - it has commands
    rows = [(_code(_usage(name, command)), command.help) for name, command in group.commands.items()]
    return [_STORED_HEAD, *_table(("command", "what it does"), rows)]


def _usage(name: str, command: Any) -> str:
    return " ".join(["tidings templates", name, *map(_parameter, command.params)])


def _parameter(one: Any) -> str:
    said = one.metavar or one.name.upper() if isinstance(one, TyperArgument) else one.opts[0]
    more = "…" if one.nargs == -1 else ""
    return f"{said}{more}" if one.required else f"[{said}{more}]"


def _code(text: str) -> str:
    return f"`{text}`"


def _table(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> list[str]:
    titles = list(head)
    lines = [" | ".join(str(cell).replace("|", "\\|") for cell in row) for row in rows]
    return [f"| {' | '.join(titles)} |", "|" + "---|" * len(titles), *(f"| {line} |" for line in lines), ""]


_HEAD = """\
# E-mail templates

Written from `channels/`, `schemas/events/triggers.py` and the commands by `python -m console.reference.pages`.

A distribution names a template: `email: {account: main, subject: "…", template: winback}`. It is looked for in files,
in `templates/` beside the distribution's file or one folder up, and then among the stored templates. Short texts need
no template: `text:` and `html:` stand in the distribution. With neither, the e-mail takes the default of what the
distribution does (below).

## Files

| file | what it is |
|---|---|
| `winback.mjml` | HTML by MJML: whole, or the content of the layout |
| `winback.html` | HTML, its `<style>` put into the elements too; not beside `winback.mjml` |
| `winback.txt` | the text part; without it, it is made of the HTML |
| `winback.pl.mjml`, `winback.pl-PL.txt` | the same for a locale |
| `layout.mjml` | what stands around MJML that has no `<mjml>` of its own; without the file a built-in layout does |

A layout is a whole document that says `{{ content }}` once, and `{{ footer }}` where the footer goes if not at its end.

All are [MiniJinja](https://docs.rs/minijinja) (as Jinja: `{{ … }}`, `{% if %}`, `{% for %}`). MJML is compiled once,
when a template or its distribution is applied, and not for each message.

A value that is not there cannot be shown: it fails the delivery with `template_error`. Write
`{{ customer.address.city | default("your city") }}`, or ask with `{% if customer.address.city %}`: both work at any
depth, whatever of it is missing. In an `if`, what is missing equals nothing and is neither less nor more than anything.
A null and a blank text (empty, or only of spaces and characters that show nothing) count as missing for `default`, for
`if`, for `is defined` and for dates; a blank text that is shown shows nothing.

The brand's details (`tidings brand`, else `[brand]` of the settings) stand below HTML and text, unless a part says
`brand.address` itself. The link to unsubscribe is left out of transactional mail, and so are its `List-Unsubscribe`
headers.
"""

_SECTIONS_HEAD = """\
## Sections

`{% from "sections" import header, code %}` at the top, then `{{ header("Hello") }}`; nothing else can be imported or
included.
"""

_LOCALES_HEAD = """\
## Locales

A customer gets the file of their locale, else the nearest by CLDR (likely scripts, aliases such as `iw` for `he`,
parents such as `es-419`), else of its language, else the default:
"""

_LOCALES_TAIL = """\
A file may begin with a subject, between two lines of `---`, as in `subject: "Wróć"`: a locale's file with its own; one
without a locale with that of distributions that write none. Else it is the distribution's `subject:`.

The footer has words for LANGUAGES, and English ones for all others; in the default file it is in the language of the
brand (`brand.locale`), by the same fallback.
"""

_FILTERS_HEAD = """\
## Filters

They write as the customer's locale does, whichever file it took; for a customer without one as the brand's, else in
English. Times are the customer's, else the project's
(`timezone` in its document, else in the settings); `preview` says where a customer's is not known.
Amounts are in minor units, by the decimals of ISO 4217 (RSD has two, JPY
none, KWD three); currencies that are not in it are refused. The word of `points` is there in WORDS; in other languages
it is the number alone. Beside these there are
[MiniJinja's own](https://docs.rs/minijinja/latest/minijinja/filters/index.html).
"""

_VARIABLES_HEAD = """\
## Variables

The objects of the event; `customer` is the profile of the customer table where there is one. Beside them:
`distribution` (`id`, `name`), `delivery_id`, `category` (the consent that the distribution names), `brand`, `event`
(`id`, `type`, `created_at`; where the trigger has an `event` of its own, that one), and where the settings have them
`unsubscribe_url`, `preferences_url` ([unsubscribe.md](unsubscribe.md)) and, in e-mails, `view_url`. This is a page of
`tidings console` that shows the message in a browser, for as long as its delivery is kept and its customer is not
erased; it needs `console.public_url` and `console.secrets`, and runs no script. The built-in layout begins with such a
link; a layout of your own says `{% if view_url is defined %}` around one. `voucher.qr_url` and `voucher.barcode_url`
need `console.public_url`.

An unknown object is refused on save, and so are a field that looks like a slip of a known one and a `brand.<key>` that
no brand has. What a brand may leave out, as `brand.x_url`, needs `{% if brand.x_url %}` around it.
"""

_TRIGGERS_HEAD = """\
What each trigger has; the known fields of each object are behind the link. What is there perhaps needs `default` or
`{% if referrer %}`; an e-mail that goes out without a code as well (`when_empty: send_without`) is tried without one on
save. A stored template may name the objects of all triggers; it is held against those of a distribution's own
when that is applied.
"""

_DEFAULTS_HEAD = """\
## Default templates

An e-mail that names no template takes the default of its distribution's action, and a plain message that of its
trigger: in LANGUAGES by the customer's locale, and in the brand's language (`brand.locale`) to all
others. `subject:` may be left out as well; one that is written counts in every language.

A default is of the brand: its logo, its `color`, a button where it has a `shop_url`, and amounts where it says the
`currency` of events. A template of the same name, in files or stored, is the project's own and is taken instead:
`tidings templates copy default-code templates` begins one. Other designs to copy are shown in [gallery.md](gallery.md).
What is applied already goes on with the one that it was applied with. `tidings templates preview default-code` shows
the one that counts.
"""

_STORED_HEAD = """\
## Stored templates

`tidings templates apply templates` stores each template of a folder under its name: the files as written, and what they
make. Distributions then need no files beside them. Names are of letters, digits, dash, dot and underscore.

- Each change is a new version. All are kept, those of a deleted template as well, and can be shown and exported.
  `templates history` says which versions of which distributions sent each: `tidings why` names those of a delivery.
- A distribution goes on with the text that it was applied with. `templates list` and `templates apply` say which send
  an older version; `tidings apply` of their files brings them up. So does `templates apply --roll-out`, which changes
  nothing but the template, and is refused whole where one of them lacks what the new text needs.
- Files beside a distribution win over a stored template of the same name.
- While a live or paused distribution sends a template it cannot be deleted.
"""
