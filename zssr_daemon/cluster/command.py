"""Command: `zssr-daemon cluster`, the gateway to other machines, and `cluster check`."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from zssr_daemon.cluster.environment import prepare
from zssr_daemon.settings.load import load_settings
from zssr_daemon.settings.option import SettingsOption
from zssr_daemon.telemetry.terminal import errors_as_exit_codes, print_json, say

app = typer.Typer(
    name="cluster",
    help="Let other machines work for the daemon; this is the gateway to them.",
    invoke_without_command=True,
)


@app.callback()
def serve(context: typer.Context, settings: SettingsOption) -> None:
    """Serve the daemon as its gateway to a cluster of Ray, until it ends."""
    context.obj = settings
    if context.invoked_subcommand is not None:
        return
    with errors_as_exit_codes():
        loaded = load_settings(settings)
        cluster = prepare(loaded)
        from zssr_daemon.cluster.driver import run_gateway  # noqa: PLC0415 (an extra, and slow)

        run_gateway(loaded, cluster)


@app.command()
def check(
    context: typer.Context,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    settings: SettingsOption,
) -> None:
    """Try token, versions, and one tiny job on each node, and say how to mend what is wrong."""
    with errors_as_exit_codes():
        loaded = load_settings(_named(context, settings))
        cluster = prepare(loaded)
        from zssr_daemon.cluster.check import check_cluster  # noqa: PLC0415 (an extra, and slow)

        async def show() -> bool:
            is_good = True
            async for finding in check_cluster(loaded, cluster):
                is_good &= finding.is_good
                if as_json:
                    print_json(finding._asdict())
                else:
                    mark = "ok   " if finding.is_good else "FAULT"
                    say(f"{mark} {finding.name}: {finding.message}")
            return is_good

        raise typer.Exit(0 if asyncio.run(show()) else 1)


def _named(context: typer.Context, settings: Path) -> Path:
    """Return the settings file, which may stand before the word `check`."""
    source = context.get_parameter_source("settings")
    is_named = source is not None and source.name == "COMMANDLINE"
    return settings if is_named else context.obj
