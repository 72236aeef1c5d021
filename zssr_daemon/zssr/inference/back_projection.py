"""Back-projection: make a result shrink back to its source.

Irani and Peleg 1991, doi 10.1016/1049-9652(91)90045-L; arXiv 1712.06087, section 3.
"""

from collections.abc import Callable

from torch import Tensor

from zssr_daemon.zssr.degradation.blur import BICUBIC, Blur
from zssr_daemon.zssr.scale import Scale


def back_project(
    enlarged: Tensor,
    source: Tensor,
    scale: Scale,
    times: int,
    on_pass: Callable[[], None] = lambda: None,
    *,
    blur: Blur = BICUBIC,
) -> Tensor:
    """Add to `enlarged` what it lacks of `source` when shrunk; repeat this `times` times.

    enlarged: (N, C, H', W') float32, about [0, 1]; source: (N, C, H, W) float32, [0, 1].
    Returns (N, C, H', W') float32 clipped to [0, 1]. Both grids begin at the same corner, and
    H' = round(H * scale), so sizes need not be multiples. on_pass is called after each time.
    """
    source_size = (source.shape[-2], source.shape[-1])
    out_size = (enlarged.shape[-2], enlarged.shape[-1])
    result = enlarged.clamp(0, 1)
    for _ in range(times):
        missing = source - blur.shrink(result, source_size, scale)
        result = blur.spread(missing, out_size, scale).add_(result).clamp_(0, 1)
        on_pass()
    return result
