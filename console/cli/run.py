"""Starting and stopping: embedded servers, workers, or all of it in one terminal."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn

from agents.broker.topics import Provision
from agents.wiring import Wiring
from console.cli.context import embedded, load_wiring, read_settings, with_endpoints
from console.cli.ending import end_in_order, stop_undisturbed
from console.cli.terminal import fail, show_text
from deploy.embedded.links import served_links
from deploy.embedded.servers import Endpoints
from deploy.settings.settings import load_settings
from schemas.closed import Role, members
from schemas.errors import CannotStart
from store.postgres import where

commands = typer.Typer()


@commands.command()
def up(
    stop: Annotated[bool, typer.Option("--stop", help="Stop them instead.")] = False,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Leave them running and return.")] = False,
) -> None:
    """Start the embedded Kafka and PostgreSQL below the data folder, and keep them until Ctrl-C."""
    servers = embedded(read_settings())
    if stop:
        servers.stop()
        show_text("stopped")
        return
    end_in_order()
    endpoints = start_servers()
    show_text(f"Kafka     {endpoints.kafka}\nPostgres  {endpoints.postgres}")
    if detach:
        show_text("Stop them with: tidings up --stop")
        return
    try:
        _wait_for_signal()
    finally:
        stop_undisturbed()
        servers.stop()


def start_servers() -> Endpoints:
    """Start the embedded servers, with a progress bar while jars are downloaded."""
    bar = Progress(
        TextColumn("downloading Kafka"), BarColumn(), TextColumn("{task.completed}/{task.total}"), transient=True
    )
    with bar:
        task = bar.add_task("jars", total=None, visible=False)
        return embedded(read_settings()).start(
            lambda loaded, needed: bar.update(task, completed=loaded, total=needed, visible=True)
        )


def _wait_for_signal() -> None:
    while True:
        time.sleep(1.0)


@commands.command()
def dev(processes: Annotated[int, typer.Option(help="Matchers, and senders.")] = 1) -> None:
    """Servers, topics, all workers, console, API and pages in one terminal; Ctrl-C stops all of it."""
    from console.cli.supervisor import Supervisor, servers, worker_environ, workers

    end_in_order()
    settings = with_endpoints(read_settings(), start_servers())
    wiring = Wiring(settings)
    try:
        Provision(wiring).apply()
        with served_links(Path(settings.data), load_settings(os.environ).console) as links:
            environ = {**worker_environ(settings, os.environ), **links}
            working = workers(members(Role), processes, environ, None)  # type: ignore[arg-type]
            everyone = Supervisor([*working, *servers(("console", "api", "web"), environ, None)])
            show_text(f"Kafka     {settings.kafka.bootstrap}\nPostgres  {where(settings.postgres.dsn.reveal())}")
            show_text(f"{len(working)} workers, and soon the addresses of what is served; Ctrl-C stops everything")
            everyone.start()
            try:
                _supervise(everyone)
            finally:
                stop_undisturbed()
                everyone.stop()
    finally:
        stop_undisturbed()
        embedded(settings).stop()


@commands.command("demo")
def demo_command(
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running until Ctrl-C.")] = False,
    events: Annotated[int, typer.Option(min=1, help="Events.")] = 20_000,
    customers: Annotated[int, typer.Option(min=1, help="Customers that they are about.")] = 2_000,
    rate: Annotated[float, typer.Option(min=1, help="Events a second.")] = 1_000.0,
    seed: Annotated[int, typer.Option(help="The same seed makes the same events.")] = 7,
) -> None:
    """The whole job on servers and receivers of its own, compared with what has to come out; below var/demo."""
    from console.demo.run import Size, run_demo

    sys.exit(run_demo(Size(events, customers, rate, seed), keep=keep))


def _supervise(everyone: Any) -> None:
    while not everyone.misconfigured():
        for restart in everyone.look():
            fail(restart)
        time.sleep(0.5)
    raise CannotStart("a process refuses to start; its message stands above")


@commands.command()
def worker(
    roles: Annotated[list[str], typer.Argument(help=f"One or more of: {', '.join(members(Role))}.")],
    instance: Annotated[str, typer.Option(help="Stable name of this process; default: host and role.")] = "",
    wait: Annotated[bool, typer.Option(help="Wait for servers that do not answer, instead of ending.")] = True,
    status_file: Annotated[Path | None, typer.Option(help="Write the address of /metrics and /healthz there.")] = None,
    processes: Annotated[int, typer.Option(help="Processes of each role.")] = 1,
) -> None:
    """Run a worker; with several roles or processes, keep one process for each."""
    from agents.sole_instance import default_instance
    from agents.worker import WorkerOptions, run_worker
    from console.cli.supervisor import Supervisor, worker_environ, workers

    chosen = [_role(role) for role in roles]
    settings = load_wiring().settings
    if len(chosen) == 1 and processes == 1:
        role = chosen[0]
        options = WorkerOptions(role, instance or default_instance(role, 0), wait, status_file)
        sys.exit(run_worker(settings, options))
    everyone = Supervisor(workers(chosen, processes, worker_environ(settings, os.environ), None))
    end_in_order()
    try:
        everyone.start()
        _supervise(everyone)
    finally:
        stop_undisturbed()
        everyone.stop()


def _role(name: str) -> Role:
    for role in members(Role):
        if role == name.replace("-", "_"):
            return role  # type: ignore[return-value]
    raise typer.BadParameter(f'"{name}" is not valid: must be one of {", ".join(members(Role))}')


@commands.command("console")
def serve_console(
    port: Annotated[int | None, typer.Option(min=0, max=65_535, help="Instead of console.port; 0: a free one.")] = None,
) -> None:
    """Serve pictures of codes, providers' callbacks and /healthz over HTTP, until Ctrl-C or SIGTERM."""
    from console.http.serving import run_console

    settings = read_settings()
    if port is not None:
        settings = replace(settings, console=replace(settings.console, port=port))
    run_console(settings, lambda address: show_text(f"Console  {escape(address)}"))


@commands.command("api")
def serve_api(
    port: Annotated[int | None, typer.Option(min=0, max=65_535, help="Instead of api.port; 0: a free one.")] = None,
) -> None:
    """Serve the HTTP API for those who have a key, until Ctrl-C or SIGTERM."""
    from console.http.api import run_api

    settings = load_wiring().settings
    if port is not None:
        settings = replace(settings, api=replace(settings.api, port=port))
    run_api(settings, lambda address: show_text(f"API  {escape(address)}"))


@commands.command("web")
def serve_web(
    port: Annotated[int | None, typer.Option(min=0, max=65_535, help="Instead of web.port; 0: a free one.")] = None,
) -> None:
    """Serve the pages for people who sign in, until Ctrl-C or SIGTERM."""
    from console.http.web import run_web

    settings = load_wiring("postgres").settings
    if port is not None:
        settings = replace(settings, web=replace(settings.web, port=port))
    run_web(settings, lambda said: show_text(escape(said)))
