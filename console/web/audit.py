"""`/p/<project>/audit`: who changed what, the newest first."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from console.control import audit
from console.web.lists import OTHER_ADDRESS, Asked, Field, Found, Listing, page_of
from console.web.project_lists import AuditedRow, AuditPage
from console.web.projects import ProjectVisit, distribution_path
from schemas.audit import AUDIT_ACTIONS, AUDIT_NOUNS
from schemas.errors import BadQuestion
from store.audit import AuditLog, Chained

_LAST_POSITION = 2**63 - 1
_PATHS: Mapping[str, Callable[[str, str], str]] = {"distribution": distribution_path}
"""By nouns, addresses of pages of things."""


async def _find(asked: Asked) -> Found[AuditedRow]:
    """A page of the log. Raises BadQuestion, TryLater."""
    mine = asked.mine
    wanted = audit.Asked(asked.get("thing"), asked.get("actor"), asked.get("action"), asked.get("since"),
                         asked.get("until"))  # fmt: skip
    chosen = audit.read_filter(mine.project_id, mine.context.zone, mine.now, wanted)
    before = asked.place(int)
    if before is not None and not 0 <= before <= _LAST_POSITION:
        raise BadQuestion(OTHER_ADDRESS, "cursor")
    found = await audit.page(AuditLog(mine.pool), chosen, asked.limit + 1, before)
    rows, following = page_of(found, asked.limit, lambda one: one.row.position)
    return Found([_shown(mine, one) for one in rows], following)


def _shown(mine: ProjectVisit, one: Chained) -> AuditedRow:
    row = one.row
    path = _PATHS.get(row.action.partition(".")[0])
    return AuditedRow(
        row.position, row.at, row.actor, row.action, row.thing, row.version, msgspec.json.decode(row.change),
        row.request_id, row.key_id, row.address, one.hash.hex(), path(mine.project_id, row.thing) if path else None,
    )  # fmt: skip


_ACTIONS: Mapping[str, str] = {
    one: text
    for noun in AUDIT_NOUNS
    for one, text in ((noun, f"{noun}: everything"), *((a, a) for a in AUDIT_ACTIONS if a.startswith(f"{noun}.")))
}
LIST = Listing(
    path="/audit",
    permission="audit:read",
    row=AuditedRow,
    find=_find,
    page=AuditPage,
    fields=(
        Field("action", "What was done", _ACTIONS), Field("thing", "To the id"), Field("actor", "By"),
        Field("since", "From"), Field("until", "Until"),
    ),
)  # fmt: skip
ROUTES = LIST.routes
