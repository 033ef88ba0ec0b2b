"""Keys under which accounts in the database are encrypted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from deploy.secret import Secret
from schemas.errors import CannotStart


@dataclass(frozen=True, slots=True)
class AccountKeys:
    """Each is ID:KEY, with 32 random bytes as base64. The first encrypts, all decrypt; `key_file` has one a line."""

    keys: tuple[Secret, ...] = ()
    key_file: str = ""

    def check(self) -> None:
        """Raises CannotStart for keys in two places: which is the first would depend on who reads them."""
        if self.keys and self.key_file:
            raise CannotStart("accounts.keys and accounts.key_file are both set: keep the keys in one of them")

    def lines(self) -> list[str]:
        """The keys as they are written; a file is read each time, so that a new key needs no restart."""
        if not self.key_file:
            return [one.reveal() for one in self.keys]
        try:
            text = Path(self.key_file).read_text()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is not text"
            raise CannotStart(f"accounts.key_file: cannot read {self.key_file}: {why}") from None
        return [line for line in map(str.strip, text.splitlines()) if line and not line.startswith("#")]
