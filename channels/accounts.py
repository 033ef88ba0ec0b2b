"""The accounts of a process, as its channels look them up at each message: they change while it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.closed import ChannelName
from schemas.errors import AccountHeld

Place = tuple[ChannelName, str, str]
"""Channel, project and name."""


@dataclass(frozen=True, slots=True)
class HeldAccount:
    """An account that is there and must not be used; `why` is what its deliveries wait for."""

    why: str


class AccountBook:
    """Accounts by channel, project and name; `shared` are those by channel and name that every project may use.

    A project's own wins over a shared one of its name. `renewed` are secrets that providers gave in place of those of
    accounts, by the grant that has them, for whoever keeps accounts.
    """

    def __init__(self, shared: Mapping[ChannelName, Mapping[str, Any]] | None = None) -> None:
        self._shared = shared or {}
        self._own: Mapping[Place, Any] = {}
        self._listeners: list[Callable[[], None]] = []
        self.renewed: dict[Any, str] = {}

    def replace(self, own: Mapping[Place, Any]) -> None:
        """Use these from the next message on; what is under way ends with what it began with."""
        self._own = own
        for listener in self._listeners:
            listener()

    def on_change(self, listener: Callable[[], None]) -> None:
        """Have whoever keeps something open for an account hear of each change."""
        self._listeners.append(listener)

    def of(self, channel: ChannelName) -> ChannelAccounts:
        """Those of a channel, now and later."""
        return ChannelAccounts(self, channel)

    def find(self, channel: ChannelName, project_id: str, name: str) -> Any | HeldAccount | None:
        """The account, in its channel's own form; None where the project has not any of that name."""
        own = self._own.get((channel, project_id, name))
        return self.shared(channel).get(name) if own is None else own

    def is_shared(self, channel: ChannelName, project_id: str, name: str) -> bool:
        """True where a project uses an account that every other uses as well."""
        return (channel, project_id, name) not in self._own and name in self.shared(channel)

    def shared(self, channel: ChannelName) -> Mapping[str, Any]:
        """Those of a channel that every project may use, by name."""
        return self._shared.get(channel, {})

    def names(self, channel: ChannelName, project_id: str) -> list[str]:
        """The names that a project may use."""
        own = [name for of, project, name in self._own if (of, project) == (channel, project_id)]
        return sorted({*own, *self.shared(channel)})

    def in_use(self, channel: ChannelName) -> set[Any]:
        """Every account of a channel that a message may leave through now."""
        own = {account for place, account in self._own.items() if place[0] == channel}
        return {*own, *self.shared(channel).values()}


@dataclass(frozen=True, slots=True)
class ChannelAccounts:
    """The accounts of one channel."""

    book: AccountBook
    channel: ChannelName

    def find(self, project_id: str, name: str) -> Any | None:
        """The account of that name that a project's messages may leave through; None where it does not exist.

        Raises AccountHeld, so that nothing else is ever taken in place of one that must not be used.
        """
        found = self.book.find(self.channel, project_id, name)
        if isinstance(found, HeldAccount):
            raise AccountHeld(found.why)
        return found

    def usable(self, project_id: str, name: str) -> Any | None:
        """The same for whoever plans and sends nothing: None also where it must not be used now."""
        found = self.book.find(self.channel, project_id, name)
        return None if isinstance(found, HeldAccount) else found

    def names(self, project_id: str) -> list[str]:
        """The names that a project may use."""
        return self.book.names(self.channel, project_id)

    def in_use(self) -> set[Any]:
        """Every one that a message may leave through now."""
        return self.book.in_use(self.channel)

    def renew(self, grant: Any, secret: str) -> None:
        """Have whoever keeps accounts know of a secret that a provider gave in place of one."""
        self.book.renewed[grant] = secret

    def on_change(self, listener: Callable[[], None]) -> None:
        """See `AccountBook`."""
        self.book.on_change(listener)


def fixed_accounts(channel: ChannelName, accounts: Mapping[str, Any]) -> ChannelAccounts:
    """Accounts by name that every project may use and that stay as they are."""
    return AccountBook({channel: accounts}).of(channel)
