"""Table: the results of `bench.quality.run`, one row for each set, scale, preset and parameters.

python -m bench.quality.table
"""

import json
from collections import defaultdict
from statistics import mean
from typing import Any

from bench.provenance import RESULTS
from zssr_daemon.zssr.presets import PRESETS

#: A group's results differ in nothing but the seed: set, scale, place of the preset, parameters.
Key = tuple[str, int, int, str]

HEADER = (
    "set",
    "preset",
    "seeds",
    "PSNR-Y, dB",
    "SSIM",
    "bicubic",
    "back-projection",
    "worst image above it",
    "core s",
    "measured",
)


def main() -> None:
    """Read every result, group the seeds, print."""
    groups: dict[Key, list[dict[str, Any]]] = defaultdict(list)
    for path in sorted(RESULTS.glob("quality_*.json")):
        result = json.loads(path.read_text())
        groups[_key(result)].append(result)
    print("| " + " | ".join(HEADER) + " |")
    print("|" + "---|" * len(HEADER))
    for key in sorted(groups):
        print("| " + " | ".join(_row(groups[key])) + " |")


def _key(result: dict[str, Any]) -> Key:
    parameters = json.dumps(result["config"] | {"seed": None}, sort_keys=True)
    return result["set"], result["scale"], list(PRESETS).index(result["preset"]), parameters


def _row(results: list[dict[str, Any]]) -> list[str]:
    """Return one row: means over the seeds, and half their range."""
    means = [result["mean"] for result in results]
    psnrs = [each["psnr_db"] for each in means]
    spread = f" ± {(max(psnrs) - min(psnrs)) / 2:.2f}" if len(psnrs) > 1 else ""
    gains = [
        (image["psnr_db"] - image["psnr_floor_db"], image["image"])
        for result in results
        for image in result["images"]
    ]
    worst, name = min(gains)
    first = results[0]
    return [
        f"{first['set']} ×{first['scale']}",
        f"`{first['preset']}`",
        str(len(results)),
        f"{mean(psnrs):.2f}{spread}",
        f"{mean(each['ssim'] for each in means):.4f}",
        f"{means[0]['psnr_bicubic_db']:.2f}",
        f"{means[0]['psnr_floor_db']:.2f}",
        f"{worst:+.2f} ({name})",
        f"{mean(each.get('cpu_seconds', each['seconds']) for each in means):.0f}",
        first["date"][:10],
    ]


if __name__ == "__main__":
    main()
