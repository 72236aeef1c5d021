"""Overrides: settings that the options of a command stand for, the layer nearest to the images."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from zssr_daemon.imaging.output_format import SETTING_BY_SUFFIX

#: Kernels that are no files.
_KERNEL_WORDS = frozenset({"auto", "bicubic", "estimate"})


class Overrides:
    """Collects the values of options by table and key; a value given twice is wrong usage."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, Any]] = {}

    def add(self, table: str, key: str, value: object) -> None:
        """Set a key; None stands for an option that was not given."""
        if value is None:
            return
        values = self.tables.setdefault(table, {})
        if key in values:
            raise typer.BadParameter(f"{table}.{key} is given twice")
        values[key] = _placed(value) if (table, key) == ("degradation", "kernel") else value

    def add_scale(self, scale: float | None) -> None:
        """Set the total factor, in one step."""
        if scale is not None:
            self.add("zssr", "scale_factor", scale)
            self.add("zssr", "scale_times", 1)

    def add_format(self, name: str | None) -> None:
        """Set the format, by the name of the setting or by the ending of its files."""
        if name is not None:
            self.add("output", "format", SETTING_BY_SUFFIX.get(f".{name.lower()}", name))

    def add_assignments(self, texts: Sequence[str]) -> None:
        """Set keys by texts such as zssr.num_epochs=500."""
        for text in texts:
            name, equals, value = text.partition("=")
            table, dot, key = name.strip().partition(".")
            if not (equals and dot and table and key):
                raise typer.BadParameter(f"--set {text}: write --set table.key=value")
            self.add(table, key, _value(value.strip()))


def _value(text: str) -> object:
    """Return what a text means in a TOML file; one that means nothing there is itself."""
    try:
        table = tomllib.loads(f"value = {text}")
    except ValueError:
        return text
    return table["value"] if len(table) == 1 else text


def _placed(kernel: object) -> object:
    """Return the path of a kernel's file, which starts at the current folder."""
    if not isinstance(kernel, str) or kernel in _KERNEL_WORDS or kernel.startswith("~"):
        return kernel
    return str(Path.cwd() / kernel)
