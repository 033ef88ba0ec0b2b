"""Users: add, invite, change, disable, remove; and the links by which they come. No password is chosen for somebody.

A user is of the deployment and has a role in each project. An admin of one project must not reach another by way of a
user who is in both: so whoever is invited proves that they are that user, and a password is reset, and a user disabled,
by an admin of the only project that they are in, or by whoever runs the deployment (`is_operator`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from console.control.not_found import not_found
from schemas.access import ACCESS_ROLES, AccessRole
from schemas.audit import AuditAction, AuditEntry
from schemas.errors import DefinitionInvalid, Problem, TidingsError
from schemas.formats.mail_address import any_mail_address
from schemas.formats.passwords import password_problem
from schemas.user import LONGEST_NAME, TOKEN_BYTES, USER_ID_BYTES, make_token, make_user_id
from store.users import Link, Member, UserChange, Users
from streams.values.wording import invalid_kind, unknown

INVITATION_LASTS = timedelta(days=3)
RESET_LASTS = timedelta(hours=24)
FIRST_ADMIN_LASTS = timedelta(hours=1)

Random = Callable[[int], bytes]
"""So many random bytes."""


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user as somebody asks for one, in a project."""

    project_id: str
    email: str = field(repr=False)
    display_name: str = field(repr=False)
    role: str

    def problems(self) -> tuple[Problem, ...]:
        """All that is wrong with it; the address itself is not shown."""
        found = []
        try:
            any_mail_address(self.email)
        except ValueError as error:
            found.append(Problem("email", invalid_kind(self.email, f"an e-mail address: {error}")))
        if not self.display_name.strip() or len(self.display_name) > LONGEST_NAME:
            allowed = f"a name of 1 to {LONGEST_NAME} characters"
            found.append(Problem("display_name", invalid_kind(self.display_name, allowed)))
        if self.role not in ACCESS_ROLES:
            found.append(Problem("role", unknown(self.role, ACCESS_ROLES)))
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Invited:
    """The token of a link, shown this once; whose it is, and when it is over."""

    token: str = field(repr=False)
    user_id: str
    expires_at: datetime


def checked(new: NewUser) -> tuple[AccessRole, str]:
    """The role and the address of a new user. Raises DefinitionInvalid with all that is wrong."""
    if problems := new.problems():
        raise DefinitionInvalid(problems)
    return _role(new.role), any_mail_address(new.email)


def note(change: UserChange, project_id: str, actor: str, action: AuditAction, user_id: str, **said: object) -> None:
    """Have the audit log say it, with the change."""
    change.entries.append(AuditEntry(project_id, actor, action, user_id, None, said))


def check_password(password: str) -> None:
    """Raises DefinitionInvalid that says why a password is refused, without the password."""
    if said := password_problem(password):
        raise DefinitionInvalid((Problem("password", said),))


async def listed(users: Users, project_id: str) -> list[Member]:
    """Every user of a project. Raises TryLater."""
    return await users.of_project(project_id)


async def read(users: Users, project_id: str, named: str) -> Member:
    """The user of a project with this id or address. Raises NotFound, TryLater."""
    found = await users.member(project_id, named)
    if found is None:
        raise _nobody(named)
    return found


async def add(users: Users, new: NewUser, password_hash: str, random: Random, *, actor: str) -> str:
    """Add somebody with a password that they typed here; their id. Raises DefinitionInvalid, TidingsError."""
    role, email = checked(new)
    async with users.change() as change:
        user_id = make_user_id(random(USER_ID_BYTES))
        if not await change.add(user_id, email, new.display_name.strip()):
            raise TidingsError("somebody has this address already; invite them to this project instead")
        await change.put_role(new.project_id, user_id, role, by=actor, accepted=True)
        await change.set_password(user_id, password_hash)
        note(change, new.project_id, actor, "user.added", user_id, role=role)
    return user_id


async def invite(users: Users, new: NewUser, random: Random, *, actor: str, dry_run: bool = False) -> Invited:
    """Invite somebody to a project, or again: a link from before is over then. It says nothing of whether the
    deployment knows them already. Raises DefinitionInvalid, TidingsError for who is there.
    """
    role, email = checked(new)
    async with users.change(dry_run=dry_run) as change:
        known = await change.find(email)
        user_id = known.user_id if known else make_user_id(random(USER_ID_BYTES))
        if known is None:
            await change.add(user_id, email, new.display_name.strip())
        there = await change.member(new.project_id, user_id)
        if there is not None and there.accepted_at is not None:
            raise TidingsError(f"{user_id} is in this project already; change the role instead")
        await change.put_role(new.project_id, user_id, role, by=actor, accepted=False)
        await change.end_links(user_id, new.project_id, "invitation")
        link = Link(new.project_id, user_id, "invitation", False, actor, None, False)
        token = make_token(random(TOKEN_BYTES))
        ends_at = await change.add_link(token, link, INVITATION_LASTS)
        note(change, new.project_id, actor, "user.invited", user_id, role=role)
    return Invited(token, user_id, ends_at)


async def change_role(
    users: Users, project_id: str, named: str, role: str, *, actor: str, dry_run: bool = False
) -> Member:
    """Give somebody another role in a project. Raises NotFound, DefinitionInvalid, TidingsError for its last admin."""
    wanted = _role(role)
    async with users.change(dry_run=dry_run) as change:
        before = await _member(change, project_id, named)
        if before.role != wanted:
            await _keep_an_admin(change, project_id, before.user_id, "have another role")
            await change.change_role(project_id, before.user_id, wanted)
            said = {"before": {"role": before.role}, "after": {"role": wanted}}
            note(change, project_id, actor, "user.role_changed", before.user_id, **said)
        return await _member(change, project_id, before.user_id)


async def disable(
    users: Users, project_id: str, named: str, *, actor: str, is_operator: bool = False, dry_run: bool = False
) -> Member:
    """Keep somebody from signing in, to whichever project. Raises NotFound, TidingsError for a project's last admin,
    and for who is in other projects too.
    """
    async with users.change(dry_run=dry_run) as change:
        before = await _alone(change, project_id, named, is_operator=is_operator)
        if before.state == "active":
            projects = await change.projects(before.user_id)
            for one in projects:
                await _keep_an_admin(change, one, before.user_id, "be disabled")
            await change.set_state(before.user_id, "disabled")
            for one in projects:
                note(change, one, actor, "user.disabled", before.user_id)
        return await _member(change, project_id, before.user_id)


async def enable(
    users: Users, project_id: str, named: str, *, actor: str, is_operator: bool = False, dry_run: bool = False
) -> Member:
    """Let somebody sign in again. Raises NotFound, TidingsError for who is in other projects too."""
    async with users.change(dry_run=dry_run) as change:
        before = await _alone(change, project_id, named, is_operator=is_operator)
        if before.state == "disabled":
            await change.set_state(before.user_id, "active")
            for one in await change.projects(before.user_id):
                note(change, one, actor, "user.enabled", before.user_id)
        return await _member(change, project_id, before.user_id)


async def remove(users: Users, project_id: str, named: str, *, actor: str, dry_run: bool = False) -> Member:
    """Take somebody out of a project; the one who was there. Who is in none then is forgotten.

    Raises NotFound, TidingsError for its last admin.
    """
    async with users.change(dry_run=dry_run) as change:
        before = await _member(change, project_id, named)
        await _keep_an_admin(change, project_id, before.user_id, "be removed")
        await change.drop(project_id, before.user_id)
        note(change, project_id, actor, "user.removed", before.user_id, role=before.role)
    return before


async def allow_reset(
    users: Users, project_id: str, named: str, random: Random, *, actor: str, is_operator: bool = False,
    dry_run: bool = False,
) -> Invited:  # fmt: skip
    """Make a link by which somebody sets a new password; one from before is over then.

    Raises NotFound, TidingsError for who is in other projects too, and for who is only invited.
    """
    async with users.change(dry_run=dry_run) as change:
        found = await _alone(change, project_id, named, is_operator=is_operator)
        await change.end_links(found.user_id, project_id, "reset")
        token = make_token(random(TOKEN_BYTES))
        link = Link(project_id, found.user_id, "reset", is_operator, actor, None, False)
        ends_at = await change.add_link(token, link, RESET_LASTS)
        note(change, project_id, actor, "user.reset_allowed", found.user_id)
    return Invited(token, found.user_id, ends_at)


def check_alone(member: Member, projects: Collection[str]) -> None:
    """Raise TidingsError for a user whom the admins of one project do not answer for.

    Of who is only invited it does not say whether they are in another project.
    """
    if member.accepted_at is None:
        raise TidingsError(f"{member.user_id} has not accepted the invitation yet: invite again, or remove")
    if set(projects) != {member.project_id}:
        raise TidingsError(
            f"{member.user_id} is in another project as well: remove them from this one, or ask who runs the deployment"
        )


def _role(written: str) -> AccessRole:
    for role in ACCESS_ROLES:
        if role == written:
            return role
    raise DefinitionInvalid((Problem("role", unknown(written, ACCESS_ROLES)),))


async def _member(change: UserChange, project_id: str, named: str) -> Member:
    found = await change.member(project_id, named)
    if found is None:
        raise _nobody(named)
    return found


async def _alone(change: UserChange, project_id: str, named: str, *, is_operator: bool) -> Member:
    """A user whom the project's admin answers for."""
    found = await _member(change, project_id, named)
    projects = await change.projects(found.user_id)
    check_alone(found, projects if not is_operator else (project_id,))
    return found


async def _keep_an_admin(change: UserChange, project_id: str, user_id: str, done: str) -> None:
    if await change.active_admins(project_id) == {user_id}:
        raise TidingsError(f"{user_id} is the last active admin of {project_id} and cannot {done}")


def _nobody(named: str) -> TidingsError:
    shown = "with this address" if "@" in named else named
    return not_found("user", shown, see="the list of users")
