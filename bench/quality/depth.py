"""Depth: the decibels of pictures that fill little of their container, each in its own range.

python -m bench.quality.depth DATA_FOLDER --preset fast

A bright picture and three dim ones on a pedestal are enlarged as a file of 8 bits, as 8, 10, 12 and
16 bits of content in 16, as 8 bits times 257, as floating numbers, and with one hot pixel; some of
them also by the range of the container, as it was before.
"""

import argparse
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from bench.provenance import provenance, save
from bench.quality.metrics import psnr_y_db
from zssr_daemon.imaging.samples.content import Content
from zssr_daemon.imaging.samples.sample_range import SampleRange
from zssr_daemon.worker.layers import Layer
from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.degradation.degradation import Degradation
from zssr_daemon.zssr.ops.resize import resize
from zssr_daemon.zssr.pipeline import super_resolve
from zssr_daemon.zssr.presets import PRESETS

Array = NDArray[Any]

# Picture → how much of the range of its 8 bits it fills, and the level of its black.
PICTURES = {"butterfly": (1.0, 0), "woman": (0.5, 20), "bird": (0.4, 30), "head": (0.3, 40)}

# Row and column of the hot pixel, and how far around it, output pixels, nothing is compared.
HOT, HOT_LEVEL, HOT_REACH = (20, 30), 60_000, 12


class Kind(NamedTuple):
    """A kind of source: what a level of 8 bits becomes, and the type."""

    unit: float
    dtype: str
    is_hot: bool = False
    is_of_container: bool = False  # scaled as it was before


KINDS = {
    "file of 8 bits": Kind(1, "u1"),
    "8 bits in 16": Kind(1, "u2"),
    "8 bits times 257": Kind(257, "u2"),
    "10 bits in 16": Kind(1023 / 255, "u2"),
    "12 bits in 16": Kind(4095 / 255, "u2"),
    "16 bits": Kind(257, "u2"),
    "float32": Kind(1 / 255, "f4"),
    "10 bits in 16, a hot pixel": Kind(1023 / 255, "u2", is_hot=True),
    "8 bits in 16, before": Kind(1, "u2", is_of_container=True),
    "10 bits in 16, before": Kind(1023 / 255, "u2", is_of_container=True),
    "12 bits in 16, before": Kind(4095 / 255, "u2", is_of_container=True),
}


def main() -> None:
    """Measure, print a table, write it to bench/results/."""
    options = parse()
    torch.set_num_threads(options.threads)
    config = ZSSRConfig.from_preset(options.preset)
    rows = []
    for name in options.pictures:
        truth, levels = picture(options.data, name)
        rows += [row(name, kind, truth, levels, config) for kind in options.kinds]
    if not options.no_write:
        report = {"preset": options.preset, "seed": config.seed, **provenance(), "rows": rows}
        save(report, f"depth_{options.preset}.json")


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder with x2/HR/")
    parser.add_argument("--preset", choices=list(PRESETS), default="fast")
    parser.add_argument("--pictures", nargs="+", choices=list(PICTURES), default=list(PICTURES))
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--no-write", action="store_true", help="print only")
    return parser.parse_args()


def picture(data: Path, name: str) -> tuple[Array, Array]:
    """Return the truth and the shrunken source, both (H, W, 3) float64 in levels of 8 bits."""
    truth = np.asarray(Image.open(data / "x2" / "HR" / f"{name}.png").convert("RGB"))
    height, width = (side // 2 * 2 for side in truth.shape[:2])
    share, black = PICTURES[name]
    shown = truth[:height, :width] * share + black
    planes = torch.from_numpy(shown).permute(2, 0, 1)[None]
    small = resize(planes, (height // 2, width // 2), 0.5)[0].permute(1, 2, 0).clamp(0)
    return shown, small.numpy()


def row(name: str, kind: str, truth: Array, levels: Array, config: ZSSRConfig) -> dict[str, Any]:
    """Enlarge levels of 8 bits, not rounded, as samples of a kind; return dB and seconds."""
    samples = samples_of(kind, levels)
    content, son_levels = Content.of(samples), Content.of(samples).sample_range.levels
    if KINDS[kind].is_of_container:
        whole = SampleRange.of_container(samples.dtype)
        content = Content(pixels=whole.to_unit(samples), sample_range=whole)
        son_levels = 255
    height, width, channels = samples.shape
    out = np.empty((2 * height, 2 * width, channels), samples.dtype)
    layer = Layer(content=content, samples=out, factor=1.0)
    started_s = time.perf_counter()
    degradation = Degradation(levels=son_levels)
    result = super_resolve(
        layer.taken_picture(), config, device="cpu", put=layer.put, degradation=degradation
    )
    layer.finish(config, degradation.blur)
    told = {
        "image": name,
        "kind": kind,
        "psnr_db": round(own_psnr_db(out / KINDS[kind].unit, truth, kind), 2),
        "is_fallback": result.is_fallback,
        "seconds": round(time.perf_counter() - started_s, 1),
    }
    print(told, flush=True)
    return told


def samples_of(kind: str, levels: Array) -> Array:
    """Return levels of 8 bits, not rounded, as samples of a kind."""
    unit, dtype, is_hot, _ = KINDS[kind]
    if kind == "8 bits times 257":
        levels = np.rint(levels)
    samples: Array = (levels * unit if dtype == "f4" else np.rint(levels * unit)).astype(dtype)
    if is_hot:
        samples[HOT] = HOT_LEVEL
    return samples


def own_psnr_db(result: Array, truth: Array, kind: str) -> float:
    """Return PSNR-Y in the truth's own range; around a hot pixel nothing is compared.

    result, truth: levels of 8 bits.
    """
    if KINDS[kind].is_hot:
        top, left = (max(0, 2 * place - HOT_REACH) for place in HOT)
        around = np.s_[top : top + 2 * HOT_REACH, left : left + 2 * HOT_REACH]
        result[around] = truth[around]
    factor = 255 / (truth.max() - truth.min())
    return psnr_y_db(result * factor, truth * factor, crop_border=2)


if __name__ == "__main__":
    main()
