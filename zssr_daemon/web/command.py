"""Command: `zssr-daemon web`, which serves the page, and `web link`, which says where it is."""

import importlib.util
from typing import Annotated

import typer

from zssr_daemon.errors import SettingsError
from zssr_daemon.settings.load import load_settings
from zssr_daemon.settings.option import SettingsOption
from zssr_daemon.telemetry.terminal import errors_as_exit_codes, say
from zssr_daemon.web.address import page_link

#: What `pip install zssr-daemon[web]` adds.
_EXTRA = ("jinja2", "starlette", "uvicorn")

app = typer.Typer(
    name="web",
    help="Serve the web page: drop pictures, watch the queue, compare and fetch results.",
    invoke_without_command=True,
)


@app.callback()
def serve(
    context: typer.Context,
    settings: SettingsOption,
    show_link: Annotated[
        bool, typer.Option("--show-link", help="Print the address with its token, as `web link`.")
    ] = False,
) -> None:
    """Serve the web page, until Ctrl-C."""
    context.obj = settings
    if context.invoked_subcommand is not None:
        return
    with errors_as_exit_codes():
        loaded = load_settings(settings)
        missing = [name for name in _EXTRA if importlib.util.find_spec(name) is None]
        if missing:
            cure = "pip install 'zssr-daemon[web]'"
            raise SettingsError(f"{', '.join(missing)}: not installed; {cure}")
        from zssr_daemon.web.server import run_page  # noqa: PLC0415 (an extra, and slow to load)

        run_page(loaded, settings, show_link=show_link)


@app.command()
def link(context: typer.Context, settings: SettingsOption) -> None:
    """Print the address of the page, with the token that opens it; it stands on the last line."""
    source = context.get_parameter_source("settings")
    is_named = source is not None and source.name == "COMMANDLINE"
    file = settings if is_named else context.obj  # which may stand before the word `link`
    with errors_as_exit_codes():
        say(page_link(load_settings(file)))
