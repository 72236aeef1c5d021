"""Quality: PSNR-Y, SSIM and seconds of a preset over a folder of HR and LR pictures.

python bench/quality.py DATA_FOLDER --scale 2 --preset fast
"""

import argparse
import json
import platform
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.metrics import psnr_y_db, ssim_y
from zssr_daemon.zssr.back_projection import back_project
from zssr_daemon.zssr.config import PRESETS, ZSSRConfig
from zssr_daemon.zssr.pipeline import super_resolve
from zssr_daemon.zssr.resize import resize
from zssr_daemon.zssr.scale import per_axis

RESULTS = Path(__file__).parent / "results"

# PSNR-Y (dB) of bicubic everyone reports; a bench that misses them measures something else.
KNOWN_BICUBIC_DB = {("Set5", 2): 33.68, ("Set14", 2): 30.23, ("Set5", 4): 28.43}
KNOWN_WITHIN_DB = 0.03


def main() -> None:
    """Measure, print a table, write it to bench/results/."""
    options = parse()
    torch.set_num_threads(options.threads)
    folder = options.data if (options.data / "HR").is_dir() else options.data / f"x{options.scale}"
    config = config_of(options)
    names = options.images or sorted(path.stem for path in (folder / "HR").glob("*.png"))
    rows = []
    for name in names:
        rows.append(measure(folder, name, config))
        show(rows[-1])
    mean = mean_row(rows)
    show(mean)
    checked = check_bicubic(folder, options, mean["psnr_bicubic_db"])
    write(options, config, rows, mean, checked)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder with HR/ and LR/, or with x2/HR/ ...")
    parser.add_argument("--scale", type=int, default=2)
    parser.add_argument("--preset", choices=list(PRESETS), default="balanced")
    parser.add_argument("--images", nargs="+", help="names without suffix; default all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="JSON values")
    parser.add_argument("--no-write", action="store_true", help="print only")
    return parser.parse_args()


def config_of(options: argparse.Namespace) -> ZSSRConfig:
    """Return the preset at the scale; scale 4 is two steps of 2, the better way."""
    overrides: dict[str, Any] = {"seed": options.seed, "scale_factor": float(options.scale)}
    if options.scale == 4:
        overrides |= {"scale_factor": 2.0, "scale_times": 2}
    for item in options.set:
        key, value = item.split("=", 1)
        overrides[key] = json.loads(value)
    return ZSSRConfig.from_preset(options.preset, **overrides)


def measure(folder: Path, name: str, config: ZSSRConfig) -> dict[str, Any]:
    """Enlarge one picture and compare it, bicubic and back-projection with the truth."""
    truth = np.asarray(Image.open(folder / "HR" / f"{name}.png").convert("RGB"))
    source = to_tensor(Image.open(folder / "LR" / f"{name}.png"))
    border = round(max(per_axis(config.total_scale)))
    bicubic = resize(source, truth.shape[:2], config.total_scale)
    floor = back_project(bicubic[None], source[None], config.total_scale, 10)[0]
    started_s, started_cpu_s = time.perf_counter(), time.process_time()
    result = super_resolve(source, config, device="cpu")
    seconds = time.perf_counter() - started_s
    cpu_seconds = time.process_time() - started_cpu_s  # steadier on a shared machine
    picture = to_uint8(result.image)
    return {
        "image": name,
        "psnr_db": psnr_y_db(picture, truth, crop_border=border),
        "ssim": ssim_y(picture, truth, crop_border=border),
        "psnr_bicubic_db": psnr_y_db(to_uint8(bicubic), truth, crop_border=border),
        "psnr_floor_db": psnr_y_db(to_uint8(floor), truth, crop_border=border),
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "iterations": result.iterations,
        "restarts": result.restarts,
        "is_fallback": result.is_fallback,
    }


def to_tensor(image: Image.Image) -> torch.Tensor:
    """Return (3, H, W) float32 in [0, 1]."""
    return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1).float().div(255)


def to_uint8(image: torch.Tensor) -> NDArray[np.uint8]:
    """Return (H, W, 3) uint8 of (3, H, W) in about [0, 1]."""
    pixels = image.clamp(0, 1).mul(255).round().to(torch.uint8).permute(1, 2, 0)
    return np.asarray(pixels.numpy())


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
        f"{row['iterations']:.0f} iterations",
        flush=True,
    )


def check_bicubic(folder: Path, options: argparse.Namespace, bicubic_db: float) -> bool:
    """Hold the mean of bicubic against the published one, where the whole set was measured."""
    known = KNOWN_BICUBIC_DB.get((folder.resolve().parent.name, options.scale))
    if known is None or options.images:
        return False
    if abs(bicubic_db - known) > KNOWN_WITHIN_DB:
        sys.exit(f"bicubic gives {bicubic_db:.2f} dB, everyone else {known}: nothing here counts")
    return True


def write(
    options: argparse.Namespace,
    config: ZSSRConfig,
    rows: list[dict[str, Any]],
    mean: dict[str, Any],
    is_bicubic_checked: bool,
) -> None:
    """Write the result with the machine and the versions it came from."""
    if options.no_write:
        return
    data = options.data.resolve()
    set_name = data.parent.name if (data / "HR").is_dir() else data.name
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    report = {
        "set": set_name,
        "scale": options.scale,
        "preset": options.preset,
        "seed": options.seed,
        "threads": options.threads,
        "overrides": options.set,
        "config": {key: getattr(config, key) for key in config.__slots__},
        "is_bicubic_checked": is_bicubic_checked,
        "machine": cpu_name(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "commit": commit,
        "date": datetime.now(UTC).date().isoformat(),
        "mean": mean,
        "images": rows,
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"quality_{set_name}_x{options.scale}_{options.preset}_s{options.seed}.json"
    path.write_text(json.dumps(report, indent=1) + "\n")
    print(f"wrote {path.relative_to(RESULTS.parents[1])}")


def cpu_name() -> str:
    """Return the processor's name as Linux tells it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


if __name__ == "__main__":
    main()
