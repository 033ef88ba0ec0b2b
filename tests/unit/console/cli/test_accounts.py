"""Fields of an account as arguments: a secret among them is refused, and never repeated."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from console.cli.accounts import _written
from console.control.accounts import account_key
from console.control.context import ProjectContext
from schemas.errors import TidingsError

PLANTED = "pl4nted-pa55word"
KEY = account_key("default", "email/main")


def test_a_secret_is_read_from_a_file_or_from_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "password").write_text(PLANTED + "\n")
    assert _written(KEY, ["host=x", f"password=@{tmp_path}/password"]) == {"host": "x", "password": PLANTED}
    monkeypatch.setattr("sys.stdin", io.StringIO(PLANTED + "\r\n"))
    assert _written(KEY, ["password=-"]) == {"password": PLANTED}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (f"password={PLANTED}", "is a secret, and arguments are seen"),
        (PLANTED, "must be FIELD=VALUE"),
        ("password=@/not/there", "cannot read /not/there: No such file"),
    ],
)
def test_what_would_be_seen_is_refused_without_being_repeated(given: str, said: str) -> None:
    with pytest.raises(TidingsError, match=said) as caught:
        _written(KEY, [given])
    assert PLANTED not in str(caught.value)


@pytest.mark.parametrize("written", ["main", "emial/main", "email/", "webhook/oth er"])
def test_an_account_that_cannot_be_is_refused(written: str) -> None:
    with pytest.raises(TidingsError, match="is not valid"):
        account_key("default", written)


def test_names_of_both_places_are_offered_once() -> None:
    both = ProjectContext("shop", accounts={"email": ("main", "old")}).with_accounts(
        [("email", "main"), ("email", "new"), ("webhook", "main")]
    )
    assert both.accounts == {"email": ("main", "new", "old"), "webhook": ("main",)}
