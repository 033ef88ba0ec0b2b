"""The text of a message, filled in and counted."""

from __future__ import annotations

from dataclasses import dataclass

from channels.codes.links import Links
from channels.templates.engine import Templates
from channels.templates.variables import message_variables
from channels.unsubscribe import UnsubscribeLinks
from schemas.channels.sms import MOST_PARTS, SmsDelivery
from schemas.errors import RenderRefused, TemplateFailed
from schemas.formats.sms_text import parts_of
from schemas.template import StoredTemplate


@dataclass(frozen=True, slots=True)
class Texts:
    """Templates, and the links that they may show."""

    templates: Templates
    links: Links
    unsubscribe: UnsubscribeLinks

    def text(self, delivery: SmsDelivery, template: StoredTemplate | None, most: int) -> str:
        """A text of as many parts as its author and its account (`most`) allow.

        Raises TemplateFailed, RenderRefused.
        """
        if template is None:
            named = delivery.sms.template
            raise TemplateFailed(f"template {named.name} ({named.digest[:8]}) is missing")
        variables, customer = message_variables(delivery, self.links, self.unsubscribe), delivery.customer
        filled = self.templates.render(template, variables, locale=customer.locale, timezone=customer.timezone)
        text = filled.text.replace("\r\n", "\n").strip()
        if not text:
            raise RenderRefused("template_error", "the text is empty: nothing of the template is left")
        most = min(delivery.sms.max_parts or MOST_PARTS, most or MOST_PARTS)
        if (parts := parts_of(text)).count > most:
            raise RenderRefused("limit", f"the text takes {parts.said}; at most {most} are sent")
        return text
