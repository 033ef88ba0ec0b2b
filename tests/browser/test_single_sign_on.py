"""Signing in and out by an OpenID provider in Chromium, whose policy lets no form lead to another site."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

pytest.importorskip("playwright", reason="Playwright is not installed: make browser installs it")

from agents.clock import utc_now
from console.control.oidc.provider import Provider
from console.web.single_sign_on import CALLBACK_PATH, SIGNED_OUT_PATH
from deploy.embedded.process import free_port
from deploy.settings.settings import Settings
from deploy.settings.web import Web
from tests.browser.stage import browser, chromium, window
from tests.integration.oidc_provider import OpenIdProvider, running_provider
from tests.integration.test_oidc import OF_KIM, settings_of
from tests.integration.test_web import Site, running

pytestmark = pytest.mark.skipif(chromium() is None, reason="Chromium is not installed: apt-get install chromium")


@pytest.fixture
async def outer() -> AsyncIterator[OpenIdProvider]:
    async with running_provider() as one:
        one.metadata, one.claims = {"end_session_endpoint": f"{one.issuer}/out"}, OF_KIM
        yield one


@pytest.fixture
async def site(settings: Settings, dsn: str, outer: OpenIdProvider) -> AsyncIterator[Site]:
    port = free_port()
    url = f"http://localhost:{port}"
    outer.redirect = url + CALLBACK_PATH
    provider = Provider(settings_of(outer), outer.redirect, utc_now, signed_out_uri=url + SIGNED_OUT_PATH)
    try:
        async with running(settings, dsn, Web(port=port, url=url), provider=provider) as one:
            one.base = url
            yield one
    finally:
        await provider.close()


@pytest.mark.slow
@pytest.mark.parametrize("scripts", [True, False], ids=["with-scripts", "without"])
async def test_one_comes_in_by_the_provider_and_goes_out_by_it(
    site: Site, outer: OpenIdProvider, scripts: bool
) -> None:
    async with browser() as opened, window(opened, site.base, 375, scripts=scripts) as mine:
        tab = await mine.show("/sign-in")
        await tab.click("#provider")
        await tab.wait_for_url("**/")
        assert "You are Kim" in await tab.inner_text("main")
        await tab.click("text=Sign out")
        await tab.wait_for_url(f"**{SIGNED_OUT_PATH}?state=*")
        assert "signed out here and at Our Login" in await tab.inner_text("main")
        assert outer.asked[-1] == "out"
        assert await site.pool.fetchval("select count(*) from sessions") == 0
        assert mine.faults == []
