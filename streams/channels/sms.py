"""Text messages, as far as they are pure: their keys, the customer's number, and their deliveries."""

from __future__ import annotations

import re
from dataclasses import dataclass

from msgspec.structs import replace

from schemas.channels.sms import MOST_PARTS, SmsAddress, SmsDelivery, SmsPlan
from schemas.formats.blank import is_blank
from schemas.formats.phone import phone_number, phone_region
from schemas.formats.sms_text import parts_of
from schemas.record import JsonObject
from schemas.template import LocalText, StoredTemplate
from streams.channels.rules import ChannelRules, PlanContext, Shared
from streams.channels.template_files import TemplateFiles, named_template
from streams.event_context import Profile
from streams.values.kinds import AsWritten, Group, Key, Plain, Text, Whole
from streams.verdict import Skip


@dataclass(frozen=True, slots=True)
class Region(Plain[str]):
    """A country whose numbers may be written without its code."""

    @property
    def allowed(self) -> str:
        """See `Value`."""
        return "the two letters of a country, such as PL"

    def accepted(self, value: object) -> str | None:
        """See `Plain`."""
        try:
            return phone_region(value) if isinstance(value, str) else None
        except ValueError:
            return None

    def schema(self) -> JsonObject:
        """See `Value`."""
        return {"type": "string", "pattern": "^[A-Za-z]{2}$"}


KEYS = Group(
    {
        "account": Key(
            AsWritten("the name of an sms account"),
            required=True,
            doc="From which account it is sent ([accounts.md](accounts.md)).",
            example="main",
        ),
        "text": Key(
            Text(", a template"),
            doc="The text, a template ([templates.md](templates.md)); it, or `template`.",
            example="Your code is {{ voucher.code }}",
        ),
        "template": Key(
            AsWritten("the name of a template"),
            doc="A template in files or stored, of which the text parts are sent.",
            example="points",
        ),
        "region": Key(
            Region(),
            doc="The country of numbers that are written without its code; others are read as they are.",
            default="numbers need their code, as in +48501234567",
            example="PL",
        ),
        "max_parts": Key(
            Whole(1, MOST_PARTS),
            doc="How many parts a text may take; a longer one is not sent.",
            default="as the account says",
            example="2",
        ),
    }
)
_MORE_ACCOUNTS = "Add one by `tidings accounts add`"
_CODE = re.compile(r"\{\{.*?\}\}|\{#.*?#\}", re.DOTALL)
_MAY_BRANCH = "{%"


def _plan(written: JsonObject, context: PlanContext) -> SmsPlan | None:
    account = context.account(written.get("account"), "an sms account", _MORE_ACCOUNTS)
    found = _template(written, context)
    if found is None:
        return None
    most = written.get("max_parts")
    _check_parts(found[0], most, context)
    template = context.keep(*found)
    if template is None:
        return None
    return SmsPlan(account=str(account), template=template.ref, region=written.get("region") or "", max_parts=most)


def _template(written: JsonObject, context: PlanContext) -> tuple[StoredTemplate, TemplateFiles | None] | None:
    """The template that is written in the distribution itself, or the text of the one that it names."""
    name, text = written.get("template"), written.get("text")
    if name is None and not text:
        return context.problem("needs text, or template: the name of a template with a text part")
    if name is None:
        return StoredTemplate(name=context.distribution, subject="", text=str(text)), None
    if text:
        return context.problem("stands instead of text; write one or the other", "template")
    try:
        files = named_template(str(name), context.templates, context.stored_templates)
    except ValueError as error:
        return context.problem(str(error), "template")
    whole = files.template(str(name), "")
    if whole.text is None:
        return context.problem(f'"{name}" has no text part; a text message is made of its .txt', "template")
    locales = {tag: LocalText(text=local.text) for tag, local in whole.locales.items() if local.text is not None}
    return replace(whole, html=None, locales=locales), files


def _check_parts(template: StoredTemplate, most: int | None, context: PlanContext) -> None:
    """Refuse a text of which already what always stands there is too long. The rest is known when it is sent."""
    for tag in ("", *template.locales):
        source = template.in_locale(tag).text or ""
        parts = parts_of(_CODE.sub("", source).strip())
        if _MAY_BRANCH not in source and parts.count > (most or MOST_PARTS):
            where = f"in {tag}: " if tag else ""
            context.problem(f"{where}takes at least {parts.said}; at most {most or MOST_PARTS} are sent", "text")


def _number(plan: SmsPlan, profile: Profile) -> SmsAddress | Skip:
    phone = profile.get("phone")
    if phone is None or (isinstance(phone, str) and is_blank(phone)):
        return Skip("no_address", "the customer has no phone")
    try:
        number = phone_number(phone, plan.region)
    except ValueError as error:
        return Skip("no_address", f"nothing can be sent to the customer's phone: {error}")
    return SmsAddress(to=number, template=plan.template, max_parts=plan.max_parts)


def _delivery(plan: SmsPlan, address: SmsAddress, shared: Shared) -> SmsDelivery:
    return SmsDelivery(account=plan.account, sms=address, **shared)


SMS = ChannelRules(KEYS, _plan, _number, _delivery)
