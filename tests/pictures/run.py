"""Take a picture of each design, as readers show it that are 375 and 650 pixels wide: `make pictures` (needs Chromium).

Those of the gallery go into its page; `--all FOLDER` writes every design there, also as a dark reader shows it.
"""

from __future__ import annotations

import argparse
import base64
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from channels.codes.images import code_image
from channels.templates.designs import design_names, is_default
from schemas.events.samples import OBJECTS
from schemas.record import JsonObject
from tests import ROOT
from tests.designs import event, shown, uses
from tests.pictures.png import cut, read_png, write_png

WIDTHS = (375, 650)
PAGE = ROOT / "deploy" / "reference" / "gallery"
_TALLEST = 1700
_NARROWEST = 500
"""Of Chromium's own windows; a narrower reader is a frame in one."""
_LOGO = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="280" height="72"><text x="140" y="48" text-anchor="middle" '
    'font-family="Georgia,serif" font-size="44" font-weight="700" fill="{}">Kawa &amp; Co</text></svg>'
)


def main() -> None:
    """Write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", type=Path, metavar="FOLDER", help="Every design, light and dark, into this folder.")
    parser.add_argument("names", nargs="*", help="Some designs alone.")
    parser.add_argument("--locale", default="en")
    asked = parser.parse_args()
    browser = shutil.which("chromium") or shutil.which("google-chrome") or sys.exit("Chromium is not installed")
    folder = asked.all or PAGE
    folder.mkdir(parents=True, exist_ok=True)
    for name in asked.names or design_names():
        for is_dark in (False, True) if asked.all else (False,):
            if asked.all or not is_default(name):
                _take(browser, name, folder, asked.locale, is_dark=is_dark)


def _take(browser: str, name: str, folder: Path, locale: str, *, is_dark: bool) -> None:
    html = _mail(name, locale, "#f3f4f6" if is_dark else "#134e4a")
    for width in WIDTHS:
        rows = cut(read_png(_photograph(browser, html, width, is_dark=is_dark)), width)
        file = folder / f"{name}-{width}{'-dark' if is_dark else ''}.png"
        file.write_bytes(write_png(rows))
        print(f"{file}  {file.stat().st_size:,} bytes")  # noqa: T201 - it is a program


def _mail(name: str, locale: str, ink: str) -> str:
    """The HTML with its pictures in it: nothing is loaded from elsewhere."""
    _, action, kind = next(use for use in uses() if use[0] == name)
    told = event(action, kind)
    _fill(told["data"])
    html = shown(name, told, locale).html or ""
    code = told["data"].get("voucher", {}).get("code", "")
    html = re.sub(r'src="cid:qr[^"]*"', lambda _: f'src="{_inline("image/png", code_image(code, "qr", "png"))}"', html)
    logo = _inline("image/svg+xml", _LOGO.format(ink).encode())
    return re.sub(r'src="[^"]*logo\.png"', f'src="{logo}"', html)


def _fill(data: JsonObject) -> None:
    """More than the samples have, so that every part of a design is seen."""
    if "reward" in data:
        data["voucher"] = OBJECTS["voucher"]
    if "voucher" in data:
        data["voucher"] = {**data["voucher"], "expiration_date": "2026-12-31T20:00:00Z"}
    names = ("Espresso cups, set of four", "Gift wrapping")
    for item, product in zip(data.get("order", {}).get("items", ()), names, strict=False):
        item["product"] = {"name": product}


def _inline(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _photograph(browser: str, html: str, width: int, *, is_dark: bool) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        mail, frame, picture = (Path(folder) / name for name in ("mail.html", "frame.html", "picture.png"))
        mail.write_text(html, encoding="utf-8")
        frame.write_text(
            f'<!doctype html><body style="margin:0"><iframe src="mail.html" scrolling="no" '
            f'style="border:0;width:{width}px;height:{_TALLEST}px"></iframe>'
        )
        size = f"--window-size={max(width, _NARROWEST)},{_TALLEST}"
        scheme = ["--blink-settings=preferredColorScheme=0"] if is_dark else []
        options = ["--headless", "--no-sandbox", "--hide-scrollbars", "--disable-gpu", *scheme, size]
        subprocess.run(
            [browser, *options, f"--user-data-dir={folder}/profile", f"--screenshot={picture}", frame.as_uri()],
            check=True,
            capture_output=True,
            timeout=120,
        )
        return picture.read_bytes()


if __name__ == "__main__":
    main()
