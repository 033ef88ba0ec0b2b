"""Messages that providers accepted while the ledger could not be told: kept beside the process, until the ledger knows.

A process that is stopped, or dies, while Postgres is away would else leave it to the next one to send the same again.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

import msgspec
import structlog

from agents.waiting import retry_until_available
from store.sending.ledger import Ledger, Settlement

log = structlog.get_logger()


class _Kept(msgspec.Struct, frozen=True):
    delivery_id: str
    detail: str
    provider_id: str | None


class Accepted:
    """A file of the sender's own; without a path nothing is kept."""

    def __init__(self, file: Path | None) -> None:
        self._file, self._is_written = file, bool(file and file.exists())

    def keep(self, settlements: Iterable[Settlement]) -> None:
        """Write down what has been sent of these, instead of what was written before."""
        kept = [_Kept(one.delivery_id, one.detail, one.provider_id) for one in settlements if one.state == "sent"]
        if self._file is None or not kept:
            return
        new = self._file.with_suffix(".new")
        try:
            new.write_bytes(msgspec.json.encode(kept))
            new.replace(self._file)
        except OSError as error:
            log.warning("accepted_not_kept", file=str(self._file), error=str(error), deliveries=len(kept))
        else:
            self._is_written = True

    def forget(self) -> None:
        """The ledger knows."""
        if self._file is not None and self._is_written:
            self._file.unlink(missing_ok=True)
            self._is_written = False

    async def tell(self, ledger: Ledger, owner: str) -> None:
        """Tell the ledger what an earlier process could not."""
        if left := self._read():
            await retry_until_available(lambda: ledger.settle(left, owner=owner), what="Postgres")
            log.info("accepted_before", deliveries=len(left))
        self.forget()

    def _read(self) -> list[Settlement]:
        if self._file is None or not self._is_written:
            return []
        try:
            kept = msgspec.json.decode(self._file.read_bytes(), type=list[_Kept])
        except (OSError, msgspec.DecodeError) as error:
            log.warning("accepted_unreadable", file=str(self._file), error=str(error))
            return []
        now = time.monotonic()  # when it was sent is not known: some time before
        return [Settlement(one.delivery_id, "sent", one.detail, provider_id=one.provider_id, ended=now) for one in kept]
