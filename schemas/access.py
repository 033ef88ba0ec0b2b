"""The closed lists of who may do what over the API: roles, permissions, and the one table that joins them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

AccessRole = Literal["viewer", "editor", "approver", "operator", "admin"]
"""Looks; writes; also decides what goes live; keeps it running; everything."""
ACCESS_ROLES: tuple[AccessRole, ...] = get_args(AccessRole)

Permission = Literal[
    "audit:read",
    "campaigns:read",
    "campaigns:write",
    "customers:read",
    "customers:write",
    "customers:erase",
    "customers:export",
    "decisions:read",
    "deliveries:read",
    "deliveries:operate",
    "distributions:read",
    "distributions:write",
    "distributions:test",
    "distributions:set_live",
    "distributions:operate",
    "segments:read",
    "segments:write",
    "sends:read",
    "sends:write",
    "sends:confirm",
    "sends:approve",
    "sends:operate",
    "events:publish",
    "imports:read",
    "imports:cancel",
    "keys:manage",
    "statistics:read",
    "suppressions:read",
    "suppressions:write",
    "templates:read",
    "templates:write",
    "holds:read",
    "holds:operate",
    "dead_letters:read",
    "dead_letters:operate",
    "destinations:read",
    "destinations:operate",
    "notices:read",
    "operations:read",
    "project:read",
    "project:write",
    "project:apply",
    "read_models:rebuild",
    "accounts:read",
    "accounts:write",
    "users:manage",
]
"""What a route asks for. `set_live` is needed for every change of what is live, or becomes so; `sends:confirm`
to have sent what `sends:write` drew up, `sends:approve` to approve of it where it goes to many; `distributions:test` to
send one message, as a test, to an address, and to have accounts and links asked before it is set live; `project:apply`
to apply a project's whole folder, with all that it sets live or ends, and to release what is managed from one."""
PERMISSIONS: tuple[Permission, ...] = get_args(Permission)

_VIEWER: tuple[Permission, ...] = (
    "campaigns:read",
    "customers:read",
    "decisions:read",
    "deliveries:read",
    "distributions:read",
    "imports:read",
    "segments:read",
    "sends:read",
    "statistics:read",
    "suppressions:read",
    "templates:read",
    "holds:read",
    "destinations:read",
    "notices:read",
    "project:read",
)
_EDITOR: tuple[Permission, ...] = (
    *_VIEWER,
    "campaigns:write",
    "customers:write",
    "distributions:write",
    "distributions:test",
    "imports:cancel",
    "segments:write",
    "sends:write",
    "suppressions:write",
    "templates:write",
)
_RUNS: tuple[Permission, ...] = (
    "deliveries:operate",
    "destinations:operate",
    "distributions:operate",
    "holds:operate",
    "imports:cancel",
    "sends:operate",
)
"""Of whoever keeps it running: pause, resume, stop and cancel."""
_SENDS: tuple[Permission, ...] = ("sends:confirm", "sends:approve")
_MENDS: tuple[Permission, ...] = (
    "accounts:read",
    "dead_letters:read",
    "dead_letters:operate",
    "operations:read",
    "read_models:rebuild",
)
_PUBLISHES: tuple[Permission, ...] = ("events:publish", "customers:write")
"""Of machines that bring in what is known upstream."""
_OF_ONE: tuple[Permission, ...] = ("customers:erase", "customers:export")
"""What somebody may ask for who is a customer."""

GRANTS: Mapping[AccessRole, frozenset[Permission]] = {
    "viewer": frozenset(_VIEWER),
    "editor": frozenset(_EDITOR),
    "approver": frozenset((*_EDITOR, *_RUNS, "audit:read", "distributions:set_live", "project:apply", *_SENDS)),
    "operator": frozenset((*_VIEWER, *_RUNS, *_MENDS, "audit:read", *_PUBLISHES, *_OF_ONE, "suppressions:write")),
    "admin": frozenset(PERMISSIONS),
}


def may(role: AccessRole, permission: Permission) -> bool:
    """True where a role has a permission."""
    return permission in GRANTS[role]


def roles_with(permission: Permission) -> tuple[AccessRole, ...]:
    """The roles that have a permission."""
    return tuple(role for role in ACCESS_ROLES if may(role, permission))
