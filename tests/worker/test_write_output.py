"""Output: values are rounded and clipped to levels; NaN and infinity are refused."""

import numpy as np
import pytest

from zssr_daemon.errors import JobError
from zssr_daemon.imaging.samples.sample_range import SampleRange
from zssr_daemon.worker.write_output import new_samples, put_levels

BYTES = SampleRange.of_container(np.dtype(np.uint8))


@pytest.mark.parametrize(
    ("value", "level"),
    [(-0.5, 0), (0, 0), (0.499 / 255, 0), (0.501 / 255, 1), (254.6 / 255, 255), (1, 255), (7, 255)],
)
def test_values_are_rounded_and_clipped(value: float, level: int) -> None:
    """To the nearest level: truncation would darken every image by half a level."""
    samples = new_samples(2, 3, 1, bit_depth=8)
    put_levels(np.full((2, 3, 1), value, np.float32), samples, BYTES)
    np.testing.assert_array_equal(samples, np.full((2, 3, 1), level, np.uint8))


def test_every_level_of_16_bits_survives_floats() -> None:
    """float32 holds 65536 levels, and rounding finds each again."""
    levels = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1)
    samples = new_samples(256, 256, 1, bit_depth=16)
    put_levels(levels.astype(np.float32) / 65535, samples, SampleRange.of_container(levels.dtype))
    np.testing.assert_array_equal(samples, levels)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_not_finite_fails_the_job(value: float) -> None:
    """NaN or infinity has no level."""
    values = np.zeros((2, 2, 3), np.float32)
    values[1, 1, 2] = value
    with pytest.raises(JobError) as caught:
        put_levels(values, new_samples(2, 2, 3, bit_depth=8), BYTES)
    assert caught.value.reason == "not_finite"
