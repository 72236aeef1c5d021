"""Commands: their arguments and what they print; other modules do the work."""

import dataclasses
import signal
from contextlib import closing
from itertools import zip_longest
from threading import Event
from typing import Annotated, NoReturn

import typer
from rich.live import Live

from zssr_daemon import __version__
from zssr_daemon.cli.client import (
    CancelResult,
    RetryResult,
    failed_jobs,
    jobs_named,
    queued_jobs,
    status_of,
)
from zssr_daemon.cli.client import cancel as cancel_jobs
from zssr_daemon.cli.client import drain as drain_daemon
from zssr_daemon.cli.client import retry as retry_jobs
from zssr_daemon.cli.tables import jobs_table, plain_job, settings_table, status_table
from zssr_daemon.cli.upscale_command import upscale
from zssr_daemon.daemon.run import run_daemon
from zssr_daemon.ledger.job import JobState
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.settings.load import load_settings
from zssr_daemon.settings.option import SettingsOption
from zssr_daemon.settings.schema import Folders
from zssr_daemon.settings.sources import setting_sources
from zssr_daemon.telemetry.terminal import (
    complain,
    errors_as_exit_codes,
    out,
    print_json,
    print_table,
    say,
)

_WATCH_S = 1.0

JobIds = Annotated[
    list[str] | None, typer.Argument(metavar="[ID]...", help="Jobs, by the start of their ids.")
]

app = typer.Typer(
    name="zssr-daemon",
    help="Enlarge every image dropped into a folder with a network trained on that one image.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


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
    with errors_as_exit_codes():
        is_good = run_daemon(load_settings(settings), settings, is_once=once, console=out)
        raise typer.Exit(1 if once and not is_good else 0)


app.command()(upscale)


@app.command()
def check(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    settings: SettingsOption,
) -> None:
    """Check settings, folders, disk and device, and say how to mend what is wrong."""
    from zssr_daemon.cli.check import run_checks  # noqa: PLC0415 (loads torch)

    with errors_as_exit_codes():
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
            print_json({"is_good": is_good, "checks": checks, "settings": values})
        else:
            print_table(settings_table([each for each in found if each.source != "default"]))
        raise typer.Exit(0 if is_good else 1)


@app.command()
def status(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    settings: SettingsOption,
) -> None:
    """Show what the daemon is doing; exit code 0 when it is healthy."""
    with errors_as_exit_codes():
        found = status_of(load_settings(settings).folders)
        if as_json:
            print_json(found.to_plain())
        else:
            print_table(status_table(found))
        raise typer.Exit(0 if found.is_healthy else 1)


@app.command()
def retry(
    job_ids: JobIds = None,
    *,
    failed: Annotated[
        bool, typer.Option("--failed", help="Every failed job, but no cancelled one.")
    ] = False,
    cancelled: Annotated[
        bool, typer.Option("--cancelled", help="Every job that `cancel` has stopped.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    settings: SettingsOption,
) -> None:
    """Bring failed jobs back to the queue, and their files back from failed/ to the inbox."""
    if [bool(job_ids), failed, cancelled].count(True) != 1:
        raise typer.BadParameter(
            "name jobs by their ids, or all failed ones by --failed, or all cancelled ones by "
            "--cancelled"
        )
    with errors_as_exit_codes():
        folders = load_settings(settings).folders
        state = folders.state
        chosen = jobs_named(state, job_ids) if job_ids else failed_jobs(state, cancelled=cancelled)
        is_good = True
        for result in retry_jobs(folders, chosen):
            is_good &= _is_granted(result, "back in the inbox", as_json=as_json)
        if not chosen and not as_json:
            say("no job was cancelled" if cancelled else "no job has failed")
        raise typer.Exit(0 if is_good else 1)


@app.command()
def cancel(
    job_ids: JobIds = None,
    *,
    queued: Annotated[bool, typer.Option("--queued", help="Every queued job.")] = False,
    below: Annotated[
        str | None,
        typer.Option(metavar="FOLDER", help="With --queued: of this folder of the inbox only."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    settings: SettingsOption,
) -> None:
    """Stop jobs that are queued or in work; their files go to failed/, `retry` brings them back."""
    if bool(job_ids) == queued or (below is not None and not queued):
        raise typer.BadParameter(
            "name jobs by their ids, or all queued ones by --queued, with --below of one folder"
        )
    with errors_as_exit_codes():
        loaded = load_settings(settings)
        state = loaded.folders.state
        chosen = queued_jobs(state, below) if queued else jobs_named(state, job_ids or [])
        is_good = True
        for result in cancel_jobs(loaded, chosen):
            told = "it stops" if result.is_stopping else "cancelled, and moved to failed/"
            is_good &= _is_granted(result, told, as_json=as_json)
        if not chosen and not as_json:
            say("no job is queued" if below is None else f"no job of {below} is queued")
        raise typer.Exit(0 if is_good else 1)


@app.command()
def drain(settings: SettingsOption) -> None:
    """Let the daemon finish the jobs in work, start no others and end; wait for that."""
    with errors_as_exit_codes():
        for running in drain_daemon(load_settings(settings).folders):
            say(f"{running} in work" if running else "nothing in work")
        say("the daemon has ended; what is queued stays queued")


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
    with errors_as_exit_codes():
        folders = load_settings(settings).folders
        if watch:
            _watch_jobs(folders, state)
        with closing(Ledger.open_to_read(folders.state)) as ledger:
            found = ledger.find(job_id) if job_id else ledger.newest(state, limit=limit)
            kept = [ledger.kept_settings(job.settings_hash or "") for job in found if job_id]
        if as_json:
            for job, tables in zip_longest(found, kept):
                print_json(plain_job(job, tables))
        else:
            print_table(jobs_table(found))
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


def _is_granted(result: RetryResult | CancelResult, told: str, *, as_json: bool) -> bool:
    """Print what became of a request, `told` if it was granted; return whether it was."""
    if as_json:
        print_json(dataclasses.asdict(result))
    elif result.error is None:
        say(f"{result.job_id[:8]} {result.image}: {told}")
    else:
        complain(f"{result.job_id[:8]} {result.image}: {result.error}")
    return result.error is None


def _print_check(name: str, message: str, *, is_good: bool) -> None:
    out.print("[green]ok  [/]" if is_good else "[red]FAIL[/]", f"{name}: ", end="")
    say(message)
