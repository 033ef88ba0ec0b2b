"""The page that one goes on to after signing in: one of ours, and nothing that a browser reads as another host."""

from __future__ import annotations

from urllib.parse import parse_qs, urljoin, urlsplit

import pytest

from console.web.next_page import next_page_of, sign_in_for

OURS = "https://tidings.shop.example/sign-in"


@pytest.mark.parametrize(
    "page",
    [
        "/sessions", "/p/shop/distributions?q=win+back&status=LIVE", "/p/shop/customers?id=a/b@c",
        "/p/shop/customers?id=%3Cscript%3E&distribution=a%26b", "/p/shop/messages/dlv_1?event=ev%2F1",
        "/p/a%2Fb/distributions/x", "/p/shop/x?node[]=1&node[]=2", "/p/shop/distributions/x?since=2026-11-20T08:00Z",
        "/p/shop/customers?id=https://evil.example",
    ],
)  # fmt: skip
def test_a_page_of_ours_is_gone_on_to_with_all_its_parameters(page: str) -> None:
    assert next_page_of(page) == page
    query = parse_qs(urlsplit(sign_in_for(page)).query)
    assert query == {"next": [page]}
    assert urlsplit(urljoin(OURS, page)).netloc == "tidings.shop.example"


@pytest.mark.parametrize(
    "page",
    [
        None, "", "sessions", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example",
        "/%5Cevil.example", "/%2F/evil.example", "/%2Fevil.example", "/p//evil.example", "https://evil.example",
        "/\t/evil.example", "/\n/evil.example", "\t//evil.example", "/p/shop\r\nset-cookie: a=b", "javascript:alert(1)",
        "/p/../../evil", "/p/%2e%2e/x", "/p/./x", "/p/shop#part", "/p/shop?q=<b>", "/p/shop?q=\\", "/p/shop/\u202e",
        "/p/%zz", "/sign-in", "/sign-in/oidc?link=1", "/sign-out", "/welcome/token", "/" + "x" * 2000,
    ],
)  # fmt: skip
def test_whatever_is_not_plainly_ours_is_the_start_page(page: str | None) -> None:
    assert next_page_of(page) == "/"
    assert sign_in_for(page or "/") == "/sign-in"
