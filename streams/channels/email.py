"""E-mail, as far as it is pure: its keys, the customer's mailbox, and its deliveries."""

from __future__ import annotations

from schemas.channels.email import EmailAddress, EmailDelivery, EmailPlan
from schemas.formats.blank import is_blank
from schemas.formats.mail_address import mail_address
from schemas.record import JsonObject
from schemas.template import StoredTemplate
from streams.channels.rules import ChannelRules, PlanContext, Shared
from streams.channels.template_files import TemplateFiles, named_template
from streams.event_context import Profile, profile_text
from streams.values.kinds import AsWritten, Group, Key, Text
from streams.values.wording import invalid
from streams.verdict import Skip

_SUBJECT = Text(": the subject line, a template")
KEYS = Group(
    {
        "account": Key(
            AsWritten("the name of an e-mail account"),
            required=True,
            doc="From which account of the settings it is sent.",
            example="main",
        ),
        "subject": Key(
            _SUBJECT,
            doc="The subject line ([templates.md](templates.md)).",
            default="the template's own, where it has one",
            example="Hello {{ customer.name }}",
        ),
        "template": Key(
            AsWritten("the name of a template"),
            doc="A template in files or stored ([templates.md](templates.md)); it, or `text` and `html`.",
            default="that of what the distribution does",
            example="winback",
        ),
        "text": Key(AsWritten("a text, a template"), doc="The text part, where it is short.", example="We miss you."),
        "html": Key(AsWritten("HTML, a template"), doc="The HTML part, where it is short.", example="<b>Hello.</b>"),
    }
)
_MORE_ACCOUNTS = "Add one under [email_accounts] in the settings"


def _plan(written: JsonObject, context: PlanContext) -> EmailPlan | None:
    account = context.account(written.get("account"), "an email account", _MORE_ACCOUNTS)
    found = _template(written, context)
    template = context.keep(*found) if found else None
    return EmailPlan(account=str(account), template=template.ref) if template else None


def _template(written: JsonObject, context: PlanContext) -> tuple[StoredTemplate, TemplateFiles | None] | None:
    """The template that is written in the distribution itself, or in the files of the template that it names."""
    name, text, html = written.get("template"), written.get("text"), written.get("html")
    subject = written.get("subject")
    if name is not None and (text or html):
        return context.problem("stands instead of text and html; write one or the other", "template")
    if text or html:
        own = StoredTemplate(name=context.distribution, subject=subject or "", text=_plain(text), html=_plain(html))
        return (own, None) if subject else _no_subject(context)
    name = context.default_template if name is None else str(name)
    return _named(name, subject, context) if name else None


def _named(name: str, subject: str | None, context: PlanContext) -> tuple[StoredTemplate, TemplateFiles] | None:
    try:
        files = named_template(name, context.templates, context.stored_templates, context.shipped_templates)
    except ValueError as error:
        return context.problem(str(error), "template")
    template = files.template(name, subject)
    return (template, files) if template.subject else _no_subject(context)


def _no_subject(context: PlanContext) -> None:
    return context.problem(invalid(None, _SUBJECT.allowed), "subject")


def _plain(value: object) -> str | None:
    return None if value is None else str(value)


def _mailbox(plan: EmailPlan, profile: Profile) -> EmailAddress | Skip:
    email = profile.get("email")
    if email is None or (isinstance(email, str) and is_blank(email)):
        return Skip("no_address", "the customer has no email")
    try:
        address = mail_address(email)
    except ValueError as error:
        return Skip("no_address", f"mail cannot be sent to the customer's email: {error}")
    return EmailAddress(to=address, name=profile_text(profile, "name"), template=plan.template)


def _delivery(plan: EmailPlan, address: EmailAddress, shared: Shared) -> EmailDelivery:
    return EmailDelivery(account=plan.account, email=address, **shared)


EMAIL = ChannelRules(KEYS, _plan, _mailbox, _delivery)
