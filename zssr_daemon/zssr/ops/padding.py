"""Padding: make the sides of an image multiples of a number by repeating its edges."""

from torch import Tensor
from torch.nn import functional


def pad_to_multiple(image: Tensor, multiple: int) -> Tensor:
    """Repeat the right and bottom edges of (..., C, H, W) until both sides divide by `multiple`.

    Any dtype, range and device, which stay; an image that fits is returned as it is.
    """
    right, bottom = -image.shape[-1] % multiple, -image.shape[-2] % multiple
    if not right and not bottom:
        return image
    return functional.pad(image, (0, right, 0, bottom), mode="replicate")
