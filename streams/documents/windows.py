"""Hours of the day in documents."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import get_args

from schemas.closed import CHANNELS, Outside
from schemas.record import JsonObject
from schemas.window import QuietHours, Window
from streams.values.kinds import Group, Key, ListOf, OneOf, Plain
from streams.values.wording import Report
from streams.window import WEEKDAYS


@dataclass(frozen=True, slots=True)
class TimeOfDay(Plain[str]):
    """A time of a day, as a wall clock shows it. `most` is the last one that it may be."""

    most: str = "23:59"

    @property
    def allowed(self) -> str:
        """See `Value`."""
        return f'a time from "00:00" to "{self.most}", in quotes'

    def accepted(self, value: object) -> str | None:
        """See `Plain`."""
        fits = isinstance(value, str) and (_TIME.fullmatch(value) or value == self.most)
        return str(value) if fits else None

    def schema(self) -> JsonObject:
        """See `Value`."""
        return {"type": "string", "pattern": f"^({_TIME.pattern}|{self.most})$"}


_TIME = re.compile("([01][0-9]|2[0-3]):[0-5][0-9]")
_HOLIDAYS = ("open", "closed")
WINDOW = Group(
    {
        "from": Key(TimeOfDay(), required=True, doc="When it begins, by the customer's wall clock.", example='"09:00"'),
        "to": Key(
            TimeOfDay("24:00"),
            required=True,
            doc="When it ends; a time that is not after `from` is the next day's.",
            example='"20:00"',
        ),
        "days": Key(
            ListOf(OneOf(WEEKDAYS), "[monday, friday]"),
            doc="The days on which it begins.",
            default="every day",
            example="[monday, tuesday, wednesday, thursday, friday]",
        ),
        "outside": Key(
            OneOf(get_args(Outside)),
            null="wrong",
            doc="What becomes of a message at another time: it waits for the next begin, is skipped, or gives way to "
            "the next channel of `order: first_available` (then in quiet hours, too).",
            default="hold",
            example="skip",
        ),
        "holidays": Key(
            OneOf(_HOLIDAYS),
            null="wrong",
            doc="`closed` sends nothing on public holidays where the customer lives, by `address.country` (`PL` or "
            "`POL`), else the project's `country`, and, where they differ within one, `address.state` (`BY`); none "
            "begins on one. Without a known country every day is open.",
            default="open",
            example="closed",
        ),
    },
    '{from: "09:00", to: "20:00"}',
)


def window_of(read: JsonObject | None, report: Report, at: str = "window") -> Window | None:
    """The hours that the keys say."""
    if read is None or not {"from", "to"} <= read.keys():
        return None
    if read["from"] == read["to"]:
        report(f"{at}.to", "is the same as from: leave the window out, or write the hours that are meant")
    rest = {name: read[name] for name in ("days", "outside") if name in read}
    return Window(begins=read["from"], ends=read["to"], closed_on_holidays=read.get("holidays") == "closed", **rest)


QUIET_HOURS = Group(
    {
        "from": Key(TimeOfDay(), required=True, doc="When they begin, where customers live.", example='"21:00"'),
        "to": Key(
            TimeOfDay("24:00"),
            required=True,
            doc="When they end; a time that is not after `from` is the next day's.",
            example='"09:00"',
        ),
        "holidays": Key(
            OneOf(_HOLIDAYS),
            null="wrong",
            doc="With `closed`, public holidays are quiet all day: where the customer lives, as for a `window`.",
            default="open",
            example="closed",
        ),
        "channels": Key(
            ListOf(OneOf(CHANNELS), "[sms, email]"),
            doc="The channels that they count for.",
            default="all",
            example="[sms, email]",
        ),
    },
    '{from: "21:00", to: "09:00", channels: [sms]}',
)


def quiet_hours_of_project(read: JsonObject | None, report: Report) -> QuietHours | None:
    """The hours that the keys say."""
    if read is None or not {"from", "to"} <= read.keys():
        return None
    quiet = QuietHours(
        begins=read["from"],
        ends=read["to"],
        channels=read.get("channels", []),
        closed_on_holidays=read.get("holidays") == "closed",
    )
    if quiet.begins == quiet.ends or (quiet.begins, quiet.ends) == ("00:00", "24:00"):
        report("quiet_hours.to", "leaves no hour to send in")
    return quiet
