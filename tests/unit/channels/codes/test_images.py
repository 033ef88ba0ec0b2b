"""Images of codes: they can be read back, and only the holder of a secret can make an address."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

import pytest
import zxingcpp

from channels.codes.images import CodeKind, code_image
from channels.codes.links import ProvenCode, code_links, code_of_path, code_path, no_links, with_links
from schemas.campaign import LONGEST_CODE
from schemas.errors import RenderRefused

CODES = [
    "A", "0", "SAVE-2026-ABC", "1234567890", "a b+c/d?e=f&g", "[<\"'>]", "tab\there", "Grüße-10", "скидка", "割引-2026",
    "🎁gift", "x" * 80, "x" * 81, "Z9" * 60, "7" * 150, "ü" * 100, "割" * LONGEST_CODE, "🎁" * LONGEST_CODE,
]  # fmt: skip
KINDS: list[CodeKind] = ["qr", "barcode"]
SECRETS = ["new-secret", "old-secret"]


def png_pixels(png: bytes) -> memoryview:
    """The grey values of a one-bit PNG without filters, a byte a pixel."""
    width, height = struct.unpack(">II", png[16:24])
    length = struct.unpack(">I", png[33:37])[0]
    lines = zlib.decompress(png[41 : 41 + length])
    stride = 1 + (width + 7) // 8
    rows = ("".join(f"{byte:08b}" for byte in lines[y * stride + 1 : (y + 1) * stride])[:width] for y in range(height))
    return _grey("".join(rows), width, height)


def svg_pixels(svg: bytes, scale: int = 4) -> memoryview:
    """The dark rectangles of an SVG, painted."""
    root = ElementTree.fromstring(svg)  # noqa: S314 - our own
    width, height = (int(size) * scale for size in root.attrib["viewBox"].split()[2:])
    lines = [bytearray(b"1" * width) for _ in range(height)]
    for x, y, w, h in re.findall(r"M(\d+) (\d+)h(\d+)v(\d+)h-", root[1].attrib["d"]):
        for line in lines[int(y) * scale : (int(y) + int(h)) * scale]:
            line[int(x) * scale : (int(x) + int(w)) * scale] = b"0" * (int(w) * scale)
    return _grey(b"".join(lines).decode(), width, height)


def _grey(bits: str, width: int, height: int) -> memoryview:
    return memoryview(bits.replace("1", "\xff").replace("0", "\0").encode("latin-1")).cast("B", (height, width))


def read(pixels: memoryview) -> list[str]:
    return [found.text for found in zxingcpp.read_barcodes(pixels, text_mode=zxingcpp.TextMode.Plain)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("code", CODES)
def test_a_reader_finds_the_code_in_the_picture(code: str, kind: CodeKind) -> None:
    assert read(png_pixels(code_image(code, kind, "png"))) == [code]
    assert read(svg_pixels(code_image(code, kind, "svg"))) == [code]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("code", ["", "x" * (LONGEST_CODE + 1), "\ud800"])
def test_a_text_that_cannot_be_drawn_is_refused(code: str, kind: CodeKind) -> None:
    with pytest.raises(RenderRefused, match="has no picture"):
        code_image(code, kind, "png")


def test_the_same_code_gives_the_same_bytes() -> None:
    assert code_image("SAVE", "barcode", "png") == code_image("SAVE", "barcode", "png")


def shown(kind: str, name: str, secrets: Sequence[str], *, now: float) -> str | None:
    proven = code_of_path(kind, name, secrets, now=now)
    return None if proven is None else proven.code


@pytest.mark.parametrize("code", CODES)
def test_a_signed_address_gives_its_code_back_with_any_secret_still_known(code: str) -> None:
    name = code_path("qr", "png", code, SECRETS[1:]).rpartition("/")[2]
    assert shown("qr", name, SECRETS, now=0) == code
    assert shown("qr", name, SECRETS[:1], now=0) is None
    assert shown("qr", name, [], now=0) is None


def test_no_part_of_an_address_can_be_exchanged() -> None:
    name = code_path("qr", "png", "SAVE", SECRETS, expires=50).rpartition("/")[2]
    packed, expires, signature, _ = name.split(".")
    assert shown("qr", name, SECRETS, now=49) == "SAVE"
    others = [
        (packed, "0", signature),
        (f"{packed}x", expires, signature),
        (packed, expires, ""),
        (packed, expires, "é"),
    ]
    forged = [
        *(".".join([*parts, "png"]) for parts in others),
        f"{packed}.{expires}.{signature}.svg",
        "",
        ".",
        "a.b.c.png",
    ]
    assert [shown("qr", name, SECRETS, now=49) for name in forged] == [None] * len(forged)
    assert shown("barcode", name, SECRETS, now=49) is None


def test_what_an_address_shows_is_known_and_its_code_not_printed() -> None:
    name = code_path("barcode", "svg", "SAVE", SECRETS, expires=50).rpartition("/")[2]
    proven = code_of_path("barcode", name, SECRETS, now=49)
    assert proven == ProvenCode("SAVE", "barcode", "svg", 50)
    assert "SAVE" not in repr(proven)


def test_an_address_ends_when_it_says() -> None:
    name = code_path("qr", "svg", "SAVE", SECRETS, expires=50).rpartition("/")[2]
    assert shown("qr", name, SECRETS, now=50) is None


def test_an_empty_secret_neither_signs_nor_proves() -> None:
    with pytest.raises(ValueError, match="secret"):
        code_path("qr", "png", "SAVE", [""])
    assert code_links("SAVE", "https://t.example", [""]) == code_links("SAVE", "", SECRETS) == {}


def test_a_code_that_cannot_be_drawn_has_no_links() -> None:
    assert code_links("x" * (LONGEST_CODE + 1), "https://t.example", SECRETS) == {}


def test_links_name_both_pictures() -> None:
    links = code_links("SAVE", "https://t.example/", SECRETS)
    assert links["qr_url"].startswith("https://t.example/codes/qr/U0FWRQ.0.")
    assert links["barcode_url"].startswith("https://t.example/codes/barcode/U0FWRQ.0.")


LINKED = {"qr_url": "https://codes.example.com/qr", "barcode_url": "https://codes.example.com/bar"}


def test_a_voucher_is_shown_with_the_addresses_of_its_pictures_where_they_are_served() -> None:
    data = {"customer": {"id": "c1"}, "voucher": {"code": "SPRING-1"}}
    assert with_links(data, lambda _: LINKED) == {"customer": {"id": "c1"}, "voucher": {"code": "SPRING-1", **LINKED}}
    assert data["voucher"] == {"code": "SPRING-1"}, "the delivery stays as it is"
    assert with_links(data, no_links) is data
    others: list[dict[str, Any]] = [{}, {"voucher": None}, {"voucher": {}}, {"voucher": {"code": 7}}]
    for without in others:
        assert with_links(without, lambda _: LINKED) is without
