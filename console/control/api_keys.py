"""Keys of the API: make, list, revoke. A key is shown once, to whoever makes it, and never again."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from console.control.not_found import not_found
from schemas.access import ACCESS_ROLES
from schemas.api_key import KeyKind, make_key
from schemas.errors import DefinitionInvalid, Problem, TidingsError
from store.api_keys import ApiKey, ApiKeys
from streams.values.wording import invalid, unknown

LONGEST_LIFE = timedelta(days=3650)
_NAME = re.compile(r"(?!key_)[A-Za-z0-9_.-]{1,64}")
_ID = re.compile(r"key_[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key as somebody asks for it; `lasts` is empty for one that does not end by itself.

    `at_most` is the time that is left to the key that asks for it: none that it makes outlasts it.
    """

    project_id: str
    name: str
    role: str
    kind: KeyKind = "live"
    lasts: timedelta | None = None
    at_most: timedelta | None = None

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
        elif self.at_most is not None and (self.lasts is None or self.lasts > self.at_most):
            left = max(0, int(self.at_most.total_seconds()))
            found.append(Problem("expires", f"must be at most {left}s: no key outlasts the one that makes it"))
        return tuple(found)


async def foresee(keys: ApiKeys, new: NewKey) -> None:
    """Say what is wrong with a key, without making it. Raises DefinitionInvalid, TidingsError as `create` does."""
    if problems := new.problems():
        raise DefinitionInvalid(problems)
    if any(one.name == new.name and one.revoked_at is None for one in await keys.of_project(new.project_id)):
        raise _in_use(new.name)


async def create(keys: ApiKeys, new: NewKey, random: bytes, *, actor: str) -> tuple[str, ApiKey]:
    """The key itself, and what is kept of it. Raises DefinitionInvalid, TidingsError where the name is in use."""
    if problems := new.problems():
        raise DefinitionInvalid(problems)
    key = make_key(new.kind, random)
    role = next(one for one in ACCESS_ROLES if one == new.role)
    kept = await keys.add(key, new.project_id, new.name, new.kind, role, by=actor, lasts=new.lasts)
    if kept is None:
        raise _in_use(new.name)
    return key, kept


async def ends_at(keys: ApiKeys, project_id: str, key_id: str) -> datetime | None:
    """The end of a key; None for one that does not end by itself. Raises TryLater."""
    found = (one.expires_at for one in await keys.of_project(project_id) if one.key_id == key_id)
    return next(found, None)


async def listed(keys: ApiKeys, project_id: str) -> list[ApiKey]:
    """Every key of a project, the newest first, those that are over as well. Raises TryLater."""
    return await keys.of_project(project_id)


def is_id(named: str) -> bool:
    """True of the id of a key: a name may be another key's by now."""
    return _ID.fullmatch(named) is not None


async def revoke(keys: ApiKeys, project_id: str, named: str, *, actor: str, dry_run: bool = False) -> None:
    """End a key at once, by its id or its name; one that is over stays so. Raises NotFound."""
    if not dry_run and await keys.revoke(project_id, named, by=actor):
        return
    known = await keys.of_project(project_id)
    if not any(named in (one.key_id, one.name) for one in known):
        raise not_found("key", named, [one.name for one in known])


def _in_use(name: str) -> TidingsError:
    return TidingsError(f"a key {name} is in use; revoke it first, or choose another name")
