"""The console over real HTTP: pictures at signed addresses, and nothing about codes in its log."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import structlog

from channels.codes.images import CodeKind, ImageFormat, code_image
from channels.codes.links import code_path
from console.http.serving import listen
from console.public.pictures import Picture, Pictures
from deploy.secret import Secret
from deploy.settings.messages import Console
from schemas.campaign import LONGEST_CODE
from schemas.errors import CannotStart
from tests import ROOT
from tests.unit.channels.codes.test_images import png_pixels, read, svg_pixels

CODE = "SAVE-2026-ABC"
OLD, NEW, FOREIGN = "old-secret-000000", "new-secret-000000", "not-ours-00000000"
NOW = 1_800_000_000.5


class Served:
    """A console on a free port and what it logged."""

    def __init__(self, port: int, session: aiohttp.ClientSession, logged: list[Any]) -> None:
        self.port, self.session, self.logged = port, session, logged
        self.base = f"http://127.0.0.1:{port}"

    async def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, Any, bytes]:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.request(method, self.base + path, headers=sent) as response:
            return response.status, response.headers, await response.read()


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    console = Console(secrets=(Secret(NEW), Secret(OLD)))
    runner, port = await listen(console, clock=lambda: NOW)
    with structlog.testing.capture_logs() as logged:
        async with aiohttp.ClientSession() as session:
            yield Served(port, session, logged)
    await runner.cleanup()


def path_of(kind: CodeKind = "qr", image_format: ImageFormat = "png", secret: str = NEW, expires: int = 0) -> str:
    return code_path(kind, image_format, CODE, [secret], expires=expires)


@pytest.mark.parametrize("kind", ["qr", "barcode"])
@pytest.mark.parametrize("secret", [OLD, NEW])
async def test_a_signed_address_shows_its_code(served: Served, kind: CodeKind, secret: str) -> None:
    status, headers, png = await served.ask(path_of(kind, "png", secret))
    assert (status, headers["content-type"], read(png_pixels(png))) == (200, "image/png", [CODE])
    status, headers, svg = await served.ask(path_of(kind, "svg", secret))
    assert (status, headers["content-type"], read(svg_pixels(svg))) == (200, "image/svg+xml", [CODE])
    assert headers["cache-control"] == "public, max-age=31536000, immutable"


async def test_whatever_is_wrong_with_an_address_gets_the_same_answer(served: Served) -> None:
    good = path_of()
    too_long = code_path("qr", "png", "x" * (LONGEST_CODE + 1), [NEW])
    wrong = [
        path_of(secret=FOREIGN),
        path_of(expires=int(NOW)),
        good.replace("/qr/", "/barcode/"),
        good.replace("/qr/", "/aztec/"),
        good.replace(".png", ".svg"),
        good.replace(".png", ".gif"),
        good.removesuffix(".png"),
        f"{good}/more",
        too_long,
        "/codes/qr/" + "x" * 4000,
        "/codes/qr/%00%ff.0.x.png",
        "/codes/qr/",
        "/codes",
        "/",
    ]
    answers = [await served.ask(path, if_none_match="*") for path in wrong]
    assert {(status, body) for status, _, body in answers} == {(404, b"404: Not Found")}
    assert {frozenset(set(headers.items()) - {("Date", headers["date"])}) for _, headers, _ in answers} == {
        frozenset(set(answers[0][1].items()) - {("Date", answers[0][1]["date"])})
    }
    assert answers[0][1]["cache-control"] == "no-store"


async def test_nothing_is_valid_without_a_secret() -> None:
    runner, port = await listen(Console(), clock=lambda: NOW)
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path_of()}") as response:
        assert response.status == 404
    await runner.cleanup()


@pytest.mark.parametrize(
    ("expires", "age"), [(0, 31_536_000), (int(NOW) + 100, 99), (int(NOW) + 1, 0), (int(NOW) + 10**8, 31_536_000)]
)
async def test_a_picture_is_kept_no_longer_than_its_address_lasts(served: Served, expires: int, age: int) -> None:
    status, headers, _ = await served.ask(path_of(expires=expires))
    assert (status, headers["cache-control"]) == (200, f"public, max-age={age}, immutable")


async def test_head_says_what_get_says(served: Served) -> None:
    for path in (path_of(), path_of("barcode", "svg"), "/healthz", path_of(secret=FOREIGN)):
        got, head = await served.ask(path), await served.ask(path, "HEAD")
        assert head[2] == b""
        assert head[0] == got[0]
        for name in ("etag", "content-length", "content-type", "cache-control"):
            assert head[1].get(name) == got[1].get(name), name


async def test_a_picture_that_is_known_is_not_sent_again(served: Served) -> None:
    _, headers, _ = await served.ask(path_of())
    tag = headers["etag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        status, again, body = await served.ask(path_of(), if_none_match=known)
        assert (status, body, again["etag"]) == (304, b"", tag)
        assert again["cache-control"] == headers["cache-control"]
    for other in ('"other"', "nonsense", tag.strip('"')):
        assert (await served.ask(path_of(), if_none_match=other))[0] == 200
    assert (await served.ask(path_of("barcode"), if_none_match=tag))[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_other_methods_are_refused_and_told_which_are_not(served: Served, method: str) -> None:
    for path in (path_of(), "/healthz"):
        status, headers, _ = await served.ask(path, method)
        assert (status, headers["allow"]) == (405, "GET,HEAD")


async def test_every_answer_has_the_headers_that_keep_browsers_careful(served: Served) -> None:
    for method, path in (("GET", path_of()), ("GET", "/healthz"), ("GET", "/nothing"), ("POST", path_of())):
        _, headers, _ = await served.ask(path, method)
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"] == "default-src 'none'"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["server"] == "tidings"


async def test_health(served: Served) -> None:
    status, headers, body = await served.ask("/healthz")
    assert (status, json.loads(body)) == (200, {"healthy": True})
    assert headers["cache-control"] == "no-store"


async def test_the_log_names_routes_and_no_codes(served: Served) -> None:
    good = path_of()
    for path in (good, good + "?code=" + CODE, path_of(secret=FOREIGN), good.replace("/qr/", "/"), "/healthz"):
        await served.ask(path)
    await served.ask(good, "POST")
    shown = [(line["event"], line["path"], line["status"]) for line in served.logged]
    assert shown == [
        ("request", "/codes/qr/…", 200),
        ("request", "/codes/qr/…", 200),
        ("request", "/codes/qr/…", 404),
        ("request", "…", 404),
        ("request", "/healthz", 200),
        ("request", "…", 405),
    ]
    gives_away = (CODE, good.rpartition("/")[2].split(".")[0], good.split(".")[2])
    assert not any(part in repr(served.logged) for part in gives_away)


async def test_what_nobody_expected_is_a_plain_500(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError(f"no picture of {CODE}")

    monkeypatch.setattr(Pictures, "get", broken)
    status, headers, body = await served.ask(path_of())
    assert (status, body) == (500, b"500: Internal Server Error")
    assert headers["cache-control"] == "no-store"
    assert [line["event"] for line in served.logged] == ["request_failed", "request"]
    assert CODE not in repr(served.logged)


async def test_a_request_under_way_is_answered_before_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()
    get = Pictures.get

    async def slow(pictures: Pictures, code: str, kind: CodeKind, image_format: ImageFormat) -> Picture:
        asked.set()
        await go_on.wait()
        return await get(pictures, code, kind, image_format)

    monkeypatch.setattr(Pictures, "get", slow)
    runner, port = await listen(Console(secrets=(Secret(NEW),)), clock=lambda: NOW)
    async with aiohttp.ClientSession() as session:
        answer = asyncio.ensure_future(session.get(f"http://127.0.0.1:{port}{path_of()}"))
        await asyncio.wait_for(asked.wait(), 60)
        ending = asyncio.ensure_future(runner.cleanup())
        with pytest.raises(OSError, match="refused|Connect call failed"):
            async with asyncio.timeout(60):
                while True:  # until nobody listens
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
        assert not ending.done()
        go_on.set()
        response = await asyncio.wait_for(answer, 60)
        assert (response.status, read(png_pixels(await response.read()))) == (200, [CODE])
    await asyncio.wait_for(ending, 60)


async def test_an_address_that_is_taken_is_named(served: Served) -> None:
    with pytest.raises(CannotStart, match=f"127.0.0.1:{served.port}: "):
        await listen(Console(port=served.port))


# -- kept pictures ------------------------------------------------------------------------------------------------


async def test_pictures_are_kept_up_to_a_limit_and_the_last_asked_for_stay() -> None:
    drawn: list[str] = []

    def draw(code: str, kind: CodeKind, image_format: ImageFormat) -> bytes:
        drawn.append(code)
        return bytes(1000)

    pictures = Pictures(3 * 2024, draw)
    for code in "abcadabc":
        await pictures.get(code, "qr", "png")
    assert "".join(drawn) == "abcdbc"
    assert pictures.kept_bytes == 3 * 2024


async def test_many_who_ask_at_once_have_a_picture_drawn_once() -> None:
    drawn: list[str] = []

    def draw(code: str, kind: CodeKind, image_format: ImageFormat) -> bytes:
        drawn.append(code)
        return code_image(code, kind, image_format)

    pictures = Pictures(draw=draw)
    got = await asyncio.gather(*(pictures.get(CODE, "qr", "png") for _ in range(50)))
    assert (len({picture.body for picture in got}), drawn) == (1, [CODE])


async def test_a_picture_larger_than_the_limit_is_shown_and_not_kept() -> None:
    pictures = Pictures(100)
    assert (await pictures.get(CODE, "qr", "png")).body == code_image(CODE, "qr", "png")
    assert pictures.kept_bytes == 0


# -- the process --------------------------------------------------------------------------------------------------


@pytest.fixture
def process(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    environ = {**os.environ, "TIDINGS_CONSOLE_SECRETS": NEW, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "console", "console", "--port", "0"]
    started = subprocess.Popen(
        command, cwd=tmp_path, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    yield started
    started.kill()
    started.communicate()


async def test_the_process_says_where_it_is_and_stops_when_told(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    said = await asyncio.wait_for(asyncio.to_thread(process.stdout.readline), 240)
    base = said.split()[-1]
    path = code_path("qr", "png", CODE, [NEW])
    async with aiohttp.ClientSession() as session, session.get(base + path) as response:
        assert (response.status, read(png_pixels(await response.read()))) == (200, [CODE])
        reader, writer = await asyncio.open_connection("127.0.0.1", int(base.rpartition(":")[2]))
        writer.write(f"GET {path} HTTP/1.1\r\nbad header {path}\r\n\r\n".encode())
        assert b" 400 " in await asyncio.wait_for(reader.readline(), 60)
        writer.close()
        process.send_signal(signal.SIGTERM)  # with a connection open
        _, logged = await asyncio.wait_for(asyncio.to_thread(process.communicate), 60)
    lines = [json.loads(line) for line in logged.splitlines()]
    assert process.returncode == 0
    unread = "Error handling request from 127.0.0.1"  # anyone can send what is not HTTP
    informed = [line["event"] for line in lines if line["level"] == "info"]
    assert informed == ["started", "request", unread, "stopping", "stopped"]
    assert not any(part in logged for part in (CODE, path, path.split(".")[2], NEW))


@pytest.mark.parametrize(
    ("arguments", "extra", "code", "said"),
    [
        (("--port", "70000"), {}, 2, "65535"),
        ((), {"TIDINGS_CONSOLE_HOST": "192.0.2.1"}, 78, "console.host, console.port: cannot listen on 192.0.2.1:0"),
        ((), {"TIDINGS_CONSOLE_SECRETS": "short"}, 78, "console.secrets[0] must be at least 16 random characters"),
    ],
)
def test_what_keeps_it_from_starting_is_said(
    tmp_path: Path, arguments: tuple[str, ...], extra: dict[str, str], code: int, said: str
) -> None:
    environ = {**os.environ, **extra, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "console", "console", *arguments]
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=240, check=False)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert "short" not in done.stderr
