"""Pictures as PNG, small: cut where nothing more is shown, and of at most 256 colors."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

_HEAD = b"\x89PNG\r\n\x1a\n"
Row = list[tuple[int, int, int]]


def read_png(data: bytes) -> list[Row]:
    """The rows of an 8-bit picture in red, green and blue."""
    width, channels, packed = 0, 3, b""
    for kind, body in _chunks(data):
        if kind == b"IHDR":
            width, _, depth, color = struct.unpack(">IIBB", body[:10])
            assert (depth, color) in ((8, 2), (8, 6))
            channels = 3 if color == 2 else 4
        elif kind == b"IDAT":
            packed += body
    return list(_rows(zlib.decompress(packed), width, channels))


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_HEAD)
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        at += length + 12


def _rows(raw: bytes, width: int, channels: int) -> Iterator[Row]:
    length = width * channels
    above = bytearray(length)
    for at in range(0, len(raw), length + 1):
        above = _unfiltered(raw[at], bytearray(raw[at + 1 : at + 1 + length]), above, channels)
        yield [(above[x], above[x + 1], above[x + 2]) for x in range(0, length, channels)]


def _unfiltered(kind: int, line: bytearray, above: bytearray, step: int) -> bytearray:
    """Source: PNG (third edition), 9.2."""
    for x in range(len(line)):
        left = line[x - step] if x >= step else 0
        corner = above[x - step] if x >= step else 0
        line[x] = (line[x] + (0, left, above[x], (left + above[x]) // 2, _paeth(left, above[x], corner))[kind]) & 0xFF
    return line


def _paeth(left: int, above: int, corner: int) -> int:
    guess = left + above - corner
    return min((left, above, corner), key=lambda one: abs(guess - one))


def cut(rows: list[Row], width: int, margin: int = 16) -> list[Row]:
    """The left part of this width, without the rows at the end in which there is nothing but the background."""
    shown = [row[:width] for row in rows]
    last = max((at for at, row in enumerate(shown) if len(set(row)) > 1), default=0)
    return shown[: last + margin]


def write_png(rows: list[Row]) -> bytes:
    """With a palette: as many colors of the picture as fit, the others by the nearest shade."""
    bits = next(bits for bits in range(8, 0, -1) if len(_colors(rows, bits)) <= 256)
    palette = {color: index for index, color in enumerate(sorted(_colors(rows, bits)))}
    lines = b"".join(b"\0" + bytes(palette[_shade(color, bits)] for color in row) for row in rows)
    head = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 3, 0, 0, 0)
    parts = ((b"IHDR", head), (b"PLTE", bytes(sum(palette, ()))), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    return _HEAD + b"".join(_chunk(kind, body) for kind, body in parts)


def _colors(rows: list[Row], bits: int) -> set[tuple[int, int, int]]:
    return {_shade(color, bits) for color in {color for row in rows for color in row}}


def _shade(color: tuple[int, int, int], bits: int) -> tuple[int, int, int]:
    most = (1 << bits) - 1
    red, green, blue = ((channel * most + 127) // 255 * 255 // most for channel in color)
    return red, green, blue


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
