"""Progress: what a caller is told after every iteration, tile and long calculation."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Step:
    """One sign of life from `super_resolve`."""

    stage: Literal["fit", "infer"]
    step: int  # iterations of this fit, or tiles of this inference, done so far
    steps: int  # of how many at most
    fraction: float  # 0..1 of the whole call by estimated arithmetic; never falls
    loss: float | None  # L1, last value read back from the device
    lr: float | None


OnStep = Callable[[Step], None]


class Progress:
    """Turns work done into fractions that never fall, even when a fit starts again.

    Work is measured in output pixels passed forward through the network.
    """

    def __init__(self, on_step: OnStep | None, total_work: float) -> None:
        self.iterations = 0  # of all fits, the failed ones too
        self._on_step = on_step
        self._total = total_work
        self.done = 0.0  # work; set back before work is done again
        self._fraction = 0.0
        self._tiles = (0, 0)  # of the present inference: done, of how many

    def add_work(self, work: float) -> None:
        """Add to the total, as a refit does."""
        self._total += work

    def leave_only(self, work: float) -> None:
        """Count everything but the last `work` as done: a fit may end early."""
        self.done = self._total - work

    def fit_step(self, step: int, steps: int, work: float, loss: float | None, lr: float) -> None:
        """Report one iteration that took `work`."""
        self.iterations += 1
        self._report(Step("fit", step, steps, self._advance(work), loss, lr))

    def tile_reporter(self, tiles: int, passes: int) -> Callable[[int], None]:
        """Return a function that reports a tile, given its area in output pixels.

        tiles: how many there will be; passes: how often each goes through the network.
        """
        self._tiles = (0, tiles)

        def report(area: int) -> None:
            self._tiles = (self._tiles[0] + 1, tiles)
            self._advance(area * passes)
            self.alive()

        return report

    def alive(self) -> None:
        """Report that an inference goes on, during a calculation on the whole image."""
        self._report(Step("infer", *self._tiles, self._fraction, None, None))

    def _advance(self, work: float) -> float:
        self.done += work
        self._fraction = max(self._fraction, min(1.0, self.done / self._total))
        return self._fraction

    def _report(self, step: Step) -> None:
        if self._on_step is not None:
            self._on_step(step)
