"""E-mails as a browser shows them: of what the ledger keeps, made once more by the channel itself."""

from __future__ import annotations

import structlog

from agents.channels import links_of, unsubscribe_links_of
from agents.roles.sender.ledger_rows import read_stored
from agents.roles.sender.templates import TemplateCache
from channels.email.content import Contents
from channels.templates.engine import Templates
from channels.viewed import Viewed
from console.control.callbacks import Database, account_form
from deploy.settings.settings import Settings
from schemas.channels.email import EmailAccountForm, EmailDelivery
from schemas.errors import BadRecord, RenderRefused, TemplateFailed
from schemas.template import StoredTemplate
from store.accounts import AccountKey, Accounts
from store.distributions import Control
from store.sending.deliveries import Deliveries

log = structlog.get_logger()

_NO_ACCOUNT = EmailAccountForm(host="", sender="")


class Views:
    """The e-mails of all projects. Raises TryLater while Postgres is away."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings, self._database = settings, database
        self._contents = Contents(Templates(settings.zone), links_of(settings), unsubscribe_links_of(settings))
        self._templates = TemplateCache(self._load)

    async def page(self, viewed: Viewed) -> str | None:
        """A message as a page; None where there is not one, or not any more."""
        pool = await self._database()
        record = await Deliveries(pool).shown(viewed.project_id, viewed.delivery_id)
        if record is None:
            return None
        try:
            delivery = read_stored(record)
            if not isinstance(delivery, EmailDelivery):
                return None
            template = await self._templates.get(delivery.template.digest)
            if template is None:
                return None
            key = AccountKey(delivery.project_id, "email", delivery.account)
            form = await account_form(self._settings, Accounts(pool), key)
            return self._contents.page(delivery, template, form if isinstance(form, EmailAccountForm) else _NO_ACCOUNT)
        except (BadRecord, TemplateFailed, RenderRefused) as error:
            log.warning("message_not_shown", delivery_id=viewed.delivery_id, why=type(error).__name__)
            return None

    async def _load(self, digest: str) -> StoredTemplate | None:
        return await Control(await self._database()).template(digest)
