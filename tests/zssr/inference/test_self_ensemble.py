"""Self-ensemble: transformations are undone, and outputs reduced."""

import pytest
import torch

from tests.parts.zssr_pictures import texture
from zssr_daemon.zssr.inference.self_ensemble import self_ensemble


def test_ensemble_of_an_equivariant_function_is_the_function() -> None:
    """Each transformation is undone after the forward pass."""
    tile = texture(8, 12)[None]
    for reduce in ("mean", "median"):
        torch.testing.assert_close(
            self_ensemble(lambda turned: turned**2, tile, members=tuple(range(8)), reduce=reduce),
            tile**2,
        )


def test_median_of_the_ensemble_ignores_an_outlier() -> None:
    """The paper's reduction; one bad pass of eight leaves it alone, and shifts the mean."""
    tile = torch.zeros(1, 1, 4, 4)
    for reduce, expected in (("median", 0.0), ("mean", 1.0)):
        passes = iter([8.0] + [0.0] * 7)
        result = self_ensemble(
            lambda turned, passes=passes: turned + next(passes),  # type: ignore[misc]
            tile,
            members=tuple(range(8)),
            reduce=reduce,  # type: ignore[arg-type]
        )
        assert expected == float(result.mean())


@pytest.mark.parametrize("index", range(8))
@pytest.mark.parametrize(("height", "width", "grid"), [(8, 12, 2), (9, 12, 3), (4, 8, 4)])
def test_turning_about_the_corner_keeps_the_grid(
    index: int, height: int, width: int, grid: int
) -> None:
    """A network that knows the first pixel of each square meets it there after any turn."""

    def first_pixels(image: torch.Tensor) -> torch.Tensor:
        assert image.shape[-1] % grid == image.shape[-2] % grid == 0
        mask = torch.zeros_like(image)
        mask[..., ::grid, ::grid] = 1
        return image * mask

    tile = texture(height, width)[None] + 1
    turned = self_ensemble(first_pixels, tile, members=(index,), reduce="mean", corner_grid=grid)
    torch.testing.assert_close(turned, first_pixels(tile))
