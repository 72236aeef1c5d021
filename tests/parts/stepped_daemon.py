"""SteppedDaemon: a supervisor on real files and a fake executor, which a test steps."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.parts.daemon_parts import context_of, files_in, wait_until
from tests.parts.fake_executor import Answer, FakeExecutor
from zssr_daemon.daemon.control.control_socket import ControlSocket
from zssr_daemon.daemon.signals import Signals
from zssr_daemon.daemon.supervisor import Supervisor
from zssr_daemon.ledger.job import JobState
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.protocol.kernel_file import KernelFile
from zssr_daemon.settings.schema import Settings

DaemonFactory = Callable[..., "SteppedDaemon"]


class SteppedDaemon:
    """A daemon whose files, folders, ledger and probe are real; only the executor is a double."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        *answers: Answer,
        kernel: KernelFile | None = None,
    ) -> None:
        """Take the executor's `answers` to its orders; further orders go well.

        `kernel` is the file that the settings name, as it was read at the start.
        """
        self.settings = settings
        self.ledger = ledger
        self.executor = FakeExecutor(*answers)
        self.signals = Signals()
        self.control = ControlSocket(settings.folders.state)
        context = context_of(settings, self.signals, self.control)
        self.context = replace(context, kernel=kernel)
        self.supervisor = Supervisor(settings, ledger, self.executor, self.context)

    def step(self, times: int = 1) -> None:
        """Step on real time."""
        for _ in range(times):
            self.supervisor.step(time.monotonic())

    def steps_until(self, condition: Callable[[], object]) -> None:
        """Step on real time until something is true."""

        def step() -> object:
            self.step()
            return condition()

        wait_until(step)

    def counts(self) -> dict[str, int]:
        """Count the jobs by state, leaving out states without any."""
        return {str(state): count for state in JobState if (count := self.ledger.count(state))}

    def files(self) -> dict[str, list[str]]:
        """List the files of the folders that hold any."""
        folders = self.settings.folders.by_name()
        found = {name: files_in(folders[name]) for name in folders if name != "state"}
        return {name: files for name, files in found.items() if files}

    def close(self) -> None:
        """End probe and watch, and close what is open but the ledger."""
        self.supervisor._intake.stop()
        self.control.close()
        self.signals.close()


def lines_of(log: list[Any], event: str) -> list[Any]:
    """Return the log lines of one event."""
    return [line for line in log if line["event"] == event]
