"""Grain: it comes out as bicubic enlarges it, whatever the parts, and only where it is kept."""

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.parts.zssr_pictures import CAMERA, grainy, quick
from zssr_daemon.zssr.degradation.blur import BICUBIC, Blur, Kernel
from zssr_daemon.zssr.degradation.degradation import Degradation
from zssr_daemon.zssr.degradation.noise_shape import NoiseShape
from zssr_daemon.zssr.inference.grain import Grain
from zssr_daemon.zssr.ops.resize import resize
from zssr_daemon.zssr.ops.wrap import Wrap
from zssr_daemon.zssr.pipeline import super_resolve
from zssr_daemon.zssr.scale import Scale, scaled_size


@pytest.mark.parametrize("scale", [2.0, 3.0, 1.5, (1.25, 2.0)])
@pytest.mark.parametrize(
    "blur",
    [
        BICUBIC,
        Kernel.of(np.ones((3, 3)), "topleft"),
        BICUBIC.wrapping(Wrap(x=True, y=False)),
    ],
)
def test_parts_are_those_of_the_enlarged_whole(scale: Scale, blur: Blur) -> None:
    """The border apart, which plain resizing weighs otherwise."""
    grain = torch.rand(3, 24, 20, generator=torch.Generator().manual_seed(0)) * 0.2 - 0.1
    size = scaled_size((24, 20), scale)
    result = torch.full((3, *size), 0.5)

    def put(part: Tensor, top: int, left: int) -> None:
        result[:, top : top + part.shape[-2], left : left + part.shape[-1]] = part

    with_grain = Grain(grain, scale, blur).put_back(put)
    for top, bottom in ((0, 7), (7, 19), (19, size[0])):
        with_grain(torch.full((3, bottom - top, size[1]), 0.5), top, 0)
    expected = 0.5 + blur.enlarge(grain, size, scale)
    inner = (slice(None), slice(8, -8), slice(8, -8))
    torch.testing.assert_close(result[inner], expected[inner], rtol=0, atol=1e-5)


def test_kept_grain_is_as_strong_as_bicubic_makes_it() -> None:
    """On an even area, where nothing else is; removed, it is hardly there."""
    even = torch.full((3, 64, 64), 0.5)
    shape = NoiseShape(CAMERA.spectra)
    source = grainy(even, 8, shape)
    bicubic = float(resize(source, (128, 128), 2.0).std())
    kept, removed = (
        float(super_resolve(source, quick(), device="cpu", degradation=each).image.std())
        for each in (
            Degradation(noise_std=8.0, noise_shape=shape, keeps_grain=True),
            Degradation(noise_std=8.0, noise_shape=shape),
        )
    )
    assert kept == pytest.approx(bicubic, rel=0.1)
    assert removed < 0.4 * bicubic
