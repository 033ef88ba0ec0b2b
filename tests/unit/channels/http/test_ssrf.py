"""Places that may be called: as URLs are written, and where names lead."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from channels.http.ip_ranges import ip_of
from channels.http.ssrf import OWN_NETWORKS, PORTS, PlaceRefused, Reach, Target, target_of
from schemas.formats.hosts import ascii_url

STRICT, WITH_HTTP = Reach(), Reach(http=True)
VPC = Reach(networks=(ip_network("10.20.0.0/16"),))


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://Hooks.Example.com/x", Target("https", "hooks.example.com", 443)),
        ("http://hooks.example.com.:8080", Target("http", "hooks.example.com", 8080)),
        ("HTTPS://[2606:4700::1111]:8443/", Target("https", "2606:4700::1111", 8443)),
        ("https://my_receiver/x?user@host", Target("https", "my_receiver", 443)),
    ],
)
def test_the_parts_of_a_url(url: str, target: Target) -> None:
    assert target_of(url) == target


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x.example", "file:///etc/passwd", "//x.example", "x.example", "https://", "https:/x.example", "",
        "https://x.example:0", "https://x.example:99999", "https://x.example:https", "https://[::1", "https://[x]",
        "https://ex%61mple.com/", "https://127.0.0.1%2f.example/", "https://x.example\\@127.0.0.1/",
        "https:\\\\127.0.0.1/", "https://x.example /", "https://x.exa\tmple", "https://x\n.example", "https://./",
        "https://x.example\x00.y", "https://faß.example/",
    ],
)  # fmt: skip
def test_a_url_that_clients_read_differently_is_not_valid(url: str) -> None:
    with pytest.raises(PlaceRefused, match="not valid: must be one such as https://"):
        target_of(url)
    assert "not valid" in (OWN_NETWORKS.problem(url) or "")


PIECES = (
    *("https://", "http://", "a.example", "127.0.0.1", "[::1]", "::ffff:127.0.0.1", "0x7f", "80", "%2f", "%40", "%00"),
    *"@:\\/#?.[];&|^`{'<*~!$(,=+_",
)


@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join), st.sampled_from(["https://", "http://", "HTTP://"]))
def test_a_url_that_is_admitted_means_the_same_to_the_client(rest: str, scheme: str) -> None:
    try:
        target, theirs = target_of(scheme + rest), URL(scheme + rest)
    except (ValueError, PlaceRefused):
        return
    host = (theirs.raw_host or "").rstrip(".")
    assert (target.scheme, target.port) == (theirs.scheme, theirs.port)
    assert (ip_of(target.host) or target.host) == (ip_of(host) or host)


@pytest.mark.parametrize("url", ["https://jo:hush@x.example/", "https://hush@x.example", "https://@x.example"])
def test_credentials_are_refused_and_not_shown(url: str) -> None:
    problem = OWN_NETWORKS.problem(url) or ""
    assert "user name or password" in problem
    assert "hush" not in problem


@pytest.mark.parametrize(
    ("reach", "url", "said"),
    [
        (STRICT, "https://hooks.example.com", None),
        (STRICT, "https://8.8.8.8/", None),
        (STRICT, "https://hooks.example.com:8443", None),
        (STRICT, "http://hooks.example.com", "must be https, unless sender.webhook_allow_http"),
        (WITH_HTTP, "http://hooks.example.com", None),
        (WITH_HTTP, "http://hooks.example.com:25", "port 25 is not allowed: must be one of 80, 443, 8080, 8443"),
        (Reach(ports=(9000,)), "https://hooks.example.com:9000", None),
        (STRICT, "https://hooks.example.com:6379", "sender.webhook_ports"),
        (STRICT, "https://127.0.0.1", "127.0.0.1 is an address that is not public"),
        (STRICT, "https://127.1", "127.1 is an address"),
        (STRICT, "https://0x7f000001", "not public"),
        (STRICT, "https://0177.0.0.1", "not public"),
        (STRICT, "https://2130706433", "not public"),
        (STRICT, "https://127.0.0.1.", "not public"),
        (STRICT, "https://[::ffff:7f00:1]", "not public"),
        (STRICT, "https://[64:ff9b::a9fe:a9fe]", "not public"),
        (STRICT, "https://[fe80::1%25eth0]", "not public"),
        (STRICT, "https://169.254.169.254", "sender.webhook_private_networks"),
        (STRICT, "https://localhost", "localhost leads to an address that is not public"),
        (STRICT, "https://LOCALHOST.", "not public"),
        (STRICT, "https://a.localhost:8443", "not public"),
        (STRICT, "https://1.2.3.256", "1.2.3.256 is not an address"),
        (WITH_HTTP, "http://10.0.0.1", "not public"),
        (VPC, "http://10.20.0.1:5000", None),
        (VPC, "http://10.21.0.1:5000", "not public"),
        (VPC, "http://8.8.8.8", "must be https"),
        (VPC, "http://receiver:5000", None),
        (OWN_NETWORKS, "http://127.0.0.1:5000", None),
        (OWN_NETWORKS, "http://localhost:5000", None),
        (OWN_NETWORKS, "https://169.254.169.254", "not public"),
        (OWN_NETWORKS, "https://[fd00:ec2::254]", "not public"),
        (OWN_NETWORKS, "https://a.0x7f", "not an address"),
    ],
)
def test_a_url_as_written(reach: Reach, url: str, said: str | None) -> None:
    problem = reach.problem(url)
    assert problem is None if said is None else said in (problem or "")


@pytest.mark.parametrize(
    "url", ["https://127。0。0。1/", "https://\uff11\uff12\uff17.0.0.1/", "https://ⓛocalhost/", "https://①27.1/"]
)
def test_other_letters_for_digits_and_dots_hide_nothing(url: str) -> None:
    assert "not public" in (STRICT.problem(ascii_url(url)) or "")


@pytest.mark.parametrize(
    ("reach", "scheme", "addresses", "admitted"),
    [
        (STRICT, "https", ["8.8.8.8"], ["8.8.8.8"]),
        (STRICT, "https", ["10.0.0.1", "8.8.8.8", "::1"], ["8.8.8.8"]),
        (VPC, "https", ["10.20.0.1", "8.8.8.8", "10.21.0.1"], ["10.20.0.1", "8.8.8.8"]),
        (VPC, "http", ["10.20.0.1", "8.8.8.8"], ["10.20.0.1"]),
        (OWN_NETWORKS, "http", ["127.0.0.1", "::1", "fe80::1%eth0"], ["127.0.0.1", "::1"]),
    ],
)
def test_of_the_addresses_of_a_name_those_are_used_that_may_be(
    reach: Reach, scheme: str, addresses: list[str], admitted: list[str]
) -> None:
    assert reach.admitted(Target(scheme, "hooks.example.com", 443), addresses) == set(admitted)


@pytest.mark.parametrize(
    ("scheme", "port", "address", "said"),
    [
        ("https", 443, "10.0.0.1", "hooks.example.com leads to an address that is not public"),
        ("https", 443, "::ffff:10.0.0.1", "not public"),
        ("http", 80, "8.8.8.8", "must be https"),
        ("https", 25, "8.8.8.8", "port 25"),
    ],
)
def test_where_none_may_be_the_reason_is_said_without_the_address(
    scheme: str, port: int, address: str, said: str
) -> None:
    with pytest.raises(PlaceRefused, match=said) as refused:
        STRICT.admitted(Target(scheme, "hooks.example.com", port), [address])
    assert address not in str(refused.value)


def test_the_settings_open_networks_by_name_or_all_at_once() -> None:
    named = Reach.of(private=False, networks=[" 10.20.0.0/16", "fd00::/8 "], http=False, ports=PORTS)
    assert (named.problem("http://10.20.0.9:1"), named.problem("http://[fd00::9]:1")) == (None, None)
    assert named.problem("http://127.0.0.1:1")
    everywhere = Reach.of(private=True, networks=(), http=True, ports=(443,))
    assert everywhere == Reach(http=True, ports=(443,), networks=OWN_NETWORKS.networks)
