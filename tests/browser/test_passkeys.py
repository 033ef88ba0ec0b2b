"""Passkeys in Chromium, by its own virtual device: added, used, refused, and removed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

pytest.importorskip("playwright", reason="Playwright is not installed: make browser installs it")

from axe_playwright_python.async_playwright import Axe

from deploy.embedded.process import free_port
from deploy.settings.settings import Settings
from deploy.settings.web import Web
from tests.browser.stage import Window, browser, chromium, window
from tests.integration.test_web import JO, PASSWORD, Site, running

pytestmark = pytest.mark.skipif(chromium() is None, reason="Chromium is not installed: apt-get install chromium")
PHONE = {
    "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
    "isUserVerified": True, "automaticPresenceSimulation": True,
}  # fmt: skip


@pytest.fixture
async def site(settings: Settings, dsn: str) -> AsyncIterator[Site]:
    port = free_port()
    async with running(settings, dsn, Web(port=port, url=f"http://localhost:{port}")) as one:
        one.base = f"http://localhost:{port}"
        await one.add()
        yield one


@asynccontextmanager
async def with_device(mine: Window, tab: Any, **said: Any) -> AsyncIterator[tuple[Any, str]]:
    """A device that this tab has, as somebody who unlocks it; its keys go with it."""
    session = await mine.context.new_cdp_session(tab)
    await session.send("WebAuthn.enable")
    made = await session.send("WebAuthn.addVirtualAuthenticator", {"options": {**PHONE, **said}})
    try:
        yield session, made["authenticatorId"]
    finally:
        await session.detach()


async def sign_in(mine: Window) -> Any:
    tab = await mine.show("/sign-in")
    await tab.fill("#email", JO)
    await tab.fill("#password", PASSWORD)
    await tab.click("button:text-is('Sign in')")
    await tab.wait_for_url("**/")
    return tab


async def add(tab: Any, name: str = "My phone") -> None:
    await tab.goto("/passkeys")
    await tab.fill("#name", name)
    await tab.fill("#current", PASSWORD)
    await tab.click("#passkey")


@pytest.mark.slow
async def test_a_passkey_is_added_signs_in_and_is_removed(site: Site) -> None:
    async with browser() as opened, window(opened, site.base, 375) as mine:
        tab = await sign_in(mine)
        async with with_device(mine, tab) as (device, name):
            await add(tab)
            await tab.wait_for_url("**/passkeys?did=added")
            assert "My phone" in await tab.inner_text("table")
            results = await Axe().run(tab)
            assert [one["id"] for one in results.response["violations"]] == []
            kept = (await device.send("WebAuthn.getCredentials", {"authenticatorId": name}))["credentials"]
            assert [(one["rpId"], one["isResidentCredential"]) for one in kept] == [("localhost", True)]
            await tab.click("text=Sign out")
            await tab.wait_for_url("**/sign-in")
            await tab.goto("/sign-in?next=%2Fsessions")
            results = await Axe().run(tab)
            assert [one["id"] for one in results.response["violations"]] == []
            await tab.click("#passkey")
            await tab.wait_for_url("**/sessions")
            assert "this one" in await tab.inner_text("table")
            await add(tab, "The same again")
            await tab.locator("[role=alert]:has-text('has a passkey of yours already')").wait_for()
            await tab.goto("/passkeys")
            await tab.click("button:text-is('Remove')")
            await tab.wait_for_url("**/passkeys?did=removed")
            assert "You have none yet." in await tab.inner_text("main")
            await tab.click("text=Sign out")
            await tab.click("#passkey")
            await tab.locator(".problems:has-text('does not let you in')").wait_for()
            await tab.fill("#email", JO)
            await tab.fill("#password", PASSWORD)
            await tab.click("button:text-is('Sign in')")
            await tab.wait_for_url("**/")
        assert [one for one in mine.faults if "status of 422" not in one] == []


@pytest.mark.slow
async def test_what_is_wrong_is_said_at_the_form_and_nothing_is_made(site: Site) -> None:
    async with browser() as opened, window(opened, site.base, 1440) as mine:
        tab = await sign_in(mine)
        async with with_device(mine, tab) as (device, name):
            await tab.goto("/passkeys")
            await tab.fill("#current", "another brown bear")
            await tab.press("#current", "Enter")
            await tab.locator("[role=alert]:has-text('is not yours')").wait_for()
            assert await tab.evaluate("document.activeElement.id") == "current"
            kept = await device.send("WebAuthn.getCredentials", {"authenticatorId": name})
            assert kept["credentials"] == [], "a device is not asked before the password is proved"
            await device.send("WebAuthn.setUserVerified", {"authenticatorId": name, "isUserVerified": False})
            await add(tab)
            await tab.locator("[role=alert]:has-text('Nothing came of it')").wait_for()
            await device.send("WebAuthn.setUserVerified", {"authenticatorId": name, "isUserVerified": True})
            await tab.click("#passkey")
            await tab.wait_for_url("**/passkeys?did=added")
            await site.pool.execute("delete from sessions")
            await tab.fill("#current", PASSWORD)
            await tab.click("#passkey")
            await tab.wait_for_url("**/sign-in?next=/passkeys**")
        assert [one for one in mine.faults if "status of 422" not in one] == []


ANSWERS_NOTHING = "() => { navigator.credentials.get = async () => null }"
ANSWERS_BY_HAND = """() => {
    const asked = navigator.credentials.get.bind(navigator.credentials);
    navigator.credentials.get = async (options) => {
        const { rawId, response: given } = await asked(options);
        const { clientDataJSON, authenticatorData, signature, userHandle } = given;
        const response = { clientDataJSON, authenticatorData, signature, userHandle };
        const answer = Object.create(PublicKeyCredential.prototype);
        return Object.defineProperties(answer, { rawId: { value: rawId }, response: { value: response } });
    };
}"""
"""Scripts of extensions that keep passkeys in place of the browser. Source: what is reported of several of them."""


@pytest.mark.slow
async def test_answers_of_extensions_are_taken_or_said_to_be_none(site: Site) -> None:
    async with browser() as opened, window(opened, site.base, 1440) as mine:
        tab = await sign_in(mine)
        async with with_device(mine, tab):
            await add(tab)
            await tab.wait_for_url("**/passkeys?did=added")
            await tab.click("text=Sign out")
            await tab.wait_for_url("**/sign-in")
            await tab.evaluate(ANSWERS_NOTHING)
            await tab.click("#passkey")
            await tab.locator("[role=alert]:has-text('Nothing came of it')").wait_for()
            await tab.reload()
            await tab.evaluate(ANSWERS_BY_HAND)
            await tab.click("#passkey")
            await tab.wait_for_url("**/")
            assert "You are Jo" in await tab.inner_text("main")


@pytest.mark.slow
async def test_without_scripts_there_are_passwords(site: Site) -> None:
    async with browser() as opened, window(opened, site.base, 375, scripts=False) as mine:
        tab = await sign_in(mine)
        await tab.goto("/passkeys")
        assert "with scripts switched on" in await tab.inner_text("main")
        assert not await tab.is_visible("#passkey")
        await tab.click("text=Sign out")
        assert not await tab.is_visible("#passkey")
