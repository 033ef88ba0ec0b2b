"""E-mails written once with samples, and once without what is not always there.

A template that shows what is missing fails when it is sent, for each customer anew; here it is refused on save.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from channels.accounts import fixed_accounts
from channels.email.channel import Email
from channels.email.smtp_session import EmailAccount
from channels.templates.engine import PARTS, Templates, names_in
from channels.unsubscribe import OwnLinks, UnsubscribeLinks
from schemas.channels.email import EmailAddress, EmailDelivery
from schemas.delivery import DistributionRef, EventRef, Recipient
from schemas.distribution import Distribution
from schemas.errors import Problem, RenderRefused, TemplateFailed
from schemas.events.objects import Customer
from schemas.events.samples import OBJECTS
from schemas.events.triggers import TRIGGERS, Trigger, object_fields
from schemas.record import JsonObject
from schemas.template import StoredTemplate
from streams.channels.payload import BROUGHT
from streams.digest import DIGEST, listed
from streams.documents.distribution import Definition

_ACCOUNT = EmailAccount(
    "trial", "localhost", 25, "none", "shop@example.com", unsubscribe_url="https://shop.example.com/unsubscribe"
)
_CODELESS = "goes out without a code as well (when_empty: send_without); write {% if voucher %} around what shows one"
_LINKLESS = (
    "voucher.qr_url and voucher.barcode_url are there only with console.public_url in the settings, where customers "
    'reach `tidings console`; an e-mail may bring its picture along: <img src="cid:qr">'
)
_PAGELESS = (
    "view_url and preferences_url are there only with console.public_url in the settings, where customers reach "
    "`tidings console`; write {% if view_url %} around what shows one"
)

_NOT_ALWAYS = 'write {{{{ {0} | default("…") }}}} or {{% if {0} %}} around it: {1}'
_PERHAPS = "not every {0} has one"
_FILLERS: tuple[Any, ...] = (1, "2026-11-20", {}, [])
"""Stand-ins for a field that samples do not have: each is tried."""
_EXPECTED = ("id", "object", "email", "consents", "metadata")
"""Fields of a profile that need no asking: without an address no mail is made, and the others are never absent."""


class _Lack(NamedTuple):
    """The data without what is not always there, whether links are served, and the advice where it fails."""

    data: JsonObject
    links: bool
    advice: str


def trial_problems(definition: Definition, *, links: bool) -> tuple[Problem, ...]:
    """Templates that need what the distribution may have to do without. `links`: whether
    pictures and pages have addresses.
    """

    def lacks(rule: Distribution, template: StoredTemplate, whole: JsonObject, _used: Names) -> Iterator[_Lack]:
        return _set_so(rule, template, whole, links=links)

    return tuple(_problems(definition, lacks))


def perhaps_problems(definition: Definition) -> tuple[Problem, ...]:
    """Templates that need an object that the trigger only perhaps has, or a field that not every profile has."""
    return tuple(_problems(definition, _perhaps))


Names = tuple[str, ...]
Lacks = Callable[[Distribution, StoredTemplate, JsonObject, Names], Iterator[_Lack]]


def _problems(definition: Definition, lacks: Lacks) -> Iterator[Problem]:
    rule = definition.distribution
    for at, template in definition.templates:
        for tag in ("", *template.locales):
            yield from _in_variant(rule, template, tag, at, lacks)


def _in_variant(rule: Distribution, template: StoredTemplate, tag: str, at: str, lacks: Lacks) -> Iterator[Problem]:
    """Problems where it can be written with everything, and not without something."""
    used = used_names(template.in_locale(tag))
    whole = whole_sample(rule, template, tag, used)
    if whole is None:
        return  # a sample has not all that upstream may send
    for lack in lacks(rule, template, whole, used):
        failed = failure(rule, template, lack.data, tag, trial_channel(links=lack.links))
        if failed:
            where = f"in {tag}: " if tag else ""
            path = f"{at}.{failed.part}" if failed.part else at
            yield Problem(path, f"{where}{lack.advice} ({failed})", failed.line, tag, failed.file)


def used_names(template: StoredTemplate) -> Names:
    """The variables that a template names, as in `customer.address.city`."""
    return tuple(sorted({name for part in PARTS if (text := getattr(template, part)) for name in names_in(text)}))


def whole_sample(rule: Distribution, template: StoredTemplate, tag: str, used: Iterable[str]) -> JsonObject | None:
    """A sample with which a template can be written, filled up with what it names; None where that cannot be made."""
    sample = _sample(rule)
    channel = trial_channel(links=True)
    tried = [sample, *(_filled(sample, used, filler) for filler in _FILLERS)]
    return next((data for data in tried if not failure(rule, template, data, tag, channel)), None)


def _filled(sample: JsonObject, used: Iterable[str], filler: Any) -> JsonObject:
    filled: Any = copy.deepcopy(sample)
    for name in used:
        *path, last = name.split(".")
        node = filled
        for step in path if path and path[0] in sample else []:
            node = node.setdefault(step, {}) if isinstance(node, dict) else None
        if isinstance(node, dict) and node is not filled:
            node.setdefault(last, filler)
    return dict(filled)


def _set_so(rule: Distribution, template: StoredTemplate, whole: JsonObject, *, links: bool) -> Iterator[_Lack]:
    """Data without what the distribution or the settings leave out."""
    if rule.publish is not None and rule.publish.when_empty == "send_without":
        without = {name: one for name, one in whole.items() if name not in BROUGHT["publish"]}
        yield _Lack(without, True, _CODELESS)
    if not links and _names_any(template, ("qr_url", "barcode_url")):
        yield _Lack(whole, False, _LINKLESS)
    elif not links and _names_any(template, ("view_url", "preferences_url")):
        yield _Lack(whole, False, _PAGELESS)


def _perhaps(rule: Distribution, _template: StoredTemplate, whole: JsonObject, used: Names) -> Iterator[_Lack]:
    """Data without what is there perhaps, as far as the template names it and the guard does not."""
    trigger = TRIGGERS[rule.trigger.event]
    asked = tuple(_paths(rule.when))
    for name in trigger.optional:
        if name not in BROUGHT[rule.action] and _names(used, name) and not _names(asked, name):
            without = {other: one for other, one in whole.items() if other != name}
            yield _Lack(without, True, _NOT_ALWAYS.format(name, _PERHAPS.format(f"event {trigger.type}")))
    for name, field in _profile_fields(trigger):
        path = f"{name}.{field}"
        profile = whole.get(name)
        if isinstance(profile, dict) and _names(used, path) and not _names(asked, path):
            lacking = {**whole, name: {other: one for other, one in profile.items() if other != field}}
            yield _Lack(lacking, True, _NOT_ALWAYS.format(path, _PERHAPS.format("customer")))


def _profile_fields(trigger: Trigger) -> Iterator[tuple[str, str]]:
    """Fields of a customer that upstream may not know."""
    for name, hint in object_fields(trigger.data).items():
        if hint is Customer and name in trigger.objects:
            yield from ((name, field) for field in object_fields(Customer) if field not in _EXPECTED)


def _names(names: Iterable[str], path: str) -> bool:
    return any(name == path or name.startswith(f"{path}.") for name in names)


def _paths(node: object) -> Iterator[str]:
    """Paths that a guard asks about: a distribution that does need not ask again."""
    if isinstance(node, dict):
        yield from map(str, node)
        for inner in node.values():
            yield from _paths(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _paths(inner)


def _names_any(template: StoredTemplate, links: tuple[str, ...]) -> bool:
    variants = [template.in_locale(tag) for tag in ("", *template.locales)]
    texts = [text for one in variants for text in (one.text, one.html) if text]
    return any(name in text for text in texts for name in links)


def _sample(rule: Distribution) -> JsonObject:
    sample: JsonObject = TRIGGERS[rule.trigger.event].sample(project_id=rule.project_id)["data"]
    gathered = {DIGEST: listed([sample, sample], 2)} if rule.digest else {}
    return {**sample, **{name: OBJECTS[name] for name in BROUGHT[rule.action]}, **gathered}


def trial_channel(*, links: bool) -> Email:
    """The channel that writes trials; it compiles a template once. `links`: whether links are served."""
    accounts = fixed_accounts("email", {_ACCOUNT.name: _ACCOUNT})
    if not links:
        return Email(accounts, Templates())
    return Email(accounts, Templates(), OwnLinks(*_SERVED), UnsubscribeLinks(*_SERVED))


def failure(
    rule: Distribution, template: StoredTemplate, data: Mapping[str, Any], tag: str, channel: Email
) -> TemplateFailed | None:
    """The reason why a template cannot be written with some objects, as a sender does it."""
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
        channel.render(delivery, template)
    except TemplateFailed as error:
        return error
    except RenderRefused as error:
        return TemplateFailed(str(error))
    return None


_SERVED = ("https://shop.example.com", ("trial",))
