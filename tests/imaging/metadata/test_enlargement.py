"""Places in a source and in its output: the same thing is seen at both."""

import numpy as np
import pytest

from zssr_daemon.imaging.metadata.enlargement import Enlargement, Grid
from zssr_daemon.imaging.samples.decoded import upright

WIDTH, HEIGHT, SCALE_X, SCALE_Y = 7, 5, 2, 3


def way(orientation: int) -> Enlargement:
    """Return the way of a picture of 7 by 5 stored pixels, twice as wide, three times as high."""
    grid = Grid(width=WIDTH, height=HEIGHT, orientation=orientation)
    width, height = grid.upright
    return Enlargement(
        grid=grid, scale=(SCALE_X, SCALE_Y), width=width * SCALE_X, height=height * SCALE_Y
    )


def enlarged(stored: "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]", orientation: int) -> object:
    """Return stored pixels as the output shows them."""
    turned = upright(stored[:, :, None], orientation)[:, :, 0]
    return turned.repeat(SCALE_Y, axis=0).repeat(SCALE_X, axis=1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_each_pixel_is_found_again(orientation: int) -> None:
    """The output holds the pixel's value at the place that is said."""
    stored = np.arange(WIDTH * HEIGHT, dtype=np.uint8).reshape(HEIGHT, WIDTH)
    output = np.asarray(enlarged(stored, orientation))
    assert output.shape == (way(orientation).height, way(orientation).width)
    for row in range(HEIGHT):
        for column in range(WIDTH):
            x, y = way(orientation).pixel(column, row)
            assert output[y, x] == stored[row, column]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_each_box_is_found_again(orientation: int) -> None:
    """A box given by its middle, width and height covers the same things, exactly."""
    left, top, width, height = 1, 2, 4, 2
    stored = np.zeros((HEIGHT, WIDTH), np.uint8)
    stored[top : top + height, left : left + width] = 1
    rows, columns = np.nonzero(np.asarray(enlarged(stored, orientation)))
    middle = ((columns.min() + columns.max() + 1) / 2, (rows.min() + rows.max() + 1) / 2)
    size = (np.ptp(columns) + 1, np.ptp(rows) + 1)
    here = way(orientation)
    assert here.point(left + width / 2, top + height / 2) == pytest.approx(middle)
    assert here.lengths(width, height) == pytest.approx(size)
    relative = here.relative_point((left + width / 2) / WIDTH, (top + height / 2) / HEIGHT)
    assert relative == pytest.approx((middle[0] / here.width, middle[1] / here.height))
    wide, high = here.relative_lengths(width / WIDTH, height / HEIGHT)
    assert (wide * here.width, high * here.height) == pytest.approx(size)


def test_what_was_drawn_on_the_upright_picture_is_only_scaled() -> None:
    """Some programs draw regions on the picture as it is shown."""
    assert way(6).as_if_upright().point(1, 2) == (2, 6)
    assert way(6).as_if_upright().is_upright()
