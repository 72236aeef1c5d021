"""MotionPath: where a path lies, and what it leaves of each frequency."""

import numpy as np
import pytest

from tests.parts.zssr_pictures import texture
from zssr_daemon.zssr.estimation.free_kernel.motion_path import MotionPath, PathResponse
from zssr_daemon.zssr.estimation.spectrum import Spectrum

BENT = MotionPath(np.array([[0.4, -0.8, 0.1], [1.6, 0.2, -0.3]]))


def test_straight_path_has_the_length_of_its_ends() -> None:
    """From -1 to 1 in time it goes twice its first term."""
    assert MotionPath(np.array([[3.0], [4.0]])).length == pytest.approx(10.0)


def test_weights_add_up_to_one_and_turn_with_the_path() -> None:
    """A path turned by 180 degrees is drawn as the kernel turned."""
    weights = BENT.weights((2.0, 3.0))
    assert weights.sum() == pytest.approx(1)
    assert BENT.turned.weights((2.0, 3.0)) == pytest.approx(weights[::-1, ::-1])


def test_likeness_is_one_for_the_same_path_only() -> None:
    """Whichever end comes first."""
    backwards = MotionPath(BENT.terms * np.array([-1, 1, -1]))
    assert BENT.likeness(backwards) == pytest.approx(1)
    assert BENT.likeness(BENT.turned) < 0.8


def test_response_is_that_of_the_drawn_kernel() -> None:
    """Blurred by the width of a path: 0.07 square pixels (a variance) more than the drawn one."""
    spectrum = Spectrum.of([texture(64, 64, 1)[0].double().numpy()])
    assert spectrum is not None
    log_power, _ = PathResponse(spectrum, 3)(BENT.terms.ravel())
    weights = BENT.weights((4.0, 4.0))
    at = [(np.arange(side) - (side - 1) / 2) / 4 for side in weights.shape]
    y, x = (
        np.exp(-2j * np.pi * np.multiply.outer(each, places))
        for each, places in zip((spectrum.y, spectrum.x), at, strict=True)
    )
    left = np.abs(np.einsum("kni,ij,knj->kn", y, weights, x))
    width = np.exp(-2 * np.pi**2 * 0.07 * np.exp(2 * spectrum.log_radius))
    assert np.exp(log_power / 2) == pytest.approx(left * width, abs=0.03)


def test_derivatives_are_those_of_the_response() -> None:
    """Measured by small steps."""
    spectrum = Spectrum.of([texture(64, 64, 1)[0].double().numpy()])
    assert spectrum is not None
    response = PathResponse(spectrum, 3)
    parameters = BENT.terms.ravel()
    _, derivatives = response(parameters)
    for derivative, step in zip(derivatives, np.eye(6) * 1e-6, strict=True):
        measured = (response(parameters + step)[0] - response(parameters - step)[0]) / 2e-6
        assert derivative == pytest.approx(measured, rel=1e-3, abs=1e-3)
