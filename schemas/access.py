"""The closed lists of who may do what over the API: roles, permissions, and the one table that joins them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

AccessRole = Literal["viewer", "editor", "approver", "operator", "admin"]
"""Looks; writes; also decides what goes live; keeps it running; everything."""
ACCESS_ROLES: tuple[AccessRole, ...] = get_args(AccessRole)

Permission = Literal[
    "distributions:read",
    "distributions:write",
    "distributions:set_live",
    "distributions:operate",
    "events:publish",
    "keys:manage",
    "statistics:read",
    "suppressions:read",
    "suppressions:write",
    "holds:read",
    "holds:operate",
]
"""What a route asks for. `set_live` is needed for every change of what is live, or becomes so."""
PERMISSIONS: tuple[Permission, ...] = get_args(Permission)

_VIEWER: tuple[Permission, ...] = (
    "distributions:read",
    "statistics:read",
    "suppressions:read",
    "holds:read",
)
_EDITOR: tuple[Permission, ...] = (*_VIEWER, "distributions:write", "suppressions:write")

GRANTS: Mapping[AccessRole, frozenset[Permission]] = {
    "viewer": frozenset(_VIEWER),
    "editor": frozenset(_EDITOR),
    "approver": frozenset((*_EDITOR, "distributions:set_live", "distributions:operate", "holds:operate")),
    "operator": frozenset((*_VIEWER, "distributions:operate", "events:publish", "suppressions:write", "holds:operate")),
    "admin": frozenset(PERMISSIONS),
}


def may(role: AccessRole, permission: Permission) -> bool:
    """True where a role has a permission."""
    return permission in GRANTS[role]


def roles_with(permission: Permission) -> tuple[AccessRole, ...]:
    """The roles that have a permission."""
    return tuple(role for role in ACCESS_ROLES if may(role, permission))
