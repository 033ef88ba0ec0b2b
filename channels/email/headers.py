"""Header values of an e-mail: folded, and encoded where need be, so that every reader shows what was meant.

All are ASCII but for an address that is not (RFC 6532).

Sources: RFC 5322 2.1.1 (a line has at most 998 characters, and should have 78) and 2.2.3 (folding), RFC 2047 2 (an
encoded word has at most 75 characters, a line that holds one 76; no character is split between two), RFC 2231 (other
letters in the name of a file).
"""

from __future__ import annotations

import re
import unicodedata
from binascii import b2a_base64
from collections.abc import Iterator
from itertools import islice
from urllib.parse import quote

from schemas.errors import RenderRefused
from schemas.formats.mail_address import any_mail_address

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_UNSAFE = re.compile(r"[\x00-\x20<>\x7f-\U0010ffff]")
_SPECIAL = re.compile(r'[][\\()<>@,:;".]')
"""Characters that a name has in quotes only (RFC 5322, 3.2.3)."""
_ESCAPED = re.compile(r'[\\"]')
_LONGEST_NAME = 100
_LONGEST_PLAIN_NAME = 60
_LONGEST_PLAIN_WORD = 900
_LINE = 78
_ENCODED_LINE = 76
_ENCODED_WORD = 75
_FRAME = len("=?utf-8?b??=")
_JOINER = "\u200d"
_NAME_FRAME = len(' name=""')
_PIECE = 60
"""Characters of a parameter that is in pieces: what is before and behind them fits on their line."""


def text_header(name: str, text: str) -> str:
    """The value of a header that people read: on one line, so that none can add a header, then folded or encoded."""
    line = one_line(text)
    if _is_plain(line) and all(len(word) <= _LONGEST_PLAIN_WORD for word in line.split(" ")):
        return _folded(line, len(name) + 2)
    return _encoded(line, len(name) + 2)


def mailbox_header(name: str, display: str, address: str) -> str:
    """`Display <address>`, a long name shortened. Raises RenderRefused for an address that mail cannot reach."""
    reached = valid_address(address)
    shown = _shortened(one_line(display))
    if not shown:
        return reached
    if not _is_plain(shown) or len(shown) > _LONGEST_PLAIN_NAME:
        return _joined(_encoded(shown, len(name) + 2), f"<{reached}>", name)
    quoted = f'"{_ESCAPED.sub(_with_backslash, shown)}"' if _SPECIAL.search(shown) else shown
    return _joined(quoted, f"<{reached}>", name)


def _shortened(name: str) -> str:
    if name.isascii():
        return name[:_LONGEST_NAME].strip()
    return "".join(islice(_characters(name[: 5 * _LONGEST_NAME]), _LONGEST_NAME)).strip()


def _with_backslash(found: re.Match[str]) -> str:
    return f"\\{found[0]}"


def list_header(name: str, links: list[str]) -> str:
    """Addresses in angle brackets, each on a line of its own where they do not fit on one; none can end its line."""
    values = [f"<{_UNSAFE.sub(_percent_encoded, one)}>" for one in links]
    line = ", ".join(values)
    return line if len(name) + 2 + len(line) <= _LINE else ",\r\n ".join(values)


def type_name_parameter(text: str) -> str:
    """The name of a file behind its type, in encoded words: programs that know no RFC 2231 look for it there."""
    shown = one_line(text)
    return _quoted("name", shown) if _is_plain(shown) else f';\r\n name="{_encoded(shown, _NAME_FRAME)}"'


def file_name_parameter(text: str) -> str:
    """The name of a file behind its disposition: in quotes, or for other letters in pieces, a line each (RFC 2231)."""
    shown = one_line(text)
    if _is_plain(shown):
        return _quoted("filename", shown)
    pieces = ["utf-8''"]
    for letter in shown:
        encoded = quote(letter, safe="")
        if len(pieces[-1]) + len(encoded) > _PIECE:
            pieces.append("")
        pieces[-1] += encoded
    if len(pieces) == 1:
        return f";\r\n filename*={pieces[0]}"
    return "".join(f";\r\n filename*{number}*={piece}" for number, piece in enumerate(pieces))


def _quoted(name: str, text: str) -> str:
    return f';\r\n {name}="{_ESCAPED.sub(_with_backslash, text)}"'


def _percent_encoded(found: re.Match[str]) -> str:
    return quote(found[0])


def one_line(text: str) -> str:
    """Control characters, line ends among them, become spaces."""
    return _CONTROL.sub(" ", text).strip()


def valid_address(address: str) -> str:
    """An address as SMTP takes it. Raises RenderRefused that says why mail cannot reach it."""
    try:
        return any_mail_address(address)
    except ValueError as error:
        raise RenderRefused("no_address", f"mail cannot be sent to the address: {error}") from error


def _is_plain(text: str) -> bool:
    """Tell whether it can stand as it is: what looks like an encoded word would be decoded."""
    return text.isascii() and "=?" not in text


def _folded(text: str, used: int) -> str:
    """Lines of at most 78 characters, as far as there are spaces to fold at; `used` are those of the header's name."""
    if used + len(text) <= _LINE:
        return text
    lines, line = [], ""
    for word in re.split(r"(?<! )(?= +[^ ])", text):
        if line and used + len(line) + len(word) > _LINE:
            lines.append(line)
            line, used = "", 0
        line += word
    return "\r\n".join([*lines, line])


def _joined(display: str, address: str, name: str) -> str:
    last = display.rpartition("\n")[2]
    used = len(last) + (0 if "\n" in display else len(name) + 2)
    return f"{display} {address}" if used + 1 + len(address) <= _ENCODED_LINE else f"{display}\r\n {address}"


def _encoded(text: str, used: int) -> str:
    """Encoded words, a line each; `used` are the characters of the header's name."""
    whole = text.encode()
    if len(whole) <= _bytes_within(_ENCODED_LINE - used):
        return _word(whole)
    words, piece = [], ""
    room = _bytes_within(_ENCODED_LINE - used)
    for character in _characters(text):
        for part in [character] if len(character.encode()) <= room else character:
            if piece and len((piece + part).encode()) > room:
                words.append(piece)
                piece, room = "", _bytes_within(_ENCODED_WORD)
            piece += part
    return "\r\n ".join(_word(word.encode()) for word in [*words, piece])


def _word(text: bytes) -> str:
    return f"=?utf-8?b?{b2a_base64(text, newline=False).decode()}?="


def _bytes_within(characters: int) -> int:
    """As many as an encoded word of some characters holds."""
    return (min(characters, _ENCODED_WORD) - _FRAME) // 4 * 3


def _characters(text: str) -> Iterator[str]:
    """Characters as people see them: a letter with its marks, a flag, a family. Close to UAX 29, without its tables."""
    cluster = ""
    for letter in text:
        if cluster and not _continues(cluster, letter):
            yield cluster
            cluster = ""
        cluster += letter
    if cluster:
        yield cluster


def _continues(cluster: str, letter: str) -> bool:
    if letter.isascii():
        return False
    if _is_flag_half(letter):
        return len(cluster) == 1 and _is_flag_half(cluster)
    is_attached = unicodedata.category(letter).startswith("M") or letter == _JOINER or cluster.endswith(_JOINER)
    return (
        is_attached
        or "\U0001f3fb" <= letter <= "\U0001f3ff"
        or "\U000e0020" <= letter <= "\U000e007f"
        or ("\u1160" <= letter <= "\u11ff")
    )


def _is_flag_half(letter: str) -> bool:
    return "\U0001f1e6" <= letter <= "\U0001f1ff"
