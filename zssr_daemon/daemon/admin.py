"""Service: what the surroundings of a daemon ask of it and hear from it, once a tick."""

from typing import Any

from zssr_daemon.daemon.context import Ports
from zssr_daemon.daemon.control_socket import Call
from zssr_daemon.daemon.job_lifecycle import Desk
from zssr_daemon.daemon.pause import Pause
from zssr_daemon.daemon.status_reporter import Health, Overview
from zssr_daemon.errors import RetryRefusedError
from zssr_daemon.executor.interface import Executor
from zssr_daemon.folders.markers import Markers
from zssr_daemon.inbox.intake import Intake
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.publish.retry import Retrier
from zssr_daemon.settings.schema import Settings
from zssr_daemon.system import file_names
from zssr_daemon.telemetry import logs
from zssr_daemon.telemetry.logs import Events
from zssr_daemon.telemetry.metrics import WRITE_S
from zssr_daemon.telemetry.status import Status

#: The outside is told at most so often; each time costs a few look-ups.
_TELL_S = 0.2


class Service:
    """Serves one supervisor; nothing here can stop it."""

    def __init__(
        self,
        *,
        ports: Ports,
        settings: Settings,
        ledger: Ledger,
        executor: Executor,
        intake: Intake,
        desk: Desk,
        pause: Pause,
        markers: Markers,
    ) -> None:
        self._control = ports.control
        self._notifier = ports.notifier
        self._metrics = ports.metrics
        self._signals = ports.signals
        self._intake = intake
        self._overview = Overview(
            ledger=ledger,
            executor=executor,
            intake=intake,
            desk=desk,
            pause=pause,
            signals=ports.signals,
        )
        interval_s = settings.watch.scan_interval_s
        self._health = Health(ledger, intake, pause, self._overview, scan_interval_s=interval_s)
        self._retrier = Retrier(settings.folders, ledger, markers)
        self._log = logs.get_logger()
        self._is_control_told = False
        self._is_metrics_told = False
        self._next_tell_s = self._next_write_s = 0.0
        self._watch_restarts = 0  # counted so far
        self._told_faults: tuple[str, ...] = ()

    def step(self, now: float) -> None:
        """Answer and tell what is due at `now`, in seconds of the monotonic clock.

        Raises:
            OSError: the ledger takes no write.
        """
        self._open_control(now)
        for call in self._control.poll(now):
            self._answer(call, now)
        self._health.step(now)
        if now >= self._next_tell_s:
            self._next_tell_s = now + _TELL_S
            self._tell(now)

    def status(self, now: float) -> Status:
        """Return the daemon's status."""
        is_ready = self._health.has_begun
        return self._overview.status(self._health.faults(now), is_ready=is_ready)

    def finish(self, now: float) -> None:
        """Tell how it is in the end."""
        self._write_metrics(self.status(now))

    def connections(self) -> list[Any]:
        """Return what to wait on."""
        return self._control.connections()

    def _tell(self, now: float) -> None:
        status = self.status(now)
        is_ready = self._health.has_begun
        is_alive = not status.faults
        self._notifier.step(now, status.in_words(), is_ready=is_ready, is_alive=is_alive)
        if status.faults and status.faults != self._told_faults:
            self._log.warning(Events.UNHEALTHY, faults=list(status.faults))
        self._told_faults = status.faults
        if now >= self._next_write_s:
            self._next_write_s = now + WRITE_S
            self._write_metrics(status)

    def _write_metrics(self, status: Status) -> None:
        restarts = self._intake.watch_restarts
        self._metrics.watch_restarted(restarts - self._watch_restarts)
        self._watch_restarts = restarts
        publishing = self._overview.publishing()
        try:
            self._metrics.write(status, scan_took_s=self._intake.scan_took_s, publishing=publishing)
        except OSError as error:
            if not self._is_metrics_told:
                self._is_metrics_told = True
                path = str(self._metrics.file)
                self._log.warning(Events.METRICS_UNAVAILABLE, path=path, message=str(error))

    def _open_control(self, now: float) -> None:
        try:
            self._control.ensure_open(now)
        except OSError as error:
            if not self._is_control_told:
                self._is_control_told = True
                path = str(self._control.path)
                self._log.warning(Events.CONTROL_UNAVAILABLE, path=path, message=str(error))

    def _answer(self, call: Call, now: float) -> None:
        match call.request:
            case {"command": "status"}:
                call.answer(status=self.status(now).to_plain())
            case {"command": "drain"}:
                self._signals.drain()
                call.answer(running=len(self.status(now).jobs))
            case {"command": "retry", "job_id": str(job_id)}:
                call.answer(**self._retry(job_id))
            case _:
                call.answer(error=f"this daemon knows no such command: {call.request}")

    def _retry(self, job_id: str) -> dict[str, Any]:
        try:
            image = self._retrier.retry(job_id)
        except (RetryRefusedError, OSError) as error:
            return {"error": str(error)}
        self._log.info(
            Events.JOB_RETRIED, job_id=job_id, image=file_names.printable(image), attempt=0
        )
        self._intake.look_anew()
        return {"image": file_names.printable(image)}
