"""Stored templates on the command line as a user meets them, on real servers."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agents.wiring import Wiring
from console.cli.main import main
from tests.e2e.harness import BRAND
from tests.environment import set_environment
from tests.factory import order_event

DISTRIBUTION = """\
distribution: {id}
trigger: {trigger}
consent: marketing
channels:
  - email: {{account: main, subject: "Back, {{{{ customer.name | default('you') }}}}?", template: {template}}}
"""
WINBACK = {
    "winback.mjml": '{% from "sections" import code %}\n<mj-text>Order {{ order.id }}</mj-text>\n{{ code("A-1") }}\n',
    "winback.pl.mjml": "---\nsubject: Wróć\n---\n<mj-text>Zamówienie {{ order.id }}</mj-text>\n",
    "layout.mjml": "<mjml>\n<mj-body>\n{{ content }}\n</mj-body>\n</mjml>\n",
}
PLAIN = {"plain.txt": "Total {{ order.amount | money('PLN') }}\n"}


@dataclass(frozen=True)
class Done:
    """A command that ended."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The JSON lines that it printed."""
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Done]


@pytest.fixture
def tidings(wiring: Wiring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a command in a folder that has templates in `mails`, an event and settings."""
    account = '[email_accounts.main]\nhost = "127.0.0.1"\nsender = "s@example.com"\n'
    (tmp_path / "tidings.toml").write_text(BRAND + account)
    (tmp_path / "event.json").write_text(json.dumps(order_event()))
    write(tmp_path / "mails", {**WINBACK, **PLAIN})
    monkeypatch.chdir(tmp_path)
    set_environment(monkeypatch, wiring)

    def run(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["tidings", *arguments])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capfd.readouterr()
        return Done(int(ended.value.code or 0), printed.out, printed.err)

    return run


def write(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir(exist_ok=True)
    for name, source in files.items():
        (folder / name).write_text(source)


def distribution(
    identity: str = "winback", template: str = "winback", trigger: str = "customer.order.paid", folder: str = "rules"
) -> None:
    write(Path(folder), {f"{identity}.yaml": DISTRIBUTION.format(id=identity, template=template, trigger=trigger)})


def applied(tidings: Run, *arguments: str) -> Done:
    done = tidings(*arguments, "--yes")
    assert done.code == 0, done.err
    return done


def reworded(old: str = "Order", new: str = "Your order") -> None:
    file = Path("mails/winback.mjml")
    file.write_text(file.read_text().replace(old, new))


def sent(tidings: Run, identity: str = "winback") -> str:
    """The digest of what a distribution sends."""
    digest: str = json.loads(tidings("distributions", "show", identity).out)["channels"][0]["template"]["digest"]
    return digest


def test_a_template_is_planned_stored_and_unchanged_the_second_time(tidings: Run) -> None:
    unasked = tidings("templates", "apply", "mails")
    assert (unasked.code, "use --yes" in unasked.err) == (1, True)
    assert tidings("templates", "list", "--json").out == ""
    new = applied(tidings, "templates", "apply", "mails").out
    assert "winback" in new and "v1 new" in new and "mjml; default, pl" in new
    again = applied(tidings, "templates", "apply", "mails", "--json")
    assert [(row["template"], row["plan"], row["version"]) for row in again.rows] == [
        ("plain", "unchanged", 1),
        ("winback", "unchanged", 1),
    ]
    plain, winback = tidings("templates", "list", "--json").rows
    assert plain == {"template": "plain", "version": 1, "format": "txt", "locales": "default", "used_by": []}
    assert (winback["format"], winback["locales"]) == ("mjml", "default, pl")


def test_a_change_is_shown_with_file_and_line_and_every_version_is_kept(tidings: Run) -> None:
    applied(tidings, "templates", "apply", "mails")
    reworded()
    write(Path("mails"), {"winback.de.txt": "Bestellung"})
    (row,) = tidings("templates", "apply", "mails/winback.pl.mjml", "--dry-run", "--json").rows
    assert (row["plan"], row["version"]) == ("changed", 2)
    old, new = (f"<mj-text>{said} {{{{ order.id }}}}</mj-text>" for said in ("Order", "Your order"))
    assert row["changes"] == ["winback.de.txt: new", f"winback.mjml:2: {old} → {new} (+1 -1)"]
    applied(tidings, "templates", "apply", "mails")
    newest, first = tidings("templates", "history", "winback", "--json").rows
    assert (newest["version"], first["version"]) == (2, 1)
    assert "Your order" in tidings("templates", "show", "winback").out
    assert "Your order" not in tidings("templates", "show", "winback", "--version", "1").out
    none = tidings("templates", "show", "winback", "--version", "9")
    assert (none.code, "no version 9. There are: 1 to 2" in none.err) == (1, True)


def test_a_template_is_shown_in_the_locale_that_a_customer_would_get(tidings: Run) -> None:
    applied(tidings, "templates", "apply", "mails")
    for locale, tag, file in (
        ("pl-PL", "pl", "winback.pl.mjml"),
        ("de", "", "winback.mjml"),
        ("?", "", "winback.mjml"),
    ):
        shown = json.loads(tidings("templates", "show", "winback", "--locale", locale, "--json").out)
        assert (shown["locale"], shown["files"]) == (tag, {file: WINBACK[file]}), locale


def test_a_distribution_sends_a_stored_template_as_it_was_until_it_is_applied_again(tidings: Run) -> None:
    applied(tidings, "templates", "apply", "mails")
    distribution()
    applied(tidings, "apply", "rules")
    before = sent(tidings)
    assert "unchanged" in applied(tidings, "apply", "rules").out
    reworded()
    told = applied(tidings, "templates", "apply", "mails").out
    assert "older versions are sent by winback (winback v1)" in told and "--roll-out, or tidings apply" in told
    assert sent(tidings) == before
    listed = tidings("templates", "list").out
    assert "winback (v1)" in listed and "to upgrade it: tidings templates apply" in listed
    (row,) = applied(tidings, "apply", "rules", "--json").rows
    assert row["changes"][0] == "template winback: v1 → v2"
    assert row["changes"][1].startswith('channels: email.template {"name":"winback","digest":"')
    assert sent(tidings) != before
    assert tidings("templates", "list", "--json").rows[1]["used_by"] == [{"distribution": "winback", "version": 2}]
    assert "older" not in tidings("templates", "list").out


def test_roll_out_brings_up_what_sends_an_older_version_and_nothing_else(tidings: Run) -> None:
    applied(tidings, "templates", "apply", "mails")
    for identity, template in (("winback", "winback"), ("other", "plain"), ("paused", "winback"), ("over", "winback")):
        distribution(identity, template)
    applied(tidings, "apply", "rules")
    tidings("distributions", "pause", "paused")
    tidings("distributions", "stop", "over")
    reworded()
    command = ("templates", "apply", "mails", "--roll-out")
    rows = tidings(*command, "--dry-run", "--json").rows
    assert [(row["distribution"], row["version"], row["changes"]) for row in rows if "distribution" in row] == [
        ("paused", 3, ["template winback: v1 → v2"]),
        ("winback", 2, ["template winback: v1 → v2"]),
    ]
    applied(tidings, *command)
    states = {
        row["distribution"]: (row["version"], row["status"]) for row in tidings("distributions", "list", "--json").rows
    }
    assert states == {"other": (1, "LIVE"), "over": (2, "STOPPED"), "paused": (3, "PAUSED"), "winback": (2, "LIVE")}
    assert "unchanged" in applied(tidings, "apply", "rules/winback.yaml").out
    told = [row["value"] for row in tidings("tail", "distributions", "--from-start").rows]
    assert {(rule["id"], rule["version"]) for rule in told} >= {("winback", 2), ("paused", 3)}
    assert sent(tidings) == sent(tidings, "paused")
    history = {row["version"]: row["sent by"] for row in tidings("templates", "history", "winback", "--json").rows}
    assert history == {2: "paused v3; winback v2", 1: "over v1-v2; paused v1-v2; winback v1"}
    assert all(row["plan"] == "unchanged" for row in applied(tidings, *command, "--json").rows)


def test_roll_out_is_refused_whole_where_a_distribution_has_not_what_the_template_needs(tidings: Run) -> None:
    write(Path("mails"), {"plain.txt": "Hello {{ customer.name | default('you') }}"})
    applied(tidings, "templates", "apply", "mails")
    distribution("joined", "plain", "customer.segment.entered")
    applied(tidings, "apply", "rules")
    write(Path("mails"), PLAIN)
    refused = tidings("templates", "apply", "mails", "--roll-out", "--yes")
    assert refused.code == 1
    assert "distribution joined (on customer.segment.entered)  channels[0].email.template.text" in refused.err
    assert "there is no variable order" in refused.err and "nothing was applied" in refused.err
    Path("tidings.toml").write_text(Path("tidings.toml").read_text().replace("terms_url", "#"))
    unbranded = tidings("templates", "apply", "mails", "--roll-out", "--yes")
    assert (unbranded.code, "Missing: brand.terms_url" in unbranded.err) == (1, True)
    assert [row["version"] for row in tidings("templates", "list", "--json").rows] == [1, 1]


def test_files_beside_a_distribution_win_and_an_unknown_name_is_told_both_places(tidings: Run) -> None:
    applied(tidings, "templates", "apply", "mails")
    write(Path("templates"), {"winback.txt": "From a file"})
    distribution()
    shown = tidings("preview", "rules/winback.yaml", "--event", "event.json")
    assert "From a file" in shown.out
    applied(tidings, "apply", "rules")
    assert all(row["used_by"] == [] for row in tidings("templates", "list", "--json").rows)
    distribution(template="winbak")
    wrong = tidings("apply", "rules", "--yes")
    assert wrong.code == 1
    assert "rules/winback.yaml:5  channels[0].email.template" in wrong.err
    said = 'no template "winbak". Did you mean "winback"? In files beside it: winback. Stored: plain, winback'
    assert said in " ".join(wrong.err.split())


def test_a_template_in_use_is_not_deleted_and_a_deleted_one_keeps_its_versions(tidings: Run) -> None:
    applied(tidings, "templates", "apply", "mails")
    distribution()
    distribution("second")
    applied(tidings, "apply", "rules")
    tidings("distributions", "pause", "second")
    refused = tidings("templates", "delete", "winback")
    assert (refused.code, "used by second, winback; stop them first" in refused.err) == (1, True)
    for identity in ("winback", "second"):
        tidings("distributions", "stop", identity)
    assert tidings("templates", "delete", "winback").out == "winback is deleted\n"
    assert [row["template"] for row in tidings("templates", "list", "--json").rows] == ["plain"]
    for command in (("show", "winback"), ("delete", "winback"), ("export", "winback", "out")):
        gone = tidings("templates", *command)
        assert (gone.code, "is deleted; its versions are kept: version 1" in gone.err) == (1, True)
    assert "Order {{ order.id }}" in tidings("templates", "show", "winback", "--version", "1").out
    assert "v2 new" in applied(tidings, "templates", "apply", "mails").out
    unknown = tidings("templates", "delete", "winbak")
    assert (unknown.code, 'no template "winbak". Did you mean "winback"?' in unknown.err) == (1, True)


def test_an_export_gives_back_the_files_and_mixes_with_no_others(tidings: Run) -> None:
    applied(tidings, "templates", "apply", "mails")
    assert tidings("templates", "export", "winback", "out/mails").code == 0
    assert {file.name: file.read_text() for file in Path("out/mails").iterdir()} == WINBACK
    assert "unchanged" in applied(tidings, "templates", "apply", "out/mails").out
    write(Path("out/mails"), {"winback.pl.mjml": "<mj-text>Mine</mj-text>"})
    differs = tidings("templates", "export", "winback", "out/mails")
    assert (differs.code, "out/mails/winback.pl.mjml: differs" in differs.err) == (1, True)
    assert tidings("templates", "export", "winback", "out/mails", "--overwrite").code == 0
    assert Path("out/mails/winback.pl.mjml").read_text() == WINBACK["winback.pl.mjml"]
    write(Path("out/mails"), {"winback.de.txt": "Mine"})
    strange = tidings("templates", "export", "winback", "out/mails", "--overwrite")
    assert (strange.code, "winback.de.txt would be part of winback" in strange.err) == (1, True)
    assert tidings("templates", "export", "winback", "event.json").code == 2


def test_a_stored_template_is_previewed_by_its_name_and_so_is_a_distribution_that_names_it(tidings: Run) -> None:
    applied(tidings, "templates", "apply", "mails")
    distribution()
    assert "Order o1" in tidings("preview", "rules/winback.yaml", "--event", "event.json").out
    unsent = json.loads(tidings("templates", "preview", "winback", "--event", "event.json", "--json").out)
    assert unsent["subject"].startswith("(no distribution")
    applied(tidings, "apply", "rules")
    reworded()
    applied(tidings, "templates", "apply", "mails")
    view = ("templates", "preview", "winback", "--event", "event.json")
    newest, first, polish = (
        json.loads(tidings(*view, *more, "--json").out) for more in ((), ("--version", "1"), ("--locale", "pl-PL"))
    )
    assert (newest["subject"], newest["version"], "Your order o1" in newest["text"]) == ("Back, Jo?", 2, True)
    assert (first["version"], "Your order" in first["html"], "Order o1" in first["html"]) == (1, False, True)
    assert (polish["subject"], polish["locale"]) == ("Wróć", "pl")
    assert tidings(*view, "--to", "out.html").code == 0
    assert "Your order o1" in Path("out.html").read_text()
    assert tidings("templates", "preview", "mails/plain.txt", "--version", "1", "--event", "event.json").code == 2
    thanks = tidings("templates", "preview", "default-order-paid", "--event", "event.json", "--json")
    assert json.loads(thanks.out)["subject"] == "Thank you for your order"
    wrong = tidings("templates", "preview", "winbak", "--event", "event.json")
    assert (wrong.code, 'Did you mean "winback"?' in wrong.err) == (1, True)


def test_wrong_templates_are_refused_each_with_file_and_line_and_nothing_is_stored(tidings: Run) -> None:
    write(
        Path("mails"),
        {
            "broken.mjml": "\n<mj-txt>x</mj-txt>\n{{ order.amount | mony('PLN') }}",
            "parts.html": '\n{% from "sections" import heder %}',
            "żółw ☃.txt": "x",
            "a.pl.txt": "x",
        },
    )
    wrong = tidings("templates", "apply", "mails", "--yes")
    said = " ".join(wrong.err.split())
    assert wrong.code == 1
    for problem in (
        "mails/a.pl.txt:1 there is no such template without a locale",
        'mails/broken.mjml:2 there is no element mj-txt. Did you mean "mj-text"?',
        'mails/broken.mjml:3 filter mony is unknown. Did you mean "money"?',
        'mails/parts.html:2 there is no section heder. Did you mean "header"?',
        'mails/żółw ☃.txt:1 "żółw ☃" is not valid',
        "5 problems, nothing was applied",
    ):
        assert problem in said
    assert tidings("templates", "list", "--json").out == ""
    for name in ("żółw ☃", "../winback", "win'; drop table named_templates; --"):
        for command in (("show", name), ("delete", name), ("export", name, "out"), ("history", name)):
            unknown = tidings("templates", *command)
            assert (unknown.code, "no template" in unknown.err) == (1, True)
    assert tidings("templates", "apply", "missing").code == 2
