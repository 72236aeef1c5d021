"""Padding: make the sides of an image multiples of a number by repeating its edges."""

from torch import Tensor

from zssr_daemon.zssr.ops.wrap import OPEN, Wrap, continued


def pad_to_multiple(image: Tensor, multiple: int, wrap: Wrap = OPEN) -> Tensor:
    """Repeat the right and bottom edges of (..., C, H, W) until both sides divide by `multiple`.

    Any dtype, range and device, which stay; an image that fits is returned as it is. An axis that
    wraps has no edge and keeps its length, after which it begins anew: whoever needs more of it
    takes that by `continued`.
    """
    right = 0 if wrap.x else -image.shape[-1] % multiple
    bottom = 0 if wrap.y else -image.shape[-2] % multiple
    return continued(image, (0, right, 0, bottom), wrap)
