"""The attributes that each element of MJML takes. The compiler passes over others without a word.

Source: https://documentation.mjml.io (MJML 4), components and head components.
"""

from __future__ import annotations

from collections.abc import Mapping

_SIDES = ("top", "right", "bottom", "left")


def _sided(*names: str) -> str:
    return " ".join([*names, *(f"{name}-{side}" for name in names for side in _SIDES)])


_EVERY = "css-class mj-class"
_PADDING = _sided("padding")
_BORDER = f"{_sided('border')} border-radius"
_FONT = "color font-family font-size font-style font-weight letter-spacing line-height text-decoration text-transform"
_LINK = "href rel target title name"
_ICONS = (
    "icon-align icon-height icon-position icon-unwrapped-alt icon-unwrapped-url icon-width icon-wrapped-alt"
    " icon-wrapped-url"
)
_SECTION = (
    f"background-color background-url background-repeat background-size background-position background-position-x"
    f" background-position-y {_BORDER} direction full-width {_PADDING} text-align text-padding"
)

_WRITTEN: Mapping[str, str] = {
    "mjml": "lang dir owa",
    "mj-head": "",
    "mj-title": "",
    "mj-preview": "",
    "mj-attributes": "",
    "mj-style": "inline",
    "mj-font": "name href",
    "mj-breakpoint": "width",
    "mj-raw": "position",
    "mj-body": "background-color width id title",
    "mj-section": _SECTION,
    "mj-wrapper": f"{_SECTION} gap",
    "mj-group": "background-color direction vertical-align width",
    "mj-column": (
        f"background-color {_BORDER} direction inner-background-color {_sided('inner-border')} inner-border-radius"
        f" {_PADDING} vertical-align width"
    ),
    "mj-hero": (
        "align background-color background-height background-position background-url background-width border-radius"
        f" container-background-color height inner-background-color {_sided('inner-padding')} mode {_PADDING}"
        " vertical-align width"
    ),
    "mj-text": f"align background-color container-background-color {_FONT} height {_PADDING} vertical-align",
    "mj-button": (
        f"align background-color {_BORDER} container-background-color {_FONT} {_LINK} height inner-padding {_PADDING}"
        " text-align vertical-align width"
    ),
    "mj-image": (
        f"align alt {_BORDER} container-background-color fluid-on-mobile font-size full-width height {_LINK} max-height"
        f" {_PADDING} sizes src srcset usemap width"
    ),
    "mj-divider": f"align border-color border-style border-width container-background-color {_PADDING} width",
    "mj-spacer": f"{_BORDER} container-background-color height {_PADDING} vertical-align width",
    "mj-table": (
        f"align border cellpadding cellspacing container-background-color {_FONT} {_PADDING} role table-layout"
        " text-align vertical-align width"
    ),
    "mj-social": (
        f"align border-radius container-background-color {_FONT} icon-height icon-padding icon-size inner-padding mode"
        f" {_PADDING} table-layout text-padding vertical-align"
    ),
    "mj-social-element": (
        f"align alt background-color border-radius {_FONT} {_LINK} icon-height icon-padding icon-position icon-size"
        f" {_PADDING} sizes src srcset text-padding vertical-align"
    ),
    "mj-navbar": (
        "align base-url hamburger ico-align ico-close ico-color ico-font-family ico-font-size ico-line-height ico-open"
        f" {_sided('ico-padding')} ico-text-decoration ico-text-transform {_PADDING}"
    ),
    "mj-navbar-link": f"{_FONT} {_LINK} {_PADDING}",
    "mj-carousel": (
        f"align background-color border-radius icon-width left-icon {_PADDING} right-icon tb-border tb-border-radius"
        " tb-hover-border-color tb-selected-border-color tb-width thumbnails"
    ),
    "mj-carousel-image": f"alt border-radius {_LINK} src tb-border tb-border-radius thumbnails-src",
    "mj-accordion": f"border container-background-color font-family {_ICONS} {_PADDING}",
    "mj-accordion-element": f"background-color border font-family {_ICONS}",
    "mj-accordion-title": f"background-color {_FONT} {_PADDING}",
    "mj-accordion-text": f"background-color {_FONT} {_PADDING}",
}

ATTRIBUTES: Mapping[str, frozenset[str]] = {
    name: frozenset(f"{written} {_EVERY}".split()) for name, written in _WRITTEN.items()
}
"""Element to what it takes. `mj-all` and `mj-class` stand for all elements and take what any of them does."""

ANY = frozenset().union(*ATTRIBUTES.values())


def attributes_of(element: str) -> frozenset[str]:
    """The attributes that an element takes."""
    return ATTRIBUTES.get(element, ANY)
