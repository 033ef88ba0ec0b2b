"""Pictures that an e-mail brings along, put into its HTML, so that it shows them where there is no e-mail around it."""

from __future__ import annotations

import base64
import re
from email.message import EmailMessage

_CID = re.compile(r"cid:([A-Za-z0-9._@%+-]+)")
_IMAGE = re.compile(r"image/[a-z0-9.+-]+")


def with_pictures(html: str, message: EmailMessage) -> str:
    """The HTML of a message with each `cid:` of a picture in it as that picture; others stay."""
    shown = dict[str, str]()
    for part in message.walk():
        name, kind = str(part.get("Content-ID") or "").strip("<> "), part.get_content_type()
        content = part.get_payload(decode=True) if name and _IMAGE.fullmatch(kind) else None
        if isinstance(content, bytes):
            shown[name] = f"data:{kind};base64,{base64.b64encode(content).decode()}"
    return _CID.sub(lambda found: shown.get(found[1], found[0]), html)
