"""The content of an e-mail: its template filled in from its delivery, as it is sent and as a browser shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from html import escape
from typing import Any, NamedTuple, Protocol

from channels.codes.links import Links, no_links, with_links
from channels.codes.references import with_data_codes
from channels.email.link_parameters import in_html, in_text
from channels.templates.engine import Templates
from channels.tracked import NO_TRACKED_LINKS, TrackedLinks
from channels.unsubscribe import NO_UNSUBSCRIBE_LINKS, UnsubscribeLinks
from schemas.channels.email import EmailDelivery
from schemas.template import StoredTemplate

_VIEW = "view_url"
_PLAIN = (
    '<!DOCTYPE html><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{}</title>'
    '<pre style="white-space:pre-wrap;font:16px/24px sans-serif">{}</pre>'
)


class OwnPages(Protocol):
    """The pages that an account has instead of ours."""

    @property
    def unsubscribe_url(self) -> str:
        """The page on which one leaves; empty for ours."""
        ...

    @property
    def unsubscribe_mailto(self) -> str:
        """The mailbox to write to; empty for none."""
        ...


class Filled(NamedTuple):
    """A message, before it is one of SMTP. `line` fills in what stands beside the template; `in_url` encodes it."""

    subject: str
    text: str
    html: str | None
    unsubscribe_url: str
    mailto: str
    line: Callable[[str], str]
    in_url: Callable[[str], str]


class Contents:
    """The contents of e-mails, with links to pictures of codes and to customers' own pages."""

    def __init__(
        self,
        templates: Templates,
        links: Links = no_links,
        own: UnsubscribeLinks = NO_UNSUBSCRIBE_LINKS,
        tracked: TrackedLinks = NO_TRACKED_LINKS,
    ) -> None:
        self._templates, self._code_links, self._own_links, self._tracked = templates, links, own, tracked

    def filled(self, delivery: EmailDelivery, template: StoredTemplate, account: OwnPages) -> Filled:
        """Fill in. Raises TemplateFailed."""
        event, distribution, customer = delivery.event, delivery.distribution, delivery.customer
        mailto = self._own_links.mailto(delivery, account.unsubscribe_mailto)
        links = self._links(delivery, template, account.unsubscribe_url, mailto)
        variables: dict[str, Any] = {
            "event": {"id": event.id, "type": event.type, "created_at": event.created_at.isoformat()},
            **with_links(delivery.data, self._code_links),
            "distribution": {"id": distribution.id, "name": distribution.name},
            "delivery_id": delivery.delivery_id,
            "category": delivery.category,
            **links,
        }
        rendered = self._templates.render(template, variables, locale=customer.locale, timezone=customer.timezone)
        parameters, own_links = delivery.email.link_parameters, links.values()
        text = in_text(rendered.text, parameters, own_links) if parameters else rendered.text
        page = in_html(rendered.html, parameters, own_links) if parameters and rendered.html else rendered.html
        text, page = self._tracked.in_mail(text, page, delivery, own_links, _legal(template))
        line = partial(self._templates.line, "attachments", template, variables, customer.locale, customer.timezone)
        return Filled(
            rendered.subject, text, page, links.get("unsubscribe_url", ""), mailto, line, partial(line, in_url=True)
        )

    def page(self, delivery: EmailDelivery, template: StoredTemplate, account: OwnPages) -> str:
        """The whole message as a page, its pictures of codes in it. Raises TemplateFailed, RenderRefused."""
        made = self.filled(delivery, template, account)
        if made.html is None:
            return _PLAIN.format(escape(made.subject), escape(made.text))
        return with_data_codes(made.html, delivery)

    def _links(
        self, delivery: EmailDelivery, template: StoredTemplate, unsubscribe_url: str, mailto: str
    ) -> Mapping[str, str]:
        """The customer's own pages: those that the account and the brand name, else ours, else a mailbox to write to.

        The page of the message is made where it is named alone: its token takes time.
        """
        own = self._own_links.of(delivery)
        links = {
            "unsubscribe_url": unsubscribe_url or own.get("unsubscribe_url") or mailto,
            "preferences_url": str(template.brand.get("preferences_url", "")) or own.get("preferences_url", ""),
            _VIEW: self._own_links.view(delivery) if self._names_view(delivery, template) else "",
        }
        return {name: link.replace("{delivery_id}", delivery.delivery_id) for name, link in links.items() if link}

    def _names_view(self, delivery: EmailDelivery, template: StoredTemplate) -> bool:
        files = delivery.email.attachments
        return self._templates.names(template, delivery.customer.locale, _VIEW) or any(
            _VIEW in text for file in files for text in (file.url, file.name or "")
        )


def _legal(template: StoredTemplate) -> list[str]:
    """The pages of the brand that a message has to name, such as its terms."""
    return [str(value) for name, value in template.brand.items() if name.endswith("_url") and name != "shop_url"]
