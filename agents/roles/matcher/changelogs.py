"""The matcher's tables by name, and the topics behind them."""

from __future__ import annotations

from agents.wiring import Wiring
from schemas.topics import CUSTOMERS

RECENT = "recent-sends"


def changelog_topics(wiring: Wiring) -> dict[str, str]:
    """The topics behind the tables, with the table of each."""
    return {f"{wiring.group('matcher')}-{table}-changelog": table for table in (CUSTOMERS, RECENT)}
