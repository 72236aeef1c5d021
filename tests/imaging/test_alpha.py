"""Alpha: hidden colour is filled from visible neighbours."""

import numpy as np
import pytest

from zssr_daemon.imaging.alpha import fill_hidden


def test_fill_keeps_what_is_visible() -> None:
    """Visible pixels stay equal, bit by bit, and every hidden one gets a colour in their range."""
    rng = np.random.default_rng(0)
    pixels = rng.uniform(0.25, 0.75, (37, 53, 3)).astype(np.float32)
    alpha = (rng.random((37, 53)) < 0.02).astype(np.float32)
    pixels[alpha == 0] = 1
    filled = fill_hidden(pixels, alpha[:, :, None] > 0)
    assert filled.dtype == np.float32
    np.testing.assert_array_equal(filled[alpha > 0], pixels[alpha > 0])
    assert filled.min() >= 0.25
    assert filled.max() <= 0.75 + 1e-6


def test_fill_takes_the_near_colour() -> None:
    """Each side of a gap takes the colour of its own side."""
    pixels = np.zeros((1, 16, 1), np.float32)
    alpha = np.zeros((1, 16), np.float32)
    pixels[0, 0], alpha[0, 0] = 0.2, 1
    pixels[0, 15], alpha[0, 15] = 0.8, 1
    filled = fill_hidden(pixels, alpha[:, :, None] > 0)[0, :, 0]
    np.testing.assert_allclose(filled, [0.2] * 8 + [0.8] * 8, rtol=1e-6)


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_fill_without_hidden_or_without_visible_changes_nothing(alpha: float) -> None:
    """Nothing to fill, or nothing to fill it with."""
    pixels = np.random.default_rng(0).random((5, 4, 3), dtype=np.float32)
    np.testing.assert_array_equal(fill_hidden(pixels, np.full((5, 4, 1), alpha > 0)), pixels)
