"""Distributions beside the fields of an account in a real PostgreSQL, at a provider that is there, and is not."""

from __future__ import annotations

import base64
from dataclasses import replace
from functools import partial

import asyncpg
import pytest

from channels.fakes.activecampaign import ActiveCampaignFake
from console.control import accounts, distributions
from console.control.context import ProjectContext
from console.control.documents import parse_documents
from console.control.field_check import compare_fields
from console.control.plan import Planned
from deploy.secret import Secret
from deploy.settings.accounts import AccountKeys
from deploy.settings.settings import Settings
from schemas.errors import DefinitionInvalid
from store.accounts import Accounts
from store.distributions import Change, Control
from tests.factory import NOW

TOKEN = "hush-token-of-a-user"
KEY = f"k1:{base64.b64encode(bytes([1]) * 32).decode()}"
SOURCE = """\
distribution: one
trigger: {event: customer.order.paid}
consent: transactional
channels:
  - activecampaign: {account: main, attributes: {LAST_CODE: order.id}}
"""


async def unannounced(control: Control) -> None:
    """Nobody listens."""


async def test_what_is_applied_is_held_against_what_the_account_has(settings: Settings, pool: asyncpg.Pool) -> None:
    fake, stored = ActiveCampaignFake(TOKEN), Accounts(pool)
    fake.limit = None
    await fake.start()
    on_loopback = replace(settings.sender, webhook_allow_http=True, webhook_allow_private=True)
    used = replace(settings, accounts=AccountKeys((Secret(KEY),)), sender=on_loopback)
    key = accounts.account_key("default", "activecampaign/main")
    await accounts.add(stored, used, key, {"url": fake.url, "api_token": TOKEN}, actor="me")
    project = ProjectContext.of(used, "default").with_accounts([("activecampaign", "main")])
    warnings: list[str] = []
    compare = partial(compare_fields, ask=partial(accounts.check, stored, used), warn=warnings.append)

    async def planned(source: str) -> list[Planned[Change]]:
        return await distributions.plan(pool, parse_documents(source, "d.yaml"), project, NOW, compare)

    try:
        with pytest.raises(DefinitionInvalid, match=r"d.yaml:5 .*attributes.LASTCODE: there is no field") as caught:
            await planned(SOURCE.replace("LAST_CODE", "LASTCODE"))
        assert 'Did you mean "LAST_CODE"?' in str(caught.value)
        with pytest.raises(DefinitionInvalid, match=r"order.amount is a number; field PUBLISHED takes a date"):
            await planned(SOURCE.replace("LAST_CODE: order.id", "PUBLISHED: order.amount"))
        await distributions.save(pool, await planned(SOURCE), unannounced, actor="me", now=NOW)
        fake.fields.clear()
        assert [one.what for one in await planned(SOURCE)] == ["unchanged"]
    finally:
        await fake.stop()
    assert warnings == []
    assert [one.what for one in await planned(SOURCE.replace("order.id", "order.source_id"))] == ["changed"]
    (warning,) = warnings
    assert warning.startswith("the names of fields at activecampaign/main are not compared: http://127.0.0.1")
    assert TOKEN not in warning
