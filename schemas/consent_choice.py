"""Choices that customers make with us about what they are sent: a record of `consents`.

A profile on `customers` is upstream's; what a customer withdraws with one click counts at once beside it, until a
later profile says the same. From then on the profile alone counts again.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from schemas.closed import ChoiceWay, Unknown
from schemas.record import Record, doc

EVERY_CATEGORY = "*"
"""Stands for all consent categories, also those that come later; what is transactional is none."""


class ConsentChoice(Record, frozen=True, kw_only=True):
    """The last choice about one category."""

    category: Annotated[str, doc("A consent category, or * for all of them.")]
    given: Annotated[bool, doc("False: withdrawn. True: asked for; whether it is given its project decides.")]
    at: datetime
    way: ChoiceWay | Unknown
    delivery_id: Annotated[str | None, doc("The delivery whose link was followed.")] = None


class CustomerChoices(Record, frozen=True, kw_only=True):
    """All choices of one customer; the last record of a key holds every one that was made."""

    project_id: str
    customer_id: str
    choices: list[ConsentChoice]
    changed_at: datetime
