"""DCT: the orthonormal cosine transform of 8 × 8 blocks (type II), which JPEG is made of."""

import math

import torch
from torch import Tensor

SIDE = 8  # pixels


def basis(dtype: torch.dtype = torch.float32) -> Tensor:
    """Return (8, 8), the one-dimensional transform: row u is the wave of frequency u."""
    at = torch.arange(SIDE, dtype=torch.float64)
    waves = torch.cos(math.pi / SIDE * (at + 0.5) * at[:, None]) * math.sqrt(2 / SIDE)
    waves[0] /= math.sqrt(2)
    return waves.to(dtype)


def blocks(image: Tensor, step: int) -> Tensor:
    """Return (count, 8, 8), the blocks of (..., H, W) that begin at every step-th pixel."""
    if min(image.shape[-2:]) < SIDE:
        return image.new_empty(0, SIDE, SIDE)
    return image.unfold(-2, SIDE, step).unfold(-2, SIDE, step).reshape(-1, SIDE, SIDE)


def transform(pixels: Tensor) -> Tensor:
    """Return the coefficients (..., 8, 8) of blocks (..., 8, 8); row and column are frequencies."""
    waves = basis(pixels.dtype).to(pixels.device)
    return torch.as_tensor(waves @ pixels @ waves.T)


def inverse(coefficients: Tensor) -> Tensor:
    """Return the pixels of coefficients (..., 8, 8): undo `transform`."""
    waves = basis(coefficients.dtype).to(coefficients.device)
    return torch.as_tensor(waves.T @ coefficients @ waves)
