"""DurableSteps: what is done to files and ledger, in its order, while it is really done."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zssr_daemon.ledger.ledger import Ledger


class DurableSteps:
    """Writes down what is done to files and ledger while it is really done."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, ledger: Ledger, root: Path) -> None:
        self.calls: list[str] = []
        self._root = root
        for name in ("fsync", "link", "replace", "unlink"):
            monkeypatch.setattr(os, name, self._recording(name, getattr(os, name)))
        ledger._db.set_trace_callback(self._sql)

    def _recording(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            paths = [self._short(arg) for arg in args]
            result = real(*args, **kwargs)
            self.calls.append(f"{name} {' '.join(paths)}")
            return result

        return call

    def _short(self, what: "int | str | os.PathLike[str]") -> str:
        path = Path(f"/proc/self/fd/{what}").readlink() if isinstance(what, int) else what
        short = os.path.relpath(path, self._root)
        return "PART" if short.startswith("output/.") else short

    def _sql(self, statement: str) -> None:
        if statement.startswith("UPDATE"):
            for word in ("publishing", "done", "disposal_rel", "disposal"):
                if f"'{word}'" in statement or f" {word} = " in statement:
                    self.calls.append(f"commit {word}")
                    return
