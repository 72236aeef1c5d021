"""Padding by reflection."""

from torch import Tensor
from torch.nn import functional


def pad_to_multiple(image: Tensor, multiple: int) -> Tensor:
    """Repeat the right and bottom edges of (..., C, H, W) until both sides divide by `multiple`."""
    right, bottom = -image.shape[-1] % multiple, -image.shape[-2] % multiple
    return (
        functional.pad(image, (0, right, 0, bottom), mode="replicate") if right or bottom else image
    )
