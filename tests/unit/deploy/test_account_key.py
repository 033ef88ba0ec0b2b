"""The key of accounts that embedded servers bring along."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from console.cli.context import with_endpoints
from deploy.embedded.account_key import account_key_file
from deploy.embedded.servers import Endpoints
from deploy.secret import Secret
from deploy.settings.accounts import AccountKeys
from deploy.settings.servers import Postgres
from deploy.settings.settings import Settings
from store.encryption import Keys

HERE = Endpoints("127.0.0.1:1", "postgresql://postgres@127.0.0.1:2/postgres", "/data/account.keys")


def test_it_is_made_once_is_readable_to_its_owner_alone_and_encrypts(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with ThreadPoolExecutor(8) as pool:
        files = set(pool.map(account_key_file, [folder] * 32))
    (file,) = files
    assert file.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in folder.iterdir()] == [file.name]
    written = AccountKeys(key_file=str(file)).lines()
    assert len(written) == 1
    keys = Keys.read(written)
    assert keys.open(keys.seal(b"hush", ("here",)), ("here",)) == b"hush"
    assert account_key_file(folder) == file
    assert AccountKeys(key_file=str(file)).lines() == written


def test_it_is_used_where_nobody_says_another_and_the_database_is_the_embedded_one() -> None:
    open_ones = Settings()
    assert with_endpoints(open_ones, HERE).accounts == AccountKeys(key_file=HERE.account_keys)
    own = AccountKeys(keys=(Secret("own:x"),))
    assert with_endpoints(replace(open_ones, accounts=own), HERE).accounts == own
    elsewhere = replace(open_ones, postgres=Postgres(Secret("postgresql://u@db/x")))
    assert with_endpoints(elsewhere, HERE).accounts == AccountKeys()
