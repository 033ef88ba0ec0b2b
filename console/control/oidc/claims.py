"""Somebody as a provider describes them: a name, an address where it is proved, and the roles of their groups."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from console.control.oidc.tokens import OidcRefused
from deploy.settings.oidc import GroupRole, Oidc
from schemas.access import AccessRole
from schemas.formats.mail_address import any_mail_address
from schemas.user import LONGEST_NAME


def groups_of(claims: Mapping[str, Any], name: str) -> frozenset[str]:
    """The groups in a claim, or deeper within it: a list, or one alone. Raises OidcRefused where they are left out.

    Source for the latter: Microsoft Entra names the claim in `_claim_names` where somebody is in more than 200.
    """
    left_out = claims.get("_claim_names")
    if name not in claims and isinstance(left_out, Mapping) and name in left_out:
        raise OidcRefused("too_many_groups", "the provider names no groups, since there are too many")
    found: Any = claims.get(name)
    if found is None:
        found = claims
        for step in name.split("."):
            found = found.get(step) if isinstance(found, Mapping) else None
    items = [found] if isinstance(found, str) else found if isinstance(found, list) else []
    return frozenset(one for one in items if isinstance(one, str))


def roles_of(groups: Collection[str], rules: Collection[GroupRole], default_project: str) -> dict[str, AccessRole]:
    """The role in each project: of the rules the first that fits."""
    roles: dict[str, AccessRole] = {}
    for rule in rules:
        if rule.group in groups:
            roles.setdefault(rule.project or default_project, rule.role)
    return roles


def address_of(claims: Mapping[str, Any], settings: Oidc) -> str:
    """The address, where the provider has proved it. Raises OidcRefused."""
    written = claims.get("email")
    if not isinstance(written, str) or not (claims.get("email_verified") is True or settings.trusts_email):
        raise OidcRefused("no_address", "the provider names no address that it has proved")
    try:
        return any_mail_address(written)
    except ValueError as error:
        raise OidcRefused("no_address", "what the provider names is no address") from error


def proved_address(claims: Mapping[str, Any]) -> str:
    """The address that the provider itself says it has proved, letter by letter and whatever the settings trust; empty
    for none.
    """
    written = claims.get("email")
    return written if isinstance(written, str) and claims.get("email_verified") is True else ""


def is_same_address(one: str, other: str) -> bool:
    """True of addresses that differ by the case of ASCII letters alone: of others, such as a Kelvin sign and a k, two
    mailboxes may be there.
    """
    return one.encode(errors="replace").lower() == other.encode(errors="replace").lower()


def name_of(claims: Mapping[str, Any], address: str) -> str:
    """The name that others see."""
    for claim in ("name", "preferred_username"):
        written = claims.get(claim)
        if isinstance(written, str) and (shown := " ".join("".join(filter(_shows, written)).split())):
            return shown[:LONGEST_NAME]
    return address.partition("@")[0][:LONGEST_NAME]


def _shows(character: str) -> bool:
    return character.isprintable() or character.isspace()
