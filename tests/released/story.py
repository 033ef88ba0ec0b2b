"""Input of the released versions: settings, documents, profiles and events."""

from __future__ import annotations

from typing import Any

PROJECT = "shop"

SETTINGS = """\
project_id = "{project}"
data = "{data}"
[topics]
partitions = 2
[sender]
lease = "60s"
webhook_allow_private = true
webhook_timeout = "30s"
webhook_retries = ["1s", "480m", "480m"]
email_retries = ["1s", "480m"]
[webhook]
secrets = ["whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"]
[email_accounts.main]
host = "127.0.0.1"
port = {mail_port}
security = "none"
sender = "shop@example.com"
"""

LATER_SETTINGS = """\
[brand]
name = "The Shop"
address = "ul. Prosta 1, 00-001 Warszawa, Poland"
contact = "help@example.com"
privacy_url = "https://example.com/privacy"
terms_url = "https://example.com/terms"
logo_url = "https://example.com/logo.png"
permission_reminder = "You get this e-mail because you are a customer of The Shop."
"""
"""Of releases that know more than the first: 0.3.0 asks for the brand."""

DISTRIBUTIONS = {
    "thanks": """\
distribution: thanks
name: Thanks for a large order
trigger: {{event: customer.order.paid}}
when:
  any:
    - order.amount: {{at_least: 10000}}
    - order.items: {{any_item: {{sku_id: {{starts_with: "GIFT-"}}}}}}
consent: transactional
channels:
  - webhook: {{url: "{hooks}/ok", type: order.thanks}}
  - email:
      account: main
      subject: "Thank you for order {{{{ order.id }}}}"
      text: "{{{{ customer.name | default('dear customer') }}}}, order {{{{ order.id }}}} is on its way."
again: {{once_per: order.id}}
priority: 80
""",
    "winback": """\
distribution: winback
name: Win back lapsed customers
trigger: {{event: customer.segment.entered, segment: lapsed-90-days}}
when:
  all:
    - customer.metadata.country: {{in: [PL, DE, CZ]}}
    - not: {{customer.email: {{ends_with: "@staff.example.com"}}}}
consent: marketing
channels:
  - email: {{account: main, subject: "We miss you", template: winback}}
again: once_per_customer
expires_after: 3650d
priority: 40
""",
    "created": """\
distribution: created
trigger: {{event: customer.order.created}}
consent: transactional
channels: [{{webhook: {{url: "{hooks}/busy", type: order.created}}}}]
""",
    "updated": """\
distribution: updated
trigger: {{event: customer.order.updated}}
consent: transactional
channels: [{{webhook: {{url: "{hooks}/flaky", type: order.updated}}}}]
""",
    "canceled": """\
distribution: canceled
trigger: {{event: customer.order.canceled}}
consent: transactional
channels: [{{webhook: {{url: "{hooks}/refused", type: order.canceled, headers: {{x-team: help-desk}}}}}}]
""",
    "redeemed": """\
distribution: redeemed
trigger: {{event: customer.redemption.succeeded, campaign: camp_spring}}
consent: transactional
channels: [{{webhook: {{url: "{named}/closed", type: redemption.survey}}}}]
again: {{once_in: 7d}}
""",
    "left": """\
distribution: left
trigger: {{event: customer.segment.left, segment: lapsed-90-days}}
consent: transactional
channels: [{{webhook: {{url: "{hooks}/held", type: segment.left}}}}]
""",
    "paused": """\
distribution: paused
trigger: {{event: customer.order.paid}}
consent: marketing
channels: [{{webhook: {{url: "{hooks}/ok", type: paused}}}}]
""",
}

LATER_DISTRIBUTIONS = {
    "points": """\
distribution: points
trigger: {{event: customer.voucher.loyalty_card.points_added}}
consent: loyalty
channels: [{{email: {{account: main, subject: "Points for you", template: points}}}}]
""",
    "spring-code": """\
distribution: spring-code
trigger: {{event: customer.order.paid}}
when: {{order.amount: {{at_least: 10000}}}}
publish: {{campaign: spring-codes, when_empty: stop}}
consent: transactional
channels:
  - webhook:
      url: "{hooks}/ok"
      type: spring.code
      payload: {{code: {{from: voucher.code}}, customer: {{from: customer.id}}, source: tidings}}
  - email:
      account: main
      subject: "Your code"
      text: "Your code is {{{{ voucher.code }}}}."
""",
    "gift-card": """\
distribution: gift-card
trigger: {{event: customer.order.canceled}}
publish: {{campaign: gift-cards, when_empty: skip}}
consent: transactional
channels: [{{webhook: {{url: "{hooks}/ok", type: gift.card, attributes: [customer.id, voucher.code]}}}}]
""",
    "member-card": """\
distribution: member-card
trigger: {{event: customer.custom_event}}
publish: {{campaign: members, when_empty: wait}}
consent: transactional
channels: [{{webhook: {{url: "{hooks}/ok", type: member.card}}}}]
""",
    "scarce-code": """\
distribution: scarce-code
trigger: {{event: customer.order.updated}}
publish: {{campaign: scarce, when_empty: wait}}
consent: transactional
channels: [{{webhook: {{url: "{hooks}/ok", type: scarce.code}}}}]
""",
    "summer-gold": """\
distribution: summer-gold
trigger: {{event: customer.order.created}}
promote: {{campaign: summer-tiers, tier: gold}}
consent: transactional
channels: [{{webhook: {{url: "{hooks}/ok", type: summer.gold}}}}]
""",
    "goldmember": """\
distribution: goldmember
trigger: {{event: customer.segment.entered, segment: gold}}
consent: transactional
channels: [{{webhook: {{url: "{hooks}/ok", type: gold.entered}}}}]
""",
}
"""Of releases that publish codes and keep segments."""

CAMPAIGNS = {
    "spring-codes": """\
campaign: spring-codes
name: Spring 2027
kind: DISCOUNT_COUPONS
type: AUTO_UPDATE
discount: {type: PERCENT, percent_off: 10, amount_limit: 5000}
code_config: {pattern: "SPRING-######"}
join_once: true
valid_for: 14d
metadata: {season: spring}
""",
    "gift-cards": """\
campaign: gift-cards
name: Gift cards
kind: GIFT_VOUCHERS
type: STATIC
gift: {amount: 5000}
code_config: {prefix: GIFT-, length: 12, charset: ABCDEFGHJKLMNPQRSTUVWXYZ23456789}
expiration_date: 2099-01-01T00:00:00Z
low_water: 2
""",
    "members": """\
campaign: members
name: Members
kind: LOYALTY_PROGRAM
type: AUTO_UPDATE
loyalty_card: {points: 100}
code_config: {pattern: "CARD-####-####", charset: "0123456789"}
join_once: true
""",
    "scarce": """\
campaign: scarce
name: Codes of a partner
kind: DISCOUNT_COUPONS
type: STATIC
discount: {type: AMOUNT, amount_off: 500}
""",
    "summer-tiers": """\
campaign: summer-tiers
name: Summer promotion
kind: PROMOTION
tiers:
  - {id: silver, name: Silver, action: {discount: {type: PERCENT, percent_off: 5}}}
  - {id: gold, name: Gold, action: {discount: {type: PERCENT, percent_off: 10}}, metadata: {colour: gold}}
""",
}

CODES = """\
code,active,expiration_date,metadata.batch
PARTNER-AAA-1,true,2099-06-01T00:00:00Z,first
PARTNER-AAA-2,false,2099-06-01T00:00:00Z,first
"""
"""What a partner sent: one that can be claimed, one that is switched off."""

SEGMENTS = {
    "gold": """\
segment: gold
name: Gold
when: {customer.metadata.tier: {is: gold}}
""",
    "big": """\
segment: big
name: Big spenders
when: {customer.metadata.lifetime_value: {at_least: 20000}}
""",
    "lapsed-90-days": """\
segment: lapsed-90-days
name: Lapsed for 90 days
when: {customer.metadata.last_order_at: {before: 90d ago}}
""",
    "testers": "segment: testers\nname: Testers\nmembers: [c1, c2]\n",
}

TEMPLATES = {
    "winback.html": "<html><body><p>Hello {{ customer.name | default('there') }}</p></body></html>\n",
    "winback.txt": "Hello {{ customer.name | default('there') }}\n",
}
"""Beside the distributions, in every release."""

STORED_TEMPLATES = {
    "points.mjml": """\
<mjml><mj-body><mj-section><mj-column>
<mj-text>You have {{ balance.points | default(0) | points }} now.</mj-text>
</mj-column></mj-section></mj-body></mjml>
""",
    "points.pl.mjml": """\
<mjml><mj-body><mj-section><mj-column>
<mj-text>Masz {{ balance.points | default(0) | points }}.</mj-text>
</mj-column></mj-section></mj-body></mjml>
""",
}


def customers() -> list[dict[str, Any]]:
    """Eight profiles, each different: a timezone, no address, no consent, a value of another kind, other letters."""
    rows: list[dict[str, Any]] = [
        {"id": "c1", "name": "Jack Nowak", "email": "jack@example.com", "locale": "pl-PL", "timezone": "Europe/Warsaw",
         "birthday": "1990-11-20", "metadata": {"country": "PL", "tier": "gold", "lifetime_value": 48210}},
        {"id": "c2", "name": "Ada Svoboda", "email": "ada@example.com", "metadata": {"country": "CZ", "tier": "tin"}},
        {"id": "c3", "name": "Žofie Ňorková", "email": "zofie@example.com", "metadata": {"country": "CZ"}},
        {"id": "c4", "email": None, "metadata": {"country": "PL", "lifetime_value": 100}},
        {"id": "c5", "name": "Eve", "email": "eve@example.com", "metadata": {"tier": "gold", "lifetime_value": 30000}},
        {"id": "c6", "name": "Old Friend", "email": "old@example.com", "locale": "de-DE",
         "metadata": {"last_order_at": "2026-01-05T10:00:00Z"}},
        {"id": "c7", "name": "Odd", "email": "odd@example.com", "metadata": {"lifetime_value": "much"}},
        {"id": "c8", "name": "Erased Soon", "email": "gone@example.com", "phone": "+48600100200", "metadata": {}},
    ]  # fmt: skip
    consents = {"marketing": True, "loyalty": True}
    return [{"consents": {**consents, "marketing": row["id"] != "c3"}, **row} for row in rows]


def _event(identity: str, kind: str, created_at: str, customer: str, **objects: Any) -> dict[str, Any]:
    data = {"customer": {"id": customer}, **objects}
    return {"id": identity, "project_id": PROJECT, "type": kind, "created_at": created_at, "data": data}


def _order(identity: str, kind: str, now: str, customer: str, amount: int) -> dict[str, Any]:
    order = {"id": f"o-{identity}", "amount": amount, "items": [{"sku_id": "SHOE-42", "quantity": 1, "amount": amount}]}
    return _event(identity, f"customer.order.{kind}", now, customer, order=order)


def events(now: str) -> list[dict[str, Any]]:
    """One or more for each distribution of every release."""
    spring = {"id": "camp_spring", "name": "Spring"}
    voucher = {"id": "v1", "code": "LOYAL-1"}
    return [
        _order("e1", "paid", now, "c1", 12000),
        _order("e2", "paid", now, "c2", 15000),
        _order("e3", "paid", now, "c3", 10),
        _order("e4", "paid", now, "c4", 20000),
        _order("e5", "paid", now, "c8", 30000),
        _order("e6", "created", now, "c1", 100),
        _order("e7", "created", now, "c2", 200),
        _order("e8", "updated", now, "c1", 100),
        _order("e9", "updated", now, "c5", 100),
        _order("e10", "canceled", now, "c2", 100),
        _order("e11", "canceled", now, "c5", 100),
        _event("e12", "customer.segment.entered", now, "c1", segment={"id": "lapsed-90-days", "name": "Lapsed"}),
        _event("e13", "customer.segment.entered", now, "c3", segment={"id": "lapsed-90-days", "name": "Lapsed"}),
        _event("e14", "customer.segment.entered", now, "c4", segment={"id": "lapsed-90-days", "name": "Lapsed"}),
        _event("e15", "customer.redemption.succeeded", now, "c1", redemption={"id": "r1", "amount": 700},
               campaign=spring),
        _event("e16", "customer.voucher.loyalty_card.points_added", now, "c1", voucher=voucher, campaign=spring,
               balance={"points": 120}, transaction={"id": "t1"}),
        _event("e17", "customer.publication.succeeded", now, "c2", campaign=spring,
               publication={"id": "p1"}, voucher=voucher),
    ]  # fmt: skip


def last_events(now: str) -> list[dict[str, Any]]:
    """Deliveries that a receiver keeps waiting."""
    lapsed = {"id": "lapsed-90-days", "name": "Lapsed"}
    return [_event(f"last{number}", "customer.segment.left", now, f"c{number}", segment=lapsed) for number in (1, 2)]


LATER_SAMPLES = (
    "customer.custom_event", "manual_distribution_schedule", "customer.rewarded", "customer.loyalty.tier.upgraded",
    "customer.referred", "customer.redemption.rollback.succeeded", "customer.voucher.loyalty_card.points_expired",
)  # fmt: skip
"""Types whose samples a release prints itself; with `events`, one or more for each topic."""

BROKEN: list[tuple[str, bytes | None, bytes | None]] = [
    ("events.orders", b"c1", b"{"),
    ("events.orders", b"c1", b"\xff\xff\xff"),
    ("events.orders", None, b'{"id": "no-key"}'),
    ("customers", b"c1", b'{"name": "no id"}'),
]
"""Topic, key and value of what becomes dead-letters."""
