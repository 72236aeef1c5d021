"""Terminal: how commands print, and how they end on an error."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console, RenderableType

from zssr_daemon.errors import ZSSRError

out = Console()
err = Console(stderr=True)


def print_json(plain: dict[str, Any]) -> None:
    """Print one line of JSON."""
    typer.echo(json.dumps(plain, ensure_ascii=False))


def print_table(table: RenderableType) -> None:
    """Print a table as wide as the terminal."""
    # A pipe has no width; each row goes there as one whole line, for grep.
    (out if out.is_terminal else Console(width=10_000)).print(table)


def say(text: str) -> None:
    """Print a line as it is, to standard output."""
    out.print(text, markup=False, highlight=False, soft_wrap=True)


def complain(text: str) -> None:
    """Print a line as it is, to standard error."""
    err.print(text, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def errors_as_exit_codes() -> Iterator[None]:
    """Show a known error as one message, and end with its exit code."""
    try:
        yield
    except ZSSRError as error:
        err.print("error:", style="red", end=" ")
        complain(str(error))
        raise typer.Exit(error.exit_code) from error
