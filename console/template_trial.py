"""E-mails written once with samples, and once without what is not always there.

A template that shows what is missing fails when it is sent, for each customer anew; here it is refused on save.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from channels.code_links import code_links, no_links
from channels.email import Email
from channels.smtp_session import EmailAccount
from channels.templates import Templates
from schemas.delivery import DistributionRef, EmailAddress, EmailDelivery, EventRef, Recipient
from schemas.distribution import Distribution
from schemas.errors import Problem, RenderRefused, TemplateFailed
from schemas.record import JsonObject
from schemas.samples import OBJECTS
from schemas.template import StoredTemplate
from schemas.triggers import TRIGGERS
from streams.definition import Definition
from streams.payload import BROUGHT

_ACCOUNT = EmailAccount(
    "trial", "localhost", 25, "none", "shop@example.com", unsubscribe_url="https://shop.example.com/unsubscribe"
)
_CODELESS = "goes out without a code as well (when_empty: send_without); write {% if voucher %} around what shows one"
_LINKLESS = (
    "voucher.qr_url and voucher.barcode_url are there only with console.public_url in the settings, where customers "
    'reach `tidings console`; an e-mail may bring its picture along: <img src="cid:qr">'
)


class _Lack(NamedTuple):
    """The data without what is not always there, whether pictures have addresses, and what is said where it fails."""

    data: JsonObject
    links: bool
    advice: str


def trial_problems(definition: Definition, *, links: bool) -> tuple[Problem, ...]:
    """Templates that need what the distribution may have to do without. `links`: whether pictures have addresses."""
    rule = definition.distribution
    return tuple(
        Problem(at, f"{f'in {tag}: ' if tag else ''}{said}")
        for at, template in definition.templates
        if (lacks := _lacks(rule, template, links=links))
        for tag in ("", *template.locales)
        for said in _said(rule, template, tag, lacks)
    )


def _lacks(rule: Distribution, template: StoredTemplate, *, links: bool) -> list[_Lack]:
    data, lacks = _sample(rule), []
    if rule.publish is not None and rule.publish.when_empty == "send_without":
        without = {name: one for name, one in data.items() if name not in BROUGHT["publish"]}
        lacks.append(_Lack(without, True, _CODELESS))
    if not links and _names_pictures(template):
        lacks.append(_Lack(data, False, _LINKLESS))
    return lacks


def _said(rule: Distribution, template: StoredTemplate, tag: str, lacks: list[_Lack]) -> Iterator[str]:
    """Where it can be written with everything: what it cannot be written without."""
    if _failure(rule, template, _sample(rule), tag, links=True):
        return  # a sample has not all that upstream may send
    for lack in lacks:
        if failure := _failure(rule, template, lack.data, tag, links=lack.links):
            yield f"{lack.advice} ({failure})"


def _names_pictures(template: StoredTemplate) -> bool:
    variants = [template.in_locale(tag) for tag in ("", *template.locales)]
    texts = [text for one in variants for text in (one.text, one.html) if text]
    return any(name in text for text in texts for name in ("qr_url", "barcode_url"))


def _sample(rule: Distribution) -> JsonObject:
    sample: JsonObject = TRIGGERS[rule.trigger.event].sample(project_id=rule.project_id)["data"]
    return {**sample, **{name: OBJECTS[name] for name in BROUGHT[rule.action]}}


def _failure(
    rule: Distribution, template: StoredTemplate, data: Mapping[str, Any], tag: str, *, links: bool
) -> str | None:
    delivery = EmailDelivery(
        delivery_id="trial",
        project_id=rule.project_id,
        distribution=DistributionRef(id=rule.id, version=rule.version, name=rule.name),
        event=EventRef(id="trial", type=rule.trigger.event, created_at=rule.updated_at),
        customer=Recipient(id="trial", locale=tag or None, timezone=None),
        account=_ACCOUNT.name,
        priority=rule.priority,
        category=rule.consent,
        data=dict(data),
        email=EmailAddress(to="customer@example.com", template=template.ref),
    )
    try:
        Email({_ACCOUNT.name: _ACCOUNT}, Templates(), _addresses if links else no_links).render(delivery, template)
    except (TemplateFailed, RenderRefused) as error:
        return str(error)
    return None


def _addresses(code: str) -> Mapping[str, str]:
    return code_links(code, "https://shop.example.com", ["trial"])
