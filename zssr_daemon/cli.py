"""The commands: what they take and print; what they do stands elsewhere."""

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from zssr_daemon import __version__
from zssr_daemon.console import ProgressBoard
from zssr_daemon.daemon import run_daemon
from zssr_daemon.errors import ZSSRError
from zssr_daemon.jobs import Job, JobState
from zssr_daemon.ledger import Ledger
from zssr_daemon.messages import WorkProgress
from zssr_daemon.names import printable
from zssr_daemon.settings import Settings, load_settings

DEFAULT_SETTINGS = Path("settings.toml")

app = typer.Typer(
    name="zssr-daemon",
    help="Enlarge every image dropped into a folder with a network trained on that one image.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
out = Console()
err = Console(stderr=True)

SettingsOption = Annotated[
    Path, typer.Option("--settings", "-s", help="The settings file.", metavar="FILE")
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
    settings: SettingsOption = DEFAULT_SETTINGS,
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
    preset: Annotated[str | None, typer.Option(help="fast, balanced or best.")] = None,
    settings: Annotated[Path | None, typer.Option("--settings", "-s")] = None,
) -> None:
    """Enlarge images at once, without folders or ledger."""
    with _errors_as_exit_codes():
        chosen = _with_overrides(_settings_or_defaults(settings), scale, preset)
        raise typer.Exit(0 if _upscale_all(images, output, chosen) else 1)


@app.command()
def check(settings: SettingsOption = DEFAULT_SETTINGS) -> None:
    """Check settings, folders, disk and device, and say how to mend what is wrong."""
    from zssr_daemon.check import run_checks  # noqa: PLC0415 (loads torch)

    with _errors_as_exit_codes():
        is_good = True
        for result in run_checks(load_settings(settings), settings):
            is_good &= result.is_good
            mark = "[green]ok  [/]" if result.is_good else "[red]FAIL[/]"
            out.print(f"{mark} {result.name}: ", end="")
            out.print(result.message, markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(0 if is_good else 1)


@app.command()
def jobs(
    job_id: Annotated[str | None, typer.Argument(help="One job, by the start of its id.")] = None,
    state: Annotated[JobState | None, typer.Option(help="Only jobs in this state.")] = None,
    limit: Annotated[int, typer.Option(help="At most this many.", min=1)] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    settings: SettingsOption = DEFAULT_SETTINGS,
) -> None:
    """List the jobs of the ledger, newest first."""
    with _errors_as_exit_codes():
        ledger = Ledger.open_to_read(load_settings(settings).folders.state)
        found = ledger.find(job_id) if job_id else ledger.newest(state, limit=limit)
        ledger.close()
        if as_json:
            for job in found:
                typer.echo(json.dumps(_plain(job), ensure_ascii=False))
        else:
            out.print(_table(found))
        raise typer.Exit(1 if job_id and not found else 0)


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


def _with_overrides(settings: Settings, scale: float | None, preset: str | None) -> Settings:
    """Apply the command line's own choices; a preset replaces the whole [zssr] table."""
    config = settings.zssr
    try:
        if preset is not None:
            config = type(config).from_preset(
                preset, scale_factor=config.scale_factor, scale_times=config.scale_times
            )
        if scale is not None:
            config = dataclasses.replace(config, scale_factor=scale, scale_times=1)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    return settings.model_copy(update={"zssr": config})


def _upscale_all(images: list[Path], output: Path | None, settings: Settings) -> bool:
    from zssr_daemon.upscale import upscale_all  # noqa: PLC0415 (loads torch)

    is_good = True
    with ProgressBoard(err) as board:

        def report(image: Path, progress: WorkProgress, eta_s: float | None) -> None:
            board.draw(str(image), printable(str(image)), progress, eta_s)

        for result in upscale_all(images, output, settings, report):
            board.clear(str(result.image))
            is_good &= result.error is None
            told = result.error or f"{printable(str(result.target))} in {result.seconds:.1f} s"
            (out if result.error is None else err).print(
                f"{printable(str(result.image))}: {told}",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
    return is_good


def _plain(job: Job) -> dict[str, Any]:
    """Return a job as JSON can hold it."""
    plain = dataclasses.asdict(job)
    for name in ("src_rel", "out_rel", "disposal_rel"):
        plain[name] = None if plain[name] is None else printable(plain[name])
    return plain


def _table(found: list[Job]) -> Table:
    table = Table(box=box.SIMPLE)
    for header in ("job", "image", "state", "tries", "since (UTC)"):
        table.add_column(header, no_wrap=header != "image")
    table.add_column("output or reason", ratio=1)
    for job in found:
        since = datetime.fromtimestamp(job.finished_at or job.created_at, UTC)
        outcome = f"{job.reason}: {job.message}" if job.reason else job.out_rel or ""
        table.add_row(
            job.id[:8],
            Text(printable(job.src_rel)),  # brackets in it are no markup
            job.state,
            str(job.attempts),
            f"{since:%Y-%m-%d %H:%M}",
            Text(printable(outcome)),
        )
    return table
