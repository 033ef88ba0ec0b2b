"""Hosts in ASCII: IDNA 2008, or a refusal; never another name."""

from __future__ import annotations

import pytest

from schemas.formats.hosts import HostRefused, ascii_host, ascii_url


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("faß.example", "xn--fa-hia.example"),
        ("FAẞ.example", "xn--fa-hia.example"),
        ("βόλος.example", "xn--nxasmm1c.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("bu\u0308cher.example", "xn--bcher-kva.example"),
        ("bücher\u3002example", "xn--bcher-kva.example"),
        ("\u0646\u0627\u0645\u0647\u200c\u0627\u06cc.com", "xn--mgba3gch31f060k.com"),
        ("a\u200db.example", HostRefused),
        ("☃.example", HostRefused),
        ("i❤.example", HostRefused),
        ("bücher\uff0fx.example", HostRefused),
        ("ü..example", HostRefused),
        ("1\u0623.example", HostRefused),
        ("my_service", "my_service"),
        ("shop.example.com", "shop.example.com"),
    ],
)
def test_a_host_is_that_of_idna_2008_or_is_refused(written: str, expected: str | type[Exception]) -> None:
    if isinstance(expected, str):
        assert ascii_host(written) == expected
    else:
        with pytest.raises(HostRefused, match="IDNA 2008"):
            ascii_host(written)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("https://faß.example/a", "https://xn--fa-hia.example/a"),
        ("https://faß.example:8443/ü?q=ß#ü", "https://xn--fa-hia.example:8443/%C3%BC?q=%C3%9F#%C3%BC"),
        (
            "https://shop.example.com/zażółć/{delivery_id}",
            "https://shop.example.com/za%C5%BC%C3%B3%C5%82%C4%87/{delivery_id}",
        ),
        ("http://[::1]:80/ü", "http://[::1]:80/%C3%BC"),
        ("https://shop.example.com/a%20b", "https://shop.example.com/a%20b"),
    ],
)
def test_an_address_keeps_all_but_its_letters_beyond_ascii(written: str, expected: str) -> None:
    assert ascii_url(written) == expected
