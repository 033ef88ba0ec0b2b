"""A project's folder read, planned and applied over the API, on a real Kafka and PostgreSQL, and its lock."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agents.broker.reader import TopicReader
from agents.wiring import Wiring
from console.control import campaigns, segments, templates
from console.control.context import stored_project
from console.control.from_git import plan as planning
from console.control.from_git.apply import apply
from console.control.from_git.folder import read_project_folder
from deploy.secret import Secret
from deploy.settings.messages import Console, EmailAccountSettings
from deploy.settings.settings import Settings
from schemas.errors import DefinitionInvalid, TryLater
from schemas.managed import GitSource
from tests.factory import NOW
from tests.integration.api_client import Answer, Api, running_api, wired
from tests.integration.test_from_git import BRAND, FILES, WINBACK, announced, put

SOURCE = "github.com/acme/marketing//shop"


@pytest.fixture
def wiring(settings: Settings, dsn: str) -> Iterator[Wiring]:
    own = replace(
        settings,
        project_id="shop",
        brand=BRAND,
        email_accounts={"main": EmailAccountSettings("127.0.0.1", "a@shop.example", security="none")},
        console=replace(Console(), public_url="https://mail.shop.example", secrets=(Secret("x" * 32),)),
    )
    with wired(own, dsn, ("distributions",)) as made:
        yield made


@pytest.fixture
async def api(wiring: Wiring) -> AsyncIterator[Api]:
    async with running_api(wiring) as running:
        yield running


def folder(files: Mapping[str, str] = FILES, **more: Any) -> dict[str, Any]:
    return {"files": dict(files), "source": SOURCE, "offline": True, **more}


async def apply_over_http(api: Api, body: dict[str, Any], query: str = "", **asked: Any) -> Answer:
    return await api.ask("POST", f"/project/apply{query}", body, **asked)


async def applied(api: Api, body: dict[str, Any] | None = None, query: str = "", **asked: Any) -> Any:
    answer = await apply_over_http(api, folder() if body is None else body, query, **asked)
    assert answer.status == 200, answer.json
    return answer.json


async def planned(api: Api, body: dict[str, Any] | None = None, **asked: Any) -> Any:
    answer = await api.ask("POST", "/project/plan", folder() if body is None else body, **asked)
    assert answer.status == 200, answer.json
    return answer.json


def told(report: Any) -> dict[str, tuple[str, str | None]]:
    things = [one for one in report["things"] if one["plan"] != "unchanged"]
    return {f"{one['kind']} {one['identity']}": (one["plan"], one["changed_in"]) for one in things}


async def test_a_folder_is_applied_read_back_and_changes_nothing_then(api: Api, wiring: Wiring) -> None:
    tried = await applied(api, folder(), query="?dry_run=true")
    assert (tried["dry_run"], tried["changes"], {one["plan"] for one in tried["things"]}) == (True, 4, {"new"})
    assert (await api.ask("GET", "/project/files")).json == {"files": {}, "binary_files": {}, "notes": []}
    made = await applied(api, folder(revision="c" * 40))
    assert (made["dry_run"], made["changes"], made["source"], made["unread"]) == (False, 4, SOURCE, [])
    assert (await api.ask("GET", "/project/files", role="viewer")).json["files"] == FILES
    again = await planned(api, role="viewer")
    assert (again["changes"], again["drift"], told(again)) == (0, 0, {})
    managed = [one async for page in api.pages("/project/managed?limit=2", role="viewer") for one in page]
    assert {(one["kind"], one["id"], one["source"], one["revision"]) for one in managed} == {
        (kind, identity, SOURCE, "c" * 40)
        for kind, identity in (
            ("campaign", "spring"), ("segment", "vip"), ("template", "hello"), ("distribution", "winback"),
        )
    }  # fmt: skip
    log = (await api.ask("GET", "/audit?thing=winback")).json["items"]
    assert {row["action"] for row in log} == {"distribution.created", "managed.applied"}
    assert all(row["actor"].startswith("key:") for row in log)
    with TopicReader(wiring, "distributions") as reader:
        assert [message.key() for message in reader.until_now()]


async def test_problems_are_those_that_the_command_prints_each_at_its_file(
    api: Api, wiring: Wiring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = {
        **FILES,
        "distributions/winback.yaml": WINBACK.replace("trigger", "triger").replace("webhook:", "webhok:"),
        "segments/vip.yaml": "segment: vip\nmembers_file: none.csv\n",
        "segments/more.yaml": "segment: [\n",
        "campaigns/nothing.yaml": "x: 1\n",
        "templates/hello.txt": "Hi {{ customer.id \n",
    }
    for place in ("/project/plan", "/project/apply"):
        answer = await api.ask("POST", place, folder(wrong))
        assert (answer.status, answer.json["type"]) == (422, "/api/v1/problems/invalid")
    monkeypatch.chdir(put(tmp_path / "shop", wrong))
    project = await stored_project(api.pool, wiring.settings, "shop")
    with pytest.raises(DefinitionInvalid) as error:
        await planning.plan(api.pool, read_project_folder(Path()), project, GitSource(SOURCE), NOW)
    places = {place.replace("/", "~1") for place in wrong}
    found = {one["pointer"].removeprefix("/files/"): one["detail"] for one in answer.json["errors"]}
    assert found.keys() <= places and len(found) == 5, found
    printed = {str(one) for one in error.value.problems}
    assert {one["detail"] for one in answer.json["errors"] if "none.csv" not in one["detail"]} == {
        one for one in printed if "none.csv" not in one
    }
    assert "segments/vip.yaml:2" in found["segments~1vip.yaml"] and "among the files" in found["segments~1vip.yaml"]
    (slip,) = [one for one in answer.json["errors"] if "triger" in one["detail"]]
    assert slip["nearest"] == "trigger" and slip["detail"].startswith("distributions/winback.yaml:3")
    assert (await api.ask("GET", "/project/files")).json["files"] == {}


async def test_a_folder_is_the_same_whichever_way_it_is_applied(api: Api, wiring: Wiring, tmp_path: Path) -> None:
    """Line ends of Windows, and files beside documents, count the same."""
    files = {**FILES, "distributions/winback.yaml": WINBACK.replace("\n", "\r\n")}
    await applied(api, folder(files))
    disk = put(tmp_path / "shop", files)
    project = (await stored_project(api.pool, wiring.settings, "shop")).with_accounts([("email", "main")])
    source, read = GitSource(SOURCE), read_project_folder(disk)
    found = await planning.plan(api.pool, read, project, source, NOW)
    assert ({one.plan for one in found.compared}, found.drift) == ({"unchanged"}, [])
    await apply(api.pool, found, "shop", announced, actor="ci", now=NOW)
    marked = await planning.plan(api.pool, read, project, source, NOW)
    assert marked.hashes == found.hashes
    windows = {place: text.replace("\r", "").replace("\n", "\r\n") for place, text in files.items()}
    assert told(await planned(api, folder(windows))) == {}
    elsewhere = await api.ask("PUT", "/segments/vip?override=true", {"members": ["c9"]})
    assert elsewhere.status == 200
    assert told(await planned(api, folder(files))) == {"segment vip": ("changed", "elsewhere")}


async def test_attached_files_go_in_and_come_out(api: Api) -> None:
    mail = WINBACK.replace(
        "template: hello}", "template: hello, attachments: [{file: docs/a.bin}, {file: docs/terms.txt}]}"
    )
    files = {**FILES, "distributions/winback.yaml": mail, "distributions/docs/terms.txt": "Terms"}
    binary = {"distributions/docs/a.bin": base64.b64encode(b"\xff\x00\xfe").decode()}
    body = folder(files, binary_files=binary)
    await applied(api, body)
    read = (await api.ask("GET", "/project/files")).json
    assert (read["files"], read["binary_files"]) == (files, binary)
    assert told(await planned(api, body)) == {}
    other = {"distributions/docs/a.bin": base64.b64encode(b"\xff\x01").decode()}
    assert told(await planned(api, folder(files, binary_files=other))) == {"distribution winback": ("changed", "git")}


async def test_what_was_changed_elsewhere_is_told_and_taken_back_by_force_alone(api: Api) -> None:
    await applied(api)
    definition = {"members": ["c1", "c7"]}
    assert (await api.ask("PUT", "/segments/vip", definition)).status == 409
    assert (await api.ask("PUT", "/segments/vip?override=true", definition)).json["managed_from"] == SOURCE
    found = await planned(api)
    assert (found["drift"], told(found)) == (1, {"segment vip": ("changed", "elsewhere")})
    for query in ("", "?dry_run=true"):
        refused = await apply_over_http(api, folder(), query)
        assert (refused.status, refused.json["type"]) == (409, "/api/v1/problems/conflict")
        assert "segment vip: changed elsewhere" in refused.json["detail"]
        assert any("c7" in line or "member" in line for line in refused.json["changes"]), refused.json
    await applied(api, folder(force=True))
    assert (await api.ask("GET", "/segments/vip")).json["definition"]["members"] == ["c1", "c2"]
    assert told(await planned(api)) == {}


async def test_only_the_plan_that_was_looked_at_is_applied(api: Api) -> None:
    first = await planned(api)
    assert first["digest"] == (await planned(api))["digest"]
    made = await api.ask("PUT", "/segments/vip", {"members": ["c9"]})
    assert made.status == 201
    for body in (folder(), folder({**FILES, "segments/vip.csv": "id\nc1\n"})):
        refused = await apply_over_http(api, {**body, "digest": first["digest"]})
        assert (refused.status, refused.json["type"]) == (412, "/api/v1/problems/changed")
        assert any(one.startswith("segment vip: ") for one in refused.json["changes"])
    assert (await api.ask("GET", "/segments/vip")).json["definition"]["members"] == ["c9"]
    await applied(api, folder(digest=(await planned(api))["digest"]))


async def test_bodies_that_are_no_folder_say_what_would_be_right(api: Api) -> None:
    for wrong, pointer in (
        ({"files": {"segments/vip.yaml": 3}}, "/files"),
        ({"binary_files": {"segments/a.bin": "not base64!"}}, "/binary_files"),
        ({"source": ""}, "/source"),
        ({"source": "a\x00b"}, "/source"),
        ({"revision": "a b"}, "/revision"),
        ({"digest": "abc"}, "/digest"),
        ({"prune": "yes"}, "/prune"),
        ({"forse": True}, "/forse"),
    ):
        answer = await apply_over_http(api, {**folder(), **wrong})
        assert (answer.status, answer.json["errors"][0]["pointer"]) == (422, pointer), answer.json
    for place, text in (
        ("segments/vip.yaml", "segment: vip\nname: a\x00b\nmembers: [c1]\n"),
        ("segments/vip.csv", "id\nc\x001\n"),
        ("templates/hello.txt", "Hi \x00"),
        ("campaigns/spring.yaml", "\ufeff\x00"),
        ("distributions/winback.yaml", "- 1\n- 2\n"),
        ("distributions/winback.yaml", "&a [*a]\n"),
        ("distributions/winback.yaml", "[" * 5000),
    ):
        answer = await apply_over_http(api, folder({**FILES, place: text}))
        assert answer.status == 422, (place, answer.json)
        assert answer.json["errors"][0]["pointer"].startswith("/files/"), answer.json
    surrogate = b'{"files": {"segments/vip.yaml": "\\ud800"}, "source": "shop"}'
    assert (await api.ask("POST", "/project/apply", surrogate)).status in (400, 422)
    for source in ("https://[broken", "https://", "git@:x", "x" * 300):
        assert (await planned(api, folder(source=source)))["source"]


async def test_what_has_left_the_folder_ends_with_prune_and_all_of_it_by_force_alone(api: Api) -> None:
    await applied(api)
    less = {place: text for place, text in FILES.items() if "winback" not in place}
    assert (await applied(api, folder(less)))["changes"] == 0
    assert (await api.ask("GET", "/distributions/winback")).json["status"] == "LIVE"
    gone = await applied(api, folder(less, prune=True))
    assert told(gone) == {"distribution winback": ("gone", "git")}
    assert (await api.ask("GET", "/distributions/winback")).json["status"] == "STOPPED"
    nothing = await apply_over_http(api, folder({"README.md": "Moved."}, prune=True))
    assert (nothing.status, "there is nothing in the folder" in nothing.json["detail"]) == (409, True)
    assert (await api.ask("GET", "/segments/vip")).status == 200
    await applied(api, folder({}, prune=True, force=True))
    assert (await api.ask("GET", "/segments/vip")).status == 404


async def test_no_file_is_read_that_did_not_come(api: Api, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("id\nplanted\n")
    climbing = f"{'../' * 12}{secret}".replace("//", "/")
    for name in (str(secret), climbing):
        body = folder({"segments/vip.yaml": f"segment: vip\nmembers_file: {name}\n"})
        answer = await apply_over_http(api, body)
        assert (answer.status, "planted" in str(answer.json)) == (422, False), answer.json
        mail = WINBACK.replace("template: hello}", f"template: hello, attachments: [{{file: {name}}}]}}")
        answer = await apply_over_http(api, folder({**FILES, "distributions/winback.yaml": mail}))
        assert (answer.status, "planted" in str(answer.json)) == (422, False), answer.json
    for place in ("../vip.yaml", "/etc/vip.yaml", "segments/../vip.yaml", "segments//vip.yaml", "segments\\vip.yaml"):
        answer = await apply_over_http(api, folder({place: "segment: vip\nmembers: [c1]\n"}))
        assert answer.status == 422, place
        assert answer.json["errors"][0]["pointer"] == f"/files/{place.replace('/', '~1')}"
    twice = await apply_over_http(api, folder(binary_files={"segments/vip.csv": "YQ=="}))
    assert (twice.status, twice.json["errors"][0]["pointer"]) == (422, "/binary_files/segments~1vip.csv")


async def test_files_that_nothing_reads_are_named(api: Api) -> None:
    files = {**FILES, "README.md": "Ours.", "distribution/second.yaml": WINBACK, "segments/old.csv": "id\n"}
    assert (await planned(api, folder(files)))["unread"] == [
        "README.md",
        "distribution/second.yaml",
        "segments/old.csv",
    ]


async def test_a_secret_in_the_address_of_a_repository_is_kept_nowhere(api: Api) -> None:
    made = await applied(api, folder(source="https://ci:ghp_planted@github.com/acme/marketing.git"))
    assert made["source"] == "github.com/acme/marketing"
    log = (await api.ask("GET", "/audit")).json
    assert "planted" not in str([log, (await api.ask("GET", "/project/managed")).json])


async def test_an_apply_that_breaks_off_says_how_far_it_came_and_the_same_again_does_the_rest(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaks(*_: object, **__: object) -> None:
        raise TryLater("the database went away")

    with monkeypatch.context() as patched:
        patched.setattr(templates, "save", breaks)
        answer = await apply_over_http(api, folder(), idempotency_key="one")
    assert (answer.status, "Applied: campaigns, segments" in answer.json["detail"]) == (503, True), answer.json
    assert "retry-after" in answer.headers
    rest = await apply_over_http(api, folder(), idempotency_key="one")
    assert told(rest.json).keys() == {"template hello", "distribution winback"}
    assert told(await planned(api)) == {}
    assert await campaigns.version(api.pool, "shop", "spring") == await segments.version(api.pool, "shop", "vip") == 1


async def test_a_lock_that_the_project_switches_off_refuses_nothing_and_drift_is_still_told(api: Api) -> None:
    files = {"segments/vip.yaml": "segment: vip\nmembers: [c1]\n"}
    await applied(api, folder(files), project="outlet")
    change = {"members": ["c2"]}
    for query in ("", "?dry_run=true"):
        assert (await api.ask("PUT", f"/segments/vip{query}", change, project="outlet")).status == 409
    switched = await api.ask("PUT", "/project", {"name": "Outlet", "git_lock": False}, project="outlet")
    assert switched.status == 201
    assert "project.created" in {row["action"] for row in (await audit_of(api, "outlet"))}
    tried = await api.ask("PUT", "/segments/vip?dry_run=true", change, project="outlet")
    assert (tried.status, tried.json["managed_from"]) == (200, SOURCE)
    assert (await api.ask("PUT", "/segments/vip", change, project="outlet")).status == 200
    assert "managed.overridden" not in {row["action"] for row in (await audit_of(api, "outlet"))}
    found = await planned(api, folder(files), project="outlet")
    assert (found["drift"], told(found)) == (1, {"segment vip": ("changed", "elsewhere")})
    assert (await api.ask("DELETE", "/segments/vip", project="outlet")).status == 200
    await api.ask("PUT", "/project", {"name": "Outlet", "git_lock": True}, project="outlet")
    await applied(api, folder(files, force=True), project="outlet")
    assert (await api.ask("PUT", "/segments/vip", change, project="outlet")).status == 409


async def audit_of(api: Api, project: str) -> list[Any]:
    rows: list[Any] = (await api.ask("GET", "/audit?limit=200", project=project)).json["items"]
    return rows


async def test_the_settings_switch_off_the_lock_of_the_default_project(api: Api, wiring: Wiring) -> None:
    await applied(api)
    body = {"members": ["c2"]}
    assert (await api.ask("PUT", "/segments/vip", body)).status == 409
    async with running_api(Wiring(replace(wiring.settings, git_lock=False))) as open_api:
        assert (await open_api.ask("PUT", "/segments/vip", body)).status == 200
        assert (await open_api.ask("POST", "/distributions/winback/pause")).status == 200
        assert (await open_api.ask("POST", "/distributions/winback/live")).status == 200


async def test_a_thing_is_released_and_managed_here(api: Api) -> None:
    await applied(api)
    assert (await api.ask("DELETE", "/project/managed/segment/vip?dry_run=true")).json["dry_run"] is True
    assert (await api.ask("PUT", "/segments/vip", {"members": ["c3"]})).status == 409
    assert (await api.ask("DELETE", "/project/managed/segment/vip")).status == 200
    missed = await api.ask("DELETE", "/project/managed/segment/vip")
    assert (missed.status, "managed from Git" in missed.json["detail"]) == (404, True)
    changed = await api.ask("PUT", "/segments/vip", {"members": ["c3"]})
    assert (changed.status, changed.json["managed_from"]) == (200, None)


async def test_a_template_that_is_rolled_out_meets_the_lock_of_those_who_send_it(api: Api) -> None:
    await applied(api)
    assert (await api.ask("DELETE", "/project/managed/template/hello")).status == 200
    files = {"hello.txt": "Hey {{ customer.id }}\n", "hello.pl.txt": FILES["templates/hello.pl.txt"]}
    assert (await api.ask("PUT", "/templates/hello", {"files": files})).status == 200
    for query in ("", "?dry_run=true"):
        refused = await api.ask("POST", f"/templates/hello/roll-out{query}")
        assert (refused.status, "distribution winback" in refused.json["detail"]) == (409, True)
    assert (await api.ask("POST", "/templates/hello/roll-out?override=true")).status == 200


async def test_two_who_apply_at_once_leave_one_folder_whole(api: Api) -> None:
    """One of them is live then, with its mark: nothing is left to do, and nothing is taken for drift."""
    await applied(api)
    texts = [WINBACK.replace("1000", number) for number in ("701", "702")]
    bodies = [folder({**FILES, "distributions/winback.yaml": text}) for text in texts]
    answers = await asyncio.gather(*(apply_over_http(api, body) for body in bodies))
    assert {one.status for one in answers} <= {200, 409} and any(one.status == 200 for one in answers)
    live = (await api.ask("GET", "/project/files")).json["files"]["distributions/winback.yaml"]
    assert live in texts
    rest = await planned(api, bodies[texts.index(live)])
    assert (rest["changes"], rest["drift"]) == (0, 0), rest


async def test_who_may_not_apply_plans_and_reads_and_another_project_sees_nothing(api: Api) -> None:
    for role in ("viewer", "editor", "operator"):
        refused = await apply_over_http(api, folder(), role=role)
        assert (refused.status, refused.json["permission"]) == (403, "project:apply")
        assert (await planned(api, role=role))["changes"] == 4
    await applied(api, role="approver")
    other = (await api.ask("GET", "/project/files", project="outlet")).json
    assert (other["files"], await api.listed("/project/managed", "id", project="outlet")) == ({}, [])
    key = await api.new_key("admin", kind="test")
    assert (await apply_over_http(api, folder(force=True), "?dry_run=true", key=key)).status == 200
    assert (await apply_over_http(api, folder(force=True), key=key)).status == 403
