"""Errors of Postgres that pass with time, and what to do with the connection that met one."""

from __future__ import annotations

from typing import Literal

import asyncpg

Cure = Literal["again", "reconnect"]
"""`again`: others were in the way. `reconnect`: the server or something before it is gone, or is not what it was."""

_BY_STATE: dict[str, Cure | None] = {
    "08": "reconnect",  # connection exceptions; pgbouncer says 08P01 of whatever it cannot do
    "0A000": None,
    "25006": "reconnect",  # read only: what was the primary is a standby, or is set to refuse writes
    "25P03": "reconnect",  # idle in a transaction for too long
    "25P04": "reconnect",  # a transaction that took too long
    "26000": "reconnect",  # a prepared statement that another session has: a pooler that is new in between
    "28": "reconnect",  # not let in: while running, passwords and certificates are being changed
    "3D000": "reconnect",  # no such database: while running, it is being put back
    "40": "again",  # deadlocks, serialization
    "40002": None,  # a constraint is violated
    "42P05": "reconnect",  # like 26000
    "53": "again",  # out of disk, of memory
    "53300": "reconnect",  # too many clients
    "55006": "again",  # in use
    "55P03": "again",  # a lock was not to be had in time
    "57": "reconnect",  # shut down, crashed, starting, stopping
    "57014": "again",  # a statement that took too long
    "58": "reconnect",  # input or output of the server failed
    "72": "again",  # a snapshot that is too old
    "XX000": "reconnect",  # what poolers and providers' servers say of their own troubles
}
"""By SQLSTATE, or the beginning of it; the longest that fits counts. All others are defects."""


def cure_of(error: BaseException) -> Cure | None:
    """The step after an error before the same work is tried again; None where trying again cannot help."""
    if isinstance(error, asyncpg.InvalidCachedStatementError):  # the schema has changed since it was prepared
        return "reconnect"
    if isinstance(error, asyncpg.PostgresError):
        return _of_state(error.sqlstate or "")
    if isinstance(error, asyncpg.InterfaceError):  # those that are ValueErrors are about what was handed over
        return None if isinstance(error, ValueError) else "reconnect"
    is_lost = isinstance(error, (OSError, EOFError, asyncpg.InternalClientError))  # TLS, names and time-outs among them
    return "reconnect" if is_lost else None


def _of_state(state: str) -> Cure | None:
    for length in range(len(state), 1, -1):
        if state[:length] in _BY_STATE:
            return _BY_STATE[state[:length]]
    return None
