"""The table of who may do what over the API, cell by cell."""

from __future__ import annotations

import pytest

from schemas.access import ACCESS_ROLES, GRANTS, PERMISSIONS, AccessRole, Permission, may, roles_with

TABLE: dict[Permission, str] = {
    # viewer editor approver operator admin
    "audit:read": ". . a o A",
    "campaigns:read": "v e a o A",
    "campaigns:write": ". e a . A",
    "customers:read": "v e a o A",
    "customers:write": ". e a o A",
    "customers:erase": ". . . o A",
    "customers:export": ". . . o A",
    "decisions:read": "v e a o A",
    "deliveries:read": "v e a o A",
    "deliveries:operate": ". . a o A",
    "distributions:read": "v e a o A",
    "distributions:write": ". e a . A",
    "distributions:test": ". e a . A",
    "distributions:set_live": ". . a . A",
    "distributions:operate": ". . a o A",
    "segments:read": "v e a o A",
    "segments:write": ". e a . A",
    "sends:read": "v e a o A",
    "sends:write": ". e a . A",
    "sends:confirm": ". . a . A",
    "sends:approve": ". . a . A",
    "sends:operate": ". . a o A",
    "events:publish": ". . . o A",
    "imports:read": "v e a o A",
    "imports:cancel": ". e a o A",
    "keys:manage": ". . . . A",
    "statistics:read": "v e a o A",
    "suppressions:read": "v e a o A",
    "suppressions:write": ". e a o A",
    "templates:read": "v e a o A",
    "templates:write": ". e a . A",
    "holds:read": "v e a o A",
    "holds:operate": ". . a o A",
    "dead_letters:read": ". . . o A",
    "dead_letters:operate": ". . . o A",
    "destinations:read": "v e a o A",
    "destinations:operate": ". . a o A",
    "notices:read": "v e a o A",
    "operations:read": ". . . o A",
    "project:read": "v e a o A",
    "project:write": ". . . . A",
    "project:apply": ". . a . A",
    "read_models:rebuild": ". . . o A",
    "accounts:read": ". . . o A",
    "accounts:write": ". . . . A",
    "users:manage": ". . . . A",
}


def test_the_table_has_every_permission_and_every_role() -> None:
    assert tuple(TABLE) == PERMISSIONS
    assert tuple(GRANTS) == ACCESS_ROLES


@pytest.mark.parametrize("permission", PERMISSIONS)
@pytest.mark.parametrize("column", range(len(ACCESS_ROLES)))
def test_a_role_may_what_its_cell_says(permission: Permission, column: int) -> None:
    role: AccessRole = ACCESS_ROLES[column]
    assert may(role, permission) is (TABLE[permission].split()[column] != ".")


def test_the_roles_of_a_permission_are_those_of_its_row() -> None:
    assert roles_with("distributions:set_live") == ("approver", "admin")
