"""`tidings`: every command. Exit codes: 0 done, 1 a problem, 2 wrong usage, 69 a server is away, 78 wrong settings."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import typer
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn

from agents.provision import Provision
from agents.wiring import Wiring, utc_now
from console import apply as applying
from console import explain, terminal
from console.context import database, embedded, read_settings, wiring, with_endpoints
from console.publish import publish_file
from console.reading import TopicReader
from console.terminal import fail, say, show_json, show_rows
from deploy.embedded.servers import Endpoints
from schemas.closed import DistributionStatus, Role, members
from schemas.codec import decode_json
from schemas.dead_letter import DeadLetter
from schemas.distribution import Distribution
from schemas.errors import BadRecord, CannotStart, DefinitionInvalid, TidingsError, TryLater
from schemas.topics import DEAD_LETTERS
from store.control import Control

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="The distribution manager."
)
topics_app = typer.Typer(no_args_is_help=True, help="Topics on the broker: what differs from the declaration.")
dead_app = typer.Typer(no_args_is_help=True, help="Records that could not be processed.")
rules_app = typer.Typer(no_args_is_help=True, help="The distributions that are there.")
app.add_typer(topics_app, name="topics")
app.add_typer(dead_app, name="dead-letters")
app.add_typer(rules_app, name="distributions")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
T = TypeVar("T")


def main() -> None:
    """Run a command; errors become a sentence and an exit code."""
    try:
        app()
    except DefinitionInvalid as error:
        for problem in error.problems:
            fail(f"{problem.path}\n    {problem.message}")
        fail(f"{len(error.problems)} problem{'s' if len(error.problems) > 1 else ''}, nothing was applied.")
        sys.exit(terminal.PROBLEM)
    except CannotStart as error:
        fail(str(error))
        sys.exit(terminal.MISCONFIGURED)
    except TryLater as error:
        fail(str(error))
        sys.exit(terminal.UNAVAILABLE)
    except TidingsError as error:
        fail(str(error))
        sys.exit(terminal.PROBLEM)
    except KeyboardInterrupt:
        sys.exit(130)


def _run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


# -- servers and workers ------------------------------------------------------------------------------------------


@app.command()
def up(
    stop: Annotated[bool, typer.Option("--stop", help="Stop them instead.")] = False,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Leave them running and return.")] = False,
) -> None:
    """Start the embedded Kafka and PostgreSQL below the data folder, and keep them until Ctrl-C."""
    servers = embedded(read_settings())
    if stop:
        servers.stop()
        say("stopped")
        return
    endpoints = start_servers()
    say(f"Kafka     {endpoints.kafka}\nPostgres  {endpoints.postgres}")
    if detach:
        say("Stop them with: tidings up --stop")
        return
    try:
        _wait_for_signal()
    finally:
        servers.stop()


def start_servers() -> Endpoints:
    """Start the embedded servers, with a progress bar while jars are downloaded."""
    bar = Progress(
        TextColumn("downloading Kafka"), BarColumn(), TextColumn("{task.completed}/{task.total}"), transient=True
    )
    with bar:
        task = bar.add_task("jars", total=None, visible=False)
        return embedded(read_settings()).start(
            lambda there, needed: bar.update(task, completed=there, total=needed, visible=True)
        )


def _wait_for_signal() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    while True:
        time.sleep(1.0)


@app.command()
def dev(processes: Annotated[int, typer.Option(help="Matchers, and senders.")] = 1) -> None:
    """Servers, topics and all workers in one terminal; Ctrl-C stops everything."""
    from console.supervisor import Supervisor, worker_environ, workers

    settings = with_endpoints(read_settings(), start_servers())
    wired = Wiring(settings)
    try:
        Provision(wired).apply()
        everyone = Supervisor(workers(members(Role), processes, worker_environ(settings, os.environ), None))  # type: ignore[arg-type]
        everyone.start()
        say(f"Kafka {settings.kafka.bootstrap}, {len(everyone.workers)} workers; Ctrl-C stops them")
        try:
            _supervise(everyone)
        finally:
            everyone.stop()
    finally:
        embedded(settings).stop()


def _supervise(everyone: Any) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    while not everyone.misconfigured():
        for said in everyone.look():
            fail(said)
        time.sleep(0.5)
    raise CannotStart("a worker refuses to start; its message stands above")


@app.command()
def worker(
    roles: Annotated[list[str], typer.Argument(help=f"One or more of: {', '.join(members(Role))}.")],
    instance: Annotated[str, typer.Option(help="Stable name of this process; default: host and role.")] = "",
    wait: Annotated[bool, typer.Option(help="Wait for servers that do not answer, instead of ending.")] = True,
    status_file: Annotated[Path | None, typer.Option(help="Write the address of /metrics and /healthz there.")] = None,
    processes: Annotated[int, typer.Option(help="Processes of each role.")] = 1,
) -> None:
    """Run a worker; with several roles or processes, keep one process for each."""
    from agents.worker import WorkerOptions, default_instance, run_worker
    from console.supervisor import Supervisor, worker_environ, workers

    chosen = [_role(role) for role in roles]
    settings = wiring().settings
    if len(chosen) == 1 and processes == 1:
        role = chosen[0]
        options = WorkerOptions(role, instance or default_instance(role, 0), wait, status_file)
        sys.exit(run_worker(settings, options))
    everyone = Supervisor(workers(chosen, processes, worker_environ(settings, os.environ), None))
    everyone.start()
    try:
        _supervise(everyone)
    finally:
        everyone.stop()


def _role(name: str) -> Role:
    for role in members(Role):
        if role == name:
            return role  # type: ignore[return-value]
    raise typer.BadParameter(f"{name} is none of {', '.join(members(Role))}")


# -- distributions ------------------------------------------------------------------------------------------------


@app.command("apply")
def apply_command(
    files: Annotated[list[Path], typer.Argument(help="YAML or JSON files, or folders of them.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan only.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check distributions, show what would change, and make it live."""
    _run(_apply(files, yes=yes, dry_run=dry_run, as_json=as_json))


async def _apply(files: list[Path], *, yes: bool, dry_run: bool, as_json: bool) -> None:
    _must_exist(files)
    wired = wiring()
    async with database(wired) as pool:
        control = Control(pool)
        planned = await applying.plan(files, wired, control)
        _show_plan(planned, as_json=as_json)
        if dry_run:
            return
        if all(one.what == "unchanged" for one in planned):
            await applying.publish(wired, control)
            return
        if not yes and not (sys.stdin.isatty() and typer.confirm("Apply?", default=False)):
            raise TidingsError("nothing was applied" + ("" if sys.stdin.isatty() else "; use --yes without a terminal"))
        await applying.save(planned, wired, control)
        if not as_json:
            say("applied")


def _show_plan(planned: list[applying.Planned], *, as_json: bool) -> None:
    for one in planned:
        rule = one.change.distribution
        if as_json:
            show_json({"distribution": rule.id, "plan": one.what, "version": rule.version, "changes": one.lines})
        else:
            version = {"new": "new", "unchanged": f"v{rule.version - 1}"}.get(
                one.what, f"v{rule.version - 1} → v{rule.version}"
            )
            say(f"  {escape(rule.id):<30} {version:<10} {escape('; '.join(one.lines) or 'unchanged')}")


def _must_exist(files: list[Path]) -> None:
    for file in files:
        if not file.exists():
            raise typer.BadParameter(f"there is no {file}")


@rules_app.command("list")
def list_command(as_json: AsJson = False) -> None:
    """Every distribution with its newest version."""
    found = _run(_current())
    rows = [(d.id, d.version, d.status, d.trigger.event, ", ".join(c.channel for c in d.channels)) for d in found]
    show_rows(("distribution", "version", "status", "trigger", "channels"), rows, as_json=as_json)


async def _current() -> list[Distribution]:
    wired = wiring()
    async with database(wired) as pool:
        return list((await Control(pool).current(wired.settings.project_id)).values())


@rules_app.command("show")
def show_command(distribution: str) -> None:
    """One distribution, as the matchers hold it."""
    found = [one for one in _run(_current()) if one.id == distribution]
    if not found:
        raise TidingsError(f"there is no distribution {distribution}")
    show_json(found[0])


@rules_app.command("history")
def history_command(distribution: str, as_json: AsJson = False) -> None:
    """Who applied which version and when."""

    async def read() -> list[Any]:
        async with database(wiring()) as pool:
            return await Control(pool).history(distribution)

    rows = [(row["version"], row["applied_by"], row["applied_at"]) for row in _run(read())]
    show_rows(("version", "applied by", "applied at"), rows, as_json=as_json)


def _status_command(name: str, status: DistributionStatus, help_text: str) -> None:
    @rules_app.command(name, help=help_text)
    def change(distribution: str) -> None:
        after = _run(applying.set_status(wiring(), distribution, status, utc_now()))
        say(f"{escape(after.id)} v{after.version} is {after.status}")


_status_command("pause", "PAUSED", "Send nothing for now; decisions say `paused`.")
_status_command("resume", "LIVE", "Send again.")
_status_command("stop", "STOPPED", "Do not react any more.")


@app.command("schema")
def schema_command() -> None:
    """The JSON Schema of a distribution, for editors."""
    from streams.schema import definition_schema

    show_json(definition_schema())


# -- understanding ------------------------------------------------------------------------------------------------


@app.command("simulate")
def simulate_command(
    event: Annotated[Path, typer.Option("--event", help="A file with one event as JSON.")],
    files: Annotated[list[Path] | None, typer.Argument(help="Distributions to try instead of those applied.")] = None,
    as_json: AsJson = False,
) -> None:
    """What an event would cause, with every test that is made. Nothing is sent."""
    _must_exist([event])
    decoded = decode_json(event.read_bytes())
    rules = _rules_from(files) if files else _run(_current())
    customer = str(((decoded.get("data") or {}).get("customer") or {}).get("id", ""))
    profile = explain.stored_profile(wiring(), customer) if customer and not files else None
    read, explained = explain.simulate(decoded, rules, profile, utc_now())
    if as_json:
        show_json(explained)
    else:
        explain.show_simulation(read, explained)


def _rules_from(files: list[Path]) -> list[Distribution]:
    _must_exist(files)
    checked = applying.check_files(files, Wiring(read_settings()), {})
    return [definition.distribution for _, definition in checked]


@app.command("why")
def why_command(
    who: Annotated[str, typer.Argument(metavar="CUSTOMER|DELIVERY", help="A customer's id, or a delivery id.")],
    distribution: Annotated[str | None, typer.Option(help="Only this distribution.")] = None,
    as_json: AsJson = False,
) -> None:
    """What was decided about a customer, and what became of each delivery."""
    found = _run(explain.story(wiring(), who, distribution))
    if as_json:
        show_json(explain.story_json(found))
    elif found.decisions or found.deliveries:
        explain.show_story(found)
    else:
        say(f"nothing is known about {escape(who)}: no distribution fitted an event of theirs. Try: tidings simulate")


@app.command("tail")
def tail_command(
    topic: Annotated[str, typer.Argument(help="Without prefix, as in deliveries.email.")],
    from_start: Annotated[bool, typer.Option("--from-start", help="What is there now, then end.")] = False,
    limit: Annotated[int, typer.Option(help="Records at most; 0 is no limit.")] = 0,
) -> None:
    """Print a topic's records as JSON lines, whatever their encoding."""
    with TopicReader(wiring(), topic) as reader:
        messages = reader.until_now() if from_start else reader.from_now()
        for number, message in enumerate(messages, 1):
            _print_record(reader, message)
            if number == limit:
                return


def _print_record(reader: TopicReader, message: Any) -> None:
    head = {
        "partition": message.partition(),
        "offset": message.offset(),
        "key": (message.key() or b"").decode(errors="replace"),
    }
    if message.value() is None:
        show_json({**head, "value": None})
        return
    try:
        show_json({**head, "value": reader.decode(message)})
    except (BadRecord, msgspec.ValidationError) as error:
        show_json({**head, "undecodable": str(error)})


@app.command("publish")
def publish_command(
    file: Annotated[Path, typer.Argument(help="One JSON event a line.")],
    customers: Annotated[bool, typer.Option("--customers", help="The lines are customer profiles.")] = False,
) -> None:
    """Publish events into their topics. Lines that are not valid are named and left out."""
    _must_exist([file])
    published = _run(publish_file(file, wiring(), customers=customers))
    for topic, count in published.topics.items():
        say(f"{count:>8}  {topic}")
    for problem in published.problems:
        fail(problem)
    if published.problems:
        sys.exit(terminal.PROBLEM)


# -- operating ----------------------------------------------------------------------------------------------------


@topics_app.command("plan")
def topics_plan(as_json: AsJson = False) -> None:
    """What differs between the declaration and the broker."""
    rows = [(change.kind, change.topic, change.detail) for change in Provision(wiring()).plan()]
    show_rows(("change", "topic", "detail"), rows, as_json=as_json)


@topics_app.command("apply")
def topics_apply(as_json: AsJson = False) -> None:
    """Create missing topics and set what differs. Partition counts are never changed."""
    provision = Provision(wiring())
    rows = [(change.kind, change.topic, change.detail) for change in provision.apply()]
    show_rows(("done", "topic", "detail"), rows, as_json=as_json)
    provision.check()


@app.command("lag")
def lag_command(
    everything: Annotated[bool, typer.Option("--all", help="Partitions without lag as well.")] = False,
    as_json: AsJson = False,
) -> None:
    """How far each consumer group is behind."""
    from console.lag import LagReader

    found = LagReader(wiring()).read()
    shown = [one for one in found if everything or one.lag]
    rows = [(one.group, one.topic, one.partition, one.committed, one.end, one.lag) for one in shown]
    show_rows(("group", "topic", "partition", "committed", "end", "lag"), rows, as_json=as_json)
    if not as_json:
        say(f"lag {sum(one.lag for one in found)} in {len(found)} partitions")


@dead_app.command("list")
def dead_list(limit: Annotated[int, typer.Option(help="The newest so many.")] = 50, as_json: AsJson = False) -> None:
    """The newest dead-letters; the number in front is what `show` and `replay` take."""
    rows = [
        (message.offset(), facts.topic, f"{facts.partition}@{facts.offset}", facts.kind, facts.message, facts.failed_at)
        for message, facts in _dead_letters()[-limit:]
    ]
    show_rows(("number", "topic", "record", "kind", "message", "failed at"), rows, as_json=as_json)


@dead_app.command("show")
def dead_show(number: int) -> None:
    """One dead-letter: where it came from, what was wrong, and its bytes."""
    message, facts = _dead_letter(number)
    raw = message.value() or b""
    show_json(
        {"number": number, "key": (message.key() or b"").decode(errors="replace"), "facts": facts, "bytes": len(raw)}
    )
    sys.stdout.write(raw[:4000].decode(errors="backslashreplace") + "\n")


@dead_app.command("replay")
def dead_replay(
    numbers: Annotated[list[int], typer.Argument(help="As `list` shows them.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done.")] = False,
) -> None:
    """Put dead-letters back where they came from, key and bytes unchanged: for after the cause was mended."""
    from agents.outbox import write_all
    from agents.transport.batch import Output
    from agents.transport.producer import Producer

    wired = wiring()
    chosen = [_dead_letter(number) for number in numbers]
    for message, facts in chosen:
        say(f"{'would replay' if dry_run else 'replaying'} {message.offset()} to {escape(facts.topic)}")
    if dry_run:
        return
    producer = Producer(wired.settings.kafka.client())
    try:
        _run(write_all(producer, [Output(wired.topic(facts.topic), m.key(), m.value()) for m, facts in chosen]))
    finally:
        producer.close(1.0)


def _dead_letters() -> list[tuple[Any, DeadLetter]]:
    with TopicReader(wiring(), DEAD_LETTERS) as reader:
        return [(message, DeadLetter.from_headers(message.headers() or [])) for message in reader.until_now()]


def _dead_letter(number: int) -> tuple[Any, DeadLetter]:
    found = [pair for pair in _dead_letters() if pair[0].offset() == number]
    if not found:
        raise TidingsError(f"there is no dead-letter {number}; see: tidings dead-letters list")
    return found[0]


@app.command("destinations")
def destinations_command(
    resume: Annotated[str, typer.Option(help="CHANNEL/NAME to send to again.")] = "", as_json: AsJson = False
) -> None:
    """Destinations that were paused because they refuse us, and resuming them."""
    from store.ledger import Ledger

    async def work() -> list[Any]:
        async with database(wiring()) as pool:
            ledger = Ledger(pool)
            if resume:
                await ledger.resume_destination(*resume.split("/", 1))
            return await ledger.paused_destinations()

    rows = [tuple(row.values()) for row in _run(work())]
    show_rows(("channel", "destination", "reason", "paused at"), rows, as_json=as_json)


@app.command("doctor")
def doctor_command(as_json: AsJson = False) -> None:
    """Check everything that a worker needs, and say how to mend it."""
    from console.doctor import examine

    findings = _run(examine(wiring(), dict(os.environ)))
    if as_json:
        for finding in findings:
            show_json(finding)
    else:
        for finding in findings:
            say(f"{'[green]✓[/green]' if finding.ok else '[red]✗[/red]'} {finding.what:<20} {escape(finding.said)}")
    if not all(finding.ok for finding in findings):
        sys.exit(terminal.PROBLEM)
