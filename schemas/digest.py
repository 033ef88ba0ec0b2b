"""Places in digests: what an event asks for, what is there already, and what it gets."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple


class Joining(NamedTuple):
    """An event on its way into a digest. `until` is the end of its own window, `late_until` that of the one after it.

    `size` in bytes; `first` where it goes alone if nothing is gathered.
    """

    digest_id: str
    happened_at: datetime
    until: datetime
    late_until: datetime
    size: int
    first: bool = False


class KnownDigest(NamedTuple):
    """Events that are gathered until a moment, and how many of them are kept, with how many bytes.

    `is_closed`: it is being released, or was; `first_until`: its only event went alone, and gathering ends then.
    """

    digest_id: str
    until: datetime
    kept: int = 0
    size: int = 0
    is_closed: bool = False
    first_until: datetime | None = None


class Placed(NamedTuple):
    """The place of an event. `is_kept`: its content is; `first_until` where it goes alone, as in `KnownDigest`."""

    until: datetime
    is_kept: bool = True
    first_until: datetime | None = None
