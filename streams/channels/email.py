"""E-mail, as far as it is pure: its keys, the customer's mailbox, and its deliveries."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from msgspec.structs import replace

from schemas.channels.email import AttachedUrl, EmailAddress, EmailDelivery, EmailPlan
from schemas.formats.blank import is_blank
from schemas.formats.file_names import LONGEST_NAME, content_type, file_name, type_problem
from schemas.formats.mail_address import any_mail_address, mail_address
from schemas.record import JsonObject
from schemas.template import StoredTemplate, TemplateFile
from streams.channels.rules import ChannelRules, PlanContext, Shared
from streams.channels.template_files import TemplateFiles, named_template
from streams.event_context import Profile, profile_text
from streams.values.kinds import AsWritten, Group, Key, ListOf, Plain, Text
from streams.values.wording import Report, invalid, invalid_kind
from streams.verdict import Skip

_SUBJECT = Text(": the subject line, a template")
_LONGEST_NAME = 100
_LONGEST_PREHEADER = 300
_LONGEST_URL = 2000
_MOST_FILES = 10
_FILE_URL = "https://shop.example.com/invoices/{{ customer.id }}.pdf"
_URL = re.compile(r"https?://[^\s/?#@\\]+(?:[/?#][^\s\\]*)?\Z")
_URL_END = re.compile(r"[?#].*")
_TAG = re.compile(r"(\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\})", re.DOTALL)


@dataclass(frozen=True, slots=True)
class FileUrl(Plain[str]):
    """The address of a file, a template; it may hold a secret, so the sentence of a wrong one shows only its kind."""

    @property
    def allowed(self) -> str:
        """See `Value`."""
        return f"an https address of at most {_LONGEST_URL} characters, a template, as in {_FILE_URL}"

    def accepted(self, value: object) -> str | None:
        """See `Plain`."""
        if not isinstance(value, str) or len(value) > _LONGEST_URL or not value.isprintable():
            return None
        return value if _URL.match(_literal(value)) or value.startswith("{{") else None

    def read(self, value: object, at: str, report: Report) -> str | None:
        """See `Value`."""
        taken = self.accepted(value)
        if taken is None:
            report(at, invalid_kind(value, self.allowed))
        return taken

    def schema(self) -> JsonObject:
        """See `Value`."""
        return {"type": "string", "pattern": r"^(https?://|\{\{)", "maxLength": _LONGEST_URL}


@dataclass(frozen=True, slots=True)
class FileName(Plain[str]):
    """The name of a file, a template."""

    @property
    def allowed(self) -> str:
        """See `Value`."""
        return f"a file's name of at most {LONGEST_NAME} characters without / and \\, a template, as in invoice.pdf"

    def accepted(self, value: object) -> str | None:
        """See `Plain`."""
        if not isinstance(value, str) or not value.isprintable():
            return None
        literal = _literal(value)
        return value if file_name(literal) == literal.strip() and literal.strip() else None

    def read(self, value: object, at: str, report: Report) -> str | None:
        """See `Value`."""
        taken = Plain.read(self, value, at, report)
        if taken and (problem := type_problem(_literal(taken))):
            report(at, problem)
        return taken

    def schema(self) -> JsonObject:
        """See `Value`."""
        return {"type": "string", "pattern": r"\S"}


def _literal(template: str) -> str:
    """A template with a letter in place of each tag: what is left is what its author wrote."""
    return _TAG.sub("x", template)


@dataclass(frozen=True, slots=True)
class Mailbox(Plain[str]):
    """An e-mail address."""

    @property
    def allowed(self) -> str:
        """See `Value`."""
        return "an e-mail address such as help@shop.example"

    def accepted(self, value: object) -> str | None:
        """See `Plain`."""
        try:
            return mail_address(value)
        except ValueError:
            return None

    def schema(self) -> JsonObject:
        """See `Value`."""
        return {"type": "string", "pattern": r"^\s*[^\s@]+@[^\s@]+\s*$"}


_UTM = Group(
    {
        "source": Key(Text(), required=True, doc="`utm_source`: who sends the visit.", example="newsletter"),
        "medium": Key(Text(), doc="`utm_medium`.", default="email", example="email"),
        "campaign": Key(Text(), doc="`utm_campaign`.", default="the distribution's id", example="spring"),
        "content": Key(Text(), doc="`utm_content`: which of several links or texts.", example="button"),
        "term": Key(Text(), doc="`utm_term`.", example="shoes"),
    },
    "{source: newsletter}",
)
_ATTACHMENT = Group(
    {
        "url": Key(
            FileUrl(),
            doc="Where the file is, a template: fetched at each attempt, from places that webhooks may go to. Values "
            "are percent-encoded; a value that it begins with is an address itself. It, or `file`.",
            default="the file is one beside the document",
            example=_FILE_URL,
        ),
        "file": Key(
            Text(": a file beside the document, as in files/terms.pdf"),
            doc="A file in the folder of this document, or below: read when it is applied, kept as it is then, and the "
            "same for everybody. Another content is another version. These come before those of a `url`.",
            default="the file is fetched from a `url`",
            example="files/terms.pdf",
        ),
        "name": Key(
            FileName(),
            doc="What the file is called; beside a `url` a template.",
            default="as the last part of its address or path",
            example="invoice.pdf",
        ),
    },
    f'{{url: "{_FILE_URL}", name: invoice.pdf}}',
)
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
        "preheader": Key(
            Text(", a template", _LONGEST_PREHEADER),
            doc="The line that an inbox shows behind the subject, a template; the message itself does not show it.",
            example="Your code for {{ customer.name }}",
        ),
        "sender_name": Key(
            Text(most=_LONGEST_NAME),
            doc="The name that it comes from.",
            default="the account's",
            example="Ann of The Shop",
        ),
        "reply_to": Key(
            Mailbox(), doc="Where answers go.", default="to the account's sender", example="help@shop.example"
        ),
        "utm": Key(
            _UTM,
            doc="Parameters added to the links of the message, so that analytics know its visits. Links keep their "
            "query and what they have of these; links to leave or choose, and `mailto:`, get none.",
            default="links stay as they are",
            example="{source: newsletter}",
        ),
        "attachments": Key(
            ListOf(_ATTACHMENT, _ATTACHMENT.example, most=_MOST_FILES),
            doc="Files that the message brings along; how large they may be stands in the settings.",
            example=f"[{_ATTACHMENT.example}]",
        ),
    }
)
_BODY = re.compile(r"<body\b(?:[^>\"']|\"[^\"]*\"|'[^']*')*>", re.IGNORECASE)
_UNSEEN = '<div style="display:none;max-height:0;overflow:hidden;mso-hide:all">{}</div>'
_MORE_ACCOUNTS = "Add one under [email_accounts] in the settings"


def _plan(written: JsonObject, context: PlanContext) -> EmailPlan | None:
    account = context.account(written.get("account"), "an email account", _MORE_ACCOUNTS)
    found = _with_preheader(_template(written, context), written.get("preheader"), context)
    attachments = written.get("attachments") or ()
    files = [*_files(attachments, context)]
    if found and files:
        found = replace(found[0], files=files), found[1]
    template = context.keep(*found) if found else None
    if template is None:
        return None
    return EmailPlan(
        account=str(account),
        template=template.ref,
        sender_name=written.get("sender_name"),
        reply_to=written.get("reply_to"),
        link_parameters=_link_parameters(written.get("utm"), context.distribution),
        attachments=[*_attachments(attachments, context)],
    )


def _attachments(written: Sequence[JsonObject], context: PlanContext) -> Iterator[AttachedUrl]:
    for number, one in enumerate(written):
        if "file" in one:
            continue
        if "url" not in one:
            context.problem("needs a url, or a file beside the document", f"attachments[{number}]")
            continue
        url, name = one["url"], one.get("name")
        problem = None if name else type_problem(_URL_END.sub("", _literal(url)))
        if problem:
            context.problem(problem, f"attachments[{number}].url")
        yield AttachedUrl(url=url, name=name)


def _files(written: Sequence[JsonObject], context: PlanContext) -> Iterator[TemplateFile]:
    """The files beside the document. What is in them is kept with the definition."""
    for number, one in enumerate(written):
        path, at = one.get("file"), f"attachments[{number}]"
        if path is None:
            continue
        name = one.get("name") or re.split(r"[/\\]", path)[-1]
        problem = (
            "stands instead of url; write one or the other"
            if "url" in one
            else f"{name} is a template: a file beside the document is called the same for everybody"
            if _TAG.search(name)
            else f"{name} is not a file's name: {FileName().allowed}; give it another with name"
            if file_name(name) != name.strip()
            else type_problem(name)
        )
        if problem:
            context.problem(problem, f"{at}.file")
            continue
        try:
            digest, size = context.attach(path)
        except ValueError as error:
            context.problem(str(error), f"{at}.file")
        else:
            yield TemplateFile(name=name.strip(), content_type=content_type(name), size=size, digest=digest)


def _link_parameters(utm: JsonObject | None, distribution: str) -> dict[str, str]:
    if utm is None:
        return {}
    said = {"source": utm.get("source", ""), "medium": "email", "campaign": distribution, **utm}
    return {f"utm_{name}": value for name, value in said.items()}


_Found = tuple[StoredTemplate, TemplateFiles | None]


def _with_preheader(found: _Found | None, preheader: str | None, context: PlanContext) -> _Found | None:
    """The template with a line that readers of HTML do not see, first in the body of each locale."""
    if found is None or preheader is None:
        return found
    template, files = found
    if template.html is None:
        return context.problem("needs HTML: a message of text alone begins with its text", "preheader")
    locales = {
        tag: replace(local, html=local.html and preceded(local.html, preheader))
        for tag, local in template.locales.items()
    }
    return replace(template, html=preceded(template.html, preheader), locales=locales), files


def preceded(html: str, preheader: str) -> str:
    """HTML with a preheader; no line of it moves. What an author wrote outside of tags is text, not markup."""
    pieces = _TAG.split(preheader)
    shown = "".join(piece if number % 2 else escape(piece) for number, piece in enumerate(pieces))
    body = _BODY.search(html)
    at = body.end() if body else 0
    return f"{html[:at]}{_UNSEEN.format(' '.join(shown.split()))}{html[at:]}"


def _template(written: JsonObject, context: PlanContext) -> _Found | None:
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
        address = any_mail_address(email)
    except ValueError as error:
        return Skip("no_address", f"mail cannot be sent to the customer's email: {error}")
    return EmailAddress(
        to=address,
        name=profile_text(profile, "name"),
        template=plan.template,
        sender_name=plan.sender_name,
        reply_to=plan.reply_to,
        link_parameters=plan.link_parameters,
        attachments=plan.attachments,
    )


def _delivery(plan: EmailPlan, address: EmailAddress, shared: Shared) -> EmailDelivery:
    return EmailDelivery(account=plan.account, email=address, **shared)


EMAIL = ChannelRules(KEYS, _plan, _mailbox, _delivery)
