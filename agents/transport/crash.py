"""The end of a process that has crashed: by a thread of its own, since the loop may hang."""

from __future__ import annotations

import os
import threading
import time

from schemas.errors import CannotStart

CRASHED = 70
"""Exit code after a crash (EX_SOFTWARE): the supervisor starts the process again."""

_CRASH_GRACE = 3.0


class EndsWhenCrashed:
    """Whatever runs a worker: `crash_reason` says what ended it, `crashed` that Faust has given up by itself."""

    crash_reason: BaseException | None
    crashed: bool

    def exit_when_crashed(self) -> None:
        """Start the thread that ends a crashed process; for worker processes, not for tests in one process."""
        threading.Thread(target=self._exit_when_crashed, name="fail-fast", daemon=True).start()

    def _exit_when_crashed(self) -> None:
        while not self.crashed and self.crash_reason is None:
            time.sleep(0.25)
        time.sleep(_CRASH_GRACE)
        os._exit(self.exit_code())

    def exit_code(self) -> int:
        """For the supervisor: where a person has to mend something first, it does not help to start again."""
        return os.EX_CONFIG if isinstance(self.crash_reason, CannotStart) else CRASHED
