"""Messages of an admin: their text, and to whom none is sent."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from channels.codes.links import Links
from channels.intercom.contacts import Contact
from channels.intercom.request import IntercomRequest
from channels.templates.engine import Templates
from channels.templates.variables import message_variables
from channels.unsubscribe import UnsubscribeLinks
from schemas.channels.intercom import IntercomDelivery, IntercomMessage
from schemas.errors import RenderRefused, TemplateFailed
from schemas.receipt import Refused
from schemas.template import StoredTemplate


@dataclass(frozen=True, slots=True)
class Messages:
    """Templates, and the links that they may show."""

    templates: Templates
    links: Links
    unsubscribe: UnsubscribeLinks

    def body(
        self, delivery: IntercomDelivery, message: IntercomMessage, template: StoredTemplate | None, admin_id: int
    ) -> bytes:
        """The message without whom it is for: HTML where there is any. Raises TemplateFailed, RenderRefused."""
        if template is None:
            raise TemplateFailed(f"template {message.template.name} ({message.template.digest[:8]}) is missing")
        if not admin_id:
            raise RenderRefused("no_address", f"account {delivery.account} has no admin_id, whom a message comes from")
        variables, customer = message_variables(delivery, self.links, self.unsubscribe), delivery.customer
        filled = self.templates.render(template, variables, locale=customer.locale, timezone=customer.timezone)
        text = (filled.html or filled.text).strip()
        if not text:
            raise RenderRefused("template_error", "the message is empty: nothing of the template is left")
        kind = {"message_type": "email", "subject": filled.subject.strip(), "template": message.style}
        said = {"from": {"type": "admin", "id": admin_id}, "body": text}
        return msgspec.json.encode((kind if message.is_email else {"message_type": "in_app"}) | said)


def kept_from(request: IntercomRequest, contact: Contact) -> Refused | None:
    """The refusal of a message to somebody who left; what is not read in the app Intercom may send by e-mail."""
    if request.kind != "message":
        return None
    if contact.unsubscribed_from_emails or contact.marked_email_as_spam:
        return Refused("the contact has unsubscribed from e-mail at Intercom", "suppressed")
    if request.is_email and contact.has_hard_bounced:
        return Refused("mail to the contact comes back, says Intercom", "suppressed")
    return None
