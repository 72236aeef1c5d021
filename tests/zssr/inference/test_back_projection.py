"""Back-projection: results that shrink back to their source."""

import pytest
import torch

from tests.parts.zssr_pictures import psnr_db, texture
from zssr_daemon.zssr.inference.back_projection import back_project
from zssr_daemon.zssr.ops.resize import resize
from zssr_daemon.zssr.scale import scaled_length


@pytest.mark.parametrize("scale", [2.0, 3.0, 1.5, 2.5])
def test_back_projected_image_shrinks_to_its_source(scale: float) -> None:
    """Each repetition brings the shrunken result closer to the source, at odd sizes too."""
    source = texture(21, 33)[None] * 0.8 + 0.1
    size = (scaled_length(21, scale), scaled_length(33, scale))
    agreement = [
        psnr_db(
            resize(
                back_project(resize(source, size, scale), source, scale, times), (21, 33), 1 / scale
            ),
            source,
        )
        for times in (0, 1, 4, 16)
    ]
    assert agreement == sorted(agreement)
    assert agreement[-1] > agreement[0] + 3


def test_back_projection_stays_in_range() -> None:
    """The result is a picture: within [0, 1]."""
    source = texture(16, 16)[None].round()
    result = back_project(resize(source, (32, 32), 2.0), source, 2.0, 5)
    assert float(result.min()) == 0
    assert float(result.max()) == 1


def test_no_back_projection_only_clips() -> None:
    """Zero times is allowed."""
    enlarged = torch.tensor([[[[-1.0, 0.5], [0.25, 2.0]]]])
    expected = torch.tensor([[[[0.0, 0.5], [0.25, 1.0]]]])
    assert torch.equal(expected, back_project(enlarged, torch.zeros(1, 1, 1, 1), 2.0, 0))
