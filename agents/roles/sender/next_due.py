"""The moment when the ledger may have something due again, as far as this process knows without asking."""

from __future__ import annotations

import math
import time
from datetime import timedelta


class NextDue:
    """The soonest of what was written since the ledger was asked, by the process's steady clock."""

    def __init__(self) -> None:
        self.at = math.inf

    def within(self, wait: timedelta = timedelta()) -> None:
        """Something that was just written may be due after so long."""
        self.at = min(self.at, time.monotonic() + wait.total_seconds())

    def ask(self) -> None:
        """The ledger is asked now: what is written from here on counts."""
        self.at = math.inf
