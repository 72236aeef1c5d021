"""LossCurve: the losses of a fit, thinned so that a long one takes no more room than a short."""

from zssr_daemon.protocol.messages import WorkProgress

_MAX_POINTS = 1000


class LossCurve:
    """Collects the losses of a fit as they change, all rounds in one row."""

    def __init__(self) -> None:
        self.points: list[tuple[int, float]] = []  # step since the begin, loss
        self._step = 0
        self._stride = self._next = 1

    def add(self, progress: WorkProgress) -> None:
        """Note a sign of life, if it is one of the fit."""
        if progress.stage != "fit" or progress.loss is None:
            return
        self._step += 1
        is_new = not self.points or self.points[-1][1] != progress.loss  # it is read now and then
        if is_new and self._step >= self._next:
            self.points.append((self._step, progress.loss))
            self._next = self._step + self._stride
        if len(self.points) > _MAX_POINTS:
            self._stride *= 2
            self.points = self.points[1::2]
