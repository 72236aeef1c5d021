"""Requests: does what administrators ask, and says what to answer."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from zssr_daemon.daemon.control import fields
from zssr_daemon.daemon.control.answers import Answers
from zssr_daemon.daemon.control.canceller import Canceller
from zssr_daemon.daemon.signals import Signals
from zssr_daemon.daemon.status_reporter import StatusReporter
from zssr_daemon.errors import RequestRefusedError
from zssr_daemon.inbox.intake import Intake
from zssr_daemon.ledger.admission import Admission
from zssr_daemon.publish.retry import Retrier
from zssr_daemon.system.file_names import printable
from zssr_daemon.telemetry import logs
from zssr_daemon.telemetry.logs import Events

_SNAPSHOT_ROWS, _PAGE_ROWS = 50, 100  # unless a request says how many

Request = dict[str, Any]
Reply = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """The commands of the control socket, on the parts of one daemon.

    Each raises RequestRefusedError where it cannot be done, and OSError when a disk fails.
    """

    signals: Signals
    reporter: StatusReporter
    intake: Intake
    retrier: Retrier
    canceller: Canceller
    answers: Answers

    def reply(self, request: Request) -> Reply:
        """Do what is asked, and return the reply.

        Raises:
            RequestRefusedError: there is no such command, or it cannot be done.
            OSError: a disk fails.
        """
        commands: dict[Any, Callable[[Request], Reply]] = {
            "status": self._status,
            "snapshot": self._snapshot,
            "jobs": self._jobs,
            "job": lambda asked: self.answers.job(fields.needed_text(asked, "job_id")),
            "drain": self._drain,
            "retry": self._retry,
            "cancel": lambda asked: self.canceller.cancel(fields.needed_text(asked, "job_id")),
            "admit": self._admit,
        }
        name = request.get("command")
        if not isinstance(name, str) or name not in commands:
            raise RequestRefusedError(f"this daemon knows no such command: {request}")
        return commands[name](request)

    def _status(self, _: Request) -> Reply:
        return {"status": self.reporter.status(time.monotonic()).to_plain()}

    def _snapshot(self, request: Request) -> Reply:
        limit = fields.number(request, "limit", _SNAPSHOT_ROWS)
        return self.answers.snapshot(self.reporter.status(time.monotonic()), limit)

    def _jobs(self, request: Request) -> Reply:
        state, below, after = (fields.text(request, name) for name in ("state", "below", "after"))
        return self.answers.page(state, below, after, fields.number(request, "limit", _PAGE_ROWS))

    def _drain(self, _: Request) -> Reply:
        self.signals.drain()
        return {"running": len(self.reporter.status(time.monotonic()).jobs)}

    def _retry(self, request: Request) -> Reply:
        job_id = fields.needed_text(request, "job_id")
        image = printable(self.retrier.retry(job_id))
        logs.get_logger().info(Events.JOB_RETRIED, job_id=job_id, image=image, attempt=0)
        self.intake.forget_kept()
        return {"image": image}

    def _admit(self, request: Request) -> Reply:
        admission = Admission(
            lane=fields.number(request, "lane", 0),
            result_kept_s=fields.seconds(request, "result_kept_s"),
        )
        image = fields.needed_text(request, "image")
        self.intake.admitter.admit(image, admission, time.monotonic())
        return {}
