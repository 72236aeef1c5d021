"""The entry point: `zssr-daemon` and `python -m zssr_daemon`."""

import faulthandler
import os

from zssr_daemon.cli.commands import app
from zssr_daemon.cluster.command import app as cluster
from zssr_daemon.errors import ZSSRError
from zssr_daemon.telemetry import logs
from zssr_daemon.telemetry.logs import Events
from zssr_daemon.web.command import app as web

__all__ = ["app", "main"]

app.add_typer(web)
app.add_typer(cluster)


def main() -> None:
    """Run the command line; an unforeseen error is logged and ends with exit code 70."""
    faulthandler.enable()  # a watchdog's SIGABRT leaves a stack
    # Read when numpy is loaded, here or in a worker. Its matrices are so small that more threads
    # only wait for each other, ten times as long on a busy machine; and rounding would differ with
    # the number of cores.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    try:
        app()
    except Exception as error:  # the last chance to say in the log why the process ends
        logs.get_logger().critical(Events.INTERNAL_ERROR, exc_info=True)
        raise SystemExit(ZSSRError.exit_code) from error


if __name__ == "__main__":
    main()
