"""Real servers for the tests: one pair for all test processes, names of their own for each test."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import wait
from dataclasses import replace
from pathlib import Path

import asyncpg
import hypothesis
import psutil
import pytest
from confluent_kafka import KafkaException

from agents.broker.admin import Admin
from agents.broker.topics import Provision
from agents.wiring import Wiring
from deploy.embedded.servers import Endpoints, Servers
from deploy.secret import Secret
from deploy.settings.servers import Kafka, Postgres, Topics
from deploy.settings.settings import Settings, load_settings
from store.migrate import migrate
from store.postgres import connect

hypothesis.settings.register_profile(
    "suite", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], print_blob=True
)
hypothesis.settings.load_profile("suite")  # how long an example takes says how busy the machine is


_IN_MEMORY = Path("/dev/shm")  # noqa: S108
_ROOM = 6 * 1024**3
_OWN = "tidings-tests-"


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """A temporary folder of this run's own, in memory where there is room: each test has a database of 700 files.

    As root, PostgreSQL runs as another user and has to reach its data; each start of pytest takes the rights of others
    away from the folder that all runs share by default.
    """
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_NamesAtOnce(config))
        if config.option.basetemp is None:
            config.option.basetemp = tempfile.mkdtemp(prefix=f"{_OWN}{os.getpid()}-", dir=_memory())


def _memory() -> Path | None:
    """The folder whose files are in memory, without what ended runs left there; None if it has too little room."""
    if not _IN_MEMORY.is_dir() or not os.access(_IN_MEMORY, os.W_OK):
        return None
    for left in _IN_MEMORY.glob(f"{_OWN}*"):
        if not psutil.pid_exists(int(left.name.removeprefix(_OWN).partition("-")[0])):
            shutil.rmtree(left, ignore_errors=True)
    room = min(shutil.disk_usage(_IN_MEMORY).free, psutil.virtual_memory().available)
    return _IN_MEMORY if room > _ROOM else None


class _NamesAtOnce:
    """Says which test failed when it does, beside the dots: a run that is cut off has no summary."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if report.failed and terminal is not None:
            terminal.write_line(f"\n{report.outcome}: {report.nodeid} ({report.when})")


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> Iterator[None]:
    """Leave behind what the tests that failed have written, on the disk."""
    yield  # test processes end, and the servers with the last of them
    folder = Path(session.config.option.basetemp or "")
    if not folder.name.startswith(_OWN):
        return
    shutil.rmtree(folder / "servers", ignore_errors=True)
    if exitstatus != pytest.ExitCode.OK and folder.parent == _IN_MEMORY:
        shutil.copytree(folder, Path(tempfile.gettempdir()) / folder.name, symlinks=True, dirs_exist_ok=True)
    if exitstatus == pytest.ExitCode.OK or folder.parent == _IN_MEMORY:
        shutil.rmtree(folder, ignore_errors=True)


class _Users:
    """The number of test processes that use the shared servers, in a file under a lock."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "users"
        self._lock = folder / "users.lock"

    def change(self, by: int) -> tuple[int, int]:
        """The count before and after. The caller holds the lock meanwhile by `locked`."""
        before = int(self._file.read_text()) if self._file.exists() else 0
        self._file.write_text(str(before + by))
        return before, before + by

    def locked(self) -> _Lock:
        return _Lock(self._lock)


class _Lock:
    def __init__(self, path: Path) -> None:
        self._handle = path.open("w")

    def __enter__(self) -> None:
        fcntl.flock(self._handle, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        self._handle.close()


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoints]:
    """Kafka and PostgreSQL for all tests; the last test process stops them. TIDINGS_KAFKA and TIDINGS_POSTGRES win."""
    if os.environ.get("TIDINGS_KAFKA") and os.environ.get("TIDINGS_POSTGRES"):
        yield Endpoints(os.environ["TIDINGS_KAFKA"], os.environ["TIDINGS_POSTGRES"])
        return
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "servers"
    folder.mkdir(exist_ok=True)
    users, shared = _Users(folder), Servers(folder, os.environ, durable=False)
    with users.locked():
        users.change(+1)
        endpoints = shared.start()
    yield endpoints
    with users.locked():
        if users.change(-1)[1] == 0:
            shared.kill()  # nobody will read what they would keep


@pytest.fixture
def settings(servers: Endpoints, tmp_path: Path) -> Settings:
    """Settings with a topic prefix of the test's own."""
    return replace(
        load_settings({}),
        data=str(tmp_path / "data"),
        project_id="shop",
        kafka=Kafka(bootstrap=servers.kafka),
        postgres=Postgres(dsn=Secret(servers.postgres)),
        topics=Topics(prefix=f"t{uuid.uuid4().hex[:10]}.", partitions=4),
    )


@pytest.fixture(scope="session")
def template(servers: Endpoints) -> Iterator[str]:
    """The name of a migrated database that those of this process are copied from: some sixty migrations take longer."""
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        database = _database(servers)
        made = runner.run(database.__aenter__())
        runner.run(_migrated(made))
        yield made.rsplit("/", 1)[1]
        runner.run(database.__aexit__(None, None, None))


async def _migrated(dsn: str) -> None:
    pool = await connect(dsn)
    await migrate(pool, "shop")
    await pool.close()


@contextlib.asynccontextmanager
async def _database(servers: Endpoints, *, template: str = "template1") -> AsyncIterator[str]:
    name = f"t{uuid.uuid4().hex[:12]}"
    admin = await asyncpg.connect(servers.postgres)
    await admin.execute(f"create database {name} template {template}")
    yield servers.postgres.rsplit("/", 1)[0] + f"/{name}"
    await admin.execute(f"drop database {name} with (force)")
    await admin.close()


@pytest.fixture
async def dsn(servers: Endpoints, template: str) -> AsyncIterator[str]:
    """A migrated database of the test's own."""
    async with _database(servers, template=template) as made:
        yield made


@pytest.fixture
async def empty_dsn(servers: Endpoints) -> AsyncIterator[str]:
    """A database of the test's own with nothing in it."""
    async with _database(servers) as made:
        yield made


@pytest.fixture
async def pool(dsn: str) -> AsyncIterator[asyncpg.Pool]:
    """A pool on a migrated database."""
    opened = await connect(dsn)
    yield opened
    opened.terminate()


@pytest.fixture
def wiring(settings: Settings, dsn: str) -> Iterator[Wiring]:
    """A wiring whose topics exist. They go with the test: a broker with thousands of partitions answers slowly."""
    made = Wiring(replace(settings, postgres=Postgres(dsn=Secret(dsn))))
    with contextlib.closing(Provision(made)) as provision:
        provision.apply()
    yield made
    made.close()
    with contextlib.closing(Admin(made.kafka)) as admin, contextlib.suppress(KafkaException):  # its broker may be gone
        mine = [topic for topic in admin.list_topics(timeout=60).topics if topic.startswith(settings.topics.prefix)]
        wait(admin.delete_topics(mine, request_timeout=60).values(), timeout=60)
