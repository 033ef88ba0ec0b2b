"""The closed lists: every value that a field of a public record may take.

A match over one of these ends in `assert_never`, so that a new member does not compile until it is handled.
"""

from __future__ import annotations

from typing import Literal, get_args

Unknown = Literal["unknown"]
"""What a symbol that a newer release added is read as. It is the default of every public enum and is never written."""
UNKNOWN: Unknown = "unknown"

Reason = Literal[
    "no_match", "rule_error", "consent", "suppressed", "capped", "quiet_hours", "throttled", "duplicate", "holdout",
    "no_address", "no_code", "template_error", "expired", "paused", "breaker_open", "limit", "not_started", "ended",
    "canceled", "delayed", "stopped", "erased", "digest", "gathered", "fallback",
]  # fmt: skip
"""Why a message was not sent, or not yet."""

Outcome = Literal["emitted", "deferred", "skipped"]
"""What a matcher decided for a distribution whose trigger and guard fit an event."""

Outside = Literal["hold", "skip", "next_channel"]
"""What becomes of a message outside of the hours in which it may be sent."""

ChannelOrder = Literal["all", "first_available"]
"""Which channels of a distribution send: all at once, or the first in the order written that can be used."""

DistributionStatus = Literal["DRAFT", "LIVE", "PAUSED", "STOPPED", "ENDED", "ARCHIVED"]
"""Where a distribution stands in its life. One that is archived is over, and out of the lists; its past stays."""

SendStatus = Literal["DRAFT", "TO SEND", "SENDING", "PAUSED", "DONE", "STOPPED"]
"""Where a manual send stands: not confirmed, in its hold or before its moment, on its way, held by somebody, over."""

Action = Literal["message", "publish", "promote"]
"""What the customer gets: a plain message, a unique code of a campaign, or a promotion notice."""

WhenEmpty = Literal["stop", "wait", "skip", "send_without"]
"""What becomes of a message whose campaign has no code left: pause the distribution, hold it, skip it, send it so."""

BackfillWho = Literal["only_later", "now_and_later", "members_now"]
"""Who gets a distribution on a segment that is set live: those who enter it later, those who are in it, or both."""

AgainMode = Literal["every_event", "once_per_customer", "once_per", "once_in"]
"""How often one customer may get the same distribution."""

CapWindow = Literal["day", "week", "month", "span"]
"""The time in which a cap counts: a day, a week from Monday on or a month of the customer's, or a span before now."""

CapScope = Literal["channel", "category", "project"]
"""The messages to a customer that a cap counts together: of a channel, of a consent category, or all of a project."""

ChannelName = Literal[
    "webhook", "email", "sms", "braze", "klaviyo", "mailchimp", "activecampaign", "intercom", "batch", "shopify",
]  # fmt: skip
"""The ways out that exist. Each has a topic `deliveries.<channel>` and one file in `channels/`."""

DeliveryOutcome = Literal[
    "sent", "recovered", "failed", "delivered", "bounced", "complained", "suppressed", "expired", "canceled", "opened",
    "clicked", "machine_opened", "machine_clicked",
]  # fmt: skip
"""An end of a delivery: sent at the first try, recovered by a later one, or failed; suppressed, expired and canceled
are failures for reasons of our own. Delivered, bounced and complained are what its provider reports later, opened and
clicked what its customer did, machine_opened and machine_clicked what a scanner, a proxy or a robot did.
"""

Reach = Literal["delivered", "opened", "clicked"]
"""How far a message came; what came further came so far, too."""

PurchaseKind = Literal["order", "order_canceled", "redemption", "rollback"]
"""What an event tells of a purchase: an order that was paid or canceled, a code that was redeemed, or that back."""

NoticeKind = Literal[
    "destination_paused", "distribution_paused", "codes_low", "destination_failing", "limit_used",
    "distribution_silent", "skips_jumped", "field_changed",
]  # fmt: skip
"""What a project's owner hears of: an account or endpoint that refuses us, no codes left, few codes left, an account or
endpoint that fails, most or all of a limit of messages used, a distribution that nothing comes to, and one that is
skipped for a reason far more than usual, a field of events that is gone or of another kind.
"""

HoldKind = Literal["refused", "gone", "exhausted", "account", "reputation"]
"""Why nothing is sent to a destination: it refuses our access, is no more, or took nothing for as long as a delivery is
tried; its account is paused, removed or cannot be used; too much of its mail came back.
"""

NoticeState = Literal["opened", "closed"]

ChoiceWay = Literal["one_click", "page", "mail", "staff"]
"""The way in which a customer said what to be sent: the button of a mail program, a page of ours, a mail, or somebody
who wrote it down for them."""

Wire = Literal["avro", "confluent", "json"]
"""How records are written: Avro single-object, Avro in Confluent framing (needs a registry), or JSON."""

Role = Literal["matcher", "publisher", "holder", "sender", "segmenter", "fan_out", "recorder"]
"""The kinds of worker process."""


CHANNELS: tuple[ChannelName, ...] = get_args(ChannelName)


def members(closed: object) -> tuple[str, ...]:
    """The values of a closed list, in the order they are declared."""
    return get_args(closed)
