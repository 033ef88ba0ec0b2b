"""Structured logs: one JSON object a line, to standard error. Ids and counts, never payloads, addresses or codes."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
import time
from collections.abc import Callable
from typing import TextIO, cast

import structlog

_QUIET = ("faust", "mode", "aiokafka", "kafka", "asyncio", "aiohttp.access")
_REPEATS_A_MINUTE = 3


class _RateLimit(logging.Filter):
    """Lets each message of a library through a few times a minute: a broker that is down causes thousands."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._seen: dict[object, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        since, count = self._seen.get(record.msg, (self._clock(), 0))
        if self._clock() - since > 60:
            since, count = self._clock(), 0
        self._seen[record.msg] = (since, count + 1)
        return count < _REPEATS_A_MINUTE


class _Steady(io.TextIOBase):
    """A stream whose failing ends no work: a full disk, or a reader that is gone."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, or not."""
        with contextlib.suppress(OSError):
            return self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush, or not."""
        with contextlib.suppress(OSError):
            self._stream.flush()


def configure_logs(level: str = "info", *, role: str, json: bool | None = None) -> None:
    """Set up logging of the process. `json` None means JSON unless standard error is a terminal."""
    as_json = not sys.stderr.isatty() if json is None else json
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    on_terminal, to_file = structlog.dev.ConsoleRenderer, structlog.processors.JSONRenderer
    renderer: structlog.typing.Processor = to_file() if as_json else on_terminal()
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _Steady(sys.stderr))),
    )
    structlog.contextvars.bind_contextvars(role=role)
    _route_libraries(shared, renderer)


def _route_libraries(shared: list[structlog.typing.Processor], renderer: structlog.typing.Processor) -> None:
    """Have the libraries' own messages look the same; only warnings and worse."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
    )
    handler.addFilter(_RateLimit())
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(logging.WARNING)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
