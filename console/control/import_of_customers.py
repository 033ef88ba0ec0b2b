"""A file of customers, looked through by the rules of single profiles, and written to their topic batch by batch.

A batch whose progress was not kept is written again: the same profiles under the same keys, which change nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice

from agents.broker.producer import Producer, write_all
from agents.broker.records import Output
from agents.broker.wire import Wire
from console.control.customers import check_profile
from console.control.events import Reading
from console.control.files.csv_file import OpenFile
from console.control.files.customer_lines import CsvCustomers, CustomerLine, CustomerLines, FirstLines, JsonCustomers
from console.control.import_job import ImportJob, problem_at, problem_of
from console.control.leased import NotOurs
from schemas.errors import BadRecord, DefinitionInvalid, InvalidEvent
from store.imports import Batch, ImportForm, ImportProblem, LookedThrough, advanced, erased_since
from store.postgres import changing

NAMED = 100
"""Of the lines that are wrong, so many are named."""
_YIELD_EVERY = 500
"""Lines, after which whatever else the process does has its turn."""


@dataclass(frozen=True, slots=True)
class _Judged:
    """A line of the file: what is written, or what is wrong with it."""

    identity: str
    output: Output | None
    problems: tuple[ImportProblem, ...] = ()


class CustomersLook:
    """A look at each line of a file, one after the other; it knows the ids that stood above."""

    def __init__(self, wire: Wire, file: OpenFile, form: ImportForm, reading: Reading) -> None:
        self._wire, self._reading = wire, reading
        self.lines: CustomerLines = CsvCustomers(file) if form == "csv" else JsonCustomers(file)
        self._first = FirstLines()
        self._rows = self._wrong = 0
        self._problems: list[ImportProblem] = []
        self.is_unreadable = False
        """It could not be read to its end: no line of it is skipped for that."""

    def close(self) -> None:
        """Forget the ids."""
        self._first.close()

    def look(self, most: int | None = None) -> Iterator[int]:
        """Look through it, or so many customers of it; the number of each that was read."""
        try:
            for number, line in enumerate(islice(self.lines.rows(), most), 1):
                self._rows = number
                judged = self.judge(line)
                if judged.output is None:
                    self._wrong += 1
                    self._problems += judged.problems[: NAMED - len(self._problems)]
                yield number
        except DefinitionInvalid as error:  # the rest cannot be read
            self._problems = [*map(problem_of, error.problems), *self._problems][:NAMED]
            self._wrong, self.is_unreadable = self._wrong + len(error.problems), True

    def found(self) -> LookedThrough:
        """The figures, when it was looked through."""
        problems = tuple(self._problems)
        if not self._rows and not problems:
            problems = (ImportProblem(detail="has no customers"),)
        return LookedThrough(rows=self._rows, wrong=self._wrong, problems=problems)

    def is_taken(self, *, skip_wrong: bool) -> bool:
        """True where what is right is written, after it was looked through."""
        return bool(self._rows) and not self.is_unreadable and (skip_wrong or not self._wrong)

    def judge(self, line: CustomerLine) -> _Judged:
        """One line."""
        wrong = line.wrong
        if not wrong:
            try:
                identity, output = self._judge(line)
                return _Judged(identity, output)
            except BadRecord as error:
                wrong = ((error.path, str(error)),)
        return _Judged("", None, tuple(problem_at(line.line, field, said) for field, said in wrong))

    def _judge(self, line: CustomerLine) -> tuple[str, Output]:
        output = check_profile(self._wire, line.profile, self._reading)[1]
        identity: str = line.profile["id"]
        if (first := self._first.first(identity, line.line)) != line.line:
            raise InvalidEvent(f"is the id of line {first} already: one profile of a customer in a file", path="id")
        return identity, output


async def import_customers(job: ImportJob, file: OpenFile) -> LookedThrough | None:
    """Look through it, then write what is not written yet; what is wrong, where it is refused. Raises NotOurs."""
    one = job.one
    reading = Reading.by(job.wiring.settings.matcher, one.project_id, job.clock(), customers=True)
    with closing(CustomersLook(job.wiring, file, one.form, reading)) as look:
        for number in look.look():
            if number % _YIELD_EVERY == 0:
                job.see(look.lines.offset)
                await asyncio.sleep(0)
        found = look.found()
        if not look.is_taken(skip_wrong=one.skip_wrong):
            return found
        await job.checked(found)
        await _write(job, look)
    return None


async def _write(job: ImportJob, look: CustomersLook) -> None:
    producer = Producer(job.wiring.kafka.client())
    try:
        at = job.one.rows_read
        lines = islice(look.lines.rows(), at, None)
        while chunk := list(islice(lines, job.batch_size)):
            await _write_batch(job, producer, at, [look.judge(line) for line in chunk])
            at += len(chunk)
    except BaseException:
        producer.abandon()  # what is not noted is written again, and never after somebody was erased
        raise
    finally:
        producer.close(1.0)


async def _write_batch(job: ImportJob, producer: Producer, at: int, judged: list[_Judged]) -> None:
    """Write to the topic, then note it in the transaction in which nobody is erased."""
    good = {one.identity: one.output for one in judged if one.output is not None}
    async with changing(job.pool) as connection:
        erased = await erased_since(connection, job.one, list(good))
        outputs = [output for identity, output in good.items() if identity not in erased]
        batch = Batch(at=at, rows=len(judged), added=len(outputs), erased=len(erased))
        if job.is_stopping() or not await advanced(connection, job.one, job.owner, batch, job.lease):
            raise NotOurs
        await write_all(producer, outputs)
