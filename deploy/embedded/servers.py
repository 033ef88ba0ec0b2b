"""Both servers below one data folder."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from deploy.embedded.account_key import account_key_file
from deploy.embedded.jars import Progress
from deploy.embedded.kafka import KafkaServer
from deploy.embedded.links import Links, running_links
from deploy.embedded.postgres import PostgresServer


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Addresses at which the servers answer, and the file with the key of the accounts that are kept there, if any.

    `links` are those that `tidings dev` serves now.
    """

    kafka: str
    postgres: str
    account_keys: str = ""
    links: Links | None = None


class Servers:
    """`with Servers(folder, environ) as servers:` or `start()` and `stop()`. Their data stays in the folder.

    `for_load` gives the broker twice the memory, and the time to compile itself well. What is not `durable` outlives
    its processes and not the machine.
    """

    def __init__(
        self, folder: Path, environ: Mapping[str, str], *, for_load: bool = False, durable: bool = True
    ) -> None:
        heap, self._folder = "1g" if for_load else "512m", folder.absolute()
        self.kafka = KafkaServer(folder.absolute() / "kafka", environ, heap=heap, for_load=for_load)
        self.postgres = PostgresServer(folder.absolute() / "postgres", environ, durable=durable)

    def start(self, progress: Progress | None = None) -> Endpoints:
        """Start what is not running, both at once. Raises CannotStart and leaves nothing running that it started."""
        try:
            with ThreadPoolExecutor(2) as pool:
                kafka, postgres = pool.submit(self.kafka.start, progress), pool.submit(self.postgres.start)
                return Endpoints(kafka.result(), postgres.result(), str(account_key_file(self._folder)))
        except BaseException:  # a signal, too; both threads have ended by now
            self.stop()
            raise

    def running(self) -> Endpoints | None:
        """Their addresses, if both are running."""
        both = self.kafka.process.running() and self.postgres.process.running()
        if not both:
            return None
        keys, links = str(account_key_file(self._folder)), running_links(self._folder)
        return Endpoints(self.kafka.bootstrap, self.postgres.dsn, keys, links)

    def stop(self) -> None:
        """Stop both in order."""
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda server: server.stop(), (self.kafka, self.postgres)))

    def kill(self) -> None:
        """End both at once, as a crash would."""
        for server in (self.kafka, self.postgres):
            server.kill()

    def __enter__(self) -> Endpoints:
        return self.start()

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.stop()
