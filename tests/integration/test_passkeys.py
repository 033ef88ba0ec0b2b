"""Passkeys over real HTTP, by keys that are real, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import html
import json
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from console.control import users
from console.control.passkeys.proof import relying_party_of
from deploy.settings.settings import Settings
from deploy.settings.web import Web
from store.passkeys import MOST
from store.sign_ins import LIMITS
from tests.integration.authenticator import (
    HOST,
    IS_SYNCED,
    MAY_BE_SYNCED,
    ORIGIN,
    PRESENT,
    VERIFIED,
    Device,
    base64url,
    from_base64url,
)
from tests.integration.test_web import JO, PASSWORD, Browser, Page, Site, running

KIM = "kim@shop.example"
NAMED = {"name": "Jo's phone", "current": PASSWORD}


@pytest.fixture
async def site(settings: Settings, dsn: str) -> AsyncIterator[Site]:
    async with running(settings, dsn, Web(url=ORIGIN)) as one:
        yield one


async def signed_in(site: Site, email: str = JO) -> Browser:
    browser = site.browser()
    assert (await browser.sign_in(email=email)).status == 303
    return browser


async def asked(browser: Browser, **form: str) -> Any:
    """The options by which a device makes a key."""
    page = await browser.ask("POST", "/passkeys/options", {**NAMED, **form})
    assert page.status == 200, page.text
    return json.loads(page.text)


async def add(browser: Browser, device: Device, **form: str) -> Page:
    credential = device.create(await asked(browser, **form))
    return await browser.ask("POST", "/passkeys", {"credential": credential})


async def challenged(browser: Browser) -> Any:
    """The options by which a device signs."""
    page = await browser.ask("POST", "/sign-in/passkey/options")
    assert page.status == 200, page.text
    return json.loads(page.text)


async def enter(browser: Browser, device: Device, **changes: Any) -> Page:
    return await send(browser, device.get(await challenged(browser), **changes))


async def send(browser: Browser, credential: str, **form: str) -> Page:
    return await browser.ask("POST", "/sign-in/passkey", {"credential": credential, **form})


async def with_passkey(site: Site, **said: Any) -> Device:
    """A user with a passkey."""
    await site.add()
    device = Device(**said)
    page = await add(await signed_in(site), device)
    assert (page.status, page.headers["location"]) == (303, "/passkeys?did=added")
    return device


async def is_in(browser: Browser) -> bool:
    return (await browser.ask("GET", "/")).status == 200


async def told(site: Site, action: str) -> list[Any]:
    rows = await site.pool.fetch("select * from audit_log where action = $1 order by position", action)
    return [(row["actor"], row["thing"], json.loads(row["change"])) for row in rows]


async def refused(site: Site, browser: Browser, page: Page) -> str:
    """The reason in the log of a page that let nobody in, and says why in one way."""
    assert (page.status, "That passkey does not let you in" in page.text) == (422, True), page.text
    assert not await is_in(browser)
    return str([one["reason"] for one in site.logged if one["event"] == "passkey_refused"][-1])


# -- signing in -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["EC", "RSA", "Ed25519"])
async def test_somebody_adds_a_passkey_and_signs_in_by_it(site: Site, kind: str) -> None:
    jo = await site.add()
    mine, device = await signed_in(site), Device(kind)
    page = await add(mine, device)
    assert (page.status, page.headers["location"]) == (303, "/passkeys?did=added")
    shown = await mine.ask("GET", "/passkeys?did=added")
    assert "Jo&#x27;s phone" in shown.text and "one device" in shown.text and "The passkey is added." in shown.text
    other = site.browser()
    assert "Sign in with a passkey" in (await other.ask("GET", "/sign-in")).text
    entered = await send(other, device.get(await challenged(other)), next="/sessions")
    assert (entered.status, entered.headers["location"]) == (303, "/sessions")
    assert JO in (await other.ask("GET", "/")).text
    assert "never" not in (await mine.ask("GET", "/passkeys")).text
    ((actor, thing, said),) = await told(site, "user.passkey_added")
    assert (actor, thing) == (f"user:{jo}", jo)
    last = (await told(site, "user.signed_in"))[-1]
    assert (last[0], last[2]["passkey"]) == (f"user:{jo}", said["passkey"])


async def test_a_device_that_does_not_count_may_sign_again_and_again(site: Site) -> None:
    device = await with_passkey(site, steps=0, flags=PRESENT | VERIFIED | MAY_BE_SYNCED | IS_SYNCED)
    for _ in range(3):
        assert (await enter(site.browser(), device)).status == 303
    assert "all devices of an account" in (await (await signed_in(site)).ask("GET", "/passkeys")).text


async def test_one_who_is_named_by_the_device_is_not_known_by_an_address(site: Site) -> None:
    jo = await site.add()
    options = await asked(await signed_in(site))
    assert from_base64url(options["user"]["id"]) == jo.encode()
    assert (options["rp"], options["attestation"]) == ({"name": "Tidings", "id": HOST}, "none")


# -- what is refused ------------------------------------------------------------------------------------------------

WRONG: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "another origin": ({"origin": "https://evil.example"}, {}),
    "a sibling of the host": ({"origin": "https://other.shop.example"}, {}),
    "a host below": ({"origin": f"https://a.{HOST}"}, {}),
    "another port": ({"origin": f"{ORIGIN}:8443"}, {}),
    "without TLS": ({"origin": f"http://{HOST}"}, {}),
    "another relying party": ({"host": "shop.example"}, {}),
    "in a frame of another site": ({"cross_origin": True}, {}),
    "nobody was verified": ({"flags": PRESENT}, {}),
    "nobody was there": ({"flags": VERIFIED}, {}),
    "made, not asked": ({}, {"type": "webauthn.create"}),
}


@pytest.mark.parametrize("case", WRONG)
async def test_what_is_signed_for_somewhere_else_or_by_nobody_lets_nobody_in(site: Site, case: str) -> None:
    device = await with_passkey(site)
    changes, client = WRONG[case]
    for name, value in changes.items():
        setattr(device, name, value)
    browser = site.browser()
    assert await refused(site, browser, await enter(browser, device, **client)) == "unproved"


@pytest.mark.parametrize(
    "case", ["another origin", "another relying party", "nobody was verified", "in a frame of another site"]
)
async def test_a_key_that_is_made_for_somewhere_else_is_not_added(site: Site, case: str) -> None:
    await site.add()
    browser = await signed_in(site)
    page = await add(browser, device := Device(**WRONG[case][0]))
    assert (page.status, "could not be proved" in page.text) == (403, True)
    assert await site.pool.fetchval("select count(*) from passkeys") == 0
    device.origin, device.host, device.flags, device.cross_origin = ORIGIN, HOST, PRESENT | VERIFIED, False
    assert (await add(browser, device)).status == 303


async def test_a_challenge_is_answered_once(site: Site) -> None:
    device = await with_passkey(site)
    browser = site.browser()
    answer = device.get(await challenged(browser))
    assert (await send(browser, answer)).status == 303
    kept = browser.cookies["__Host-tidings-passkey"]
    thief = site.browser()
    thief.cookies["__Host-tidings-passkey"] = kept
    assert await refused(site, thief, await send(thief, answer)) == "not_ours"
    mine = await signed_in(site)
    made = Device()
    credential = made.create(await asked(mine))
    assert (await mine.ask("POST", "/passkeys", {"credential": credential})).status == 303
    again = await mine.ask("POST", "/passkeys", {"credential": credential})
    assert (again.status, "used already" in again.text) == (403, True)


async def test_a_challenge_is_over_after_a_while_and_forgotten(site: Site) -> None:
    device = await with_passkey(site)
    browser, mine, made = site.browser(), await signed_in(site), Device()
    answer, credential = device.get(await challenged(browser)), made.create(await asked(mine))
    assert await site.pool.fetchval("select count(*) from passkey_challenges") == 2
    await site.pool.execute("update passkey_challenges set ends_at = now() - interval '1 s'")
    assert await refused(site, browser, await send(browser, answer)) == "not_ours"
    assert (await mine.ask("POST", "/passkeys", {"credential": credential})).status == 403
    await challenged(browser)
    assert await site.pool.fetchval("select count(*) from passkey_challenges") == 1


async def test_a_challenge_is_answered_where_it_was_asked(site: Site) -> None:
    device = await with_passkey(site)
    browser, other, bare = site.browser(), site.browser(), site.browser()
    answer = device.get(await challenged(browser))
    await challenged(other)
    assert await refused(site, other, await send(other, answer)) == "not_ours"
    assert await refused(site, bare, await send(bare, answer)) == "not_ours"
    assert (await send(browser, answer)).status == 303, "which the others have not used up"


async def test_a_challenge_of_one_kind_is_not_taken_for_the_other(site: Site) -> None:
    device = await with_passkey(site)
    mine, browser = await signed_in(site), site.browser()
    to_add = await asked(mine)
    browser.cookies["__Host-tidings-passkey"] = mine.cookies["__Host-tidings"]
    asks = {"rpId": HOST, "userVerification": "required", "allowCredentials": [], "challenge": to_add["challenge"]}
    assert await refused(site, browser, await send(browser, device.get(asks))) == "not_ours"
    options = {**to_add, **(await challenged(mine))}
    page = await mine.ask("POST", "/passkeys", {"credential": Device().create(options)})
    assert page.status == 403


async def test_a_challenge_that_another_session_was_asked_adds_nothing_to_this_one(site: Site) -> None:
    await site.add()
    await site.add(KIM)
    jo, kim = await signed_in(site), await signed_in(site, KIM)
    credential = Device().create(await asked(jo))
    assert (await kim.ask("POST", "/passkeys", {"credential": credential})).status == 403
    assert (await (await signed_in(site)).ask("POST", "/passkeys", {"credential": credential})).status == 403
    assert await site.pool.fetchval("select count(*) from passkeys") == 0


async def test_a_key_that_is_not_known_here_or_is_another_s_lets_nobody_in(site: Site) -> None:
    device = await with_passkey(site)
    stranger = Device(user_handle=device.user_handle)
    stranger.create({**await asked(await signed_in(site))})
    browser = site.browser()
    assert await refused(site, browser, await enter(browser, stranger)) == "unknown"
    stranger.credential_id = device.credential_id
    assert await refused(site, browser, await enter(browser, stranger)) == "unproved", "it has not signed it"
    for handle in (None, b"", b"usr_0000000000000000"):
        device.user_handle = handle
        assert await refused(site, browser, await enter(browser, device)) == "unproved"


async def test_a_key_of_somebody_is_not_added_to_somebody_else(site: Site) -> None:
    device = await with_passkey(site)
    await site.add(KIM)
    page = await add(await signed_in(site, KIM), Device(credential_id=device.credential_id))
    assert (page.status, "here already" in page.text) == (403, True)
    assert (await enter(site.browser(), device)).status == 303


async def test_a_count_that_goes_back_lets_nobody_in_and_stands_in_the_audit_log(site: Site) -> None:
    device = await with_passkey(site)
    assert (await enter(site.browser(), device)).status == 303
    for count in (device.count - 1, device.count - 2, 0):
        device.count, browser = count, site.browser()
        device.steps = 0 if not count else 1
        assert await refused(site, browser, await enter(browser, device)) == "counter"
    said = [one[2] for one in await told(site, "user.sign_in_refused")]
    assert len(said) == 3 and all("counts backwards" in one["why"] and one["passkey"] for one in said)
    device.count, device.steps = 100, 1
    assert (await enter(site.browser(), device)).status == 303


async def test_a_count_that_nobody_signed_is_no_row_of_the_audit_log(site: Site) -> None:
    device = await with_passkey(site)
    forged = Device(credential_id=device.credential_id, user_handle=device.user_handle, count=0, steps=0)
    forged.create(await asked(await signed_in(site)))
    browser = site.browser()
    assert await refused(site, browser, await enter(browser, forged)) == "unproved"
    assert await told(site, "user.sign_in_refused") == []


async def test_of_two_answers_of_one_count_at_once_one_comes_in(site: Site) -> None:
    device = await with_passkey(site)
    browsers = [site.browser() for _ in range(4)]
    device.count, device.steps = 7, 0
    answers = [device.get(await challenged(one)) for one in browsers]
    pages = await asyncio.gather(*(send(one, answer) for one, answer in zip(browsers, answers, strict=True)))
    assert sorted(one.status for one in pages) == [303, 422, 422, 422]


# -- who may not ----------------------------------------------------------------------------------------------------


async def test_who_is_disabled_or_in_no_project_does_not_come_in(site: Site) -> None:
    device = await with_passkey(site)
    await users.disable(site.users, "shop", JO, actor="ann", is_operator=True) if await site.add(KIM) else None
    browser = site.browser()
    assert await refused(site, browser, await enter(browser, device)) == "closed"
    await users.enable(site.users, "shop", JO, actor="ann", is_operator=True)
    assert (await enter(site.browser(), device)).status == 303
    await users.remove(site.users, "shop", JO, actor="ann")
    assert await refused(site, browser, await enter(browser, device)) == "unknown"
    assert await site.pool.fetchval("select count(*) from passkeys") == 0, "they went with their owner"


async def test_who_has_roles_by_a_provider_s_groups_signs_in_there(site: Site) -> None:
    device = await with_passkey(site)
    mine = await signed_in(site)
    await site.pool.execute("update user_roles set granted_by = 'oidc'")
    page = await mine.ask("POST", "/passkeys/options", NAMED)
    assert (page.status, "groups of your provider" in page.text) == (403, True)
    browser = site.browser()
    assert await refused(site, browser, await enter(browser, device)) == "closed"


async def test_a_passkey_that_is_removed_signs_nobody_in_and_ends_nothing_else(site: Site) -> None:
    device, other = await with_passkey(site), Device()
    by_passkey, mine = site.browser(), await signed_in(site)
    assert (await enter(by_passkey, device)).status == 303
    assert (await add(mine, other, name="A stick")).status == 303
    names = {row["name"]: row["passkey_id"] for row in await site.pool.fetch("select * from passkeys")}
    removed = await by_passkey.ask("POST", "/passkeys/remove", {"passkey": names["Jo's phone"]})
    assert (removed.status, removed.headers["location"]) == (303, "/passkeys?did=removed")
    assert await is_in(by_passkey) and await is_in(mine)
    browser = site.browser()
    assert await refused(site, browser, await enter(browser, device)) == "unknown"
    assert (await enter(site.browser(), other)).status == 303
    assert (await site.browser().sign_in()).status == 303
    assert len(await told(site, "user.passkey_removed")) == 1
    again = await mine.ask("POST", "/passkeys/remove", {"passkey": names["Jo's phone"]})
    assert again.headers["location"] == "/passkeys"


async def test_nobody_removes_another_s_passkey(site: Site) -> None:
    device = await with_passkey(site)
    await site.add(KIM)
    passkey_id = await site.pool.fetchval("select passkey_id from passkeys")
    await (await signed_in(site, KIM)).ask("POST", "/passkeys/remove", {"passkey": passkey_id})
    assert (await enter(site.browser(), device)).status == 303


# -- adding ---------------------------------------------------------------------------------------------------------


async def test_adding_one_asks_for_the_password_and_a_name(site: Site) -> None:
    await site.add()
    mine = await signed_in(site)
    for form, field in (
        ({"current": "another brown bear"}, "current"), ({"current": ""}, "current"), ({"name": " "}, "name"),
        ({"name": "x" * 101}, "name"), ({"name": "a\x00b"}, "name"),
    ):  # fmt: skip
        page = await mine.ask("POST", "/passkeys/options", {**NAMED, **form})
        assert (page.status, json.loads(page.text)["field"]) == (422, field), form
        assert PASSWORD not in page.text
    assert await site.pool.fetchval("select count(*) from passkey_challenges") == 0
    assert (await site.browser().ask("POST", "/passkeys/options", NAMED)).status == 303


async def test_passwords_that_are_guessed_there_are_counted(site: Site) -> None:
    await site.add()
    mine = await signed_in(site)
    pages = [await mine.ask("POST", "/passkeys/options", {**NAMED, "current": f"wrong-{n}"}) for n in range(8)]
    assert pages[-1].status == 429 and int(pages[-1].headers["retry-after"]) >= 1


async def test_who_has_no_password_adds_one_in_a_session_that_has_just_begun(site: Site) -> None:
    await site.add()
    mine = await signed_in(site)
    await site.pool.execute("update users set password_hash = null")
    assert "Current password" not in (await mine.ask("GET", "/passkeys")).text
    assert (await add(mine, Device(), current="")).status == 303
    await site.pool.execute("update sessions set began_at = now() - interval '16 minutes'")
    page = await mine.ask("POST", "/passkeys/options", NAMED)
    assert (page.status, "too long ago" in page.text) == (403, True)


async def test_a_device_is_told_which_keys_it_has_made_already_and_there_is_a_most(site: Site) -> None:
    device = await with_passkey(site)
    mine = await signed_in(site)
    options = await asked(mine)
    assert [one["id"] for one in options["excludeCredentials"]] == [base64url(device.credential_id)]
    await site.pool.execute(
        "insert into passkeys select sha256(n::text::bytea), 'pky_' || n, user_id, name, public_key, 0, false"
        " from passkeys, generate_series(2, $1) n", MOST,
    )  # fmt: skip
    assert (await mine.ask("POST", "/passkeys/options", NAMED)).status == 403
    late = await mine.ask("POST", "/passkeys", {"credential": Device().create(options)})
    assert (late.status, "which is the most" in late.text) == (403, True)


# -- attempts -------------------------------------------------------------------------------------------------------


async def test_attempts_that_fail_wait_like_those_with_passwords(site: Site) -> None:
    device = await with_passkey(site)
    device.origin = "https://evil.example"
    browser = site.browser()
    for _ in range(LIMITS["pair"].free):
        assert await refused(site, browser, await enter(browser, device)) == "unproved"
    await enter(browser, device)
    device.origin = ORIGIN
    page = await enter(browser, device)
    assert (page.status, "Too many attempts" in page.text, "retry-after" in page.headers) == (429, True, True)
    assert (await browser.sign_in()).status == 429, "the account is one"
    assert len(await told(site, "user.sign_in_refused")) == 1
    await site.pool.execute("update sign_in_attempts set last_at = now() - interval '1 hour'")
    assert (await enter(browser, device)).status == 303
    failures = await site.pool.fetch("select failures from sign_in_attempts where kind = 'pair'")
    assert failures == [], "what was right is forgiven"


async def test_keys_that_nobody_has_are_counted_for_their_network(site: Site) -> None:
    device = await with_passkey(site)
    stranger = Device()
    stranger.create(await asked(await signed_in(site)))
    counted = "select failures from sign_in_attempts where kind = 'network' and key = sha256('127.0.0.1')"
    await site.pool.execute("delete from sign_in_attempts")
    browser = site.browser()
    for number in range(3):
        stranger.credential_id = f"another-{number}".encode()
        assert await refused(site, browser, await enter(browser, stranger)) == "unknown"
    assert await site.pool.fetchval(counted) == 3
    await site.pool.execute("update sign_in_attempts set failures = 60, last_at = now() where kind = 'network'")
    assert (await enter(browser, stranger)).status == 429
    assert (await enter(browser, device)).status == 303, "who signed in from there before does not wait for others"


# -- what anybody may send ------------------------------------------------------------------------------------------


async def test_whatever_is_sent_in_place_of_an_answer_is_refused_as_a_page(site: Site) -> None:
    device = await with_passkey(site)
    browser, mine = site.browser(), await signed_in(site)
    seed = random.randrange(10**9)
    rng = random.Random(seed)
    answer = device.get(await challenged(browser))
    made = Device().create(await asked(mine))
    texts = ["", "null", "[]", "{}", "1", '"x"', "[" * 5000, '{"id": 1}', answer[:-9], answer.replace("none", "tpm")]
    for whole in (answer, made):
        for _ in range(60):
            at = rng.randrange(len(whole))
            texts.append(whole[:at] + rng.choice(["", "A", "{", "\x00", '"', "\u20ac", "9" * 30]) + whole[at + 1 :])
        for part in json.loads(whole)["response"]:
            value: Any
            for value in (None, 1, [], {}, "", "!", base64url(b"\xff" * 200), base64url(b"{}"), base64url(b"[]")):
                said = json.loads(whole)
                said["response"][part] = value
                texts.append(json.dumps(said))
    for text in texts:
        page = await send(browser, text)
        assert page.status in (303, 422, 429), (seed, text[:200])  # one letter more or less may say the same
        await site.pool.execute("delete from sign_in_attempts")
        page = await mine.ask("POST", "/passkeys", {"credential": text})
        assert page.status in (303, 403), (seed, text[:200])
    assert not [one for one in site.logged if one["log_level"] == "error"]


@pytest.mark.parametrize(
    ("url", "party"),
    [
        ("https://tidings.shop.example", ("tidings.shop.example", "https://tidings.shop.example")),
        ("https://Tidings.Shop.example:443/", ("tidings.shop.example", "https://tidings.shop.example")),
        ("https://tidings.shop.example:8443", ("tidings.shop.example", "https://tidings.shop.example:8443")),
        ("http://localhost:8080", ("localhost", "http://localhost:8080")),
        ("https://bücher.example", ("xn--bcher-kva.example", "https://xn--bcher-kva.example")),
        ("https://203.0.113.7", None),
        ("http://127.0.0.1:8080", None),
        ("https://[2001:db8::1]", None),
        ("https://tidings.example:99999", None),
        ("", None),
    ],
)
def test_the_pages_are_known_by_the_name_in_the_settings(url: str, party: tuple[str, str] | None) -> None:
    found = relying_party_of(url)
    assert (found and (found.id, found.origin)) == party


async def test_without_a_name_in_the_settings_there_are_no_passkeys(settings: Settings, dsn: str) -> None:
    async with running(settings, dsn, Web()) as site:
        await site.add()
        browser = site.browser()
        assert "passkey" not in (await browser.ask("GET", "/sign-in")).text
        for path in ("/sign-in/passkey", "/sign-in/passkey/options"):
            assert (await browser.ask("POST", path, {})).status == 404
        await browser.sign_in()
        assert "whoever runs Tidings" in (await browser.ask("GET", "/passkeys")).text
        assert (await browser.ask("POST", "/passkeys/options", NAMED)).status == 404


async def test_no_secret_is_in_a_log_or_an_audit_row(site: Site) -> None:
    device = await with_passkey(site)
    browser = site.browser()
    options = await challenged(browser)
    await send(browser, device.get(options))
    device.origin = "https://evil.example"
    await enter(site.browser(), device)
    kept = await site.pool.fetch("select audit_log::text as row from audit_log")
    asks = await site.pool.fetch("select passkey_challenges::text as row from passkey_challenges")
    text = f"{site.logged} {kept} {asks}"
    secrets = [options["challenge"], base64url(device.credential_id), device.credential_id.hex(), JO, PASSWORD, "phone"]
    assert kept and not [one for one in (*secrets, *browser.cookies.values()) if one in text]


async def test_scripts_are_files_of_ours_that_are_kept_for_ever(site: Site) -> None:
    await site.add()
    page = await site.browser().ask("GET", "/sign-in")
    path = html.unescape(page.text.partition('<script src="')[2].partition('" defer></script>')[0])
    script = await site.browser().ask("GET", path)
    assert (script.status, script.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
    assert "immutable" in script.headers["cache-control"] and "navigator.credentials" in script.text
    assert "script-src 'self';" in page.headers["content-security-policy"] and page.text.count("<script") == 1
    assert (await site.browser().ask("GET", "/static/passkeys.js")).status == 404
