"""Keys of the API: make, list, revoke. A key is shown once, to whoever makes it, and never again."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

from console.control.not_found import not_found
from schemas.access import ACCESS_ROLES
from schemas.api_key import KeyKind, make_key
from schemas.errors import DefinitionInvalid, Problem, TidingsError
from store.api_keys import ApiKey, ApiKeys
from streams.values.wording import invalid, unknown

LONGEST_LIFE = timedelta(days=3650)
_NAME = re.compile(r"(?!key_)[A-Za-z0-9_.-]{1,64}")


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key as somebody asks for it; `lasts` is empty for one that does not end by itself."""

    project_id: str
    name: str
    role: str
    kind: KeyKind = "live"
    lasts: timedelta | None = None

    def problems(self) -> tuple[Problem, ...]:
        """All that is wrong with it."""
        found = []
        if not _NAME.fullmatch(self.name):
            allowed = (
                "a name of letters, digits, dash, dot and underscore, at most 64 long, that does not begin with key_"
            )
            found.append(Problem("name", invalid(self.name, allowed)))
        if self.role not in ACCESS_ROLES:
            found.append(Problem("role", unknown(self.role, ACCESS_ROLES)))
        if self.lasts is not None and not timedelta(0) < self.lasts <= LONGEST_LIFE:
            found.append(Problem("expires", f"must be more than 0 and at most {LONGEST_LIFE.days}d"))
        return tuple(found)


async def create(keys: ApiKeys, new: NewKey, random: bytes, *, actor: str) -> tuple[str, ApiKey]:
    """The key itself, and what is kept of it. Raises DefinitionInvalid, TidingsError where the name is in use."""
    problems = new.problems()
    if problems:
        raise DefinitionInvalid(problems)
    key = make_key(new.kind, random)
    role = next(one for one in ACCESS_ROLES if one == new.role)
    kept = await keys.add(key, new.project_id, new.name, new.kind, role, by=actor, lasts=new.lasts)
    if kept is None:
        raise TidingsError(f"a key {new.name} is in use; revoke it first, or choose another name")
    return key, kept


async def listed(keys: ApiKeys, project_id: str) -> list[ApiKey]:
    """Every key of a project, the newest first, those that are over as well. Raises TryLater."""
    return await keys.of_project(project_id)


async def revoke(keys: ApiKeys, project_id: str, named: str, *, actor: str) -> None:
    """End a key at once, by its id or its name; one that is over stays so. Raises NotFound."""
    if await keys.revoke(project_id, named, by=actor):
        return
    known = await keys.of_project(project_id)
    if not any(named in (one.key_id, one.name) for one in known):
        raise not_found("key", named, [one.name for one in known])
