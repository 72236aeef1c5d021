"""JPEG: what its compression makes of an image."""

import torch
from torch import Tensor
from torch.nn import functional

from zssr_daemon.zssr.degradation.jpeg_tables import JpegTables, Steps
from zssr_daemon.zssr.ops.dct import SIDE, inverse, transform
from zssr_daemon.zssr.ops.luma import WEIGHTS

# RGB to luma and chroma (JFIF 1.02); the chroma of grey is 0.
_CHROMA = torch.tensor([[-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
_YCC = torch.cat([WEIGHTS[None], _CHROMA])


def quantisation_steps(quality: int) -> Tensor:
    """Return the luma's steps of the 64 frequencies at a quality, 1 to 100, (8, 8) float32."""
    return _square(JpegTables.of_quality(quality).luma)


def compress(image: Tensor, tables: JpegTables) -> Tensor:
    """Return what a compression leaves of (..., C, H, W) float32 in [0, 1]; C is 1 or 3.

    The result is rounded to 8 bits.
    """
    levels = image.reshape(-1, *image.shape[-3:]) * 255
    is_colour = levels.shape[1] == 3
    planes = luma_and_chroma(levels)
    coded = _quantised(planes[:, :1] - 128, _square(tables.luma)) + 128
    if is_colour:
        chroma = _chroma_quantised(planes[:, 1:], tables)
        ycc = torch.cat([coded, chroma], dim=1)
        coded = torch.einsum("dc,nchw->ndhw", torch.linalg.inv(_YCC).to(levels), ycc)
    return coded.round().clamp(0, 255).div(255).reshape(image.shape)


def luma_and_chroma(levels: Tensor) -> Tensor:
    """Return luma and the chroma of blue and red, (N, 3, H, W), of red, green and blue.

    Chroma is centred at 0; of grey, (N, 1, H, W), there is the luma alone.
    """
    return (
        torch.einsum("dc,nchw->ndhw", _YCC.to(levels), levels) if levels.shape[1] == 3 else levels
    )


def _square(steps: Steps) -> Tensor:
    return torch.tensor(steps, dtype=torch.float32).reshape(SIDE, SIDE)


def _chroma_quantised(chroma: Tensor, tables: JpegTables) -> Tensor:
    """Return (N, 2, H, W) shrunk, quantised and enlarged again."""
    height, width = chroma.shape[-2:]
    rows, columns = tables.shrunk
    steps = torch.stack([_square(each) for each in tables.chroma])[:, None, None]
    whole = functional.pad(chroma, (0, -width % columns, 0, -height % rows), mode="replicate")
    coded = _quantised(functional.avg_pool2d(whole, tables.shrunk), steps)
    factors = (float(rows), float(columns))
    large = functional.interpolate(coded, scale_factor=factors, mode="bilinear")
    return large[..., :height, :width]


def _quantised(planes: Tensor, steps: Tensor) -> Tensor:
    """Return (N, C, H, W), centred levels, each block with its coefficients rounded to steps.

    steps: (8, 8), or (C, 1, 1, 8, 8) where the channels differ.
    """
    height, width = planes.shape[-2:]
    ends = (0, -width % SIDE, 0, -height % SIDE)
    whole = functional.pad(planes, ends, mode="replicate")
    rows, columns = (side // SIDE for side in whole.shape[-2:])
    size = (*planes.shape[:2], rows, SIDE, columns, SIDE)
    pixels = whole.reshape(size).transpose(-3, -2)  # (N, C, rows, columns, 8, 8)
    on = steps.to(planes)
    decoded = inverse((transform(pixels) / on).round() * on)
    return decoded.transpose(-3, -2).reshape(whole.shape)[..., :height, :width].round()
