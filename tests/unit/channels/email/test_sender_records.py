"""Records of a sender's domain: those that receivers can use, and each way in which they cannot."""

from __future__ import annotations

import pytest

from channels.email.sender_records import sender_faults

SPF, DMARC = "v=spf1 include:mail.example ip4:192.0.2.1 -all", "v=DMARC1; p=none; rua=mailto:d@shop.example"
Zone = dict[str, list[str] | None]


async def faults(zone: Zone, domain: str = "shop.example") -> list[str]:
    """The kinds, with DNS that has these records and no others."""

    async def look_up(name: str) -> list[str] | None:
        return zone.get(name, [])

    return [one.kind for one in await sender_faults(domain, look_up)]


@pytest.mark.parametrize(
    ("spf", "kind"),
    [
        ([SPF], None),
        (["google-site-verification=abc", SPF], None),
        (["v=spf1 include:a.example include:b.example ~all"], None),  # several senders in one record are right
        (["V=SPF1 mx -all"], None),
        (["v=spf1 redirect=_spf.other.example"], None),
        (["v=spf1 include:send-all.example ?all"], None),
        ([], "spf_missing"),
        (["v=spf1foo -all"], "spf_missing"),
        (["v=spf10 -all"], "spf_missing"),
        ([SPF, "v=spf1 mx -all"], "spf_wrong"),
        (["v=spf1 mx +all"], "spf_wrong"),
        (["v=spf1 mx all"], "spf_wrong"),
        (["v=spf1 -all"], "spf_wrong"),
        ([" ".join(["v=spf1", *(f"include:i{number}.example" for number in range(10)), "-all"])], None),
        ([" ".join(["v=spf1", *(f"include:i{number}.example" for number in range(11)), "-all"])], "spf_wrong"),
        (None, "dns_unknown"),
    ],
)
async def test_an_spf_record_is_one_and_lets_somebody_send(spf: list[str] | None, kind: str | None) -> None:
    found = await faults({"shop.example": spf, "_dmarc.shop.example": [DMARC]})
    assert found == ([] if kind is None else [kind])


async def test_look_ups_of_records_that_a_record_leads_to_count() -> None:
    zone: Zone = {"shop.example": ["v=spf1 include:a.example -all"], "_dmarc.shop.example": [DMARC]}
    zone["a.example"] = [f"v=spf1 {' '.join(f'a:h{number}.example' for number in range(9))} -all"]
    assert await faults(zone) == []
    zone["a.example"] = [f"v=spf1 {' '.join(f'a:h{number}.example' for number in range(10))} -all"]
    assert await faults(zone) == ["spf_wrong"]
    zone["a.example"] = ["v=spf1 include:shop.example -all"]  # each leads to the other
    assert await faults(zone) == ["spf_wrong"]


@pytest.mark.parametrize(
    ("dmarc", "kind"),
    [
        ({"_dmarc.news.shop.example": [DMARC]}, None),
        ({"_dmarc.shop.example": [DMARC]}, None),  # that of the domain above counts
        ({"_dmarc.shop.example": ["v=DMARC1; p=reject"]}, None),
        ({"_dmarc.shop.example": ["v=DMARC1; p=reject; sp=nothing"]}, "dmarc_wrong"),
        ({"_dmarc.news.shop.example": ["v=DMARC1; p=reject; sp=nothing"]}, None),  # sp is for those below alone
        ({"_dmarc.news.shop.example": ["v=DMARC1"]}, "dmarc_wrong"),
        ({"_dmarc.news.shop.example": ["v=DMARC1; rua=mailto:d@shop.example"]}, None),
        ({"_dmarc.news.shop.example": ["v=DMARC12; p=none"], "_dmarc.shop.example": [DMARC]}, None),
        ({"_dmarc.news.shop.example": [DMARC, DMARC]}, "dmarc_wrong"),
        ({}, "dmarc_missing"),
        ({"_dmarc.example": [DMARC]}, "dmarc_missing"),
        ({"_dmarc.news.shop.example": None}, "dns_unknown"),
    ],
)
async def test_a_policy_is_looked_for_at_the_domain_and_above_it(dmarc: Zone, kind: str | None) -> None:
    found = await faults({"news.shop.example": [SPF], **dmarc}, "news.shop.example")
    assert found == ([] if kind is None else [kind])


async def test_of_a_deep_domain_the_domain_itself_is_asked_first() -> None:
    deep = "a.b.c.d.e.f.g.h.i.shop.example"
    assert await faults({deep: [SPF], f"_dmarc.{deep}": [DMARC]}, deep) == []
