"""Logs: named events, one JSON object a line; on a terminal, lines for people.

The records of libraries, and warnings, take the same way. The log file always receives JSON.
"""

import json
import logging
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import rich.text
import structlog
from rich.console import Console
from structlog.typing import EventDict, Processor

from zssr_daemon.telemetry.log_sinks import FileSink, StdoutSink


class Events(StrEnum):
    """Every event of the daemon, its web page or its gateway; log_schema.json lists their keys."""

    CONTROL_UNAVAILABLE = "control_unavailable"
    DAEMON_STARTED = "daemon_started"
    DAEMON_STOPPING = "daemon_stopping"
    DAEMON_STOPPED = "daemon_stopped"
    DISPOSAL_DELAYED = "disposal_delayed"
    FILE_DELAYED = "file_delayed"
    FILE_IGNORED = "file_ignored"
    GATEWAY_CONNECTED = "gateway_connected"
    GATEWAY_LOST = "gateway_lost"
    GATEWAY_REFUSED = "gateway_refused"
    GATEWAY_STARTED = "gateway_started"
    GATEWAY_STOPPED = "gateway_stopped"
    GATEWAY_WAITS = "gateway_waits"
    INTERNAL_ERROR = "internal_error"
    JOB_QUEUED = "job_queued"
    JOB_STARTED = "job_started"
    JOB_PROGRESS = "job_progress"
    JOB_RETRY = "job_retry"
    JOB_DONE = "job_done"
    JOB_FAILED = "job_failed"
    JOB_RETRIED = "job_retried"
    LEDGER_LOST = "ledger_lost"
    LEDGER_SET_ASIDE = "ledger_set_aside"
    LINK_IGNORED = "link_ignored"
    METRICS_UNAVAILABLE = "metrics_unavailable"
    NODE_JOINED = "node_joined"
    NODE_LOST = "node_lost"
    NODE_REFUSED = "node_refused"
    PAUSED = "paused"
    REPORT_UNAVAILABLE = "report_unavailable"
    RESULT_EXPIRED = "result_expired"
    RESUMED = "resumed"
    SETTINGS_REFUSED = "settings_refused"
    SETTINGS_RELOADED = "settings_reloaded"
    SETTINGS_WARNING = "settings_warning"
    UNHEALTHY = "unhealthy"
    WATCH_UNAVAILABLE = "watch_unavailable"
    WEB_LOGIN_REFUSED = "web_login_refused"
    WEB_STARTED = "web_started"
    WEB_UPLOADED = "web_uploaded"
    WORKER_READY = "worker_ready"
    WORKER_RESTARTED = "worker_restarted"
    WORKERS_STOPPING = "workers_stopping"


@dataclass(frozen=True, slots=True)
class LogSettings:
    """What a process needs to set up its logging; a spawned child inherits none, so it is sent."""

    level: str = "info"
    file: Path | None = None


def configure(settings: LogSettings, console: Console | None = None) -> None:
    """Set up logging for this process.

    Args:
        settings: level and file.
        console: the terminal's console, which the progress bars use too; where it is None, JSON
            lines go to standard output.

    Raises:
        OSError: the log file cannot be opened.
    """
    handlers: list[logging.Handler] = [_stdout_handler(console)]
    if settings.file is not None:
        handlers.append(_json(FileSink(settings.file)))
    logging.basicConfig(level=settings.level.upper(), handlers=handlers, force=True)
    logging.captureWarnings(capture=True)
    structlog.configure(
        processors=[*_chain(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )


def set_level(level: str) -> None:
    """Log only events of `level` and above from now on."""
    logging.getLogger().setLevel(level.upper())


def get_logger(**bound: Any) -> structlog.stdlib.BoundLogger:
    """Return a logger that puts the `bound` keys on each of its lines."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger("zssr_daemon").bind(**bound)
    return logger


def _chain() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.filter_by_level,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _foreign_chain() -> list[Processor]:
    """Return the chain for records that did not come through structlog."""
    return [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _lead_with_what_and_when(_logger: Any, _method: str, keys: EventDict) -> EventDict:
    """Put the keys that every line has in front, for people who read the raw file."""
    lead = {name: keys.pop(name) for name in ("timestamp", "level", "event") if name in keys}
    return {**lead, **keys}


def _json(handler: logging.Handler) -> logging.Handler:
    tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=20)
    return _formatted(
        handler,
        structlog.processors.ExceptionRenderer(tracebacks),
        _lead_with_what_and_when,
        structlog.processors.JSONRenderer(_to_json),
    )


def _to_json(keys: EventDict, **options: Any) -> str:
    """Write JSON that is valid UTF-8, whatever bytes a file name has."""
    text = json.dumps(keys, ensure_ascii=False, **options)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _stdout_handler(console: Console | None) -> logging.Handler:
    if console is None:
        return _json(StdoutSink())
    renderer = structlog.dev.ConsoleRenderer(colors=not console.no_color, sort_keys=False)
    handler = _formatted(_ConsoleHandler(console), _keep_what_people_read, renderer)
    handler.addFilter(_is_no_progress)
    return handler


# A terminal shows no such key and no progress events: people have the progress bars, and can find
# the rest in the log file.
_MACHINE_KEYS = frozenset({"sha256", "out_sha256", "peak_memory_bytes", "bytes", "disposal"})


def _is_no_progress(record: logging.LogRecord) -> bool:
    """Tell whether a record is no progress event; the progress bars show those."""
    return not (isinstance(record.msg, dict) and record.msg.get("event") == Events.JOB_PROGRESS)


def _keep_what_people_read(_logger: Any, _method: str, keys: EventDict) -> EventDict:
    """Shorten a line for a terminal: the time of day, the start of a job's id."""
    kept = {name: value for name, value in keys.items() if name not in _MACHINE_KEYS}
    moment = datetime.fromisoformat(kept["timestamp"]).astimezone()
    kept["timestamp"] = f"{moment:%H:%M:%S}"
    if "job_id" in kept:
        kept["job_id"] = kept["job_id"][:8]
    return kept


def _formatted(handler: logging.Handler, *renderers: Processor) -> logging.Handler:
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_foreign_chain(),
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    return handler


class _ConsoleHandler(logging.Handler):
    """Prints above the progress bars of the same console."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        self._console.print(rich.text.Text.from_ansi(text), soft_wrap=True, highlight=False)
