"""Servers of mailboxes by their address."""

from __future__ import annotations

import pytest

from schemas.account import read_account
from schemas.channels.mail_providers import (
    PROVIDERS,
    MailProvider,
    preset_of,
    preset_of_exchangers,
    provider_at,
    with_preset,
)


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda one: one.name)
def test_each_preset_makes_an_account_that_is_taken(provider: MailProvider) -> None:
    domain = next(iter(provider.domains), "")
    found = preset_of(domain) or preset_of_exchangers(["aspmx.l.google.com"])
    assert found is not None
    address = f"shop@{domain or 'shop.example'}"
    account = read_account("email", with_preset({"sender": address, "username": "u", "password": "p"}, found, address))
    assert getattr(account, "host", None) == found.host
    assert provider.source
    assert provider.domains or provider.mx


def test_a_domain_is_one_providers() -> None:
    domains = [domain for one in PROVIDERS for domain in one.domains]
    assert len(domains) == len(set(domains))


@pytest.mark.parametrize(
    ("domain", "host", "port", "security"),
    [
        ("gmail.com", "smtp.gmail.com", 587, "starttls"),
        ("Outlook.com", "smtp-mail.outlook.com", 587, "starttls"),
        ("yahoo.co.uk", "smtp.mail.yahoo.com", 465, "tls"),
        ("zoho.eu", "smtp.zoho.eu", 465, "tls"),
        ("gmx.net", "mail.gmx.net", 587, "starttls"),
        ("proton.me", "127.0.0.1", 1025, "starttls"),
    ],
)
def test_a_domain_has_its_providers_servers(domain: str, host: str, port: int, security: str) -> None:
    found = preset_of(domain)
    assert found is not None
    fields = found.fields("shop@x")
    assert (fields["host"], fields["port"], fields["security"], fields["username"]) == (host, port, security, "shop@x")


@pytest.mark.parametrize(
    ("exchanger", "host"),
    [
        ("aspmx.l.google.com", "smtp.gmail.com"),
        ("SMTP.google.com.", "smtp.gmail.com"),
        ("shop-example.mail.protection.outlook.com", "smtp.office365.com"),
        ("shop-example.a-v1.mx.microsoft", "smtp.office365.com"),
        ("inbound-smtp.eu-west-1.amazonaws.com", "email-smtp.eu-west-1.amazonaws.com"),
        ("mx2.zoho.eu", "smtppro.zoho.eu"),
        ("in1-smtp.messagingengine.com", "smtp.fastmail.com"),
        ("mail.protection.outlook.com.evil.example", None),
        ("notgoogle.com", None),
    ],
)
def test_a_domain_of_ones_own_has_those_of_whoever_takes_its_mail(exchanger: str, host: str | None) -> None:
    found = preset_of_exchangers(["mx.unknown.example", exchanger])
    assert (found.host if found else None) == host


def test_what_is_written_counts_and_the_rest_is_filled_in() -> None:
    found = preset_of("gmail.com")
    assert found is not None
    made = with_preset({"sender": "a@gmail.com", "port": "465", "security": "tls"}, found, "a@gmail.com")
    assert (made["port"], made["security"], made["rate"], made["username"]) == ("465", "tls", "500/d", "a@gmail.com")


def test_a_login_of_another_kind_is_not_filled_in() -> None:
    found = preset_of_exchangers(["inbound-smtp.us-east-1.amazonaws.com"])
    assert found is not None
    assert "username" not in found.fields("a@shop.example")


def test_a_provider_is_known_by_both_of_its_hosts() -> None:
    both = [provider_at("imap.gmail.com"), provider_at("smtp.gmail.com")]
    assert [one.name for one in both if one] == ["Gmail", "Gmail"]
    assert provider_at("smtp.shop.example") is None
