"""Blur: how much PSNR the true kernel gains, and a kernel estimated from the image alone.

python -m bench.quality.blur DATA_FOLDER --family gaussian --count 20 --preset fast

Pictures are blurred by random kernels (the seed is the number of the case), sub-sampled and rounded
to 8 bits. Each is then super-resolved three times: as if bicubic had shrunk it, with the true
kernel, and with the estimated one; where that is of free shape, also with that of a fixed shape.
"""

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from bench.provenance import provenance, save
from bench.quality.blur_kernels import FAMILIES, blurred
from bench.quality.metrics import psnr_y_db
from bench.quality.run import config_of, folder_name, mean_row, scale_folder, to_tensor, to_uint8
from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.degradation.blur import BICUBIC, Blur
from zssr_daemon.zssr.degradation.degradation import Degradation
from zssr_daemon.zssr.estimation.blur_estimate import estimate_blur
from zssr_daemon.zssr.estimation.free_kernel.free_kernel import estimate_free_kernel
from zssr_daemon.zssr.pipeline import super_resolve
from zssr_daemon.zssr.presets import PRESETS


def main() -> None:
    """Measure every case, print a table, write it to bench/results/."""
    options = parse()
    config = config_of(options)
    truths = sorted((scale_folder(options.data, options.scale) / "HR").glob("*.png"))
    work = partial(measure, truths, options.family, options.scale, config, is_free=options.free)
    rows = []
    with ProcessPoolExecutor(options.processes, mp_context=get_context("spawn")) as pool:
        for row in pool.map(work, range(options.count)):
            rows.append(row)
            show(row)
    numbers = [{key: row[key] for key in row if not isinstance(row[key], str)} for row in rows]
    mean = mean_row([{"image": "mean", **row} for row in numbers])
    mean["gain_share"] = mean["gain_estimated_db"] / mean["gain_true_db"]
    mean["worst_db"] = min(row["gain_estimated_db"] for row in rows)
    mean["better"] = sum(row["gain_estimated_db"] > 0 for row in rows)
    mean["worst_against_fixed_db"] = min(
        row["psnr_estimated_db"] - row["psnr_fixed_db"] for row in rows
    )
    print(
        f"mean: true {mean['gain_true_db']:+.2f} dB, estimated {mean['gain_estimated_db']:+.2f} dB "
        f"({mean['gain_share']:.0%}), worst {mean['worst_db']:+.2f} dB, "
        f"better {mean['better']} of {len(rows)}, "
        f"worst against fixed shapes {mean['worst_against_fixed_db']:+.2f} dB"
    )
    report = {
        "set": folder_name(options.data),
        "scale": options.scale,
        "family": options.family,
        "preset": options.preset,
        "free": options.free,
        "seed": options.seed,
        "overrides": options.set,
        **provenance(),
        "mean": mean,
        "cases": rows,
    }
    name = (
        f"blur_{folder_name(options.data)}_x{options.scale}_{options.family}_{options.preset}.json"
    )
    if not options.no_write:
        save(report, name)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder with HR/, or with x2/HR/ ...")
    parser.add_argument("--family", choices=list(FAMILIES), default="gaussian")
    parser.add_argument(
        "--count", type=int, default=20, help="number of cases; they take the pictures in turn"
    )
    parser.add_argument("--scale", type=int, default=2)
    parser.add_argument("--preset", choices=list(PRESETS), default="fast")
    parser.add_argument("--free", action="store_true", help="look for a kernel of free shape too")
    parser.add_argument("--seed", type=int, default=0, help="of the fits")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="JSON values")
    parser.add_argument("--processes", type=int, default=1, help="cases at a time, one thread each")
    parser.add_argument("--no-write", action="store_true", help="print only")
    return parser.parse_args()


def measure(
    truths: list[Path], family: str, scale: int, config: ZSSRConfig, number: int, *, is_free: bool
) -> dict[str, Any]:
    """Blur picture `number` modulo their count, and super-resolve it in each way."""
    torch.set_num_threads(1)
    path = truths[number % len(truths)]
    with Image.open(path) as image:
        is_grey = image.mode == "L"
        truth = to_tensor(image)
    height, width = (side // scale * scale for side in truth.shape[1:])
    truth = truth[:, :height, :width]
    kernel, source = blurred(truth, family, number, scale)
    started_s = time.perf_counter()
    fixed = estimate_blur(source)
    free = estimate_free_kernel(source, fixed) if is_free else None
    estimate_s = time.perf_counter() - started_s
    estimate = fixed if free is None else free
    expected = to_uint8(truth, is_grey=is_grey)

    def psnr_db(blur: Blur | None) -> float:
        if blur is None:
            return assumed_db
        degradation = Degradation(blur=blur)
        result = super_resolve(source, config, device="cpu", degradation=degradation)
        return psnr_y_db(to_uint8(result.image, is_grey=is_grey), expected, crop_border=scale)

    assumed_db, true_db = psnr_db(BICUBIC), psnr_db(kernel)
    fixed_db = psnr_db(fixed.kernel(float(scale)))
    estimated_db = fixed_db if free is None else psnr_db(free.kernel(float(scale)))
    return {
        "image": path.stem,
        "psnr_bicubic_assumed_db": assumed_db,
        "psnr_true_kernel_db": true_db,
        "psnr_fixed_db": fixed_db,
        "psnr_estimated_db": estimated_db,
        "gain_true_db": true_db - assumed_db,
        "gain_estimated_db": estimated_db - assumed_db,
        "estimate": str(estimate),
        "why": estimate.why,
        "evidence": estimate.evidence,
        "estimate_s": estimate_s,
    }


def show(row: dict[str, Any]) -> None:
    """Print one line of the table."""
    print(
        f"{row['image']:12s} bicubic assumed {row['psnr_bicubic_assumed_db']:.2f}  "
        f"true {row['psnr_true_kernel_db']:.2f}  fixed {row['psnr_fixed_db']:.2f}  "
        f"estimated {row['psnr_estimated_db']:.2f}  "
        f"{row['estimate']} ({row['why']}, {row['evidence']:.2f}; {row['estimate_s']:.2f} s)",
        flush=True,
    )


if __name__ == "__main__":
    main()
