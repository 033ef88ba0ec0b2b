"""The one of some languages that a customer's locale takes, by the data of CLDR: aliases, likely subtags and parents.

`zh-TW` is written in traditional letters (`zh-Hant`), `iw` is `he`, `nb` is what `no` says, and Mexico reads `es-419`
before the Spanish of Spain. Sources: RFC 4647 (lookup), UTS 35 (likely subtags, aliases, parent locales).
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import Any, NamedTuple

from babel.core import get_global

_SAME = {"nb": "no"}
"""What CLDR has under one name though both are in use."""
_EXTENDED = 3


class Language(NamedTuple):
    """A language tag in its parts, each empty where it says nothing."""

    language: str
    script: str = ""
    region: str = ""

    def __str__(self) -> str:
        return "_".join(part for part in self if part)


def taken(tags: Collection[str], locale: str | None) -> str:
    """The one of some lower-case tags that fits a locale best; empty where none is of its language."""
    return _taken(tuple(sorted(tags)), _normal(locale))


def forms(locale: str | None) -> tuple[str, ...]:
    """A locale as CLDR may have it, best first: `iw_IL` is he_IL, then he. None for what is not a language tag."""
    found = _parsed(_normal(locale))
    if found is None:
        return ()
    tags = (found, found._replace(region=""), found._replace(script=""), Language(found.language))
    return tuple(dict.fromkeys(map(str, tags)))


def _normal(locale: str | None) -> str:
    return (locale or "").strip().replace("_", "-").lower().partition(".")[0].partition("@")[0]


@lru_cache(maxsize=10_000)
def _taken(tags: tuple[str, ...], locale: str) -> str:
    if locale in tags:
        return locale
    wanted = _parsed(locale)
    if wanted is None:
        return ""
    ranked = [(rank, tag) for tag in tags if (there := _parsed(tag)) and (rank := _rank(wanted, there, tag, locale))]
    return min(ranked)[1] if ranked else ""


def _rank(wanted: Language, there: Language, tag: str, locale: str) -> int:
    """The rank of a tag that fits, 1 is best; 0 where it does not."""
    parents = _parents(wanted)
    if locale.startswith(f"{tag}-") and there.region:
        return 1
    full, other = _likely(wanted), _likely(there)
    if there.language != wanted.language:
        return 60 + parents.index(there) if there in parents else 0
    if full.script == other.script and there.region:
        if there.region == full.region:
            return 2
        return 3 + parents.index(there) if there in parents else 0
    if full.script == other.script:
        return 30
    return 50 if not there.region and not there.script else 0


def _parents(of: Language) -> list[Language]:
    """CLDR's own way from a locale to what is more common: es-MX, es-419, es."""
    exceptions: Any = get_global("parent_exceptions")
    found, at = [], of
    while True:
        above = exceptions.get(str(at)) or exceptions.get(str(at._replace(script="")))
        if above == "root":
            break
        if above is None:
            if not (at.region or at.script):
                break
            above = str(at._replace(region="") if at.region else at._replace(script=""))
        at = _parsed(above.replace("_", "-").lower()) or at
        if at in found:
            break
        found.append(at)
    return found


def _likely(tag: Language) -> Language:
    """With the script and the region that it most likely means."""
    likely: Any = get_global("likely_subtags")
    tried = (tag, tag._replace(script=""), tag._replace(region=""), Language(tag.language))
    full = next((_split(likely[str(one)].replace("_", "-").lower()) for one in tried if str(one) in likely), None)
    if full is None:
        return tag
    return Language(tag.language, tag.script or full.script, tag.region or full.region)


@lru_cache(maxsize=10_000)
def _parsed(tag: str) -> Language | None:
    """A lower-case tag with what is out of use replaced; None where it is not a language tag."""
    found = _split(tag)
    if found is None:
        return None
    aliases: Any = get_global("language_aliases")
    regions: Any = get_global("territory_aliases")
    alias = _split(aliases.get(found.language, "").replace("_", "-").lower()) or Language(found.language)
    language = _SAME.get(alias.language, alias.language)
    region = regions.get(found.region, [found.region])[0] if found.region else alias.region
    return Language(language, found.script or alias.script, region)


def _split(tag: str) -> Language | None:
    language, *rest = tag.split("-")
    if not language.isascii() or not language.isalpha() or len(language) not in (2, 3):
        return None
    if rest and len(rest[0]) == _EXTENDED and rest[0].isalpha():
        language, rest = rest[0], rest[1:]  # zh-yue is yue
    script = rest.pop(0).title() if rest and len(rest[0]) == len("Latn") and rest[0].isalpha() else ""
    is_region = bool(rest) and ((rest[0].isalpha() and len(rest[0]) == 2) or (rest[0].isdigit() and len(rest[0]) == 3))
    return Language(language, script, rest[0].upper() if is_region else "")
