"""Lists of a project: a table with filters, and the same as files, which read the address alike."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any, Generic, TypedDict, TypeVar
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web

from console.control.moments import moment_or_ago
from console.web.next_page import next_page_of
from console.web.pages import FieldProblem, respond, see
from console.web.project_lists import Filter, ListPage
from console.web.projects import ProjectRoute, ProjectVisit, base_of
from console.web.tables import address, csv_file, json_file
from console.web.words import inert
from schemas.access import Permission
from schemas.errors import BadQuestion
from schemas.formats.cursors import parse_cursor, write_cursor
from schemas.names import ROUGHLY_LIKE, did_you_mean

Row = TypeVar("Row")
T = TypeVar("T")
K = TypeVar("K", str, tuple[Any, ...])

ON_A_PAGE = 50
_AT_ONCE = 500
_LONGEST = 256
OTHER_ADDRESS = "this page's address was changed: begin with the first page"


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter of a list. Of `choices`, values with their words, it has to be one, or none: `nothing` in words.

    `hint`: an example of what may be written.
    """

    name: str
    label: str
    choices: Mapping[Any, str] = field(default_factory=dict)
    nothing: str = "any"
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """The parameters of a list: what is written in its fields, and the place behind which it begins."""

    mine: ProjectVisit
    given: Mapping[str, str]
    cursor: str | None
    limit: int = ON_A_PAGE

    def get(self, name: str) -> str | None:
        """The text of a field; None where it says nothing."""
        return self.given.get(name) or None

    def moment(self, name: str) -> datetime | None:
        """A field as a moment. Raises BadQuestion."""
        written = self.get(name)
        return moment_or_ago(name, written, self.mine.now, self.mine.context.zone) if written else None

    def text_place(self) -> str:
        """The text behind which it begins; empty for the first page. Raises BadQuestion."""
        behind = self.place(str) or ""
        if "\0" in behind:
            raise BadQuestion(OTHER_ADDRESS, "cursor")
        return behind

    def place_in_time(self) -> tuple[datetime, str] | None:
        """The moment, in UTC, and the id of the row behind which it begins. Raises BadQuestion."""
        behind = self.place(tuple[datetime, str])
        if behind is None:
            return None
        at, identity = behind
        if at.tzinfo is None or "\0" in identity:
            raise BadQuestion(OTHER_ADDRESS, "cursor")
        try:
            return at.astimezone(UTC), identity
        except OverflowError:
            raise BadQuestion(OTHER_ADDRESS, "cursor") from None

    def place(self, kind: type[T]) -> T | None:
        """The key of the row behind which it begins. Raises BadQuestion."""
        if not self.cursor:
            return None
        try:
            return parse_cursor(self.cursor, kind)
        except ValueError:
            raise BadQuestion(OTHER_ADDRESS, "cursor") from None


@dataclass(frozen=True, slots=True)
class Found(Generic[Row]):
    """A page of rows, the cursor of the next one, and what the page says `more` of these rows."""

    rows: Sequence[Row] = ()
    following: str | None = None
    more: Mapping[str, Any] = field(default_factory=dict)


def page_of(rows: Sequence[T], limit: int, key: Callable[[T], Any]) -> tuple[Sequence[T], str | None]:
    """The rows of a page, of which one more was read, and the cursor of the next one."""
    page = rows[:limit]
    return page, write_cursor(key(page[-1])) if len(rows) > limit else None


def slice_of(rows: Iterable[T], asked: Asked, key: Callable[[T], K], kind: type[K]) -> tuple[Sequence[T], str | None]:
    """A page of rows that are all at hand, in the order of their keys. Raises BadQuestion."""
    behind = asked.place(kind)
    rest = sorted((one for one in rows if behind is None or key(one) > behind), key=key)
    return page_of(rest[: asked.limit + 1], asked.limit, key)


class Around(TypedDict):
    """The fields of a page that every list has."""

    here: str
    problems: Sequence[FieldProblem]
    filters: Sequence[Filter]
    is_filtered: bool
    is_first: bool
    this: str
    first: str
    next: str | None
    table_json: str
    table_csv: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing(Generic[Row]):
    """A list: where it stands below its project, who may see it, its fields, and how a page of it is found.

    `page` makes its page of the rows, and of what `more` says of a visit. Every field of a row is a column of its
    files, but for those in `unsaid`.
    """

    path: str
    permission: Permission
    row: type[Row]
    find: Callable[[Asked], Awaitable[Found[Row]]]
    page: Callable[..., ListPage]
    fields: Sequence[Field] = ()
    more: Callable[[ProjectVisit], Mapping[str, Any]] = lambda _: {}
    unsaid: frozenset[str] = frozenset({"path"})
    is_live: bool = False

    @property
    def routes(self) -> tuple[ProjectRoute, ...]:
        """The page, and its files."""
        return (
            ProjectRoute(self.path, self.permission, self.show, is_live=self.is_live),
            ProjectRoute(f"{self.path}.json", self.permission, self._as_json),
            ProjectRoute(f"{self.path}.csv", self.permission, self._as_csv),
        )

    async def show(self, mine: ProjectVisit) -> web.Response:
        """A page of it."""
        return await self.respond(mine)

    async def respond(self, mine: ProjectVisit, problems: Sequence[FieldProblem] = (), **more: Any) -> web.Response:
        """A page of it with `problems` of a form that stands beside it, and with what that form came to."""
        asked, wrong = self._asked(mine)
        found: Found[Row] = Found()
        if not wrong:
            found, wrong = await self._found(asked)
        around = self._around(asked, found, [*wrong, *problems])
        page = self.page(rows=found.rows, **around, **found.more, **self.more(mine), **more, **mine.frame)
        return respond(page, 422 if page.problems else 200)

    def back(self, mine: ProjectVisit, form: Mapping[str, str], **said: str) -> web.Response:
        """Go on to the page that a form stood on, with its filters, and with what it came to."""
        path = base_of(mine.project_id) + self.path
        page, _, query = next_page_of(form.get("back")).partition("?")
        known = {one.name for one in self.fields} | {"cursor"}
        kept = {name: value for name, value in parse_qsl(query) if name in known} if page == path else {}
        return see(address(path, {**kept, **said}))

    def _asked(self, mine: ProjectVisit) -> tuple[Asked, list[FieldProblem]]:
        given = {one.name: mine.query.get(one.name, "").strip() for one in self.fields}
        problems = [FieldProblem(one.name, said) for one in self.fields if (said := _wrong(one, given[one.name]))]
        return Asked(mine, given, mine.query.get("cursor")), problems

    async def _found(self, asked: Asked) -> tuple[Found[Row], list[FieldProblem]]:
        try:
            return await self.find(asked), []
        except BadQuestion as error:
            one = next((one for one in self.fields if one.name == error.option), None)
            said = f"{one.label}: {inert(error.message)}" if one else inert(error.message)
            return Found(), [FieldProblem(one.name if one else "main", said)]

    def _around(self, asked: Asked, found: Found[Row], problems: Sequence[FieldProblem]) -> Around:
        path, given = base_of(asked.mine.project_id) + self.path, asked.given
        return Around(
            here=path,
            problems=problems,
            filters=[
                Filter(one.name, one.label, given[one.name], list(one.choices.items()), one.nothing, one.hint)
                for one in self.fields
            ],
            is_filtered=any(given.values()),
            is_first=not asked.cursor,
            this=address(path, {**given, "cursor": asked.cursor}),
            first=address(path, given),
            next=address(path, {**given, "cursor": found.following}) if found.following else None,
            table_json=address(f"{path}.json", {**given, "cursor": asked.cursor}),
            table_csv=address(f"{path}.csv", {**given, "cursor": asked.cursor}),
        )

    async def _as_json(self, mine: ProjectVisit) -> web.Response:
        """The page's rows for programs."""
        asked, wrong = self._asked(mine)
        if not wrong:
            found, wrong = await self._found(asked)
        return _refused(wrong) if wrong else json_file([self._cells(row) for row in found.rows], found.following)

    async def _as_csv(self, mine: ProjectVisit) -> web.Response:
        """All rows from this page on."""
        asked, wrong = self._asked(mine)
        asked = replace(asked, limit=_AT_ONCE)
        if not wrong:
            found, wrong = await self._found(asked)
        if wrong:
            return _refused(wrong)
        return csv_file(self.path.strip("/").replace("/", "-"), self._columns, self._pages(asked, found))

    async def _pages(self, asked: Asked, found: Found[Row]) -> AsyncIterator[list[list[Any]]]:
        """The cells of what was found, and of all pages behind it. Nothing is locked or kept open between two."""
        while True:
            yield [[_cell(one) for one in self._cells(row).values()] for row in found.rows]
            if found.following is None:
                return
            found = await self.find(replace(asked, cursor=found.following))

    @property
    def _columns(self) -> list[str]:
        return [one.name for one in fields(self.row) if one.name not in self.unsaid]  # type: ignore[arg-type]

    def _cells(self, row: Row) -> dict[str, Any]:
        return {name: getattr(row, name) for name in self._columns}


def _wrong(one: Field, written: str) -> str | None:
    if len(written) > _LONGEST or "\0" in written:
        return f"{one.label}: must have at most {_LONGEST} characters, and not U+0000"
    if written and one.choices and written not in one.choices:
        hint = did_you_mean(written, list(one.choices), ROUGHLY_LIKE)
        return f"{one.label}: must be one of {', '.join(one.choices)}.{hint}"
    return None


def _cell(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case list() | tuple():
            return ", ".join(map(str, value))
        case Mapping():
            return msgspec.json.encode(value).decode()
    return value


def _refused(problems: Sequence[FieldProblem]) -> web.Response:
    return web.Response(status=422, text="\n".join(one.message for one in problems))
