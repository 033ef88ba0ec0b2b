"""Accounts of mailboxes from a typed address."""

from __future__ import annotations

from collections.abc import Sequence

import dns.asyncresolver
import dns.resolver
import pytest

from console.control.mail_presets import completed, mail_exchangers, preset_words
from schemas.errors import DefinitionInvalid


async def nobody_asks(domain: str) -> Sequence[str]:
    raise AssertionError(f"{domain} was looked up")


async def at_google(domain: str) -> Sequence[str]:
    return ["aspmx.l.google.com"] if domain == "shop.example" else []


async def elsewhere(domain: str) -> Sequence[str]:
    return ["mx1.host.example"]


async def test_a_known_domain_asks_nobody() -> None:
    made, preset = await completed("email", {"sender": "a@gmail.com"}, nobody_asks)
    assert (made["host"], made["port"], made["username"]) == ("smtp.gmail.com", 587, "a@gmail.com")
    assert preset is not None
    words = preset_words(preset, {"sender": "a@gmail.com", "rate": "5/d"})
    assert words.startswith(
        "host=smtp.gmail.com, port=587, security=starttls, as Gmail has it. It wants an app password"
    )


async def test_a_domain_of_ones_own_is_looked_up() -> None:
    made, preset = await completed("email", {"sender": "a@shop.example", "username": "b"}, at_google)
    assert preset is not None
    assert (made["host"], made["username"], made["rate"], preset.provider.name) == (
        "smtp.gmail.com",
        "b",
        "2000/d",
        "Google Workspace",
    )


@pytest.mark.parametrize(
    ("exchangers", "said"), [(elsewhere, "its mail goes to mx1.host.example, whose"), (at_google, "its operator knows")]
)
async def test_without_a_preset_the_host_is_asked_for(exchangers: object, said: str) -> None:
    with pytest.raises(DefinitionInvalid) as caught:
        await completed("email", {"sender": "a@other.example"}, exchangers)  # type: ignore[arg-type]
    (problem,) = caught.value.problems
    assert (problem.path, said in problem.message) == ("host", True), problem


@pytest.mark.parametrize(
    "written", [{"sender": "a@gmail.com", "host": "mail.example"}, {"sender": "no address"}, {"host": "h"}, {}]
)
async def test_what_names_its_host_or_no_address_stays(written: dict[str, object]) -> None:
    assert await completed("email", written, nobody_asks) == (written, None)


async def test_dns_that_cannot_be_asked_names_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object, **__: object) -> None:
        raise dns.resolver.NoNameservers

    monkeypatch.setattr(dns.asyncresolver, "resolve", away)
    assert await mail_exchangers("shop.example") == []
