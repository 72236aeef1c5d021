"""Wrap: an image that wraps has no border, so that its place in the period does not matter."""

import pytest
import torch

from tests.parts.zssr_pictures import texture
from zssr_daemon.zssr.ops.resize import resize
from zssr_daemon.zssr.ops.wrap import OPEN, Wrap, continued

XY = Wrap(x=True, y=True)


@pytest.mark.parametrize("name", ["no", "x", "y", "xy"])
def test_names_lead_to_the_wrap_and_back(name: str) -> None:
    """The axes that wrap have one name."""
    assert Wrap.of(name).name == name


def test_continued_goes_on_with_the_other_side() -> None:
    """Along an axis that wraps, as often as needed; along the other the edge is repeated."""
    image = torch.arange(6.0).reshape(1, 2, 3)
    wide = continued(image, (4, 2, 1, 0), Wrap(x=True))
    assert wide[0].tolist() == [[2, 0, 1, 2, 0, 1, 2, 0, 1]] * 2 + [[5, 3, 4, 5, 3, 4, 5, 3, 4]]


@pytest.mark.parametrize(
    ("size", "wanted", "shift"),
    [
        ((20, 16), (40, 32), (3, 5)),
        ((20, 16), (10, 8), (2, 6)),
        ((20, 16), (14, 12), (10, 4)),
        ((21, 17), (32, 26), (0, 0)),
        ((7, 5), (1, 5), (0, 2)),
        ((20, 16), (20, 8), (3, 2)),
    ],
)
def test_resizing_commutes_with_a_shift(
    size: tuple[int, int], wanted: tuple[int, int], shift: tuple[int, int]
) -> None:
    """A shift by source pixels that are whole pixels of the result moves the result alone."""
    image = texture(*size)
    scale = (wanted[1] / size[1], wanted[0] / size[0])
    moved = tuple(by * to // of for by, to, of in zip(shift, wanted, size, strict=True))
    result = resize(image, wanted, scale, XY)
    again = resize(image.roll(shift, (-2, -1)), wanted, scale, XY)
    torch.testing.assert_close(result.roll(moved, (-2, -1)), again, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("length", "wanted"), [(24, 48), (24, 18), (25, 38), (9, 3)])
def test_resizing_is_that_of_many_copies(length: int, wanted: int) -> None:
    """The middle one of copies side by side, stretched to whole pixels, is the wrapped result."""
    image = texture(length, 10)
    scale = (1.0, wanted / length)
    copies = resize(image.repeat(1, 5, 1), (5 * wanted, 10), scale)
    wrapped = resize(image, (wanted, 10), (1.0, round(wanted / length, 1)), Wrap(y=True))
    torch.testing.assert_close(wrapped, copies[:, 2 * wanted : 3 * wanted], rtol=0, atol=1e-5)
    assert not torch.allclose(wrapped, resize(image, (wanted, 10), scale), atol=1e-3)


def test_an_axis_that_does_not_wrap_keeps_its_border() -> None:
    """Each axis is treated by itself."""
    image = texture(12, 12)
    one = resize(image, (24, 24), 2.0, Wrap(x=True))
    middle = slice(6, 18)
    torch.testing.assert_close(one[..., middle], resize(image, (24, 24), 2.0, OPEN)[..., middle])
