"""Drawing: pictures from seeds, full of leaves, with hard edges and soft ones."""

import numpy as np
import pytest
from numpy.typing import NDArray

from zssr_daemon.zssr.start.drawing import KINDS, draw
from zssr_daemon.zssr.start.palette import Palette
from zssr_daemon.zssr.start.shapes import ANGLES, Leaves, covering, power_law, unit_outlines
from zssr_daemon.zssr.start.strokes import Strokes, curves, fur, gratings, text
from zssr_daemon.zssr.start.textures import noise

SIDE = 96


@pytest.fixture(scope="module")
def pictures() -> NDArray[np.float32]:
    """Return a row of pictures, (N, 3, SIDE, SIDE)."""
    return np.stack([draw(np.random.default_rng([5, number]), SIDE) for number in range(12)])


def edge_shares(pictures: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return, of each edge of 7 steps, the share of its change that its steepest step has."""
    steps = np.diff(pictures.mean(axis=1).astype(np.float64), axis=2)
    windows = np.lib.stride_tricks.sliding_window_view(steps, 7, axis=2)
    steepest, change = np.abs(windows[..., 3]), np.abs(windows.sum(axis=-1))
    is_edge = (steepest == np.abs(windows).max(axis=-1)) & (change > 20 / 255)
    return np.asarray(steepest[is_edge] / change[is_edge])


def test_same_seed_draws_the_same_picture() -> None:
    """A start can be made again only from the very same pictures."""
    first, second = (draw(np.random.default_rng(3), SIDE) for _ in range(2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, draw(np.random.default_rng(4), SIDE))


def test_pictures_are_colours_in_range(pictures: NDArray[np.float32]) -> None:
    """Three channels, float32, finite, from 0 to 1, and neither flat nor all black or white."""
    assert pictures.shape[1:] == (3, SIDE, SIDE)
    assert pictures.dtype == np.float32
    assert np.isfinite(pictures).all()
    assert pictures.min() >= 0
    assert pictures.max() <= 1
    assert (pictures.std(axis=(1, 2, 3)) > 0.03).all()


@pytest.mark.parametrize("radii", [(3.0, 40.0), (20.0, 60.0)])
def test_every_pixel_is_covered(radii: tuple[float, float]) -> None:
    """No ground stays bare: each pixel has the label of a leaf that was drawn."""
    leaves, labels = covering(np.random.default_rng(0), 128, radii)
    assert labels.min() >= 1
    assert labels.max() <= len(leaves.centres)
    assert len(np.unique(labels)) > 10


def test_few_pixels_are_flat(pictures: NDArray[np.float32]) -> None:
    """Photographs have a seventh of pixels within a level of 255 of two neighbours.

    Dead leaves of one colour each, with bare ground between them, have two thirds.
    """
    grey = pictures.mean(axis=1) * 255
    down, right = np.abs(np.diff(grey, axis=1)), np.abs(np.diff(grey, axis=2))
    assert ((down[:, :, :-1] < 1) & (right[:, :-1] < 1)).mean() < 0.33


def test_soft_edges_lie_beside_hard_ones(pictures: NDArray[np.float32]) -> None:
    """As in photographs: their quartiles are 0.33 to 0.41, 0.46 to 0.61 and 0.65 to 0.92."""
    low, middle, high = np.percentile(edge_shares(pictures), [25, 50, 75])
    assert 0.2 < low < 0.45
    assert 0.35 < middle < 0.7
    assert 0.55 < high < 1.1


def test_lines_bars_and_letters_are_a_quarter_at_most() -> None:
    """Hard, regular strokes harm where the source is clean."""
    assert KINDS["curves"] + KINDS["gratings"] + KINDS["text"] <= 0.25
    assert sum(KINDS.values()) == pytest.approx(1)


def test_sizes_follow_the_power_law() -> None:
    """Density r^-3: three quarters of all leaves are below twice the smallest radius."""
    radii = power_law(np.random.default_rng(0), 20_000, (1.0, 1000.0))
    assert radii.min() >= 1
    assert np.mean(radii < 2) == pytest.approx(0.75, abs=0.01)
    assert np.mean(radii < 4) == pytest.approx(0.9375, abs=0.01)


def test_outlines_go_round_their_centre() -> None:
    """Every outline is a positive distance of about 1, no leaf a line or without end."""
    outlines = unit_outlines(np.random.default_rng(0), 400)
    assert outlines.shape == (400, ANGLES)
    assert outlines.min() > 0.02
    assert outlines.max() < 6
    assert 0.4 < outlines.mean() < 1.2


def test_topmost_leaf_hides_those_below() -> None:
    """Whatever their sizes: the later one is on top, and rings show what lies under them."""
    outlines = np.full((3, ANGLES), 1, np.float32) * np.array([[40], [6], [20]], np.float32)
    centres = np.array([[50, 50], [50, 50], [50, 80]], np.float32)
    labels = Leaves(centres, outlines, np.array([0, 0, 0.5], np.float32)).top(100)
    assert [labels[50, column] for column in (5, 30, 50, 64, 80)] == [0, 1, 2, 3, 1]


def test_discs_have_their_area() -> None:
    """Small leaves, tested many at once, are as exact as large ones."""
    for radius in (2.5, 9.3, 45.0):
        outline = np.full((1, ANGLES), radius, np.float32)
        labels = Leaves(np.full((1, 2), 60.0, np.float32), outline, np.zeros(1, np.float32)).top(
            128
        )
        assert np.count_nonzero(labels) == pytest.approx(np.pi * radius**2, rel=0.08)


def test_segment_covers_its_width_and_length() -> None:
    """A segment of width w and length l with round ends has the area w l + pi w^2 / 4."""
    starts, ends = np.array([[20, 20]], np.float32), np.array([[40, 60]], np.float32)
    strokes = Strokes(starts, ends, np.array([6], np.float32), np.array([0]))
    expected = 6 * np.hypot(20, 40) + np.pi * 9
    assert np.count_nonzero(strokes.top(80)) == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("kind", [curves, fur, gratings, text])
def test_strokes_show_and_leave_room(kind: object) -> None:
    """Each kind of strokes covers some of the picture, and never all of it."""
    assert callable(kind)
    shares = [
        np.mean(kind(np.random.default_rng(seed), 256, 2.0).top(256) > 0) for seed in range(4)
    ]
    assert 0.005 < np.mean(shares) < 0.8


@pytest.mark.parametrize("slope", [0.5, 1.5])
def test_noise_has_the_spectrum_asked_for(slope: float) -> None:
    """The magnitude falls as the frequency to the power of minus the slope."""
    power = np.square(np.abs(np.fft.fft2(noise(np.random.default_rng(0), 256, slope))))
    frequency = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.fftfreq(256))
    low, high = (
        np.log(power[(frequency > at * 0.9) & (frequency < at * 1.1)].mean()) for at in (0.05, 0.4)
    )
    assert (low - high) / np.log(8) / 2 == pytest.approx(slope, abs=0.1)


def test_colours_of_a_picture_belong_together() -> None:
    """Colours of one palette differ less in hue than those of several."""
    rng = np.random.default_rng(0)
    groups = [Palette.drawn(rng).colours(rng, 200) for _ in range(40)]
    hues = [np.stack([group[:, 0] - group[:, 2], group[:, 1] - group[:, 2]]) for group in groups]
    inside = np.mean([hue.std(axis=1) for hue in hues])
    assert inside < 0.9 * np.concatenate(hues, axis=1).std(axis=1).mean()
    assert all(group.min() >= 0 and group.max() <= 1 for group in groups)
