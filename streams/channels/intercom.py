"""Intercom, as far as it is pure: its keys, the names of a customer's contact, and its deliveries."""

from __future__ import annotations

from schemas.channels.intercom import IntercomAddress, IntercomDelivery, IntercomMessage, IntercomPlan
from schemas.formats.mail_address import mail_address
from schemas.record import JsonObject
from schemas.template import StoredTemplate
from streams.channels.mapping import DEFAULTS, Attributes, Transfer
from streams.channels.rules import ChannelRules, PlanContext, Shared
from streams.channels.template_files import TemplateFiles, named_template
from streams.event_context import Profile, profile_text
from streams.values.kinds import AsWritten, Group, Key, OneOf, Text
from streams.verdict import Skip

MOST_PROPERTIES = 9
"""Intercom keeps ten of an event and passes over the others; the delivery's id is one."""
_KINDS = ("email", "in_app")
_STYLES = ("plain", "personal")
_INLINE = ("cid:qr", "cid:barcode")
"""Pictures that an e-mail of our own brings along."""
_LONGEST_NAME = 190
_NAME = rf"(?=.*\S)[^.$()]{{1,{_LONGEST_NAME}}}"
_NAMED = f"a name of at most {_LONGEST_NAME} characters without dot, dollar sign and brackets"
_PLAIN = {name: path for name, path in DEFAULTS.items() if name != "publication_date"}
_TRANSFER = Transfer(
    attributes=Attributes(
        name=rf"{_NAME}|date\({_NAME}\)",
        named=f"{_NAMED}, or date(name) where the attribute is a date",
        defaults={**_PLAIN, "date(publication_date)": DEFAULTS["publication_date"]},
    ),
    properties=Attributes(
        name=rf"(?!delivery_id$){_NAME}", named=f"{_NAMED}, other than delivery_id", most=MOST_PROPERTIES
    ),
    event_name=Text(": the name of the event", most=_LONGEST_NAME),
)

_MESSAGE = Group(
    {
        "kind": Key(OneOf(_KINDS), required=True, doc="An e-mail, or a message in the app.", example="email"),
        "subject": Key(
            Text(": the subject line, a template"),
            doc="The subject line of an e-mail ([templates.md](templates.md)).",
            example="Hello {{ customer.name }}",
        ),
        "text": Key(AsWritten("a text, a template"), doc="The text, where it is short.", example="We miss you."),
        "html": Key(AsWritten("HTML, a template"), doc="The same as HTML.", example="<b>Hello.</b>"),
        "template": Key(
            AsWritten("the name of a template"),
            doc="A template in files or stored, instead of `text` and `html`; its HTML is sent where it has both.",
            example="winback",
        ),
        "style": Key(OneOf(_STYLES), doc="The look of an e-mail.", default="plain", example="personal"),
    },
    '{kind: in_app, text: "Your code is {{ voucher.code }}"}',
)

KEYS = Group(
    {
        "account": Key(AsWritten("the name of an Intercom account"), required=True, doc="The account.", example="main"),
        **_TRANSFER.keys,
        "message": Key(
            _MESSAGE,
            doc="A message from the account's admin, instead of `attributes` and `event`.",
            default="no message",
            example='{kind: in_app, text: "Hello."}',
        ),
    }
)
_MORE_ACCOUNTS = "Add one with tidings accounts add intercom/NAME"


def _plan(written: JsonObject, context: PlanContext) -> IntercomPlan | None:
    account = str(context.account(written.get("account"), "an Intercom account", _MORE_ACCOUNTS))
    if written.get("message") is not None:
        message = _message(written, context)
        return IntercomPlan(account=account, message=message) if message else None
    attributes, event = _TRANSFER.read(written, context)
    if not attributes and event is None:
        context.problem(
            "would say nothing: trigger and action bring nothing by themselves; write attributes, event or message"
        )
    return IntercomPlan(account=account, attributes=attributes, event=event)


def _message(written: JsonObject, context: PlanContext) -> IntercomMessage | None:
    if written.get("attributes") is not None or written.get("event") is not None:
        return context.problem("stands alone: attributes and event go in a channel entry of their own", "message")
    said: JsonObject = written["message"]
    is_email = said.get("kind") == "email"
    if is_email and not said.get("subject"):
        return context.problem("is missing: an e-mail needs one", "message.subject")
    if not is_email and (said.get("subject") or said.get("style")):
        key = "subject" if said.get("subject") else "style"
        return context.problem("is that of an e-mail; a message in the app has none", f"message.{key}")
    found = _template(said, context)
    if found and (shown := [cid for cid in _INLINE if cid in (found[0].html or "")]):
        return context.problem(f"shows {shown[0]}, which Intercom cannot carry; show voucher.qr_url", "message")
    template = context.keep(*found) if found else None
    if template is None:
        return None
    return IntercomMessage(template=template.ref, is_email=is_email, style=said.get("style") or _STYLES[0])


def _template(said: JsonObject, context: PlanContext) -> tuple[StoredTemplate, TemplateFiles | None] | None:
    """The template that is written in the message itself, or in the files of the one that it names."""
    name, text, html, subject = said.get("template"), said.get("text"), said.get("html"), said.get("subject") or ""
    if name is None and not text and not html:
        return context.problem("needs text, html, or template: the name of one", "message")
    if name is None:
        own = StoredTemplate(name=context.distribution, subject=subject, text=_plain(text), html=_plain(html))
        return own, None
    if text or html:
        return context.problem("stands instead of text and html; write one or the other", "message.template")
    try:
        files = named_template(str(name), context.templates, context.stored_templates)
    except ValueError as error:
        return context.problem(str(error), "message.template")
    return files.template(str(name), subject), files


def _plain(value: object) -> str | None:
    return str(value) if value else None


def _contact(plan: IntercomPlan, profile: Profile) -> IntercomAddress | Skip:
    external_id, email = profile_text(profile, "source_id"), _mailbox(profile)
    if external_id is None and email is None:
        return Skip("no_address", "the customer has neither source_id nor email, by which Intercom knows its contacts")
    return IntercomAddress(
        external_id=external_id, email=email, attributes=plan.attributes, event=plan.event, message=plan.message
    )


def _mailbox(profile: Profile) -> str | None:
    try:
        return mail_address(profile_text(profile, "email") or "")
    except ValueError:
        return None


def _delivery(plan: IntercomPlan, address: IntercomAddress, shared: Shared) -> IntercomDelivery:
    return IntercomDelivery(account=plan.account, intercom=address, **shared)


INTERCOM = ChannelRules(KEYS, _plan, _contact, _delivery)
