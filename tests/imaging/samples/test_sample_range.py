"""SampleRange: a source is scaled by its own black and white, and comes back exactly."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from zssr_daemon.imaging.samples.content import Content
from zssr_daemon.imaging.samples.sample_range import SampleRange, fits_float32


def picture(dtype: str, low: float, high: float, count: int = 100_000) -> NDArray[Any]:
    """Return random samples of which the lowest and the highest are there."""
    values = np.random.default_rng(0).uniform(low, high, count).astype(dtype)
    values[:2] = low, high
    return values


def test_8_bits_are_scaled_by_their_container() -> None:
    """Whatever an 8-bit source holds, its outputs are what they always were, to the last bit."""
    levels = np.arange(256, dtype=np.uint8)
    scale = SampleRange.of_content(levels[10:20])
    assert (scale.low, scale.high, scale.levels) == (0, 255, 255)
    np.testing.assert_array_equal(scale.to_unit(levels), levels.astype(np.float32) / 255)
    values = np.random.default_rng(0).uniform(-0.1, 1.1, 1 << 20).astype(np.float32)
    back = np.empty(values.shape, np.uint8)
    scale.to_samples(values, back)
    np.testing.assert_array_equal(back, np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8))


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [
        ("u2", 0, 65535),
        ("u2", 64, 1023),
        ("i2", -32768, 32767),
        ("i2", -300, 4000),
        ("i1", -100, 27),
        ("u4", 4_000_000_000, 4_016_777_215),
        ("i4", -(1 << 23), 1 << 22),
    ],
)
def test_whole_numbers_come_back_exactly(dtype: str, low: int, high: int) -> None:
    """Black is 0, white is 1, and the way back gives each sample again."""
    samples = picture(dtype, low, high)
    scale = SampleRange.of_content(samples)
    assert (scale.low, scale.high) == (low, high)
    values = scale.to_unit(samples)
    assert values.dtype == np.float32
    assert (values.min(), values.max()) == (0, 1)
    back = np.empty_like(samples)
    scale.to_samples(values, back)
    np.testing.assert_array_equal(back, samples)


def test_floating_numbers_come_back_to_a_part_of_the_range() -> None:
    """The algorithm has 24 bits from black to white, so that is what comes back."""
    samples = picture("f4", -11_000, 8_848)
    scale = SampleRange.of_content(samples)
    back = np.empty_like(samples)
    scale.to_samples(scale.to_unit(samples), back)
    assert np.abs(back - samples).max() <= (8_848 + 11_000) * 2**-24


@given(
    step=st.integers(1, 300),
    low=st.integers(0, 1000),
    levels=st.integers(2, 100),
    kind=st.sampled_from(["u2", "i4", "f4"]),
)
def test_step_is_that_of_the_levels(step: int, low: int, levels: int, kind: str) -> None:
    """The greatest common divisor of all distances, wherever the lowest level lies."""
    places = np.random.default_rng(step).integers(0, levels, 500)
    places[:3] = 0, 1, levels - 1
    scale = SampleRange.of_content((low + step * places).astype(kind))
    assert scale.levels == levels - 1
    assert scale.step == pytest.approx(step)


def test_step_of_8_bits_times_257() -> None:
    """An 8-bit picture that was made 16 bits deep was rounded to 255 levels, not to 65535."""
    levels = np.arange(256, dtype=np.uint16)
    assert SampleRange.of_content(levels * 257).levels == 255
    assert SampleRange.of_content(levels[3:250] * 257).step == 257


def test_step_of_8_bits_as_floating_numbers() -> None:
    """Levels that were divided by 255 are levels still, though no float32 holds a 255th."""
    levels = np.random.default_rng(0).integers(0, 256, 10_000)
    assert SampleRange.of_content((levels / 255).astype(np.float32)).levels == 255


def test_floating_numbers_of_no_step() -> None:
    """What was never rounded is not rounded in training."""
    assert SampleRange.of_content(picture("f4", 0, 1)).levels is None


def test_one_colour_comes_back() -> None:
    """Without any range there is still a way back."""
    for dtype, value in (("u2", 777), ("f4", 1e30), ("i4", -5)):
        samples = np.full((3, 4), value, dtype)
        scale = SampleRange.of_content(samples)
        back = np.empty_like(samples)
        scale.to_samples(scale.to_unit(samples), back)
        np.testing.assert_array_equal(back, samples)


@pytest.mark.parametrize("hot", [60_000, 0])
def test_a_hot_pixel_does_not_set_the_range(hot: int) -> None:
    """One sample far outside is kept beside the range, exactly; the picture fills the range."""
    samples = picture("u2", 30_000, 31_023).reshape(250, 400, 1)
    samples[20, 30] = hot
    content = Content.of(samples)
    assert (content.sample_range.low, content.sample_range.high) == (30_000, 31_023)
    assert content.excess is not None
    assert np.count_nonzero(content.excess) == 1
    whole = (content.pixels + content.excess) * content.sample_range.span + 30_000
    assert np.abs(whole - samples).max() < 0.01


def test_stars_are_the_picture() -> None:
    """Bright samples that are not few, or not so far out, belong to the range."""
    samples = picture("u2", 1000, 1100).reshape(250, 400, 1)
    samples[::10, ::10] = 50_000  # one in a hundred
    assert Content.of(samples).excess is None
    samples = picture("u2", 1000, 1100).reshape(250, 400, 1)
    samples[20, 30] = 1250
    assert Content.of(samples).excess is None


def test_what_alpha_hides_sets_no_range() -> None:
    """Hidden colour is no content."""
    samples = np.full((8, 8, 3), 1000, np.uint16)
    samples[0, 0], samples[7, 7] = 500, 60_000
    alpha = np.ones((8, 8), np.float32)
    alpha[7, 7] = 0
    assert Content.of(samples, alpha=alpha).sample_range.high == 1000


def test_steps_that_float32_cannot_tell_apart() -> None:
    """24 bits of steps, wherever they begin; void does not count."""
    fine = np.array([0, 1, 1 << 24], np.uint32)
    assert not fits_float32(fine, None)
    assert fits_float32(fine, np.array([True, True, False]))
    assert fits_float32(fine - fine.min() + np.uint32(7) - np.array([0, 0, 1], np.uint32), None)
    assert fits_float32(fine[1:] * np.uint32(1), None)
    assert fits_float32(np.array([0, 256, (1 << 32) - 256], np.uint32), None)
