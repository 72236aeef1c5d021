"""Manifest: the sha256 of outputs of every kind, to prove that a change of the code alters none.

python -m bench.quality.manifest sources FOLDER       # once: pictures and their settings
python -m bench.quality.manifest run FOLDER OUT.json   # with each version of the program
python -m bench.quality.manifest compare A.json B.json

`run` starts `python -m zssr_daemon`, so PYTHONPATH chooses the version.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.parts.kinds import KINDS

PICTURES = Path(__file__).resolve().parents[2] / "tests" / "data"

#: A fit that takes a few seconds.
QUICK = {"preset": "fast", "num_epochs": 40}

#: Settings for the picture in tests/data; each gives another output.
VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    "fast": {"zssr": {"preset": "fast"}},
    "balanced": {"zssr": {"preset": "balanced", "num_epochs": 90}},
    "best": {"zssr": {"preset": "best", "num_epochs": 60}},
    "paper": {"zssr": {"preset": "paper", "num_epochs": 60}},
    "plateau": {
        "zssr": QUICK | {"lr_schedule": "plateau", "lr_decay_range": 150, "num_epochs": 400}
    },
    "grey_network": {"zssr": QUICK | {"in_channels": 1}},
    "affine": {"zssr": QUICK | {"augmentation": "affine"}},
    "median": {"zssr": QUICK | {"self_ensemble": True, "ensemble_reduce": "median"}},
    "seed_7": {"zssr": QUICK | {"seed": 7}},
    "small_tiles": {"zssr": QUICK | {"patch_size": 48}},
    "x3": {"zssr": QUICK | {"scale_factor": 3.0}},
    "x4": {"zssr": QUICK | {"scale_factor": 4.0}},
    "x2_twice": {"zssr": QUICK | {"scale_times": 2}},
    "x1.5": {"zssr": QUICK | {"scale_factor": 1.5}},
    "x2_by_3": {"zssr": QUICK | {"scale_factor": [2.0, 3.0]}},
    "kernel_beside": {"zssr": QUICK, "degradation": {"kernel_phase": "topleft"}},
    "kernel_named": {"zssr": QUICK, "degradation": {"kernel": "some.npy"}},
    "kernel_estimated": {"zssr": QUICK, "degradation": {"kernel": "estimate"}},
    "noise": {"zssr": QUICK, "degradation": {"noise_std": 5.0}},
    "noise_auto": {"zssr": QUICK, "degradation": {"noise_std": "auto"}},
    "jpeg": {"zssr": QUICK, "degradation": {"jpeg_quality": 60}},
    "jpeg_auto": {"zssr": QUICK, "degradation": {"jpeg_quality": "auto"}},
    "auto": {"zssr": QUICK, "degradation": {"auto": True}},
    "tiff": {"zssr": QUICK, "output": {"format": "tiff"}},
    "jpeg_out": {"zssr": QUICK, "output": {"format": "jpeg"}},
    "webp": {"zssr": QUICK, "output": {"format": "webp"}},
    "strip": {"zssr": QUICK, "output": {"metadata": "strip"}},
}


def _toml(tables: dict[str, dict[str, Any]]) -> str:
    lines = []
    for name, table in tables.items():
        lines.append(f"[{name}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in table.items()]
    return "\n".join(lines) + "\n"


def _spoilt(name: str) -> Image.Image:
    """Return the picture as a variant needs it: blurred, noisy, or as it is."""
    picture = Image.open(PICTURES / "butterfly_lr.png").convert("RGB")
    if name in {"kernel_estimated", "auto"}:
        sharp = Image.open(PICTURES / "butterfly_hr.png").convert("RGB")
        samples = np.asarray(sharp, dtype=np.float64)
        for axis in (0, 1):  # a box of five pixels, twice
            for _ in range(2):
                shifted = [np.roll(samples, shift, axis) for shift in range(-2, 3)]
                samples = np.mean(shifted, axis=0)
        picture = Image.fromarray(np.rint(samples[::2, ::2]).astype(np.uint8))
    if name == "noise_auto":
        noise = np.random.default_rng(0).normal(0, 6, np.asarray(picture).shape)
        picture = Image.fromarray(np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8))
    return picture


def _write_variant(folder: Path, name: str) -> None:
    if name == "jpeg_auto":
        _spoilt(name).save(folder / f"{name}.jpg", quality=60)
    else:
        _spoilt(name).save(folder / f"{name}.png")
    (folder / f"{name}.toml").write_text(_toml(VARIANTS[name]))


def write_sources(folder: Path) -> None:
    """Write pictures of every kind, each with its settings beside it."""
    folder.mkdir(parents=True)
    for number, (kind, write) in enumerate(KINDS.items()):
        suffix = ".tif" if kind.startswith("TIFF") else ".img"
        path = folder / f"kind_{number:02d}{suffix}"
        write(path)
        path.with_suffix(".toml").write_text(_toml({"zssr": QUICK}))
    for name in VARIANTS:
        _write_variant(folder, name)
    kernel = np.outer(*[np.exp(-((np.arange(9) - 4.0) ** 2) / 4)] * 2)
    np.save(folder / "kernel_beside.kernel.npy", kernel)
    np.save(folder / "some.npy", kernel)
    pages = [_spoilt("").crop((0, 0, 40 + 8 * page, 40)) for page in range(3)]
    pages[0].save(folder / "pages.tif", save_all=True, append_images=pages[1:])
    (folder / "pages.toml").write_text(_toml({"zssr": QUICK, "output": {"frames": "each"}}))


def _run(folder: Path, out: Path) -> None:
    """Upscale every picture by the command, and three by the daemon with a warm start."""
    pictures = [p for p in sorted(folder.iterdir()) if p.suffix not in {".toml", ".npy"}]
    settings = out / "settings.toml"
    settings.write_text(
        '[zssr]\npreset = "fast"\nnum_epochs = 40\nwarm_num_epochs = 20\nstart = "folder"\n'
        '[worker]\nprocesses_per_device = 1\nthreads = 1\ndevices = ["cpu"]\n'
    )
    program = [sys.executable, "-m", "zssr_daemon"]
    results = out / "results"
    results.mkdir()
    command = [*program, "upscale", "-s", str(settings), "-o", str(results), *map(str, pictures)]
    subprocess.run(command, check=True, cwd=out)
    (out / "inbox").mkdir()
    for number in range(3):
        sheet = Image.open(PICTURES / "butterfly_lr.png").crop((0, 0, 64 + 8 * number, 64))
        sheet.save(out / "inbox" / f"warm_{number}.png")
    command = [*program, "run", "--once", "-s", str(settings)]
    subprocess.run(command, check=True, cwd=out, stdout=subprocess.DEVNULL)


def manifest(folder: Path) -> dict[str, str]:
    """Return the sha256 of each output that this version makes of the pictures in `folder`."""
    with tempfile.TemporaryDirectory() as temporary:
        out = Path(temporary)
        _run(folder.resolve(), out)
        made = [*(out / "results").iterdir(), *(out / "output").iterdir()]
        return {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(made)
            if not path.name.startswith(".")
        }


def differences(one: dict[str, str], other: dict[str, str]) -> list[str]:
    """Name the outputs that differ, or that only one of two manifests has."""
    return [name for name in sorted(one | other) if one.get(name) != other.get(name)]


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=("sources", "run", "compare"))
    parser.add_argument("paths", nargs="+", type=Path)
    args = parser.parse_args()
    if args.action == "sources":
        write_sources(*args.paths)
    elif args.action == "run":
        folder, target = args.paths
        target.write_text(json.dumps(manifest(folder), indent=1) + "\n")
    else:
        one, other = (json.loads(path.read_text()) for path in args.paths)
        differing = differences(one, other)
        print(f"{len(one | other)} outputs, {len(differing)} differ", *differing, sep="\n")
        sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()
