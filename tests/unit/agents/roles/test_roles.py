"""The closed list of roles is the list of files, and each can be run."""

from __future__ import annotations

from pkgutil import iter_modules

import agents.roles
from agents.worker import _ROLES
from schemas.closed import Role, members


def test_each_role_is_a_module_and_runs() -> None:
    found = {module.name for module in iter_modules(agents.roles.__path__)}
    assert found == set(members(Role)) == set(_ROLES)
