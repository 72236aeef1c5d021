"""Teller: says how far the soak is, with a bar on a terminal and with lines elsewhere."""

import time

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

_TELL_S = 15.0


class Teller:
    """Tells how far the soak is: a bar on a terminal, a line now and then elsewhere."""

    def __init__(self, end_s: float) -> None:
        self._end_s = end_s
        self._told_s = self._began_s = time.monotonic()
        self._told_wrong = 0
        columns = (BarColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
        self._bar = Progress(*columns, disable=not Console().is_terminal)
        self._task = self._bar.add_task("", total=end_s - self._began_s)

    def __enter__(self) -> "Teller":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def tell(self, state: str, wrong: list[str]) -> None:
        """Show a state, and each new fault as it is found."""
        now_s = time.monotonic()
        for fault in wrong[self._told_wrong :]:
            self._bar.console.print(f"{now_s - self._began_s:.0f} s: WRONG: {fault}", markup=False)
        self._told_wrong = len(wrong)
        self._bar.update(self._task, completed=now_s - self._began_s, description=state)
        if self._bar.disable and now_s - self._told_s >= _TELL_S:
            self._told_s = now_s
            print(f"{now_s - self._began_s:.0f} s: {state}", flush=True)
