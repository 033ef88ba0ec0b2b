"""Waits made endless: who would wait so long runs into the time-out of the test, however fast the machine is."""

from __future__ import annotations

import pytest

from agents.broker.extents import Extents

HOURS = 10 * 3600.0


def only_the_shared_client_is_patient_with_kafka(patched: pytest.MonkeyPatch) -> None:
    """Have those who ask Kafka with a patience of their own wait for hours."""
    for module in ("reader", "lag", "groups", "follower", "open_transactions", "topics"):
        patched.setattr(f"agents.broker.{module}._TIMEOUT", HOURS)
    defaults = Extents.__init__.__kwdefaults__
    assert defaults is not None
    patched.setitem(defaults, "patience", HOURS)
