"""Luma: the brightness of an image, by the weights of ITU-R BT.601, as in JPEG and video."""

import torch
from torch import Tensor

#: Of red, green and blue.
WEIGHTS = torch.tensor([0.299, 0.587, 0.114])


def luma(image: Tensor) -> Tensor:
    """Return (..., W) of (C, ..., W) float32, C 1 or 3, in the same range; grey stays as it is."""
    return torch.einsum("c,c...->...", WEIGHTS, image) if len(image) == 3 else image[0]
