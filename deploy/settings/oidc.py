"""The OpenID provider by which people may sign in to the pages, and which of its groups have which role."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from deploy.secret import Secret
from deploy.settings.web import is_loopback
from schemas.access import ACCESS_ROLES, AccessRole
from schemas.errors import CannotStart
from schemas.formats.kinds import kind_in_words

_KEYS = ("group", "role", "project")


@dataclass(frozen=True, slots=True)
class GroupRole:
    """A role in a project (empty: the default one) for who is in a group of the provider's."""

    group: str
    role: AccessRole
    project: str = ""


@dataclass(frozen=True, slots=True)
class Oidc:
    """One provider; without an `issuer` passwords alone do.

    Of `roles` the first that fits counts for each project. `groups_claim` may lead into objects, as in
    realm_access.roles. With `trusts_email` an address counts as proved although the provider does not say so.
    """

    issuer: str = ""
    client_id: str = ""
    client_secret: Secret = Secret("")
    name: str = "single sign-on"
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    groups_claim: str = "groups"
    roles: object = field(default_factory=list)
    trusts_email: bool = False

    def check(self, web_url: str) -> None:
        """Raises CannotStart for a provider that nobody could sign in by, or whose answers could be read on the way."""
        self.group_roles()
        if not self.issuer:
            return
        if not is_safe_address(self.issuer) or set("?#") & set(self.issuer):
            raise CannotStart("oidc.issuer must begin with https://, or with http:// on this machine, without ? and #")
        if not self.client_id:
            raise CannotStart("oidc.client_id is missing: the name that the provider has for Tidings")
        if not web_url:
            raise CannotStart("web.url is missing: oidc.issuer needs it, since the provider sends browsers back there")
        if "openid" not in self.scopes:
            raise CannotStart("oidc.scopes must name openid")

    def group_roles(self) -> tuple[GroupRole, ...]:
        """The roles as records. Raises CannotStart for one that is not as it has to be."""
        if not isinstance(self.roles, list):
            raise CannotStart(f"oidc.roles must be a list, not {kind_in_words(self.roles)}")
        return tuple(_group_roles(self.roles))


def is_safe_address(url: str) -> bool:
    """True of an address that is reached by TLS, or is on this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host)))


def _group_roles(written: list[Any]) -> Iterator[GroupRole]:
    for index, one in enumerate(written):
        path = f"oidc.roles[{index}]"
        if not isinstance(one, Mapping) or not all(isinstance(value, str) and value for value in one.values()):
            raise CannotStart(f'{path} must be as in {{group = "tidings-admins", role = "admin", project = "shop"}}')
        if unknown := [name for name in one if name not in _KEYS]:
            raise CannotStart(f"{path}.{unknown[0]} is not a setting: must be one of {', '.join(_KEYS)}")
        if "group" not in one:
            raise CannotStart(f"{path}.group is missing")
        yield GroupRole(one["group"], _role(one.get("role"), path), one.get("project", ""))


def _role(written: object, path: str) -> AccessRole:
    for role in ACCESS_ROLES:
        if role == written:
            return role
    raise CannotStart(f"{path}.role must be one of {', '.join(ACCESS_ROLES)}, not {written!r}")
