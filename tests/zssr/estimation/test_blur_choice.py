"""The blur that is assumed where an image leaves more than one open."""

from dataclasses import replace

import numpy as np
import pytest

from zssr_daemon.zssr.estimation.blur_choice import BlurChoice
from zssr_daemon.zssr.estimation.blur_family import covariance, parameters_of
from zssr_daemon.zssr.estimation.blur_fit import BlurFit

TRACE = 1.0


def fits(bicubic: float, gaussian: float, disk: float, motion: float) -> list[BlurFit]:
    """Return fits of typical blurs, with what each family leaves unexplained."""
    return [
        BlurFit("bicubic", bicubic, np.empty(0)),
        BlurFit("gaussian", gaussian, parameters_of(np.eye(2) * TRACE / 2)),
        BlurFit("disk", disk, np.array([-1.2, 0.1])),
        BlurFit("motion", motion, np.array([0.0, 2.5])),
    ]


@pytest.mark.parametrize(
    ("costs", "shape"),
    [
        ((10, 80, 80, 80), "bicubic"),
        ((80, 10, 80, 80), "gaussian"),
        ((80, 80, 10, 80), "disk"),
        ((80, 80, 80, 10), "motion"),
    ],
)
def test_family_that_alone_explains_an_image_is_assumed(
    costs: tuple[float, float, float, float], shape: str
) -> None:
    """With a gain over bicubic where it is a blur, and none where it is not."""
    choice = BlurChoice.of(fits(*costs))
    assert choice.shape == shape
    assert (choice.gain_db > 1) == (shape != "bicubic")


def test_image_that_bicubic_explains_as_well_is_taken_for_sharp() -> None:
    """What is lost against bicubic counts more than what is gained."""
    choice = BlurChoice.of(fits(20, 20, 20, 20))
    assert (choice.shape, choice.gain_db) == ("bicubic", 0)
    assert 0 < choice.chance < 1


def test_narrower_is_assumed_where_families_disagree() -> None:
    """A Gaussian is assumed narrower than it was measured where the blur may be a disk."""
    sure = BlurChoice.of(fits(80, 10, 80, 80))
    open_one = BlurChoice.of(fits(80, 10, 11.0, 80))
    assert sure.shape == open_one.shape == "gaussian"
    traces = [float(np.trace(covariance(choice.parameters))) for choice in (open_one, sure)]
    assert traces[0] < traces[1]
    assert traces[1] == pytest.approx(TRACE, rel=0.1)


def test_gaussian_is_assumed_narrower_where_its_fit_is_tilted() -> None:
    """A picture that is soft of itself falls off faster than the fit says."""
    plain, tilted = fits(80, 10, 80, 80), fits(80, 10, 80, 80)
    tilted[1] = replace(tilted[1], tilt=0.3)
    traces = [np.trace(covariance(BlurChoice.of(each).parameters)) for each in (tilted, plain)]
    assert traces[0] < 0.95 * traces[1]


def test_sizes_that_do_not_occur_are_not_believed() -> None:
    """A motion of half a pixel explains an image as well as none does."""
    tiny = [*fits(20, 80, 80, 80)[:3], BlurFit("motion", 1.0, np.array([0.0, 0.5]))]
    choice = BlurChoice.of(tiny)
    assert choice.shape == "bicubic"
    assert choice.evidence < 0
