"""One worker process: a role's app, its status server, and an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import structlog
import uvloop

from agents import interpreter
from agents.accounts import LiveAccounts, account_keys
from agents.aside import aside
from agents.audit_mirror import AuditMirror
from agents.broker.cluster import ClusterWatch
from agents.broker.codecs import check_codecs
from agents.broker.outbox import publish_outbox
from agents.broker.topics import Provision
from agents.channels import channels_of
from agents.clock import DatabaseTime
from agents.roles.fan_out import AheadInKafka, FanOut
from agents.roles.holder import build_holder
from agents.roles.matcher.counting import DecisionCounts
from agents.roles.matcher.matcher import build_matcher
from agents.roles.publisher import build_publisher
from agents.roles.recorder import build_recorder
from agents.roles.segmenter.segmenter import build_segmenter
from agents.roles.sender.accepted import Accepted
from agents.roles.sender.notifier import Notifier
from agents.roles.sender.sender import Past, build_sender
from agents.roles.sender.watch import Watch
from agents.sole_instance import sole_instance
from agents.telemetry.health import Loop, ProgressWatch, Status
from agents.telemetry.logs import configure_logs
from agents.telemetry.metrics import Metrics
from agents.telemetry.status import serve_status
from agents.tracked_projects import TrackedProjects
from agents.transport.app import BatchApp
from agents.transport.output_app import OutputApp
from agents.waiting import retry_until_available
from agents.wiring import Wiring
from deploy.settings.settings import Settings
from schemas.closed import Role
from schemas.errors import CannotStart, TryLater
from store.accounts import Accounts
from store.behaviours import Behaviours
from store.clock import CLOCKS_MAY_DIFFER, ahead_of_database, said_of_clocks, time_there
from store.codes.held import Held
from store.codes.pool import Codes
from store.distributions import Control
from store.erasure import Erasure
from store.fields_seen import FieldsSeen
from store.holds import Holds
from store.migrate import migrate
from store.notices import Notices
from store.postgres import connect
from store.read_models.recorded import Recorded
from store.retention import Retention, ids_kept
from store.segments import Segments
from store.sending.ledger import Ledger
from store.sends import Sends
from store.watching import DecisionHours

log = structlog.get_logger()

DRAIN_SECONDS = 8.0
"""For so long a worker that is told to stop finishes what is under way: within the usual 10 s of orchestrators."""


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """A worker to run. `instance` is its stable name: the same after a restart, so that nobody else is disturbed.

    `wait` says whether servers that do not answer are waited for, or end the process. `status_file` gets the address
    of the status server.
    """

    role: Role
    instance: str
    wait: bool = True
    status_file: Path | None = None


def run_worker(settings: Settings, options: WorkerOptions) -> int:
    """Run until SIGTERM or SIGINT; the exit code: 0 stopped as asked, 70 crashed, 78 wrongly configured."""
    configure_logs(settings.log_level, role=options.role)
    structlog.contextvars.bind_contextvars(instance=options.instance)
    try:
        return uvloop.run(_run(settings, options))
    except CannotStart as error:
        log.error("cannot_start", error=str(error))
        return os.EX_CONFIG
    except TryLater as error:
        log.error("dependency_unavailable", error=str(error))
        return os.EX_UNAVAILABLE


async def _run(settings: Settings, options: WorkerOptions) -> int:
    """The status server answers before any other server is asked, so that a start that waits says what for."""
    metrics, status, stopped = Metrics(), Status(), _stopped()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(_status_server(settings, metrics, status, options))
        starting = asyncio.ensure_future(_started(settings, metrics, options, stack))
        if not await _done_before(starting, stopped):
            log.info("stopped")
            return 0
        process, provision = starting.result()
        interpreter.settle()
        looking = asyncio.ensure_future(ClusterWatch(provision, process.app.begin_anew).follow())
        stack.callback(looking.cancel)
        watch = ProgressWatch(process.app, metrics, process.loops)
        status.follow(watch)
        return await _until_stopped(process, watch, stopped)


def _stopped() -> asyncio.Event:
    """Set when the process is told to stop."""
    stopped, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    return stopped


@asynccontextmanager
async def _status_server(
    settings: Settings, metrics: Metrics, status: Status, options: WorkerOptions
) -> AsyncIterator[None]:
    host = settings.http
    runner, port = await serve_status(host.host, host.port, metrics, status.health)
    try:
        if options.status_file:
            options.status_file.write_text(f"http://{host.host}:{port}")
        log.info("started", status=f"http://{host.host}:{port}", pid=os.getpid())
        yield
    finally:
        await runner.cleanup()


async def _started(
    settings: Settings, metrics: Metrics, options: WorkerOptions, stack: AsyncExitStack
) -> tuple[_Process, Provision]:
    """The role at work, once the servers that it needs answer and have what it needs."""
    check_codecs()
    wiring = Wiring(settings, in_loop=True)
    provision = Provision(wiring)

    async def check() -> None:
        await aside(provision.check)

    async def register() -> None:
        await aside(lambda: wiring.register_schemas(options.role))

    await (retry_until_available(check, what="Kafka") if options.wait else check())
    await (retry_until_available(register, what="schema registry") if options.wait else register())
    await stack.enter_async_context(sole_instance(_folder(settings, options), options.instance))
    process = await stack.enter_async_context(_ROLES[options.role](wiring, metrics, options))
    process.app.exit_when_crashed()
    return process, provision


async def _done_before(work: asyncio.Future[Any], stopped: asyncio.Event) -> bool:
    """True where some work ended, however, before the process was told to stop; it is cancelled otherwise."""
    waiting = asyncio.ensure_future(stopped.wait())
    await asyncio.wait({work, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not work.done():
        work.cancel()
        await asyncio.wait({work})
        return False
    return True


@dataclass(frozen=True, slots=True)
class _Process:
    """A role at work: its app, what runs beside it, and how that comes to rest once no more records come in.

    `loops`: those of what runs beside it that health follows.
    """

    app: BatchApp | OutputApp
    background: Callable[[], Awaitable[None]]
    drain: Callable[[], Awaitable[None]]
    loops: tuple[Loop, ...] = ()


@asynccontextmanager
async def _matcher(wiring: Wiring, metrics: Metrics, options: WorkerOptions) -> AsyncIterator[_Process]:
    postgres, watch = wiring.settings.postgres, wiring.settings.watch
    open_pool = partial(connect, postgres.dsn.reveal(), size=1, pooler=postgres.pooler)
    counted = partial(DecisionCounts, open_pool, metrics, instance=options.instance)
    counts = counted(fields_a_second=watch.fields_a_second) if watch.enabled else None
    app, rules = build_matcher(wiring, metrics, counts=counts, **_faust_settings(wiring, options))
    await rules.start()
    try:
        if counts is None:
            yield _Process(app, rules.until_broken, _at_rest)
        else:
            yield _Process(app, partial(_together, rules.until_broken, counts.run), counts.close)
    finally:
        await rules.stop()


@asynccontextmanager
async def _database(wiring: Wiring, options: WorkerOptions) -> AsyncIterator[asyncpg.Pool]:
    postgres = wiring.settings.postgres

    async def open_pool() -> asyncpg.Pool:
        return await connect(postgres.dsn.reveal(), size=postgres.pool, pooler=postgres.pooler)

    pool = await (retry_until_available(open_pool, what="Postgres") if options.wait else open_pool())
    try:
        await retry_until_available(lambda: migrate(pool, wiring.default_project), what="Postgres")
        ahead = await retry_until_available(lambda: ahead_of_database(pool), what="Postgres")
        if abs(ahead) > CLOCKS_MAY_DIFFER:
            log.warning("clocks_differ", why=said_of_clocks(ahead))
        yield pool
    finally:
        pool.terminate()


@asynccontextmanager
async def _publisher(wiring: Wiring, metrics: Metrics, options: WorkerOptions) -> AsyncIterator[_Process]:
    async with _database(wiring, options) as pool:
        notices, settings = Notices(pool, wiring.settings.notices.ways), _faust_settings(wiring, options)
        app, publisher = build_publisher(wiring, Codes(pool), Held(pool), Control(pool), notices, metrics, **settings)
        mirror = AuditMirror(pool, wiring, app.outputs)
        yield _Process(app, partial(_together, publisher.run, mirror.run), _at_rest)


@asynccontextmanager
async def _holder(wiring: Wiring, metrics: Metrics, options: WorkerOptions) -> AsyncIterator[_Process]:
    async with _database(wiring, options) as pool:
        app, holder = build_holder(wiring, Holds(pool), metrics, **_faust_settings(wiring, options))
        yield _Process(app, holder.run, _at_rest, (holder.loop,))


@asynccontextmanager
async def _segmenter(wiring: Wiring, metrics: Metrics, options: WorkerOptions) -> AsyncIterator[_Process]:
    async with _database(wiring, options) as pool:
        app, segmenter = build_segmenter(
            wiring, Segments(pool), Behaviours(pool), metrics, **_faust_settings(wiring, options)
        )
        yield _Process(app, segmenter.run, _at_rest, (segmenter.loop, segmenter.counter.loop))


@asynccontextmanager
async def _fan_out(wiring: Wiring, metrics: Metrics, options: WorkerOptions) -> AsyncIterator[_Process]:
    async with _database(wiring, options) as pool:
        ahead = AheadInKafka(wiring)
        fan_out = FanOut(wiring, Sends(pool), metrics, owner=options.instance, ahead=ahead)
        yield _Process(fan_out.app, fan_out.run, _at_rest, (fan_out.loop,))


@asynccontextmanager
async def _recorder(wiring: Wiring, metrics: Metrics, options: WorkerOptions) -> AsyncIterator[_Process]:
    async with _database(wiring, options) as pool:
        recorded = Recorded(pool, wiring.settings.retention.recorded)
        app, recorder = build_recorder(wiring, recorded, metrics, **_faust_settings(wiring, options))
        yield _Process(app, recorder.run, _at_rest)


@asynccontextmanager
async def _sender(wiring: Wiring, metrics: Metrics, options: WorkerOptions) -> AsyncIterator[_Process]:
    async with _database(wiring, options) as pool:
        settings = wiring.settings
        kept = settings.retention
        past = Past(Retention(pool, kept.deliveries, imports=kept.imports), Erasure(pool))
        around = _faust_settings(wiring, options)
        ledger, control = Ledger(pool, keep=ids_kept(settings.retention.deliveries)), Control(pool)
        account_keys(settings)  # what is wrong with them is said at the start
        accounts = LiveAccounts(Accounts(pool), settings)
        await retry_until_available(accounts.refresh, what="Postgres")
        limits = partial(ledger.limits.put, settings.project_id, settings.message_limits, settings.timezone)
        await retry_until_available(limits, what="Postgres")
        clock = DatabaseTime(partial(time_there, pool))
        await retry_until_available(clock.look, what="Postgres")
        tracked = await TrackedProjects.of(pool, settings)
        app, sender = build_sender(
            wiring, ledger, control, past, metrics, owner=options.instance, accounts=accounts, tracked=tracked.links,
            accepted=Accepted(Path(str(around["datadir"])) / "accepted.json"), clock=clock, **around,
        )  # fmt: skip
        notices = Notices(pool, settings.notices.ways)
        notifier = Notifier(
            notices,
            ledger,
            channels_of(settings, accounts.book),
            lambda: publish_outbox(control, wiring, app.outputs),
            account=settings.notices.account,
            owner=options.instance,
            clock=clock,
        )
        background = [sender.run, notifier.run, clock.run, tracked.run]
        if (watch := settings.watch).enabled:
            seen = DecisionHours(pool), FieldsSeen(pool)
            background.append(Watch(*seen, notices, watch.bounds, every=watch.every).run)
        yield _Process(app, partial(_together, *background), lambda: sender.drain(DRAIN_SECONDS / 2))
        await sender.close()
        await notifier.close()


async def _together(*works: Callable[[], Coroutine[None, None, None]]) -> None:
    async with asyncio.TaskGroup() as group:
        for work in works:
            group.create_task(work())


_ROLES = {
    "matcher": _matcher,
    "publisher": _publisher,
    "holder": _holder,
    "sender": _sender,
    "segmenter": _segmenter,
    "fan_out": _fan_out,
    "recorder": _recorder,
}


def _folder(settings: Settings, options: WorkerOptions) -> Path:
    """The folder of a process's rows and notes: the same after a restart."""
    folder = Path(settings.data) / "workers" / options.instance
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _faust_settings(wiring: Wiring, options: WorkerOptions) -> dict[str, Any]:
    folder = _folder(wiring.settings, options)
    return {"consumer_group_instance_id": options.instance, "datadir": str(folder)}


async def _at_rest() -> None:
    """Nothing to wait for."""


async def _until_stopped(process: _Process, watch: ProgressWatch, stopped: asyncio.Event) -> int:
    """Work until a signal. A crash, a stall or the end of the background work is a reason to end as well."""
    app = process.app
    background = asyncio.ensure_future(process.background())
    app.finalize()
    starting = asyncio.ensure_future(app.start())  # ends once tables are restored, or never: that is watched as well
    while not stopped.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopped.wait(), 1.0)
        await watch.observe()
        _look_for_trouble(app, watch, starting, background)
        if app.crash_reason is not None:
            return await _crashed(app, app.crash_reason)
    log.info("stopping")
    is_stopped = await app.stop_within(DRAIN_SECONDS / 2)
    await process.drain()
    background.cancel()
    app.outputs.close(1.0)
    if not is_stopped:
        return await _crashed(app, RuntimeError("did not stop in time; what was under way is redone"))
    log.info("stopped")
    return 0


async def _crashed(app: BatchApp | OutputApp, error: BaseException) -> int:
    app.stop_at_once(error)
    await asyncio.sleep(60)  # the fail-fast thread ends the process before
    return app.exit_code()


def _look_for_trouble(
    app: BatchApp | OutputApp, watch: ProgressWatch, starting: asyncio.Future[None], background: asyncio.Future[None]
) -> None:
    if starting.done() and (error := starting.exception()):  # some of the services may be running, and would go on
        app.stop_at_once(error)
    if (fatal := app.fatal_error()) is not None:
        app.stop_at_once(fatal)
    if background.done():
        app.stop_at_once(background.exception() or RuntimeError("background work ended"))
    if watch.is_stalled():
        what, seconds = ", ".join(watch.stalled()), watch.stalled_seconds()
        app.stop_at_once(RuntimeError(f"no progress for {seconds:.0f} s although there is work: {what}"))
