"""The keys of a distribution: what each may hold, in words, with an example."""

from __future__ import annotations

from typing import get_args

from schemas.closed import BackfillWho, ChannelOrder, DistributionStatus
from schemas.distribution import TRANSACTIONAL
from streams.channels.tables import CHANNEL_RULES
from streams.documents.arms import arms_form
from streams.documents.cap_keys import CAP, CapForm
from streams.documents.digest_keys import DigestForm
from streams.documents.distribution_kinds import (
    CONDITION,
    PROMOTE,
    PUBLISH,
    UNLESS,
    AgainForm,
    ChannelList,
    DelayForm,
    TriggerForm,
)
from streams.documents.fallback_keys import FALLBACK
from streams.documents.windows import WINDOW
from streams.values.kinds import AsWritten, Group, Identifier, Key, Moment, OneOf, Span, Text, Whole
from streams.values.percent import Percent
from streams.waiting import MOST

DISTRIBUTION = Group(
    {
        "distribution": Key(
            Identifier("winback"),
            required=True,
            doc="Its id, which it keeps.",
            example="winback",
        ),
        "name": Key(
            Text(": what people call it"),
            null="wrong",
            doc="What people call it.",
            default="its id",
            example="Win back",
        ),
        "trigger": Key(
            TriggerForm(),
            required=True,
            doc="The event type that starts it ([triggers.md](triggers.md)), and what the event is about.",
            example="{event: customer.segment.entered, segment: lapsed-90-days}",
        ),
        "backfill": Key(
            OneOf(get_args(BackfillWho)),
            doc="Beside `event: customer.segment.entered` and a segment of ours: who gets it. `members_now` are those "
            "who are in the segment when it is set live: each gets it once, as if they entered then.",
            default="only_later",
            example="now_and_later",
        ),
        "when": Key(
            AsWritten("a condition", CONDITION),
            doc="What has to hold of the event and the customer ([conditions.md](conditions.md)).",
            default="always",
            example="{customer.metadata.country: PL}",
        ),
        "publish": Key(PUBLISH, doc="Publish a code of a campaign, and send it.", example="{campaign: spring-codes}"),
        "promote": Key(
            PROMOTE,
            doc="Tell of a promotion tier; not beside `publish`.",
            example="{campaign: summer-tiers, tier: gold}",
        ),
        "consent": Key(
            Text(f": a consent category such as marketing, or {TRANSACTIONAL}"),
            required=True,
            doc=f"What the customer has to have agreed to; `{TRANSACTIONAL}` needs no consent.",
            example="marketing",
        ),
        "channels": Key(
            ChannelList(CHANNEL_RULES),
            required=True,
            doc="What goes out, over one or more channels, each with its own keys (below).",
            example="[{webhook: {url: 'https://hooks.example.com/tidings', type: winback}}]",
        ),
        "order": Key(
            OneOf(get_args(ChannelOrder)),
            null="wrong",
            doc="Which channels send: all at once, or only the first, as they are written, that can be used. One for "
            "which there is no address, or that a cap or a window skips, gives way to the next; one that is held keeps "
            "its turn.",
            default="all",
            example="first_available",
        ),
        "fallback_after": Key(
            FALLBACK,
            doc="When the next channel of `order: first_available` sends as well: so long after a message that did not "
            "come so far (`delivered`, `opened`, `clicked`), by the records on `delivery.status`; at once after one "
            "that failed for good, bounced, was suppressed or expired. Everything is judged again then; a channel that "
            "cannot be used gives way to the one after it. Not beside `publish`.",
            default="no other channel sends",
            example="{time: 2d, unless: opened}",
        ),
        "again": Key(
            AgainForm(),
            doc="How often one customer may get it: a path counts each of its values, a span each of its windows.",
            default="every_event",
            example="{once_in: 30d}",
        ),
        "starts_at": Key(Moment(), doc="From when on it sends.", default="at once", example="2026-11-20"),
        "ends_at": Key(
            Moment(), doc="Until when it sends; a date includes its day.", default="never", example="2026-12-31"
        ),
        "delay": Key(
            DelayForm(),
            doc="How long it waits before it is judged again and sent: a span after the event, or until a date that "
            "the event or the customer has.",
            default="at once",
            example="{until: customer.metadata.renewal_date, before: 7d}",
        ),
        "digest": Key(
            DigestForm(),
            doc="How many events become one message: those of a span from the first on, or until a time of the day. "
            "Messages show them as `digest.events` (the objects of each, oldest first, at most 100) and `digest.count` "
            "(all). Beside `again: every_event` alone, and not beside `delay` or `publish`.",
            default="each event is a message",
            example='{at: "09:00", days: [monday]}',
        ),
        "unless": Key(
            UNLESS,
            doc="An event that ends it while it waits, if it is not earlier than the one that it waits for; of all "
            f"that waits for one customer, the {MOST} that are due last.",
            default="nothing ends it",
            example="{trigger: customer.order.paid}",
        ),
        "window": Key(
            WINDOW,
            doc="The hours in which it may be sent, where the customer lives, else where the project is; a channel may "
            "have its own.",
            default="at any time",
            example='{from: "09:00", to: "20:00"}',
        ),
        "holdout": Key(
            Percent(),
            doc="Customers who do not get it, so that both groups can be compared. Who is held out stays so when it "
            "grows.",
            default="0%",
            example="5%",
        ),
        "arms": Key(
            arms_form(CHANNEL_RULES),
            doc="Ways of sending it that are compared: each customer gets one of them, always the same. An arm says "
            "what it has in place of the plain one; what waits keeps its arm.",
            default="everybody gets the plain one",
            example="{a: {share: 50%, template: winback}, b: {share: 50%, template: winback-short}}",
        ),
        "winner": Key(
            AsWritten("the name of an arm"),
            doc="The arm that everybody gets from now on.",
            default="the draw decides",
            example="b",
        ),
        "experiment": Key(
            Text(": a name"),
            doc="The name of the draw of who is held out, and who gets which arm: another one draws anew.",
            default="one draw for all time",
            example="spring-2027",
        ),
        "cap": Key(
            CapForm(),
            doc="How many messages one customer gets, counted over all distributions. Of several, each has to let a "
            "message go; those of the project count as well.",
            default="the project's alone",
            example=CAP.example,
        ),
        "expires_after": Key(
            Span(),
            doc="How long after the event, or the end of its delay, it is worth sending.",
            default="does not expire",
            example="2h",
        ),
        "priority": Key(
            Whole(-1_000_000, 1_000_000, "; higher goes first"),
            null="wrong",
            doc="Which message of one event goes first.",
            default="0",
            example="10",
        ),
        "status": Key(
            OneOf(get_args(DistributionStatus)),
            null="wrong",
            doc="Only a live one sends; a paused one says why it did not.",
            default="LIVE",
            example="DRAFT",
        ),
    }
)
"""All that a distribution may say, in the order in which it reads best."""
