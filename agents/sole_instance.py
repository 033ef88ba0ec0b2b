"""One process a name on a machine: two would take each other's rows, notes and leases for their own.

Kafka tells twins apart only after both have joined, when the younger has already taken back the leases of the elder.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from schemas.closed import Role
from schemas.errors import CannotStart

log = structlog.get_logger()

_ENDING_SECONDS = 15.0
"""Time that the process before may take to end: it finishes what is under way."""
_LOOK_SECONDS = 0.1


def default_instance(role: Role, number: int) -> str:
    """A name that is the same after a restart on the same machine."""
    return f"{socket.gethostname()}-{role}-{number}"


@asynccontextmanager
async def sole_instance(folder: Path, instance: str, *, seconds: float = _ENDING_SECONDS) -> AsyncIterator[None]:
    """Hold the name while the process lives; the system gives it back at its end, however that comes.

    Raises CannotStart where another process still has it after `seconds`.
    """
    with (folder / "lock").open("a+") as file:
        await _locked(file.fileno(), instance, time.monotonic() + seconds)
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


async def _locked(descriptor: int, instance: str, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            pass
        except OSError as error:  # some network file systems have no locks; twins are then told apart by Kafka
            log.warning("instance_not_locked", instance=instance, why=error.strerror)
            return
        if time.monotonic() > deadline:
            holder = os.pread(descriptor, 20, 0).decode().strip() or "unknown"
            raise CannotStart(
                f"instance {instance!r} is at work already on this machine (process {holder}). Give each process a "
                "name of its own (--instance); this one ends, the other goes on"
            )
        await asyncio.sleep(_LOOK_SECONDS)
