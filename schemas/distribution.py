"""A distribution as it stands on the `distributions` topic: the rule that every matcher holds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

from msgspec import Meta

from schemas.channels.tables import ChannelPlan
from schemas.closed import (
    Action,
    AgainMode,
    BackfillWho,
    CapScope,
    CapWindow,
    ChannelOrder,
    DistributionStatus,
    Reach,
    Unknown,
    WhenEmpty,
)
from schemas.events.event import Id
from schemas.record import JsonObject, Record, doc
from schemas.window import QuietHours, Window

CONSENTS = ("marketing", "loyalty", "surveys")
"""The consent categories of a project that declares none of its own."""
TRANSACTIONAL = "transactional"
"""The consent category of messages that need no consent."""


class TriggerRef(Record, frozen=True, kw_only=True):
    """The events that start it: a type and, optionally, the id of what they have to be about, as the type allows."""

    event: str
    segment: str | None = None
    campaign: str | None = None
    event_schema: str | None = None
    tier: Annotated[str | None, doc("A loyalty tier; for upgraded and downgraded the one arrived at.")] = None


class Again(Record, frozen=True, kw_only=True):
    """The times that one customer may get it: every event, once, once per value of a path, once in a span of time."""

    mode: AgainMode
    path: Annotated[str | None, doc("For once_per: the path whose value counts, as in order.id.")] = None
    seconds: Annotated[int | None, doc("For once_in: the length of the window, counted from the epoch.")] = None


class Delay(Record, frozen=True, kw_only=True):
    """The time between an event and its message: a span, or until a date that the event or the profile has."""

    seconds: Annotated[int, doc("After the event; beside `until`, before the date.")] = 0
    until: Annotated[str | None, doc("The path of a date, as in voucher.expiration_date.")] = None


class Unless(Record, frozen=True, kw_only=True):
    """An event that ends what waits: of a type, on a condition, and about the same as the event that waits."""

    trigger: TriggerRef
    when: Annotated[JsonObject | None, doc("In the condition language, of the event that ends it.")] = None
    same: Annotated[str | None, doc("A path whose value both events share, as in order.id.")] = None


class Digest(Record, frozen=True, kw_only=True):
    """Many events gathered into one message: for a span from the first of them, or until a time of the day."""

    seconds: Annotated[int | None, doc("The length of its window; null where `at` ends it.")] = None
    at: Annotated[str | None, doc("As in 09:00, by the customer's wall clock, else the project's.")] = None
    days: Annotated[list[str], doc("The days of the week on which `at` counts; empty for every day.")] = []
    by: Annotated[str | None, doc("A path as in order.id; each of its values has a digest of its own.")] = None
    first: Annotated[bool, doc("The first event is sent at once, and those that follow are gathered.")] = False


class FallbackAfter(Record, frozen=True, kw_only=True):
    """The time after which the next channel sends, where the message of the one before did not come so far."""

    seconds: int
    unless: Reach | Unknown = "delivered"


class Cap(Record, frozen=True, kw_only=True):
    """A limit on what one customer gets, counted across distributions. Transactional messages count, and always go."""

    at_most: Annotated[int, Meta(ge=1), doc("Messages within the time.")]
    within: CapWindow | Unknown
    seconds: Annotated[int | None, doc("For a span: its length.")] = None
    scope: CapScope | Unknown
    name: Annotated[str | None, doc("The only channel or category that it is for; null for each by itself.")] = None
    wait: Annotated[int, doc("Seconds that a message may wait for its turn; 0 skips it.")] = 0
    gather: Annotated[int, doc("Seconds for which the last one waits for others of higher priority; 0 does not.")] = 0
    of_project: Annotated[bool, doc("It is one of the project's, not the distribution's own.")] = False


class Backfill(Record, frozen=True, kw_only=True):
    """Those who are in the segment of its trigger when it is set live get it as if they entered then."""

    who: Annotated[BackfillWho | Unknown, doc("Null in place of only_later.")]
    at: Annotated[datetime | None, doc("When it was set live, or starts; null before. Later versions keep it.")] = None


class Publish(Record, frozen=True, kw_only=True):
    """Publish a code of a campaign to the customer, and send it."""

    campaign: Annotated[str, doc("The campaign's id.")]
    when_empty: Annotated[WhenEmpty, doc("What to do when the campaign has no code left.")] = "stop"


class Promote(Record, frozen=True, kw_only=True):
    """Tell the customer of a promotion tier: both objects as they were when the distribution was applied."""

    campaign: JsonObject
    promotion_tier: JsonObject


class ControlGroup(Record, frozen=True, kw_only=True):
    """The customers of a project who get none of its messages but transactional ones."""

    share: Annotated[int, Meta(ge=0, le=10_000), doc("In hundredths of a percent.")]
    experiment: Annotated[str, doc("Another name draws anew who belongs to it.")] = ""


class Arm(Record, frozen=True, kw_only=True):
    """One of several ways in which customers get a distribution, so that they can be compared; whole by itself."""

    id: Id
    share: Annotated[int, Meta(ge=0, le=10_000), doc("In hundredths of a percent; those of all arms add up to 100 %.")]
    channels: Annotated[list[ChannelPlan], Meta(min_length=1)]
    delay: Delay | None = None


class Distribution(Record, frozen=True, kw_only=True):
    """A rule: one trigger, an optional guard, consent, what goes out over one or more channels, timing and priority.

    At most one of `publish` and `promote` is there; a distribution with neither sends a plain message.
    """

    id: Id
    project_id: Id
    name: str
    version: Annotated[int, Meta(ge=1)]
    status: DistributionStatus | Unknown
    trigger: TriggerRef
    when: Annotated[JsonObject | None, doc("The guard, in the condition language.")] = None
    publish: Publish | None = None
    promote: Promote | None = None
    consent: Annotated[str, doc("A consent category, or transactional.")]
    channels: Annotated[list[ChannelPlan], Meta(min_length=1)]
    order: Annotated[ChannelOrder | Unknown, doc("All channels at once, or the first that can be used.")] = "all"
    fallback_after: Annotated[FallbackAfter | None, doc("When the next channel sends as well.")] = None
    again: Again = Again(mode="every_event")
    priority: Annotated[int, doc("Higher goes first.")] = 0
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    delay: Annotated[Delay | None, doc("What it waits for before it is judged again and sent.")] = None
    unless: Annotated[Unless | None, doc("What ends it while it waits.")] = None
    digest: Annotated[Digest | None, doc("Events that are gathered into one message.")] = None
    window: Annotated[Window | None, doc("When it may be sent.")] = None
    caps: Annotated[list[Cap], doc("Its own limits, and those of its project.")] = []
    expires_after: Annotated[int | None, doc("Seconds after the event, or its delay; later it is not sent.")] = None
    experiment: Annotated[str, doc("Another name draws anew.")] = ""
    holdout: Annotated[int, doc("Customers who do not get it, so that both can be compared; in hundredths of a %.")] = 0
    arms: Annotated[list[Arm], doc("What is sent in place of the above, each to a share of its customers.")] = []
    winner: Annotated[str | None, doc("The arm that everybody gets.")] = None
    control_group: Annotated[ControlGroup | None, doc("Its project's.")] = None
    staff: Annotated[JsonObject | None, doc("Who is in no experiment, as a condition; its project's.")] = None
    timezone: Annotated[str | None, doc("Where its project's days begin, where not as the settings say.")] = None
    quiet_hours: Annotated[QuietHours | None, doc("Its project's.")] = None
    country: Annotated[str | None, doc("That of customers whose address names none; its project's.")] = None
    template_fields: Annotated[list[str], doc("Paths into its events that its templates show, which are watched.")] = []
    backfill: Annotated[Backfill | None, doc("Who gets it beside those who enter its segment later.")] = None
    updated_at: datetime

    def plans(self) -> Iterator[tuple[str, ChannelPlan]]:
        """Everything that may be sent, each with the place of its keys in a document."""
        for at, channels in self.ways:
            for index, plan in enumerate(channels):
                yield f"{at}channels[{index}].{plan.channel}", plan

    @property
    def ways(self) -> list[tuple[str, list[ChannelPlan]]]:
        """The channels that a customer may get it over: the plain ones and those of each arm, with its place."""
        return [("", self.channels), *((f"arms.{arm.id}.", arm.channels) for arm in self.arms)]

    @property
    def sends_once(self) -> bool:
        """True where the first channel that can be used sends, and no other."""
        return self.order == "first_available"

    def arm(self, name: str | None) -> Arm | None:
        """The arm of that name."""
        return next((one for one in self.arms if one.id == name), None)

    @property
    def action(self) -> Action:
        """The kind of thing that the customer gets."""
        return "publish" if self.publish else "promote" if self.promote else "message"
