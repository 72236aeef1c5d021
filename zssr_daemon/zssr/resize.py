"""Resizing: antialiased bicubic with the exact scale and the exact size both given.

Pixel centres: output pixel i samples the source at (i + 0.5) / scale - 0.5, whatever the size,
so sizes that are not a multiple of the scale are cut, never stretched.
"""

import torch
from torch import Tensor


def resize(image: Tensor, out_size: tuple[int, int], scale: float) -> Tensor:
    """Resize by cubic convolution (a = -0.5), widened by 1 / scale when shrinking.

    image: (C, H, W) or (N, C, H, W), float32, any C, range and device.
    out_size: (height, width) in pixels, as `scaled_length` rounds it.
    Returns the same rank, dtype and device; not clipped, so edges overshoot by up to 8 %.
    Keys 1981, doi 10.1109/TASSP.1981.1163711; borders renormalise the weights, as Pillow does.
    """
    batch = image if image.dim() == 4 else image.unsqueeze(0)
    # F.interpolate accepts the scale or the size, not both; the operator under it takes both.
    resized: Tensor = torch.ops.aten._upsample_bicubic2d_aa(
        batch, list(out_size), False, scale, scale
    )
    return resized if image.dim() == 4 else resized.squeeze(0)
