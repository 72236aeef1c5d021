"""Budget: what a fit may spend, in iterations or in seconds."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.inference.passes import all_passes

UNLIMITED = 2**62

#: What a later pass has, as a share of what the first one has.
LATER_SHARE = 1 / 3

#: With fewer iterations than these its fit would take longer to prepare than to run.
MIN_LATER = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How much of a fit is over, and where each of its rounds ends."""

    iterations: int  # an estimate where seconds count
    rounds: int
    seconds: float | None  # None: iterations alone count
    clock: Callable[[], float] = time.perf_counter
    began_s: float = 0.0  # on that clock

    @classmethod
    def of(cls, config: ZSSRConfig, clock: Callable[[], float] = time.perf_counter) -> "Budget":
        """Start the budget of `config` now."""
        return cls(
            iterations=config.num_epochs,
            rounds=round_count(config),
            seconds=config.fit_budget_s if config.budget == "seconds" else None,
            clock=clock,
            began_s=clock(),
        )

    def share(self, done: int) -> float:
        """Return the share spent, 0..1, after `done` iterations."""
        if self.seconds is None:
            return done / self.iterations
        return min(1.0, (self.clock() - self.began_s) / self.seconds)

    def steps(self, done: int) -> int:
        """Return how many iterations the fit will take, estimated from the first `done` of them."""
        if self.seconds is None:
            return self.iterations
        return max(done, math.ceil(done / max(self.share(done), 1e-6)))

    def round_iterations(self, number: int) -> int:
        """Return the most iterations of round `number`, which counts from 0."""
        if self.seconds is not None:
            return UNLIMITED
        first, last = (self.iterations * mark // self.rounds for mark in (number, number + 1))
        return last - first

    def round_share(self, number: int) -> Callable[[], float] | None:
        """Return a function that returns the share, 0..1, of round `number`, which begins now.

        None where iterations count. A round that begins late is shorter: it ends when it should.
        """
        if self.seconds is None:
            return None
        begin_s = self.clock()
        span_s = self.began_s + self.seconds * (number + 1) / self.rounds - begin_s
        return lambda: 1.0 if span_s <= 0 else min(1.0, (self.clock() - begin_s) / span_s)


def round_count(config: ZSSRConfig) -> int:
    """Return how many rounds there are: at least one iteration each."""
    is_timed = config.budget == "seconds"
    return config.rounds if is_timed else min(config.rounds, config.num_epochs)


def split_budget(config: ZSSRConfig) -> tuple[ZSSRConfig, ZSSRConfig | None]:
    """Return the config of the first pass's fit, and that of each later one, in one round.

    Together they have what `config` has. None: there is one pass, or too little for a later one.
    """
    count = len(all_passes(config)) - 1
    share = LATER_SHARE / (1 + count * LATER_SHARE)
    iterations = int(config.num_epochs * share)
    if count == 0 or (iterations < MIN_LATER and config.budget != "seconds"):
        return config, None
    iterations = max(iterations, 1)
    later = replace(
        config, num_epochs=iterations, fit_budget_s=config.fit_budget_s * share, rounds=1
    )
    first = replace(
        config,
        num_epochs=max(config.num_epochs - count * iterations, 1),
        fit_budget_s=config.fit_budget_s * (1 - count * share),
    )
    return first, later
