"""KernelRecord: an estimated kernel beside the output, for programs and for people."""

from pathlib import Path

import numpy as np
from PIL import Image

from zssr_daemon.protocol.attempt_files import KERNEL_PICTURE, KERNEL_WEIGHTS, companion_part
from zssr_daemon.zssr.degradation.blur import Kernel

#: Side of a weight in the picture, pixels.
_ZOOM = 8


def write_kernel(part: Path, kernel: Kernel) -> None:
    """Write the weights beside an output's part, and a picture of them; the largest is white.

    The weights are float64 and add up to 1; `[degradation] kernel` reads the file.

    Raises:
        OSError: the disk is at fault.
    """
    with companion_part(part, KERNEL_WEIGHTS).open("wb") as stream:
        np.save(stream, kernel.weights, allow_pickle=False)
    levels = (kernel.weights / kernel.weights.max()).clip(0, 1) * 255
    picture = Image.fromarray(np.kron(levels.round(), np.ones((_ZOOM, _ZOOM))).astype(np.uint8))
    picture.save(companion_part(part, KERNEL_PICTURE), "PNG")
