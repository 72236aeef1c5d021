"""Commands: their arguments and what they print; other modules do the work."""

import dataclasses
import json
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from itertools import zip_longest
from pathlib import Path
from threading import Event
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console, RenderableType
from rich.live import Live

from zssr_daemon import __version__
from zssr_daemon.cli.client import drain as drain_daemon
from zssr_daemon.cli.client import failed_jobs, jobs_named, status_of
from zssr_daemon.cli.client import retry as retry_jobs
from zssr_daemon.cli.tables import jobs_table, plain_job, settings_table, status_table
from zssr_daemon.daemon.progress_board import ProgressBoard
from zssr_daemon.daemon.run import run_daemon
from zssr_daemon.errors import ZSSRError
from zssr_daemon.ledger.job import JobState
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.protocol.messages import WorkProgress
from zssr_daemon.settings.load import load_settings
from zssr_daemon.settings.schema import Folders, Settings
from zssr_daemon.settings.sources import setting_sources
from zssr_daemon.system.file_names import printable
from zssr_daemon.zssr.config import ZSSRConfig

#: Where settings are looked for unless named: here, and where `make install` puts them.
DEFAULT_SETTINGS = Path("settings.toml")
SERVICE_SETTINGS = Path("/etc/zssr-daemon/settings.toml")

_WATCH_S = 1.0

app = typer.Typer(
    name="zssr-daemon",
    help="Enlarge every image dropped into a folder with a network trained on that one image.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
out = Console()
err = Console(stderr=True)


def _default_settings() -> Path:
    is_service = SERVICE_SETTINGS.is_file() and not DEFAULT_SETTINGS.is_file()
    return SERVICE_SETTINGS if is_service else DEFAULT_SETTINGS


SettingsOption = Annotated[
    Path,
    typer.Option(
        "--settings",
        "-s",
        help=f"The settings file; unless named, ./{DEFAULT_SETTINGS} or {SERVICE_SETTINGS}.",
        metavar="FILE",
        default_factory=_default_settings,
        show_default=False,
    ),
]


def _show_version(is_asked: bool) -> None:
    if is_asked:
        out.print(f"zssr-daemon {__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Enlarge every image dropped into a folder with a network trained on that one image."""


@app.command()
def run(
    settings: SettingsOption,
    once: Annotated[bool, typer.Option(help="Drain the inbox, then exit.")] = False,
) -> None:
    """Watch the inbox and enlarge what is dropped into it."""
    with _errors_as_exit_codes():
        is_good = run_daemon(load_settings(settings), settings, is_once=once, console=out)
        raise typer.Exit(1 if once and not is_good else 0)


@app.command()
def upscale(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Beside the image unless given.")
    ] = None,
    scale: Annotated[float | None, typer.Option(help="Total factor, in one step.")] = None,
    preset: Annotated[str | None, typer.Option(help="instant, fast, balanced or best.")] = None,
    settings: Annotated[Path | None, typer.Option("--settings", "-s")] = None,
) -> None:
    """Enlarge images at once, without folders or ledger."""
    with _errors_as_exit_codes():
        loaded = _settings_or_defaults(settings)
        adjust = partial(_with_overrides, scale=scale, preset=preset)
        adjust(loaded.zssr)  # so that a wrong choice is reported before any image is opened
        raise typer.Exit(0 if _upscale_all(images, output, loaded, adjust) else 1)


@app.command()
def check(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    settings: SettingsOption,
) -> None:
    """Check settings, folders, disk and device, and say how to mend what is wrong."""
    from zssr_daemon.cli.check import run_checks  # noqa: PLC0415 (loads torch)

    with _errors_as_exit_codes():
        loaded = load_settings(settings)
        results = []
        for result in run_checks(loaded, settings):
            results.append(result)
            if not as_json:
                _print_check(result.name, result.message, is_good=result.is_good)
        found = setting_sources(loaded, settings)
        is_good = all(result.is_good for result in results)
        if as_json:
            checks = [dataclasses.asdict(result) for result in results]
            values = [dataclasses.asdict(setting) for setting in found]
            _print_json({"is_good": is_good, "checks": checks, "settings": values})
        else:
            _print_table(settings_table([each for each in found if each.source != "default"]))
        raise typer.Exit(0 if is_good else 1)


@app.command()
def status(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    settings: SettingsOption,
) -> None:
    """Show what the daemon is doing; exit code 0 when it is healthy."""
    with _errors_as_exit_codes():
        found = status_of(load_settings(settings).folders)
        if as_json:
            _print_json(found.to_plain())
        else:
            _print_table(status_table(found))
        raise typer.Exit(0 if found.is_healthy else 1)


@app.command()
def retry(
    job_ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Jobs, by the start of their ids.")
    ] = None,
    *,
    failed: Annotated[bool, typer.Option("--failed", help="Every failed job.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    settings: SettingsOption,
) -> None:
    """Bring failed jobs back to the queue, and their files back from failed/ to the inbox."""
    if bool(job_ids) == failed:
        raise typer.BadParameter("name jobs by their ids, or all failed ones by --failed")
    with _errors_as_exit_codes():
        folders = load_settings(settings).folders
        state = folders.state
        chosen = failed_jobs(state) if failed else jobs_named(state, job_ids or [])
        is_good = True
        for result in retry_jobs(folders, chosen):
            is_good &= result.error is None
            if as_json:
                _print_json(dataclasses.asdict(result))
            elif result.error is None:
                _say(f"{result.job_id[:8]} {result.image}: back in the inbox")
            else:
                _complain(f"{result.job_id[:8]} {result.image}: {result.error}")
        if not chosen and not as_json:
            _say("no job has failed")
        raise typer.Exit(0 if is_good else 1)


@app.command()
def drain(settings: SettingsOption) -> None:
    """Let the daemon finish the jobs in work, start no others and end; wait for that."""
    with _errors_as_exit_codes():
        for running in drain_daemon(load_settings(settings).folders):
            _say(f"{running} in work" if running else "nothing in work")
        _say("the daemon has ended; what is queued stays queued")


@app.command()
def jobs(
    job_id: Annotated[str | None, typer.Argument(help="One job, by the start of its id.")] = None,
    *,
    state: Annotated[JobState | None, typer.Option(help="Only jobs in this state.")] = None,
    limit: Annotated[int, typer.Option(help="At most this many.", min=1)] = 50,
    watch: Annotated[bool, typer.Option("--watch", help="Show them, until Ctrl-C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    settings: SettingsOption,
) -> None:
    """List the jobs of the ledger, newest first."""
    with _errors_as_exit_codes():
        folders = load_settings(settings).folders
        if watch:
            _watch_jobs(folders, state)
        with closing(Ledger.open_to_read(folders.state)) as ledger:
            found = ledger.find(job_id) if job_id else ledger.newest(state, limit=limit)
            kept = [ledger.kept_settings(job.settings_hash or "") for job in found if job_id]
        if as_json:
            for job, tables in zip_longest(found, kept):
                _print_json(plain_job(job, tables))
        else:
            _print_table(jobs_table(found))
        raise typer.Exit(1 if job_id and not found else 0)


def _watch_jobs(folders: Folders, state: JobState | None) -> NoReturn:
    """Show the newest jobs with their progress, until Ctrl-C."""
    if not out.is_terminal:
        raise typer.BadParameter("--watch needs a terminal; scripts can use `jobs --json`")
    is_over = Event()
    # The handler sets a flag, because an exception would be lost inside a library's callback.
    signal.signal(signal.SIGINT, lambda *_: is_over.set())
    with Live(console=out, screen=False, auto_refresh=False) as live:
        while not is_over.is_set():
            with closing(Ledger.open_to_read(folders.state)) as ledger:
                newest = ledger.newest(state, limit=max(1, out.height - 6))
            live.update(jobs_table(newest, status_of(folders)), refresh=True)
            is_over.wait(_WATCH_S)
    raise typer.Exit


def _print_json(plain: dict[str, Any]) -> None:
    typer.echo(json.dumps(plain, ensure_ascii=False))


def _print_table(table: RenderableType) -> None:
    # A pipe has no width; each row goes there as one whole line, for grep.
    (out if out.is_terminal else Console(width=10_000)).print(table)


def _print_check(name: str, message: str, *, is_good: bool) -> None:
    out.print("[green]ok  [/]" if is_good else "[red]FAIL[/]", f"{name}: ", end="")
    _say(message)


def _say(text: str) -> None:
    out.print(text, markup=False, highlight=False, soft_wrap=True)


def _complain(text: str) -> None:
    err.print(text, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _errors_as_exit_codes() -> Iterator[None]:
    """Show a known error as one message, and end with its exit code."""
    try:
        yield
    except ZSSRError as error:
        err.print("error:", style="red", end=" ")
        err.print(str(error), markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(error.exit_code) from error


def _settings_or_defaults(file: Path | None) -> Settings:
    if file is None and DEFAULT_SETTINGS.is_file():
        file = DEFAULT_SETTINGS
    return load_settings(file)


def _with_overrides(config: ZSSRConfig, scale: float | None, preset: str | None) -> ZSSRConfig:
    """Apply the command line's own choices; a preset replaces the whole [zssr] table."""
    try:
        if preset is not None:
            config = type(config).from_preset(
                preset, scale_factor=config.scale_factor, scale_times=config.scale_times
            )
        if scale is not None:
            config = dataclasses.replace(config, scale_factor=scale, scale_times=1)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    return config


def _upscale_all(
    images: list[Path],
    output: Path | None,
    settings: Settings,
    adjust: Callable[[ZSSRConfig], ZSSRConfig],
) -> bool:
    from zssr_daemon.cli.upscale import upscale_all  # noqa: PLC0415 (loads torch)

    is_good = True
    with ProgressBoard(err) as board:

        def report(image: Path, progress: WorkProgress, eta_s: float | None) -> None:
            board.draw(str(image), printable(str(image)), progress, eta_s)

        for result in upscale_all(images, output, settings, adjust, report):
            board.clear(str(result.image))
            is_good &= result.error is None
            told = result.error or f"{printable(str(result.target))} in {result.seconds:.1f} s"
            tell = _say if result.error is None else _complain
            tell(f"{printable(str(result.image))}: {told}")
    return is_good
