"""Mails by which customers leave, taken out of a mailbox that is read for reports."""

from __future__ import annotations

from collections.abc import Sequence

from channels.email.goodbyes import goodbye_token
from channels.unsubscribe import subscriber_of
from console.control.callbacks import Database
from console.control.reports import Done
from console.control.subscriptions import Subscriptions
from deploy.settings.settings import Settings


class Goodbyes:
    """Withdrawals of all projects: a token says whose it is, and nobody makes one without the console's secret."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._subscriptions = Subscriptions(settings, database)
        self._secrets: Sequence[str] = [one.reveal() for one in settings.console.secrets]

    async def take(self, message: bytes) -> Done | None:
        """The fate of a mail; None where it is another one. The same again changes nothing. Raises TryLater."""
        token = goodbye_token(message)
        if token is None:
            return None
        subscriber = subscriber_of(token, self._secrets)
        if subscriber is None:
            return "not proven"
        await self._subscriptions.leave(subscriber, everything=False, way="mail")
        return "unsubscribed"
