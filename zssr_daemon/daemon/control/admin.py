"""Admin: answers administrators, and reports status to the service manager and Prometheus."""

from typing import Any

from zssr_daemon.daemon.context import Context
from zssr_daemon.daemon.control.control_socket import Call
from zssr_daemon.daemon.control.requests import Requests
from zssr_daemon.daemon.status_reporter import StatusReporter
from zssr_daemon.errors import RequestRefusedError
from zssr_daemon.inbox.intake import Intake
from zssr_daemon.telemetry import logs
from zssr_daemon.telemetry.logs import Events
from zssr_daemon.telemetry.metrics import WRITE_S
from zssr_daemon.telemetry.status import Status

#: The status is reported at most this often; each report costs a few look-ups.
_REPORT_S = 0.2


class Admin:
    """Serves one supervisor; nothing here can stop it."""

    def __init__(
        self, context: Context, reporter: StatusReporter, intake: Intake, requests: Requests
    ) -> None:
        self._control = context.control
        self._notifier = context.notifier
        self._metrics = context.metrics
        self._reporter = reporter
        self._intake = intake
        self._requests = requests
        self._log = logs.get_logger()
        self._has_warned_of_control = False
        self._has_warned_of_metrics = False
        self._has_warned_of_watch = False
        self._next_report_s = self._next_write_s = 0.0
        self._watch_restarts = 0  # that the metrics have counted
        self._logged_faults: tuple[str, ...] = ()

    def step(self, now: float) -> None:
        """Answer, and report what is due at `now`, in seconds of the monotonic clock.

        Raises:
            OSError: the ledger takes no write.
        """
        self._open_control(now)
        for call in self._control.poll(now):
            self._answer(call)
        self._reporter.step(now)
        if now >= self._next_report_s:
            self._next_report_s = now + _REPORT_S
            self._report(now)

    def finish(self, now: float) -> None:
        """Write the metrics of the end."""
        self._write_metrics(self._reporter.status(now))

    def connections(self) -> list[Any]:
        """Return what to wait on until it can be read."""
        return self._control.connections()

    def unsent(self) -> list[Any]:
        """Return what to wait on until it can be written to."""
        return self._control.unsent()

    def _report(self, now: float) -> None:
        status = self._reporter.status(now)
        is_ready, is_alive = self._reporter.has_started, not status.faults
        self._notifier.step(now, status.in_words(), is_ready=is_ready, is_alive=is_alive)
        if status.faults and status.faults != self._logged_faults:
            self._log.warning(Events.UNHEALTHY, faults=list(status.faults))
        self._logged_faults = status.faults
        if status.watch_fault is not None and not self._has_warned_of_watch:
            self._has_warned_of_watch = True
            self._log.warning(Events.WATCH_UNAVAILABLE, message=status.watch_fault)
        if now >= self._next_write_s:
            self._next_write_s = now + WRITE_S
            self._write_metrics(status)

    def _write_metrics(self, status: Status) -> None:
        restarts = self._intake.watch.restarts
        self._metrics.watch_restarted(restarts - self._watch_restarts)
        self._watch_restarts = restarts
        publishing = self._reporter.publishing()
        try:
            self._metrics.write(status, scan_took_s=self._intake.scan_took_s, publishing=publishing)
        except OSError as error:
            if not self._has_warned_of_metrics:
                self._has_warned_of_metrics = True
                path = str(self._metrics.file)
                self._log.warning(Events.METRICS_UNAVAILABLE, path=path, message=str(error))

    def _open_control(self, now: float) -> None:
        try:
            self._control.ensure_open(now)
        except OSError as error:
            if not self._has_warned_of_control:
                self._has_warned_of_control = True
                path = str(self._control.path)
                self._log.warning(Events.CONTROL_UNAVAILABLE, path=path, message=str(error))

    def _answer(self, call: Call) -> None:
        try:
            call.answer(**self._requests.reply(call.request))
        except (RequestRefusedError, OSError) as error:
            call.answer(error=str(error))
