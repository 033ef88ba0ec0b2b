"""The interpreter's settings of a worker process."""

from __future__ import annotations

import gc
import sys

_COLLECTED_AFTER = 10_000
"""Containers more than before, until the youngest are looked through."""
_SWITCH_SECONDS = 0.0005
"""So long a thread runs on while another one waits for the interpreter: ten times less than Python's own.

The thread that fetches needs it several times for each fetch, each time for a moment, and the loop's gives it up by
itself only when it has nothing to do: beside a release of holds half of an event's time went there, and the matcher's
cost an event is the same.
"""


def settle() -> None:
    """Set up the interpreter, once a process has made what it consists of.

    That is left out of each look for cycles, and these are fewer: what a message causes is in no cycle, unless it
    fails; the looks took a fifteenth of the CPU and found nothing.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECTED_AFTER, 20, 20)
    sys.setswitchinterval(_SWITCH_SECONDS)
