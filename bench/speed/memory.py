"""Memory: the peak of a whole job, decode to verified output, over the size of its image.

python -m bench.speed.memory                4, 16 and 64 megapixels: twenty minutes of two cores
python -m bench.speed.memory --megapixels 4

Few iterations, no ensemble: neither adds to the memory, which follows the picture and a strip.
"""

import argparse
import math
import os
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bench.provenance import provenance, save
from bench.speed.run import in_child
from zssr_daemon.imaging.formats import ImageLimits
from zssr_daemon.imaging.output_format import OutputRules
from zssr_daemon.protocol.messages import WorkOrder
from zssr_daemon.system.file_identity import FileIdentity
from zssr_daemon.worker.enlarger import Enlarger
from zssr_daemon.worker.frames import enlarge_file
from zssr_daemon.zssr.config import ZSSRConfig

LIMITS = ImageLimits(max_file_bytes=1 << 30, max_input_pixels=1 << 30)
RULES = OutputRules(setting="png", quality=95, keeps_metadata=True, max_pixels=1 << 31)


def main() -> None:
    """Measure, print, write to bench/results/."""
    options = parse()
    rows = [in_child(enlarge, size, options.scale) for size in options.megapixels]
    for row in rows:
        print(*(f"{key} {value}" for key, value in row.items()), sep="  ")
    if not options.no_write:
        save({**provenance(), "scale": options.scale, "jobs": rows}, "memory.json")


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megapixels", type=float, nargs="+", default=[4.0, 16.0, 64.0])
    parser.add_argument("--scale", type=float, default=2.0)
    parser.add_argument("--no-write", action="store_true")
    return parser.parse_args()


def enlarge(megapixels: float, scale: float) -> dict[str, Any]:
    """Enlarge a photograph-like RGB picture of that size in this process."""
    config = ZSSRConfig(num_epochs=20, rounds=1, self_ensemble=False, scale_factor=scale)
    enlarger = Enlarger("cpu", os.cpu_count() or 1)
    enlarger.self_test()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "a.png"
        write_picture(source, megapixels)
        before = peak_bytes()
        started_s = time.perf_counter()
        done = enlarge_file(enlarger, order(source, config), lambda _: None)
        report = done.report
        return {
            "megapixels": megapixels,
            "out_width": report.out_width,
            "out_height": report.out_height,
            "before_MB": round(before / 1e6),
            "peak_MB": round(peak_bytes() / 1e6),
            "bytes_per_out_pixel": round(
                (peak_bytes() - before) / (report.out_width * report.out_height), 2
            ),
            "seconds": round(time.perf_counter() - started_s, 1),
            "stages_s": {stage: round(value, 1) for stage, value in report.seconds.items()},
        }


def order(source: Path, config: ZSSRConfig) -> WorkOrder:
    """Order one picture."""
    return WorkOrder(
        job_id="memory",
        inbox=str(source.parent),
        src_rel=source.name,
        identity=FileIdentity.from_stat(source.stat()),
        part=str(source.with_name("part")),
        config=config,
        limits=LIMITS,
        output=RULES,
        weights_folder=None,
    )


def write_picture(path: Path, megapixels: float) -> None:
    """Write a 4:3 picture of smooth noise, tile by tile the same: cheap to make and to keep."""
    height = round(math.sqrt(megapixels * 1e6 * 3 / 4))
    width = round(height * 4 / 3)
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    tile = np.asarray(Image.fromarray(noise).resize((512, 512), Image.Resampling.BICUBIC))
    rows = np.tile(tile, (1, -(-width // 512), 1))[:, :width]
    Image.fromarray(np.tile(rows, (-(-height // 512), 1, 1))[:height]).save(path, compress_level=1)


def peak_bytes() -> int:
    """Return the most memory this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
