"""The outcome of an import of codes: what was added, and what is strange about the file."""

from __future__ import annotations

from pathlib import Path

from rich.markup import escape

from console.cli.terminal import show_json, show_text, warn
from console.control.codes import Imported
from console.control.files.code_check import Checked
from schemas.campaign import moment_text


def show_imported(file: Path, campaign: str, done: Imported, *, as_json: bool) -> None:
    """As JSON, or in sentences: what is done to standard output, warnings to standard error."""
    if as_json:
        show_json(_as_json(done))
        return
    rows = done.checked.rows
    show_text(
        f"{escape(campaign)}: {done.added:,} of {rows:,} codes added; {done.in_project:,} were there already, "
        f"{done.in_file:,} are repeated in the file"
    )
    if done.checked.first_end:
        show_text(f"  {_ends(done.checked)}")
    for one in done.doubles:
        where = "stands in the file above" if one.is_of_file else f"is in {one.campaign_id}"
        show_text(f"  {escape(f'{file}:{one.line}  {one.code} {where}')}")
    _more(done.in_file + done.in_project - len(done.doubles))
    _warn(file, done)


def _ends(checked: Checked) -> str:
    first, last = moment_text(checked.first_end), moment_text(checked.last_end)
    return f"they end {first}" if first == last else f"they end from {first} to {last}"


def _warn(file: Path, done: Imported) -> None:
    checked, digits = done.checked, done.checked.digits
    if checked.expired:
        warn(
            f"{checked.expired:,} of them have ended already and will not be given to anybody, "
            f"the first in {file}:{checked.first_expired}"
        )
    if digits.may_lack_zeros:
        warn(
            f"codes of digits have from {digits.shortest} to {digits.longest} of them and none begins with 0, the "
            f"first short one in {file}:{digits.first_short}; if they had zeros in front, a spreadsheet dropped them"
        )
    if done.alike.total:
        warn(f"{done.alike.total:,} codes are like another one but for capitals, or zeros in front:")
        for one in done.alike.first:
            where = f"of {one.campaign_id}" if one.campaign_id else "above it"
            show_text(f"  {escape(f'{file}:{one.line}  {one.code} is like {one.other} {where}')}")
        _more(done.alike.total - len(done.alike.first))


def _more(count: int) -> None:
    if count:
        show_text(f"  and {count:,} more")


def _as_json(done: Imported) -> dict[str, object]:
    checked = done.checked
    doubles = [
        {"line": one.line, "code": one.code, "campaign": one.campaign_id, "in_file": one.is_of_file}
        for one in done.doubles
    ]
    return {
        "rows": checked.rows,
        "added": done.added,
        "doubled_in_file": done.in_file,
        "there_already": done.in_project,
        "first": doubles,
        "alike": done.alike.total,
        "first_alike": [one._asdict() for one in done.alike.first],
        "first_end": moment_text(checked.first_end),
        "last_end": moment_text(checked.last_end),
        "expired": checked.expired,
        "may_lack_zeros": checked.digits.may_lack_zeros,
    }
