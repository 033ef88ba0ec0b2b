"""Settings of the OpenID provider by which people sign in."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.settings.oidc import GroupRole
from deploy.settings.settings import load_settings
from schemas.errors import CannotStart

RIGHT = {
    "TIDINGS_WEB_URL": "https://tidings.shop.example",
    "TIDINGS_OIDC_ISSUER": "https://login.shop.example/realms/shop",
    "TIDINGS_OIDC_CLIENT_ID": "tidings",
}


def test_groups_have_roles_and_the_secret_is_read_of_a_file_and_never_shown(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("planted-secret\n")
    roles = '[{"group": "owners", "role": "admin"}, {"group": "staff", "role": "viewer", "project": "outlet"}]'
    oidc = load_settings({**RIGHT, "TIDINGS_OIDC_CLIENT_SECRET": f"file:{secret}", "TIDINGS_OIDC_ROLES": roles}).oidc
    assert oidc.group_roles() == (GroupRole("owners", "admin"), GroupRole("staff", "viewer", "outlet"))
    assert oidc.client_secret.reveal() == "planted-secret"
    assert "planted" not in repr(oidc)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"OIDC_ISSUER": "http://login.shop.example"}, "oidc.issuer must begin with https://"),
        ({"OIDC_ISSUER": "login.shop.example"}, "oidc.issuer must begin with https://"),
        ({"OIDC_ISSUER": "https://login.shop.example?a=b"}, "oidc.issuer"),
        ({"OIDC_CLIENT_ID": ""}, "oidc.client_id is missing"),
        ({"WEB_URL": ""}, "web.url is missing"),
        ({"OIDC_SCOPES": "email,profile"}, "oidc.scopes must name openid"),
        ({"OIDC_ROLES": "staff"}, "oidc.roles must be a list"),
        ({"OIDC_ROLES": "[1]"}, r"oidc.roles\[0\] must be as in"),
        ({"OIDC_ROLES": '[{"role": "admin"}]'}, r"oidc.roles\[0\].group is missing"),
        ({"OIDC_ROLES": '[{"group": "a", "role": "root"}]'}, r"oidc.roles\[0\].role must be one of viewer, .*'root'"),
        ({"OIDC_ROLES": '[{"group": "a"}]'}, r"oidc.roles\[0\].role"),
        ({"OIDC_ROLES": '[{"group": "a", "role": "admin", "projct": "b"}]'}, "projct is not a setting"),
    ],
)
def test_what_nobody_could_sign_in_by_stops_the_start(changes: dict[str, str], why: str) -> None:
    with pytest.raises(CannotStart, match=why):
        load_settings(RIGHT | {f"TIDINGS_{name}": value for name, value in changes.items()})


def test_without_an_issuer_there_is_none() -> None:
    assert load_settings({}).oidc.issuer == ""
