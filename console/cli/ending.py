"""The end of a command that keeps others running: begun by the first signal, disturbed by no later one.

What is being stopped then is stopped within its own time, whoever is impatient: a second Ctrl-C would leave it running.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import Any

_ENDING = (signal.SIGINT, signal.SIGTERM)


def end_in_order() -> None:
    """From now on a start that is ended in the middle leaves nothing running, too."""
    for number in _ENDING:
        signal.signal(number, _end)


def stop_undisturbed() -> None:
    """From now on signals change nothing: everything is being stopped already."""
    for number in _ENDING:
        signal.signal(number, _pass)  # a handler, since children would inherit that a signal is ignored


def end_task_in_order(task: asyncio.Task[Any]) -> asyncio.Event:
    """Have the first signal cancel a task of the running loop, unless the event is set: it is ending already."""
    is_ending = asyncio.Event()

    def end() -> None:
        if not is_ending.is_set():
            is_ending.set()
            task.cancel()

    for number in _ENDING:
        asyncio.get_running_loop().add_signal_handler(number, end)
    return is_ending


def _end(number: int, _: object) -> None:
    stop_undisturbed()
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(0)


def _pass(number: int, _: object) -> None:
    """Nothing."""
