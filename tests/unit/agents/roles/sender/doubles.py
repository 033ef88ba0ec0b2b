"""Stand-ins for attempts and the ledger where only the way between them is tested."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

from agents.roles.sender.breakers import Breakers
from agents.roles.sender.capacity import Capacity
from agents.roles.sender.claimant import Claimant
from agents.roles.sender.ledger_rows import row_of
from agents.roles.sender.pacing import Paces
from agents.roles.sender.share import Share
from agents.roles.sender.work import Work
from schemas.delivery import Delivery
from store.sending.ledger import Leased, Stop
from streams.sending.judgement import Judgement
from tests.factory import NOW, delivery

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


class Started:
    """Attempts that note what is started."""

    def __init__(self, log: list[Any]) -> None:
        self._log, self.turns = log, cast(Any, SimpleNamespace(paces=Paces(), breakers=Breakers()))
        self.turns.capacity = Capacity(self.turns.paces, share=Share(2))
        self.held: list[str] = []

    def start(self, work: Work) -> None:
        self._log.append(("start", work.delivery.delivery_id))

    def stop(self, work: Work, judgement: Judgement) -> None:
        self._log.append((judgement.state, judgement.detail))


class World:
    """The ledger and what erases, as far as they are asked here."""

    def __init__(self, log: list[Any]) -> None:
        self.good: Delivery = delivery("webhook")
        self._log = log
        self.stop: Stop | None = None
        self.claimant = Claimant(cast(Any, self), owner="o", lease=MINUTE)

    async def claim_new(self, *_: Any, **__: Any) -> dict[str, None]:
        return {self.good.delivery_id: None}

    has_looked_at_all = True

    async def claim_due(self, **_: Any) -> list[Leased]:
        record = row_of(Work(self.good, 0, NOW), timedelta()).record
        good = Leased(
            self.good.delivery_id,
            "webhook",
            "h",
            0,
            record,
            NOW,
            None,
            is_erased=False,
            stop=self.stop,
        )
        return [Leased("dlv_0", "webhook", "h", 0, b"{}", NOW, None, is_erased=False, stop=None), good]

    async def again_of(self, _: Any) -> dict[Any, Any]:
        return {}

    async def pauses(self) -> dict[Any, Any]:
        return {}

    async def hurried_destinations(self) -> dict[Any, Any]:
        return {}

    async def settle(self, settlements: list[Any], **_: Any) -> list[Any]:
        self._log += [(one.state, one.delivery_id) for one in settlements]
        return []

    async def release_leases(self, _: str) -> None:
        self._log.append("free")

    async def leave(self) -> None:
        self._log.append("leave")

    async def sweep(self, _: Any) -> None:
        self._log.append("sweep")


def nothing_unsettled() -> Any:
    """Outcomes that are all told."""
    return SimpleNamespace(unsettled={})
