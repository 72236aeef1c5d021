"""Estimate: seconds of one core to estimate noise, JPEG quality and blur of an image.

python -m bench.speed.estimate DATA_FOLDER/x2/HR/lenna.png

The picture is cut, or repeated with its mirror images, to 256² and to 2048² pixels.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from bench.provenance import provenance, save
from bench.quality.run import to_tensor
from zssr_daemon.zssr.estimation.blur_estimate import estimate_blur
from zssr_daemon.zssr.estimation.jpeg_estimate import estimate_tables
from zssr_daemon.zssr.estimation.noise_estimate import estimate_noise_std

SIDES = (256, 2048)
ESTIMATES: dict[str, Callable[[torch.Tensor], object]] = {
    "noise": estimate_noise_std,
    "jpeg": estimate_tables,
    "blur": estimate_blur,
}


def main() -> None:
    """Time each estimate on both sizes, print the best of three, write to bench/results/."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with Image.open(options.picture) as image:
        picture = to_tensor(image)
    rows = [measured(mirrored(picture, side)) for side in SIDES]
    for row in rows:
        print("  ".join(f"{name} {value:.2f}" for name, value in row.items()))
    save({"picture": options.picture.stem, **provenance(), "rows": rows}, "estimate.json")


def mirrored(picture: torch.Tensor, side: int) -> torch.Tensor:
    """Repeat (3, H, W) with its mirror images, and cut it to (3, side, side)."""
    row = torch.cat([picture, picture.flip(-1)], dim=-1)
    tile = torch.cat([row, row.flip(-2)], dim=-2)
    repeats = [-(-side // length) for length in tile.shape[-2:]]
    return tile.repeat(1, *repeats)[:, :side, :side].contiguous()


def measured(image: torch.Tensor) -> dict[str, Any]:
    """Return the processor seconds of each estimate."""
    seconds = {
        name: min(processor_seconds(estimate, image) for _ in range(3))
        for name, estimate in ESTIMATES.items()
    }
    return {"side": image.shape[-1], **seconds, "all": sum(seconds.values())}


def processor_seconds(estimate: Callable[[torch.Tensor], object], image: torch.Tensor) -> float:
    """Return the processor seconds of one call."""
    started_s = time.process_time()
    estimate(image)
    return time.process_time() - started_s


if __name__ == "__main__":
    main()
