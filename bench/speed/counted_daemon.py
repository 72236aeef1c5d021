"""CountedDaemon: the daemon, whose supervisor counts its own work; `bench.speed.counts` starts it.

At its end it writes counts.json into the current folder. Workers and the probe do not count: they
import this file under another name than `__main__`.
"""

import functools
import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import BaseModel

#: The settings that are counted, by the names of their classes.
MODELS = ("Settings", "ImageSettings")

FOLDERS = ("inbox", "output", "archive", "failed", "state")

COUNTS = "counts.json"


def count_validations(counts: Counter[str]) -> None:
    """Count each validation of a model of MODELS; one that calls another way in counts once."""
    running: list[type] = []
    for name in ("model_validate", "model_validate_json", "model_validate_strings"):
        validate = getattr(BaseModel, name).__func__
        setattr(BaseModel, name, classmethod(_counted(validate, counts, running)))
    BaseModel.__init__ = _counted(BaseModel.__init__, counts, running)  # type: ignore[method-assign]


def _counted(
    validate: Callable[..., Any], counts: Counter[str], running: list[type]
) -> Callable[..., Any]:
    @functools.wraps(validate)
    def wrapped(*args: Any, **keywords: Any) -> Any:
        model = args[0] if isinstance(args[0], type) else type(args[0])
        if model.__name__ not in MODELS or model in running:
            return validate(*args, **keywords)
        counts[model.__name__] += 1
        running.append(model)
        try:
            return validate(*args, **keywords)
        finally:
            running.remove(model)

    return wrapped


def count_scans(counts: Counter[str]) -> None:
    """Count each `os.scandir` and `os.listdir` of one of the daemon's folders."""
    for name in ("scandir", "listdir"):
        setattr(os, name, _counted_scan(getattr(os, name), counts))


def _counted_scan(scan: Callable[..., Any], counts: Counter[str]) -> Callable[..., Any]:
    root = Path.cwd()

    @functools.wraps(scan)
    def wrapped(folder: Any = ".") -> Any:
        if isinstance(folder, int):  # an open one
            path = Path(f"/proc/self/fd/{folder}").readlink()
        else:
            path = Path(os.fsdecode(folder))
        if (root / path).parent == root and path.name in FOLDERS:
            counts[path.name] += 1
        return scan(folder)

    return wrapped


def main() -> None:
    """Run the daemon, and write what was counted."""
    counts: Counter[str] = Counter()
    count_validations(counts)
    count_scans(counts)
    from zssr_daemon.__main__ import main as run  # noqa: PLC0415 (after the counters are in place)

    try:
        run()
    finally:
        Path(COUNTS).write_text(json.dumps(counts))


if __name__ == "__main__":
    main()
