"""Tracking of opens and clicks: off unless a project wants it, and its customer has agreed to it."""

from __future__ import annotations

from typing import Annotated, Any

from schemas.record import Record, doc

TRACKING = "tracking"
"""The consent category of customers who may be tracked."""


class Tracking(Record, frozen=True, kw_only=True):
    """The wish of a project to know of its e-mails."""

    opens: Annotated[bool, doc("A picture of one pixel stands in the HTML.")] = False
    clicks: Annotated[bool, doc("Links lead through the console.")] = False


NO_TRACKING = Tracking()


def agrees(data: dict[str, Any]) -> bool:
    """True where the customer of a delivery has agreed to be tracked, by the profile that it was decided with."""
    customer = data.get("customer")
    consents = customer.get("consents") if isinstance(customer, dict) else None
    return isinstance(consents, dict) and consents.get(TRACKING) is True
