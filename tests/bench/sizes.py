"""The sizes of the benchmarks and where they work, from the environment."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path("var/bench")
EVENTS = int(os.environ.get("EVENTS", "400000"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
CUSTOMERS = int(os.environ.get("CUSTOMERS", "1000000"))
RULES = int(os.environ.get("RULES", "10000"))
MANY_RULES = int(os.environ.get("MANY_RULES", "100000"))
PARTITIONS = 4
TWO_CORES = (os.cpu_count() or 1) >= 2 and hasattr(os, "sched_setaffinity")
