"""Together: pictures that are blurred, noisy and compressed at once, and what each cure does alone.

python -m bench.quality.together DATA_FOLDER --count 12 --preset fast

A crop of each picture is blurred by a random Gaussian (the seed is the number of the case),
sub-sampled, noised and saved as a JPEG. It is then super-resolved with everything that the file and
its pixels show, and with blur, noise or JPEG alone.
"""

import argparse
from functools import cache
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from bench.provenance import provenance, save
from bench.quality.blur_kernels import blurred
from bench.quality.metrics import psnr_y_db
from bench.quality.run import config_of, folder_name, mean_row, scale_folder, to_tensor, to_uint8
from bench.quality.spoil import Spoil
from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.degradation.blur import BICUBIC
from zssr_daemon.zssr.degradation.degradation import Degradation
from zssr_daemon.zssr.estimation.blur_estimate import estimate_blur
from zssr_daemon.zssr.estimation.noise_estimate import estimate_noise
from zssr_daemon.zssr.pipeline import super_resolve
from zssr_daemon.zssr.presets import PRESETS
from zssr_daemon.zssr.scale import scaled_size

SIDE = 256  # of a crop, pixels

ALONE = ("blur", "noise", "jpeg")


def main() -> None:
    """Measure every case, print a table, write it to bench/results/."""
    options = parse()
    torch.set_num_threads(1)
    config = config_of(options)
    truths = sorted((scale_folder(options.data, options.scale) / "HR").glob("*.png"))
    rows = []
    for number in range(options.count):
        rows.append(measure(truths[number % len(truths)], number, options, config))
        print(rows[-1], flush=True)
    told = ("image", "found")
    mean = mean_row([{key: row[key] for key in row if key not in told[1:]} for row in rows])
    print(mean)
    report = {
        "set": folder_name(options.data),
        "scale": options.scale,
        "preset": options.preset,
        "noise": options.noise,
        "jpeg": options.jpeg,
        **provenance(),
        "mean": mean,
        "cases": rows,
    }
    if not options.no_write:
        name = f"together_{folder_name(options.data)}_x{options.scale}_{options.preset}.json"
        save(report, name)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder with HR/, or with x2/HR/ ...")
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--noise", type=float, default=5.0, help="levels of 255")
    parser.add_argument("--jpeg", type=int, default=85, help="quality")
    parser.add_argument("--scale", type=int, default=2)
    parser.add_argument("--preset", choices=list(PRESETS), default="fast")
    parser.add_argument("--seed", type=int, default=0, help="of the fits")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="JSON values")
    parser.add_argument("--no-write", action="store_true", help="print only")
    return parser.parse_args()


def measure(
    path: Path, number: int, options: argparse.Namespace, config: ZSSRConfig
) -> dict[str, Any]:
    """Spoil a crop of a picture and return the PSNR (dB) of every cure, and the least gain."""
    with Image.open(path) as image:
        truth = _crop(to_tensor(image), options.scale)
    _, shrunk = blurred(truth, "gaussian", number, options.scale)
    plain = Image.fromarray(to_uint8(shrunk, is_grey=False))
    # The tables are those of the JPEG that the picture is read from, as in the daemon.
    spoil = Spoil(options.noise, options.jpeg)
    source, tables = to_tensor(spoil(plain)), spoil.tables(plain)
    noise = estimate_noise(source)
    quality = None if tables is None else tables.quality
    estimate = estimate_blur(source, noise_std=noise.std, jpeg_quality=quality)
    blur = estimate.kernel(float(options.scale)) or BICUBIC
    values: dict[str, dict[str, Any]] = {
        "blur": {"blur": blur},
        "noise": {"noise_std": noise.std, "noise_shape": noise.shape},
        "jpeg": {"jpeg_quality": quality, "jpeg_tables": tables},
    }
    expected = to_uint8(truth, is_grey=False)

    def psnr_db(picture: torch.Tensor) -> float:
        return psnr_y_db(to_uint8(picture, is_grey=False), expected, crop_border=options.scale)

    @cache  # where nothing is found of one fault, curing it is curing nothing
    def enlarged(degradation: Degradation) -> float:
        return psnr_db(super_resolve(source, config, device="cpu", degradation=degradation).image)

    def cured(*kinds: str) -> float:
        known = {key: value for kind in kinds for key, value in values[kind].items()}
        return enlarged(Degradation(**known))

    size = scaled_size((source.shape[1], source.shape[2]), options.scale)
    row = {"bicubic": psnr_db(BICUBIC.enlarge(source, size, options.scale))}
    row |= {kind: cured(kind) for kind in ALONE} | {"together": cured(*ALONE)}
    return {
        "image": path.stem,
        **{key: round(value, 3) for key, value in row.items()},
        "worst": round(row["together"] - max(row[key] for key in row if key != "together"), 3),
        "found": f"noise {noise.std:.2f}, JPEG {quality}, {estimate} ({estimate.why})",
    }


def _crop(truth: torch.Tensor, scale: int) -> torch.Tensor:
    """Return the middle of (C, H, W), SIDE pixels wide and high, or less on the grid of `scale`."""
    height, width = (min(SIDE, side) // scale * scale for side in truth.shape[1:])
    top, left = (truth.shape[1] - height) // 2, (truth.shape[2] - width) // 2
    return truth[:, top : top + height, left : left + width]


if __name__ == "__main__":
    main()
