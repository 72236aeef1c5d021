"""JPEG: what its compression makes of an image."""

import torch
from torch import Tensor
from torch.nn import functional

from zssr_daemon.zssr.ops.dct import SIDE, inverse, transform
from zssr_daemon.zssr.ops.luma import WEIGHTS

# Quantisation steps of the frequencies at quality 50 (ITU-T T.81, tables K.1 and K.2).
_LUMA_STEPS = torch.tensor(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)

_CHROMA_STEPS = torch.full((SIDE, SIDE), 99)
_CHROMA_STEPS[:4, :4] = torch.tensor(
    [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]
)

# RGB to luma and chroma (JFIF 1.02); the chroma of grey is 0.
_CHROMA = torch.tensor([[-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
_YCC = torch.cat([WEIGHTS[None], _CHROMA])


def quantisation_steps(quality: int, steps: Tensor = _LUMA_STEPS) -> Tensor:
    """Return the steps of the 64 frequencies at a quality, 1 to 100, (8, 8) float32 in levels.

    steps: those at quality 50, of the luma unless given. As the Independent JPEG Group's library
    computes them.
    """
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return torch.div(steps * percent + 50, 100, rounding_mode="floor").clamp(1, 255).float()


def compress(image: Tensor, quality: int) -> Tensor:
    """Return what is left of (..., C, H, W) float32 in [0, 1] at a quality, 1 to 100.

    C is 1 or 3; the chroma is halved in width and height, as libraries do by default. The result
    is rounded to 8 bits.
    """
    levels = image.reshape(-1, *image.shape[-3:]) * 255
    is_colour = levels.shape[1] == 3
    planes = torch.einsum("dc,nchw->ndhw", _YCC.to(levels), levels) if is_colour else levels
    coded = _quantised(planes[:, :1] - 128, quantisation_steps(quality)) + 128
    if is_colour:
        chroma = _smaller_quantised(planes[:, 1:], quantisation_steps(quality, _CHROMA_STEPS))
        ycc = torch.cat([coded, chroma], dim=1)
        coded = torch.einsum("dc,nchw->ndhw", torch.linalg.inv(_YCC).to(levels), ycc)
    return coded.round().clamp(0, 255).div(255).reshape(image.shape)


def _smaller_quantised(chroma: Tensor, steps: Tensor) -> Tensor:
    """Return (N, 2, H, W) halved, quantised and enlarged again."""
    height, width = chroma.shape[-2:]
    even = functional.pad(chroma, (0, width % 2, 0, height % 2), mode="replicate")
    coded = _quantised(functional.avg_pool2d(even, 2), steps)
    large = functional.interpolate(coded, scale_factor=2, mode="bilinear")
    return large[..., :height, :width]


def _quantised(planes: Tensor, steps: Tensor) -> Tensor:
    """Return (N, C, H, W), centred levels, each block with its coefficients rounded to steps."""
    height, width = planes.shape[-2:]
    ends = (0, -width % SIDE, 0, -height % SIDE)
    whole = functional.pad(planes, ends, mode="replicate")
    rows, columns = (side // SIDE for side in whole.shape[-2:])
    size = (*planes.shape[:2], rows, SIDE, columns, SIDE)
    pixels = whole.reshape(size).transpose(-3, -2)  # (N, C, rows, columns, 8, 8)
    on = steps.to(planes)
    decoded = inverse((transform(pixels) / on).round() * on)
    return decoded.transpose(-3, -2).reshape(whole.shape)[..., :height, :width].round()
