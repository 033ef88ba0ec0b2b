"""A code's text as a picture: a QR code or a barcode, as PNG or SVG. Pure: the same text gives the same bytes.

Sources: ISO/IEC 18004 (QR: 4 modules of quiet zone), ISO/IEC 15417 (Code 128: 10 modules), ISO/IEC 15438 (PDF417: rows
three modules high, 2 modules of quiet zone), PNG specification (third edition) for the one-bit grey image.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, assert_never

import segno
import zint

from schemas.campaign import LONGEST_CODE
from schemas.errors import RenderRefused

CodeKind = Literal["qr", "barcode"]
ImageFormat = Literal["png", "svg"]

_LONGEST_CODE_128 = 80
_UTF_8_ECI = 26
_BITS_A_BYTE = 8
_ZINT_ROW = 144
"""Bytes: Zint keeps 200 rows of 1152 modules, however many a symbol uses."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Modules row by row, `1` dark; the height of a row and the quiet zone in modules; `pixels` for one module."""

    rows: tuple[str, ...]
    row_height: int
    quiet: int
    pixels: int

    @property
    def width(self) -> int:
        """In modules, with the quiet zone."""
        return len(self.rows[0]) + 2 * self.quiet

    @property
    def height(self) -> int:
        """In modules, with the quiet zone."""
        return len(self.rows) * self.row_height + 2 * self.quiet


def code_image(code: str, kind: CodeKind, image_format: ImageFormat) -> bytes:
    """The picture of a code. Pixels are for screens of double density: show a PNG at half its width.

    Raises RenderRefused for a text that is empty, longer than LONGEST_CODE, or no valid Unicode.
    """
    grid = code_grid(code, kind)
    return _png(grid) if image_format == "png" else _svg(grid)


def code_grid(code: str, kind: CodeKind) -> Grid:
    """The modules of a code. A barcode is Code 128 where that holds the text, else PDF417 in UTF-8."""
    if not can_draw(code):
        allowed = f"1 to {LONGEST_CODE} characters of valid Unicode can be drawn"
        raise RenderRefused("no_code", f"a code of {len(code)} characters has no picture: {allowed}")
    if kind == "qr":
        return _qr(code)
    if kind == "barcode":
        return _code_128(code) if code.isascii() and len(code) <= _LONGEST_CODE_128 else _pdf417(code)
    assert_never(kind)


def can_draw(code: str) -> bool:
    """Tell whether a code has a picture: 1 to LONGEST_CODE characters of valid Unicode."""
    return 0 < len(code) <= LONGEST_CODE and not any("\ud800" <= character <= "\udfff" for character in code)


def _qr(code: str) -> Grid:
    encoding = None if code.isascii() else "utf-8"
    symbol = segno.make(code, error="m", micro=False, boost_error=False, encoding=encoding, eci=encoding is not None)
    return Grid(tuple("".join("1" if module else "0" for module in row) for row in symbol.matrix), 1, 4, 8)


def _code_128(code: str) -> Grid:
    symbol = zint.Symbol()
    symbol.symbology = zint.Symbology.CODE128
    return Grid(_encoded(symbol, code), 50, 10, 4)


def _pdf417(code: str) -> Grid:
    symbol = zint.Symbol()
    symbol.symbology = zint.Symbology.PDF417
    if not code.isascii():
        symbol.input_mode = zint.InputMode.UNICODE
        symbol.eci = _UTF_8_ECI
    return Grid(_encoded(symbol, code), 3, 2, 4)


def _encoded(symbol: zint.Symbol, code: str) -> tuple[str, ...]:
    """Zint's modules: a row is a run of bytes, the first module in the lowest bit."""
    try:
        symbol.encode(code)
    except RuntimeError as error:
        raise RenderRefused("no_code", "the code does not fit into a barcode") from error
    packed = symbol.encoded_data.tobytes()
    lines = (packed[row * _ZINT_ROW : (row + 1) * _ZINT_ROW] for row in range(symbol.rows))
    return tuple("".join(f"{byte:08b}"[::-1] for byte in line)[: symbol.width] for line in lines)


def _png(grid: Grid) -> bytes:
    """One bit a pixel, 0 black, no filter."""
    width, height = grid.width * grid.pixels, grid.height * grid.pixels
    size = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    pixels = zlib.compress(b"".join(_scanlines(grid, width)), 9)
    chunks = ((b"IHDR", size), (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _scanlines(grid: Grid, width: int) -> Iterator[bytes]:
    margin = "0" * grid.quiet
    blank = _scanline("0" * width) * (grid.quiet * grid.pixels)
    yield blank
    for row in grid.rows:
        line = "".join(module * grid.pixels for module in f"{margin}{row}{margin}")
        yield _scanline(line) * (grid.row_height * grid.pixels)
    yield blank


def _scanline(modules: str) -> bytes:
    padded = modules.translate({ord("0"): "1", ord("1"): "0"})
    padded += "1" * (-len(padded) % _BITS_A_BYTE)
    return b"\0" + int(padded, 2).to_bytes(len(padded) // _BITS_A_BYTE, "big")


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _svg(grid: Grid) -> bytes:
    width, height = grid.width * grid.pixels // 2, grid.height * grid.pixels // 2
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {grid.width} {grid.height}" shape-rendering="crispEdges">'
        f'<path fill="#fff" d="M0 0h{grid.width}v{grid.height}H0z"/><path d="{"".join(_bars(grid))}"/></svg>\n'
    ).encode("ascii")


def _bars(grid: Grid) -> Iterator[str]:
    """A rectangle for each run of dark modules."""
    for number, row in enumerate(grid.rows):
        x, y = grid.quiet, grid.quiet + number * grid.row_height
        for module, run in groupby(row):
            length = len(list(run))
            if module == "1":
                yield f"M{x} {y}h{length}v{grid.row_height}h-{length}z"
            x += length
