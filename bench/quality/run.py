"""Quality: PSNR-Y, SSIM and seconds of a preset over a folder of HR and LR pictures.

python -m bench.quality.run DATA_FOLDER --scale 2 --preset fast
python -m bench.quality.run BLURRED --kernel BLURRED/x2/kernel.mat --kernel-phase topleft
python -m bench.quality.run DATA_FOLDER --noise 10 --auto
python -m bench.quality.run --pair tests/data/butterfly_hr.png tests/data/butterfly_lr.png
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from bench.provenance import provenance, save
from bench.quality.metrics import psnr_y_db, ssim_y
from bench.quality.spoil import UNSPOILT, Spoil, add_spoil_options
from zssr_daemon.protocol.kernel_file import KernelFile
from zssr_daemon.worker.kernel_files import load_kernel
from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.degradation.blur import BICUBIC, Blur, Kernel
from zssr_daemon.zssr.degradation.degradation import IDEAL, Degradation
from zssr_daemon.zssr.degradation.jpeg_tables import JpegTables
from zssr_daemon.zssr.estimation.blur_estimate import estimate_blur
from zssr_daemon.zssr.estimation.jpeg_estimate import MAX_QUALITY, estimate_tables
from zssr_daemon.zssr.estimation.noise_estimate import (
    MeasuredNoise,
    estimate_noise,
    estimate_white_noise_std,
)
from zssr_daemon.zssr.inference.back_projection import back_project
from zssr_daemon.zssr.pipeline import super_resolve
from zssr_daemon.zssr.presets import PRESETS
from zssr_daemon.zssr.scale import per_axis
from zssr_daemon.zssr.training.weights import Weights

# PSNR-Y (dB) of bicubic, as published; a bench that misses it measures something else.
KNOWN_BICUBIC_DB = {("Set5", 2): 33.68, ("Set14", 2): 30.23, ("Set5", 4): 28.43}
KNOWN_WITHIN_DB = 0.03


class Pair(NamedTuple):
    """The files of one picture."""

    truth: Path
    source: Path


def main() -> None:
    """Measure, print a table, write it to bench/results/."""
    options = parse()
    torch.set_num_threads(options.threads)
    config = config_of(options)
    spoil = Spoil.of(options)
    rows = []
    for pair in pairs_of(options):
        image = Image.open(pair.source)
        tables = spoil.tables(image) if options.file else None
        degradation = degradation_of(options, to_tensor(spoil(image)), tables)
        row = measure(pair, config, degradation=degradation, spoil=spoil)[0]
        if is_degraded(options):
            row |= degradation_row(row, pair, config, degradation, spoil)
        rows.append(row)
        show(row)
    mean = mean_row(rows)
    show(mean)
    checked = check_bicubic(options, mean["psnr_bicubic_db"])
    write(options, config, rows, mean, checked)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "data", type=Path, nargs="?", help="folder with HR/ and LR/, or with x2/HR/ ..."
    )
    parser.add_argument(
        "--pair", type=Path, nargs=2, metavar=("HR", "LR"), help="two files instead"
    )
    parser.add_argument("--scale", type=int, default=2)
    parser.add_argument("--preset", choices=list(PRESETS), default="balanced")
    parser.add_argument("--images", nargs="+", help="names without suffix; default all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="JSON values")
    parser.add_argument("--kernel", default="bicubic", help="file of the blur kernel, or estimate")
    parser.add_argument("--kernel-phase", choices=["centred", "topleft"], default="centred")
    add_spoil_options(parser)
    parser.add_argument(
        "--file", action="store_true", help="take the tables from the JPEG file, as the daemon does"
    )
    parser.add_argument("--noise-std", default="0", help="as in settings.toml, or auto")
    parser.add_argument("--jpeg-quality", default="none", help="as in settings.toml, or auto")
    parser.add_argument(
        "--white", action="store_true", help="take noise for white, whatever its shape"
    )
    parser.add_argument(
        "--auto", action="store_true", help="estimate kernel, noise and JPEG quality from the image"
    )
    parser.add_argument("--no-write", action="store_true", help="print only")
    options = parser.parse_args()
    if (options.data is None) == (options.pair is None):
        parser.error("give a data folder or a --pair")
    if options.auto:
        options.kernel, options.noise_std, options.jpeg_quality = "estimate", "auto", "auto"
    return options


def pairs_of(options: argparse.Namespace) -> list[Pair]:
    """Return the pairs to measure."""
    if options.pair is not None:
        return [Pair(*options.pair)]
    folder = scale_folder(options.data, options.scale)
    names = options.images or sorted(path.stem for path in (folder / "HR").glob("*.png"))
    return [Pair(folder / "HR" / f"{name}.png", folder / "LR" / f"{name}.png") for name in names]


def scale_folder(data: Path, scale: int) -> Path:
    """Return the folder that holds HR/ and LR/."""
    return data if (data / "HR").is_dir() else data / f"x{scale}"


def config_of(options: argparse.Namespace) -> ZSSRConfig:
    """Return the preset at the scale; scale 4 is two steps of 2, which is better than one of 4."""
    overrides: dict[str, Any] = {"seed": options.seed, "scale_factor": float(options.scale)}
    if options.scale == 4:
        overrides |= {"scale_factor": 2.0, "scale_times": 2}
    for item in options.set:
        key, value = item.split("=", 1)
        overrides[key] = json.loads(value)
    return ZSSRConfig.from_preset(options.preset, **overrides)


def degradation_of(
    options: argparse.Namespace, source: torch.Tensor, tables: JpegTables | None = None
) -> Degradation:
    """Return the degradation that the options name, or that the source shows where they say so.

    The source is (3, H, W) float32 in [0, 1]; tables: of its file.
    """
    noise_std, quality = options.noise_std, options.jpeg_quality
    if quality != "auto" or (tables is not None and tables.quality > MAX_QUALITY):
        tables = None
    if quality == "auto":
        tables = tables or estimate_tables(source)
    found = None if tables is None else tables.quality
    noise = estimate_noise(source) if noise_std == "auto" else MeasuredNoise(float(noise_std))
    if options.white:
        noise = MeasuredNoise(estimate_white_noise_std(source))
    return Degradation(
        blur=blur_of(options, source),
        noise_std=noise.std,
        noise_shape=noise.shape,
        jpeg_quality=found if quality in ("none", "auto") else int(quality),
        jpeg_tables=tables,
    )


def blur_of(options: argparse.Namespace, source: torch.Tensor) -> Blur:
    """Return bicubic, the given kernel, or the kernel estimated from the source."""
    if options.kernel == "bicubic":
        return BICUBIC
    if options.kernel == "estimate":
        tables = estimate_tables(source)
        estimate = estimate_blur(
            source,
            noise_std=estimate_noise(source).std,
            jpeg_quality=None if tables is None else tables.quality,
        )
        return estimate.kernel(float(options.scale), options.kernel_phase) or BICUBIC
    path = Path(options.kernel)
    return load_kernel(KernelFile(name=path.name, content=path.read_bytes()), options.kernel_phase)


def measure(
    pair: Pair,
    config: ZSSRConfig,
    initial_weights: Weights | None = None,
    degradation: Degradation = IDEAL,
    spoil: Spoil = UNSPOILT,
) -> tuple[dict[str, Any], Weights | None]:
    """Super-resolve one picture; compare it, bicubic and back-projection with the truth.

    Returns the row of the table, and the weights of the fit.
    """
    with Image.open(pair.truth) as image:
        truth = np.asarray(image if image.mode == "L" else image.convert("RGB"))
    source = to_tensor(spoil(Image.open(pair.source)))
    border = round(max(per_axis(config.total_scale)))
    scale = config.total_scale
    bicubic = degradation.blur.enlarge(source, truth.shape[:2], scale)
    floor = back_project(bicubic[None], source[None], scale, 10, blur=degradation.blur)[0]
    started_s, started_cpu_s = time.perf_counter(), time.process_time()
    result = super_resolve(
        source, config, device="cpu", initial_weights=initial_weights, degradation=degradation
    )
    seconds = time.perf_counter() - started_s
    cpu_seconds = time.process_time() - started_cpu_s  # varies less on a shared machine
    picture, plain, held = (
        to_uint8(image, is_grey=truth.ndim == 2) for image in (result.image, bicubic, floor)
    )
    row = {
        "image": pair.truth.stem,
        "psnr_db": psnr_y_db(picture, truth, crop_border=border),
        "ssim": ssim_y(picture, truth, crop_border=border),
        "psnr_bicubic_db": psnr_y_db(plain, truth, crop_border=border),
        "psnr_floor_db": psnr_y_db(held, truth, crop_border=border),
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "iterations": result.iterations,
        "restarts": result.restarts,
        "is_fallback": result.is_fallback,
    }
    return row, result.weights


def is_degraded(options: argparse.Namespace) -> bool:
    """Return whether sources are spoilt, or the fit may take them for spoilt."""
    chosen = (Spoil.of(options), options.noise_std, options.jpeg_quality)
    return chosen != (UNSPOILT, "0", "none") or options.kernel == "estimate"


def degradation_row(
    row: dict[str, Any], pair: Pair, config: ZSSRConfig, degradation: Degradation, spoil: Spoil
) -> dict[str, Any]:
    """Return the degradation, and the PSNR of the same file if it is taken for clean."""
    ideal = row
    is_blurred = isinstance(degradation.blur, Kernel)
    if is_blurred or not degradation.is_clean:
        ideal = measure(pair, config, spoil=spoil)[0]
    return {
        "psnr_ideal_db": ideal["psnr_db"],
        "noise_std": degradation.noise_std,
        "jpeg_quality": degradation.jpeg_quality or 0,
        "is_blurred": is_blurred,
    }


def to_tensor(image: Image.Image) -> torch.Tensor:
    """Return (3, H, W) float32 in [0, 1]."""
    return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1).float().div(255)


def to_uint8(image: torch.Tensor, *, is_grey: bool) -> NDArray[np.uint8]:
    """Return (H, W, 3) uint8 of (3, H, W) in about [0, 1]; if grey, (H, W) of its first channel."""
    pixels = image.clamp(0, 1).mul(255).round().to(torch.uint8).permute(1, 2, 0)
    return np.asarray(pixels[..., 0].numpy() if is_grey else pixels.numpy())


def mean_row(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the mean of every number."""
    keys = [key for key in rows[0] if key != "image"]
    return {"image": "mean", **{key: sum(row[key] for row in rows) / len(rows) for key in keys}}


def show(row: dict[str, Any]) -> None:
    """Print one line of the table."""
    print(
        f"{row['image']:16s} {row['psnr_db']:6.2f} dB  SSIM {row['ssim']:.4f}  "
        f"bicubic {row['psnr_bicubic_db']:6.2f}  floor {row['psnr_floor_db']:6.2f}  "
        f"{row['seconds']:6.1f} s ({row['cpu_seconds']:.1f} of a core)  "
        f"{row['iterations']:.0f} iterations"
        + (
            f"  taken for clean {row['psnr_ideal_db']:6.2f}"
            f"  noise {row['noise_std']:.2f}  JPEG {row['jpeg_quality']:.0f}"
            if "psnr_ideal_db" in row
            else ""
        ),
        flush=True,
    )


def check_bicubic(options: argparse.Namespace, bicubic_db: float) -> bool:
    """Compare the mean of bicubic with the published one, if the whole set was measured."""
    known = KNOWN_BICUBIC_DB.get((set_name(options), options.scale))  # a spoilt set has none
    if known is None or options.images or options.kernel not in ("bicubic", "estimate"):
        return False
    if abs(bicubic_db - known) > KNOWN_WITHIN_DB:
        sys.exit(f"bicubic gives {bicubic_db:.2f} dB, published is {known}: not comparable")
    return True


def write(
    options: argparse.Namespace,
    config: ZSSRConfig,
    rows: list[dict[str, Any]],
    mean: dict[str, Any],
    is_bicubic_checked: bool,
) -> None:
    """Write the result, with the machine and versions that it comes from."""
    if options.no_write:
        return
    report = {
        "set": set_name(options),
        "scale": options.scale,
        "preset": options.preset,
        "seed": options.seed,
        "threads": options.threads,
        "overrides": options.set,
        "config": {key: getattr(config, key) for key in config.__slots__},
        "kernel": Path(options.kernel).name,
        "kernel_phase": options.kernel_phase,
        "noise_std": options.noise_std,
        "jpeg_quality": options.jpeg_quality,
        "is_bicubic_checked": is_bicubic_checked,
        **provenance(),
        "mean": mean,
        "images": rows,
    }
    save(
        report,
        f"quality_{set_name(options)}_x{options.scale}_{options.preset}_s{options.seed}.json",
    )


def set_name(options: argparse.Namespace) -> str:
    """Return the name of the measured set, with what was done to it."""
    if options.pair is not None:
        return str(options.pair[0].stem)
    label = Spoil.of(options).label + ("-white" if options.white else "")
    return folder_name(options.data) + label + ("-auto" if options.auto else "")


def folder_name(data: Path) -> str:
    """Return the name of a set of pictures."""
    data = data.resolve()
    return data.parent.name if (data / "HR").is_dir() else data.name


if __name__ == "__main__":
    main()
