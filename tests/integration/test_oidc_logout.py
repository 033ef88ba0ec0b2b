"""Back-channel logout: an OpenID provider says that sessions are over; by real HTTP and keys, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from joserfc import jwt

from deploy.settings.settings import Settings
from deploy.settings.web import Web
from tests.integration.oidc_provider import CLIENT, new_key, signed_otherwise
from tests.integration.test_oidc import Sso, serving
from tests.integration.test_web import JO, Browser, running

PATH = "/sign-in/oidc/back-channel-logout"
EVENT = "http://schemas.openid.net/event/backchannel-logout"


@dataclass(frozen=True, slots=True)
class Said:
    """The answer that a provider gets."""

    status: int
    headers: Any
    text: str


@pytest.fixture
async def sso(settings: Settings, dsn: str) -> AsyncIterator[Sso]:
    async with serving(settings, dsn) as made:
        yield made


def claims_of(sso: Sso, **changes: Any) -> dict[str, Any]:
    """Claims of a logout token; None leaves one out."""
    now = int(time.time())
    claims = {
        "iss": sso.provider.issuer, "aud": CLIENT, "iat": now, "exp": now + 120, "jti": secrets.token_urlsafe(8),
        "events": {EVENT: {}}, "sub": "kim-1", **changes,
    }  # fmt: skip
    return {name: one for name, one in claims.items() if one is not None}


def token_of(sso: Sso, **changes: Any) -> str:
    return sso.provider.signed(claims_of(sso, **changes))


async def tell(sso: Sso, token: str, base: str = "", **form: str) -> Said:
    """Send a token as a provider's server does: without a cookie, and without what a browser says of where it is."""
    data = {"logout_token": token, **form}
    async with sso.site.session.post((base or sso.site.base) + PATH, data=data) as answer:
        return Said(answer.status, answer.headers, await answer.text())


async def came(sso: Sso, **claims: Any) -> Browser:
    """A browser that has signed in by the provider."""
    browser = sso.browser()
    page = await sso.enter(browser, **claims)
    assert page.status == 303, page.text
    return browser


async def is_in(browser: Browser) -> bool:
    return (await browser.ask("GET", "/")).status == 200


async def ended(sso: Sso) -> list[tuple[str, Any]]:
    """The actors and the numbers of the rows of the log that say so."""
    rows = await sso.site.pool.fetch(
        "select actor, change from audit_log where action = 'user.sessions_ended' and project_id = 'shop' "
        "order by position"
    )
    return [(row["actor"], json.loads(row["change"])) for row in rows]


async def test_of_a_subject_every_session_that_began_by_the_provider_ends_and_no_other(sso: Sso) -> None:
    first, second = await came(sso), await came(sso)
    other = await came(sso, sub="jo-2", email="jo2@shop.example")
    await sso.site.add()
    by_password = sso.browser()
    assert (await by_password.sign_in()).status == 303
    page = await sso.enter(by_password, "?link=1", sub="jo-1")
    assert page.status == 303, "whoever has a password is linked, and the session is still one by the password"
    said = await tell(sso, token_of(sso), sso.other)
    assert (said.status, said.headers["cache-control"], said.text) == (200, "no-store", "")
    assert [await is_in(one) for one in (first, second, other, by_password)] == [False, False, True, True]
    assert await ended(sso) == [("oidc", {"ended": 2, "issuer": sso.provider.issuer})]
    assert (await tell(sso, token_of(sso, sub="jo-1"))).status == 200
    assert await is_in(by_password)
    linked = await came(sso, sub="jo-1")
    assert JO in (await linked.ask("GET", "/")).text
    assert (await tell(sso, token_of(sso, sub="jo-1"))).status == 200
    assert (await is_in(linked), await is_in(by_password)) == (False, True)


async def test_of_a_session_that_the_provider_names_that_one_ends(sso: Sso) -> None:
    first, second, third = [await came(sso, sid=f"sid-{one}") for one in range(3)]
    unnamed = await came(sso)
    assert (await tell(sso, token_of(sso, sub=None, sid="sid-0"))).status == 200
    assert [await is_in(one) for one in (first, second, third, unnamed)] == [False, True, True, True]
    assert (await tell(sso, token_of(sso, sub="somebody-else", sid="sid-1"))).status == 200
    assert await is_in(second), "it is not of that subject"
    assert (await tell(sso, token_of(sso, sid="sid-1"))).status == 200
    assert [await is_in(one) for one in (second, third, unnamed)] == [False, True, False], (
        "a provider may name its session in logout tokens alone"
    )


@pytest.mark.parametrize(
    "changes",
    [{"sub": "nobody-1"}, {"sub": None, "sid": "sid-9"}, {"sid": "sid-9", "sub": "nobody-1"}],
    ids=["subject", "session", "both"],
)
async def test_that_nobody_is_signed_in_is_as_good_as_signed_out(sso: Sso, changes: dict[str, Any]) -> None:
    browser = await came(sso, sid="sid-1")
    said = await tell(sso, token_of(sso, **changes))
    assert (said.status, said.headers["cache-control"]) == (200, "no-store")
    assert (await is_in(browser), await ended(sso)) == (True, [])


WRONG: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "https://evil.example"},
    "no issuer": {"iss": None},
    "another audience": {"aud": "somebody-else"},
    "no audience": {"aud": None},
    "several audiences, asked by another": {"aud": [CLIENT, "other"], "azp": "other"},
    "over": {"exp": int(time.time()) - 3600},
    "no end": {"exp": None},
    "an end that is no number": {"exp": "tomorrow"},
    "a year long": {"exp": int(time.time()) + 365 * 24 * 3600},
    "without an end, by infinity": {"exp": float("inf")},
    "of later": {"iat": int(time.time()) + 7 * 24 * 3600},
    "no time": {"iat": None},
    "no events": {"events": None},
    "another event": {"events": {"https://example.com/other": {}}},
    "an event that is null": {"events": {EVENT: None}},
    "an event that is a list": {"events": {EVENT: []}},
    "events as a list": {"events": [EVENT]},
    "events as a text": {"events": EVENT},
    "a nonce": {"nonce": "n-1"},
    "no id": {"jti": None},
    "an empty id": {"jti": ""},
    "an id of another kind": {"jti": 7},
    "neither subject nor session": {"sub": None},
    "a subject of another kind": {"sub": 7},
    "an empty subject": {"sub": ""},
    "a session of another kind": {"sid": ["sid-1"]},
    "a session that Postgres cannot keep": {"sid": "sid\x00"},
}


@pytest.mark.parametrize("case", WRONG)
async def test_a_token_that_does_not_hold_ends_nothing(sso: Sso, case: str) -> None:
    browser = await came(sso)
    said = await tell(sso, token_of(sso, **WRONG[case]))
    assert (said.status, json.loads(said.text)) == (400, {"error": "invalid_request"})
    assert said.headers["cache-control"] == "no-store"
    assert (await is_in(browser), await ended(sso)) == (True, [])
    assert [one["event"] for one in sso.site.logged].count("oidc_logout_refused") == 1


@signed_otherwise
async def test_a_token_that_no_key_of_the_provider_has_signed_ends_nothing(sso: Sso, sign: Callable[..., Any]) -> None:
    browser = await came(sso)
    assert (await tell(sso, sign(sso.provider)(claims_of(sso)))).status == 400
    assert await is_in(browser)


async def test_the_token_of_a_sign_in_ends_no_session(sso: Sso) -> None:
    browser = await came(sso)
    kept = await sso.site.pool.fetchval("select provider_hint from sessions")
    assert (await tell(sso, kept)).status == 400
    assert await is_in(browser)


async def test_a_token_is_used_once_whichever_process_it_comes_to(sso: Sso) -> None:
    await came(sso)
    token = token_of(sso, jti="once")
    assert (await tell(sso, token)).status == 200
    again = await came(sso)
    signed_anew = token_of(sso, jti="once")
    for one, base in ((token, ""), (token, sso.other), (signed_anew, sso.other)):
        assert (await tell(sso, one, base)).status == 400
    assert await is_in(again), "who has come since then stays"
    at_once = token_of(sso)
    said = await asyncio.gather(*(tell(sso, at_once, base) for base in (sso.site.base, sso.other) * 3))
    assert sorted(one.status for one in said) == [200, 400, 400, 400, 400, 400]


async def test_used_tokens_are_forgotten_once_they_are_over(sso: Sso) -> None:
    for _ in range(3):
        assert (await tell(sso, token_of(sso))).status == 200
    assert await sso.site.pool.fetchval("select count(*) from oidc_logout_tokens") == 3
    await sso.site.pool.execute("update oidc_logout_tokens set ends_at = now() - interval '1 s'")
    assert (await tell(sso, token_of(sso))).status == 200
    assert await sso.site.pool.fetchval("select count(*) from oidc_logout_tokens") == 1


async def test_other_fields_and_a_type_of_its_own_are_no_matter(sso: Sso) -> None:
    browser, key = await came(sso), sso.provider.keys[-1]
    head = {"alg": "RS256", "kid": key.kid, "typ": "logout+jwt"}
    token = jwt.encode(head, claims_of(sso), key, algorithms=["RS256"])
    assert (await tell(sso, token, other="field")).status == 200
    assert not await is_in(browser)


async def test_what_is_not_a_form_or_brings_no_token_ends_nothing(sso: Sso) -> None:
    browser, address = await came(sso), sso.site.base + PATH
    async with sso.site.session.get(address) as answer:
        assert answer.status == 405
    sent: list[dict[str, Any]] = [
        {},
        {"json": {"logout_token": token_of(sso)}},
        {"data": aiohttp.FormData({"other": "x"})},
        {"params": {"logout_token": token_of(sso)}},
    ]
    for one in sent:
        async with sso.site.session.post(address, **one) as answer:
            assert (answer.status, answer.headers["cache-control"]) == (400, "no-store"), one
    async with sso.site.session.post(address, data={"logout_token": "x" * 100_000}) as answer:
        assert answer.status in (400, 413)
    assert await is_in(browser)


async def test_a_new_key_is_taken_and_tokens_that_prove_nothing_do_not_have_the_provider_asked_each_time(
    sso: Sso,
) -> None:
    browser = await came(sso)
    sso.provider.keys = [new_key("k2")]
    assert (await tell(sso, token_of(sso))).status == 200
    assert not await is_in(browser)
    asked = list(sso.provider.asked)
    key = new_key("x")
    for number in range(5):
        forged = jwt.encode({"alg": "RS256", "kid": f"x{number}"}, claims_of(sso), key, algorithms=["RS256"])
        assert (await tell(sso, forged)).status == 400
    assert sso.provider.asked == asked
    sso.provider.keys = [new_key("k3")]
    assert await is_in(await came(sso)), "a sign-in is not kept waiting for that"


async def test_while_the_provider_s_keys_are_not_to_be_had_it_may_send_it_again(sso: Sso) -> None:
    browser, token = await came(sso), token_of(sso)
    sso.provider.is_down = True
    said = await tell(sso, token, sso.other)  # which has not asked it before
    assert (said.status, said.headers["retry-after"], said.headers["cache-control"]) == (503, "5", "no-store")
    sso.provider.is_down = False
    assert (await tell(sso, token, sso.other)).status == 200
    assert not await is_in(browser)


async def test_without_a_provider_there_is_no_such_address(settings: Settings, dsn: str) -> None:
    async with (
        running(settings, dsn, Web(url="https://tidings.shop.example")) as site,
        site.session.post(site.base + PATH, data={"logout_token": "x"}) as answer,
    ):
        assert answer.status == 404


async def test_no_other_address_takes_what_comes_from_elsewhere(sso: Sso) -> None:
    browser = await came(sso)
    for path in ("/sign-out", "/sign-in/oidc/unlink", f"{PATH}/"):
        page = await browser.ask("POST", path, {}, sec_fetch_site="cross-site")
        assert page.status == 403, path
    assert await is_in(browser)


async def test_nothing_of_a_token_is_in_a_log_or_an_audit_row(sso: Sso) -> None:
    await came(sso, sid="planted-sid")
    token = token_of(sso, sid="planted-sid", jti="planted-jti")
    for _ in range(2):
        await tell(sso, token)
    await tell(sso, token_of(sso, sub="planted-sub", nonce="planted-nonce"))
    rows = await sso.site.pool.fetch("select audit_log::text as row from audit_log")
    kept = await sso.site.pool.fetch("select t::text as row from oidc_logout_tokens t")
    text = f"{sso.site.logged} {rows} {kept}"
    assert kept and "planted" not in text and "kim-1" not in text and token not in text
