"""Accounts of projects, encrypted at rest. A row can be read only as what it was written as."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Literal

import asyncpg
import msgspec

from schemas.account_fields import AccountForm
from schemas.audit import AuditAction, AuditEntry
from schemas.channels.tables import ACCOUNT_TYPES
from schemas.channels.webhook import SIGNING
from schemas.closed import CHANNELS, ChannelName, HoldKind, members
from store import audit
from store.encryption import CannotDecrypt, Keys, Sealed
from store.postgres import passing_errors
from store.sql import queries

AccountState = Literal["active", "paused", "removed"]


@dataclass(frozen=True, slots=True)
class AccountKey:
    """The project, the channel and the name of an account."""

    project_id: str
    channel: ChannelName
    name: str

    def __str__(self) -> str:
        return f"{self.channel}/{self.name}"

    @property
    def bound_to(self) -> tuple[str, ...]:
        """The texts that an encrypted account is bound to."""
        return ("account", self.project_id, self.channel, self.name)


@dataclass(frozen=True, slots=True)
class StoredAccount:
    """An account as it stands in the database; a removed one has no content.

    `retires_at`: until then what it was before its last rotation counts beside what it is; None once that is over.
    """

    key: AccountKey
    state: AccountState
    sealed: Sealed | None
    changed_at: datetime
    changed_by: str
    retires_at: datetime | None = None

    def read(self, keys: Keys) -> AccountForm:
        """The account itself. Raises CannotDecrypt."""
        if self.sealed is None:
            raise CannotDecrypt("it was removed")
        content = keys.open(self.sealed, self.key.bound_to)
        try:
            form: AccountForm = msgspec.json.decode(content, type=ACCOUNT_TYPES[self.key.channel].form)
        except msgspec.DecodeError:  # its message may quote
            raise CannotDecrypt("it was written by a release that keeps other fields") from None
        return form.after_grace() if self.retires_at is None else form


@dataclass(frozen=True, slots=True)
class AccountSummary:
    """An account of a project as people look at it."""

    channel: ChannelName
    name: str
    state: AccountState
    key_id: str
    changed_at: datetime
    changed_by: str


@dataclass(frozen=True, slots=True)
class Rotated:
    """The end of a rotation: how many were encrypted again, and which cannot be read, with why."""

    count: int
    unreadable: tuple[tuple[AccountKey, str], ...] = field(default=())


class Accounts:
    """Each change is one transaction, with what it means for the deliveries that wait. Raises TryLater."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._sql = queries("accounts")

    async def version(self) -> int:
        """A number that grows with every change of any account, and as the grace of a rotation ends."""
        async with passing_errors(self._pool):
            return int(await self._pool.fetchval(self._sql["accounts_version"]))

    async def all(self) -> list[StoredAccount]:
        """Those of every project; of channels that this release knows."""
        async with passing_errors(self._pool):
            rows = await self._pool.fetch(self._sql["all_accounts"])
        return [_stored(row) for row in rows if row["channel"] in CHANNELS]

    async def of_project(self, project_id: str) -> list[AccountSummary]:
        """Those of one project that were not removed."""
        async with passing_errors(self._pool):
            rows = await self._pool.fetch(self._sql["accounts_of"], project_id)
        return [AccountSummary(**row) for row in rows if row["channel"] in CHANNELS]

    async def get(self, key: AccountKey) -> StoredAccount | None:
        """One account; None where there never was one."""
        async with passing_errors(self._pool):
            row = await self._pool.fetchrow(self._sql["get_account"], *_columns(key))
        return None if row is None else _stored(row)

    async def add(self, key: AccountKey, form: AccountForm, keys: Keys, *, by: str) -> bool:
        """Keep a new account, and send what waits since one of its name was removed; False where there is one."""
        sealed = _sealed(key, form, keys)
        async with passing_errors(self._pool), self._pool.acquire() as connection, connection.transaction():
            values = (*_columns(key), sealed.key_id, sealed.content, by)
            is_new = await connection.fetchval(self._sql["add_account"], *values) is not None
            if is_new:
                await self._release(connection, key, _NEW_LOGIN)
                await audit.write(connection, _entry(key, "account.created", by, _differing(None, form)))
        return is_new

    async def change(
        self, key: AccountKey, changed: Callable[[AccountForm], AccountForm], keys: Keys, *, by: str
    ) -> bool:
        """Keep what `changed` makes of an account, and send what waits for it where it is in use.

        False where it does not exist. Raises CannotDecrypt.
        """
        async with passing_errors(self._pool), self._pool.acquire() as connection, connection.transaction():
            said = await self._change(connection, key, changed, keys, by=by)
            if said is not None:
                await audit.write(connection, _entry(key, "account.changed", by, said))
        return said is not None

    async def retire(
        self, key: AccountKey, changed: Callable[[AccountForm], AccountForm], keys: Keys, grace: timedelta, *, by: str
    ) -> datetime | None:
        """Change an account of which something goes on for a while; until when. None where it does not exist."""
        async with passing_errors(self._pool), self._pool.acquire() as connection, connection.transaction():
            said = await self._change(connection, key, changed, keys, by=by)
            if said is None:
                return None
            until: datetime = await connection.fetchval(self._sql["begin_grace"], *_columns(key), grace)
            await audit.write(connection, _entry(key, "account.changed", by, said))
            return until

    async def _change(
        self,
        connection: asyncpg.Connection,
        key: AccountKey,
        changed: Callable[[AccountForm], AccountForm],
        keys: Keys,
        *,
        by: str,
    ) -> list[str] | None:
        """The names of the fields that differ by it; None where it does not exist."""
        row = await connection.fetchrow(self._sql["lock_account"], *_columns(key))
        if row is None or row["state"] == "removed":
            return None
        before = _stored(row).read(keys)
        after = changed(before)
        sealed = _sealed(key, after, keys)
        await connection.execute(self._sql["change_account"], *_columns(key), sealed.key_id, sealed.content, by)
        if row["state"] == "active":
            await self._release(connection, key)
        return _differing(before, after)

    async def renew(self, known: StoredAccount, changed: Callable[[AccountForm], AccountForm], keys: Keys) -> bool:
        """Keep what `changed` makes of an account that nobody changed since it was read; senders hear nothing of it.

        False where somebody did. Raises CannotDecrypt.
        """
        key = known.key
        async with passing_errors(self._pool), self._pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(self._sql["lock_account"], *_columns(key))
            if row is None or row["changed_at"] != known.changed_at or row["content"] is None:
                return False
            sealed = _sealed(key, changed(_stored(row).read(keys)), keys)
            await connection.execute(self._sql["encrypt_again"], *_columns(key), sealed.key_id, sealed.content)
        return True

    async def pause(self, key: AccountKey, *, by: str) -> bool:
        """Hold what is for an account; False where it does not exist."""
        return await self._hold(key, "account.paused", "set_state", "paused", by=by)

    async def remove(self, key: AccountKey, *, by: str) -> bool:
        """Forget what an account holds; what is for it waits. False where it does not exist."""
        return await self._hold(key, "account.removed", "remove_account", by=by)

    async def resume(self, key: AccountKey, *, by: str) -> bool:
        """Send what waits for an account, whatever it is paused for; False where it does not exist."""
        async with passing_errors(self._pool), self._pool.acquire() as connection, connection.transaction():
            state = await connection.fetchval(self._sql["set_state"], *_columns(key), "active", by)
            if state is not None:
                await self._release(connection, key)
                await audit.write(connection, _entry(key, "account.resumed", by))
        return state is not None

    async def release(self, key: AccountKey) -> None:
        """Send what waits for an account, whatever its destination is paused for."""
        async with passing_errors(self._pool), self._pool.acquire() as connection:
            await self._release(connection, key)

    async def hold_destination(self, key: AccountKey, destination: str, why: str, *, is_certain: bool = False) -> bool:
        """Pause a destination because of its account; False where it is paused, or that is active again by now.

        `is_certain`: whether it is to be paused though the account is active, since it cannot be used.
        """
        async with passing_errors(self._pool):
            values = (*_columns(key), destination, why, is_certain)
            return await self._pool.fetchval(self._sql["hold_destination"], *values) is not None

    async def rotate(self, keys: Keys, *, by: str) -> Rotated:
        """Encrypt everything under the first key that is not yet; each account is a transaction of its own."""
        async with passing_errors(self._pool):
            rows = await self._pool.fetch(self._sql["not_under_key"], keys.first)
        count, unreadable = 0, []
        for row in rows:
            key = AccountKey(**row)
            try:
                count += await self._encrypt_again(key, keys, by)
            except CannotDecrypt as error:
                unreadable.append((key, str(error)))
        return Rotated(count, tuple(unreadable))

    async def _encrypt_again(self, key: AccountKey, keys: Keys, by: str) -> bool:
        async with passing_errors(self._pool), self._pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(self._sql["lock_account"], *_columns(key))
            if row is None or row["key_id"] in (None, keys.first):  # changed or removed in between
                return False
            stored = _stored(row)
            assert stored.sealed is not None  # noqa: S101 - it has a key
            sealed = keys.seal(keys.open(stored.sealed, key.bound_to), key.bound_to)
            await connection.execute(self._sql["encrypt_again"], *_columns(key), sealed.key_id, sealed.content)
            await audit.write(connection, _entry(key, "account.encrypted_again", by))
        return True

    async def _hold(self, key: AccountKey, action: AuditAction, statement: str, *values: str, by: str) -> bool:
        async with passing_errors(self._pool), self._pool.acquire() as connection, connection.transaction():
            state: AccountState | None = await connection.fetchval(self._sql[statement], *_columns(key), *values, by)
            if state is not None and is_destination(key.channel, key.name):
                held = (*_columns(key), key.name, why_held(key, state), False)
                await connection.fetchval(self._sql["hold_destination"], *held)
            if state is not None:
                await audit.write(connection, _entry(key, action, by))
        return state is not None

    async def _release(
        self, connection: asyncpg.Connection, key: AccountKey, kinds: Collection[HoldKind] | None = None
    ) -> None:
        """Resume what is paused for one of `kinds`: the account where it is a destination, else what it signs.

        By default whatever an account is paused for, and endpoints as far as it can be its fault.
        """
        itself = key.name if is_destination(key.channel, key.name) else None
        released = kinds or (_NEW_LOGIN if itself is None else members(HoldKind))
        values = (key.project_id, key.channel, itself, list(released))
        await connection.execute(self._sql["release_destinations"], *values)


def is_destination(channel: ChannelName, name: str) -> bool:
    """True where deliveries go to the account itself; the project's own of webhooks signs what goes to endpoints."""
    return channel != "webhook" or name != SIGNING


def why_held(key: AccountKey, state: AccountState, why: str = "") -> str:
    """The reason that deliveries wait for."""
    return f"account {key} {f'cannot be used: {why}' if state == 'active' else _HELD[state]}"


_NEW_LOGIN: tuple[HoldKind, ...] = ("account", "refused")
"""What another secret may mend: an endpoint that answers 401 cannot tell who signed."""
_HELD = {
    "paused": "is paused: tidings accounts resume",
    "removed": "was removed: tidings accounts add",
}


def _columns(key: AccountKey) -> tuple[str, str, str]:
    return key.project_id, key.channel, key.name


def _entry(key: AccountKey, action: AuditAction, by: str, fields: Sequence[str] | None = None) -> AuditEntry:
    return AuditEntry(key.project_id, by, action, str(key), None, {} if fields is None else {"fields": fields})


def _differing(before: AccountForm | None, after: AccountForm) -> list[str]:
    """The names of the fields that are not as they were: never what is in them."""
    old, new = ({} if one is None else asdict(one) for one in (before, after))
    return sorted(name for name in new if new[name] != old.get(name) and (old or new[name] not in (None, "", ())))


def _sealed(key: AccountKey, form: AccountForm, keys: Keys) -> Sealed:
    return keys.seal(msgspec.json.encode(asdict(form)), key.bound_to)


def _stored(row: asyncpg.Record) -> StoredAccount:
    key = AccountKey(row["project_id"], row["channel"], row["name"])
    sealed = None if row["content"] is None else Sealed(row["key_id"], row["content"])
    return StoredAccount(key, row["state"], sealed, row["changed_at"], row["changed_by"], row["retires_at"])
