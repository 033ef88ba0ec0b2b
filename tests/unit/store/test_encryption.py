"""Encrypted values open only as what they were, under the key that they were encrypted under."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from store.encryption import CannotDecrypt, Keys, Sealed

OLD, NEW, OTHER = (bytes([number]) * 32 for number in (1, 2, 3))
ROW = ("account", "shop", "email", "main")
PLANTED = b"pl4nted-pa55word"


def keys(**by_id: bytes) -> Keys:
    return Keys(by_id.items())


def written(key: bytes) -> str:
    return base64.b64encode(key).decode()


def test_what_was_sealed_opens_and_never_looks_the_same_twice() -> None:
    ring = keys(k1=OLD)
    sealed = [ring.seal(PLANTED, ROW) for _ in range(100)]
    assert {ring.open(one, ROW) for one in sealed} == {PLANTED}
    assert len({one.content[:12] for one in sealed}) == len({one.content for one in sealed}) == 100
    assert all(PLANTED not in one.content for one in sealed)


def test_the_first_key_encrypts_and_the_others_still_open() -> None:
    before = keys(k1=OLD).seal(PLANTED, ROW)
    ring = keys(k2=NEW, k1=OLD)
    assert ring.open(before, ROW) == PLANTED
    after = ring.seal(ring.open(before, ROW), ROW)
    assert after.key_id == "k2"
    assert keys(k2=NEW).open(after, ROW) == PLANTED


SEALED = keys(k1=OLD).seal(PLANTED, ROW)
FLIPPED = bytes([SEALED.content[20] ^ 1])


@pytest.mark.parametrize(
    ("ring", "sealed", "row", "said"),
    [
        (keys(k2=NEW), SEALED, ROW, "encrypted under key k1; accounts.keys has: k2"),
        (keys(), SEALED, ROW, "encrypted under key k1; accounts.keys has: none"),
        (keys(k1=OTHER), SEALED, ROW, "does not fit key k1"),
        (keys(k1=OLD, k2=OLD), replace(SEALED, key_id="k2"), ROW, "does not fit key k2"),
        (keys(k1=OLD), SEALED, ("account", "outlet", "email", "main"), "copied from another account"),
        (keys(k1=OLD), SEALED, ("account", "shop", "webhook", "main"), "copied from another account"),
        (keys(k1=OLD), SEALED, ("account", "shop", "email", "other"), "copied from another account"),
        (keys(k1=OLD), SEALED, ("account", "shope", "mail", "main"), "copied from another account"),
        (keys(k1=OLD), SEALED, ("account", 'shop","email', "main"), "copied from another account"),
        (keys(k1=OLD), Sealed("k1", SEALED.content[:20] + FLIPPED + SEALED.content[21:]), ROW, "was changed"),
        (keys(k1=OLD), Sealed("k1", bytes([SEALED.content[0] ^ 1]) + SEALED.content[1:]), ROW, "was changed"),
        (keys(k1=OLD), Sealed("k1", SEALED.content[:-1]), ROW, "was changed"),
        (keys(k1=OLD), Sealed("k1", SEALED.content[:5]), ROW, "was changed"),
        (keys(k1=OLD), Sealed("k1", b""), ROW, "was changed"),
    ],
)
def test_what_does_not_belong_together_does_not_open(
    ring: Keys, sealed: Sealed, row: tuple[str, ...], said: str
) -> None:
    with pytest.raises(CannotDecrypt, match=said) as caught:
        ring.open(sealed, row)
    assert PLANTED.decode() not in repr(caught.value)
    assert caught.value.__cause__ is None


def test_nothing_is_sealed_without_a_key() -> None:
    with pytest.raises(CannotDecrypt, match=r"there is no key: set accounts\.keys"):
        keys().seal(PLANTED, ROW)


def test_keys_are_read_in_their_order_and_never_shown() -> None:
    ring = Keys.read([f"k2:{written(NEW)}", f" k1:{written(OLD)}\n"])
    assert (ring.first, ring.ids, repr(ring)) == ("k2", ("k2", "k1"), "Keys(k2, k1)")
    assert written(OLD) not in repr(ring.seal(PLANTED, ROW))


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([written(OLD)], "number 1 must be ID:KEY"),
        ([f"k1:{written(OLD)}", f"k 2:{written(NEW)}"], "number 2 must be ID:KEY"),
        ([f"k1:{written(OLD)}", f"k1:{written(NEW)}"], "number 2 has the id of one before it: k1"),
        (["k1:not base64!"], r"number 1 \(k1\) must be base64"),
        ([f"k1:{written(OLD[:16])}"], r"number 1 \(k1\) must hold 32 random bytes, this one 16"),
        ([f"k1:{written(OLD)}ö"], r"number 1 \(k1\) must be base64"),
    ],
)
def test_a_key_that_is_none_is_refused_without_being_shown(lines: list[str], said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        Keys.read(lines)
    assert not any(secret in str(caught.value) for secret in (written(OLD), written(NEW), "not base64!"))
