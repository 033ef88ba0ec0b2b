"""The segments that a customer is in, of those that are defined here: a record of `memberships`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from schemas.record import Record, doc
from schemas.record_key import SEPARATOR

COMPLETE_KEY = SEPARATOR.encode()
"""The key of the record that says of its partition: all memberships are told. No customer has it."""


class Memberships(Record, frozen=True, kw_only=True):
    """All segments of one customer; the last record of a key holds every one that the customer is in.

    The record of the key U+001F is about no customer: where it stands, a partition has told all that was known.
    """

    project_id: str
    customer_id: str
    segments: Annotated[list[str], doc("Ids of the segments that the customer is in, sorted.")]
    revision: Annotated[int, doc("Of one customer's records the later has the higher.")]
    told_at: Annotated[datetime, doc("When it was told; a membership may be older.")]
