"""The hours in which a message may be sent."""

from __future__ import annotations

from typing import Annotated

from schemas.closed import Outside, Unknown
from schemas.record import Record, doc


class Window(Record, frozen=True, kw_only=True):
    """Hours of the customer's day in which it may be sent. An end that is not after the begin is the next day's."""

    begins: Annotated[str, doc("As in 09:00, by the customer's wall clock, else the project's.")]
    ends: Annotated[str, doc("As in 20:00; 24:00 is the end of the day.")]
    days: Annotated[list[str], doc("The days of the week on which it begins; empty for every day.")] = []
    outside: Annotated[Outside | Unknown, doc("What becomes of a message at another time.")] = "hold"
    closed_on_holidays: Annotated[bool, doc("Not on public holidays of the customer's country.")] = False


class QuietHours(Record, frozen=True, kw_only=True):
    """Hours of the customer's day in which nothing of a project is sent but what is transactional."""

    begins: Annotated[str, doc("As in 21:00, by the customer's wall clock, else the project's.")]
    ends: Annotated[str, doc("As in 09:00; where it is not after the begin, the next day's.")]
    channels: Annotated[list[str], doc("The channels that it counts for; empty for all.")] = []
    closed_on_holidays: Annotated[bool, doc("Public holidays of the customer's country are quiet all day.")] = False

    @property
    def open(self) -> tuple[Window, ...]:
        """The other hours and, by themselves, the other days: hours over midnight go on after a holiday at midnight."""
        begins = "00:00" if self.ends == "24:00" else self.ends
        hours = Window(begins=begins, ends=self.begins)
        return (
            (hours, Window(begins="00:00", ends="24:00", closed_on_holidays=True))
            if self.closed_on_holidays
            else (hours,)
        )
