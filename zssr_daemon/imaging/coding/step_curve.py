"""StepCurve: the step of quantisation that a format means by an index."""

from bisect import bisect_right
from dataclasses import dataclass

_EVERY = 16


@dataclass(frozen=True, slots=True)
class StepCurve:
    """The steps at every 16th index and at the last one; between them they are nearly straight."""

    steps: tuple[int, ...]
    larger: int  # how many times larger coefficients are stored than an orthonormal transform's

    def at(self, index: float) -> float:
        """Return the step at an index, levels; beyond the ends that of the end."""
        last = len(self.steps) - 1
        places = [*range(0, last * _EVERY, _EVERY), last * _EVERY - 1]
        within = min(max(index, 0), places[-1])
        left = min(bisect_right(places, within), last) - 1
        share = (within - places[left]) / (places[left + 1] - places[left])
        step: float = self.steps[left] * (1 - share) + self.steps[left + 1] * share
        return step / self.larger
