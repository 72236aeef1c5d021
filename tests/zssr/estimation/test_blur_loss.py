"""What it costs to undo another blur than the one that was there."""

import numpy as np
import pytest

from zssr_daemon.zssr.estimation.blur_family import parameters_of
from zssr_daemon.zssr.estimation.blur_loss import Blurring, losses_db

BICUBIC: Blurring = ("bicubic", np.empty(0))


def isotropic(trace: float) -> Blurring:
    """Return a Gaussian whose covariance has this trace, pixels of the large image at ×2."""
    return "gaussian", parameters_of(np.eye(2) * trace / 2 / 4)


def test_truth_costs_nothing() -> None:
    """Each blur is the best assumption about itself, and everything else is worse."""
    blurs: list[Blurring] = [BICUBIC, isotropic(2), isotropic(4), ("disk", np.array([1.3, 0.1]))]
    losses = losses_db(blurs, blurs)
    assert np.diag(losses) == pytest.approx(0, abs=1e-9)
    assert (losses + np.eye(4) > 0.5).all()


def test_too_wide_costs_more_than_too_narrow() -> None:
    """By the same share of the trace."""
    wide, narrow = losses_db([isotropic(3)], [isotropic(3 * 1.4), isotropic(3 / 1.4)])[0]
    assert wide > narrow


@pytest.mark.parametrize(
    ("truth", "assumed", "measured_db"),
    [
        (BICUBIC, isotropic(2), 5.8),
        (isotropic(2), BICUBIC, 3.7),
        (isotropic(3), isotropic(4), 2.1),
        (isotropic(4), isotropic(3), 1.7),
        (isotropic(6), isotropic(3), 4.1),
    ],
)
def test_loss_is_near_what_fits_measured(
    truth: Blurring, assumed: Blurring, measured_db: float
) -> None:
    """Within a decibel of the table in bench/EXPLORED.md, the mean of its pictures."""
    assert losses_db([truth], [assumed])[0, 0] == pytest.approx(measured_db, abs=1)
