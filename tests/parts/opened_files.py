"""OpenedFiles: a record of the files that are opened safely, some of which a disk can refuse."""

import os
from collections.abc import Sequence

import pytest

from zssr_daemon.system import safe_open


class OpenedFiles:
    """Notes the name of each file or folder that `safe_open` opens, while a test runs."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, failing: str = "", errnos: Sequence[int] = ()
    ) -> None:
        """Raise `errnos` one after another when the file named `failing` is opened."""
        self.names: list[str] = []
        self.errnos = list(errnos)  # those still to come
        self._failing = failing
        self._step = safe_open._step
        monkeypatch.setattr(safe_open, "_step", self._noting_step)

    def _noting_step(self, folder_fd: int, name: str, flags: int) -> int:
        self.names.append(name)
        if name == self._failing and self.errnos:
            os.close(folder_fd)
            number = self.errnos.pop(0)
            raise OSError(number, os.strerror(number))
        return self._step(folder_fd, name, flags)
