r"""Warm start: what weights fitted on other pictures gain over random initial weights.

python -m bench.quality.warm_start DATA_FOLDER --first comic flowers lenna pepper \
    --pair tests/data/butterfly_hr.png tests/data/butterfly_lr.png
"""

import argparse
from pathlib import Path
from typing import Any

import torch

from bench.provenance import provenance, save
from bench.quality.run import Pair, measure, scale_folder, show
from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.training.weights import Weights

ITERATIONS = (50, 100, 200, 400, 800)


def main() -> None:
    """Fit one picture after another, each from the last one's weights, then the pair."""
    options = parse()
    torch.set_num_threads(1)
    last = Pair(*options.pair)
    rows: list[dict[str, Any]] = []
    weights = fit_in_sequence(options)
    for preset in ("fast", "balanced"):
        add(rows, last, ZSSRConfig.from_preset(preset, start="none"), f"cold {preset}", None)
        add(rows, last, ZSSRConfig.from_preset(preset, start="none"), f"warm {preset}", weights)
    for iterations in ITERATIONS:
        config = ZSSRConfig.from_preset("fast", start="none", warm_num_epochs=iterations)
        add(rows, last, config, f"warm {iterations}", weights)
        add(
            rows,
            last,
            ZSSRConfig.from_preset("fast", start="none", num_epochs=iterations),
            f"cold {iterations}",
            None,
        )
    if not options.no_write:
        save(
            {"first": options.first, "then": last.truth.stem, **provenance(), "rows": rows},
            "warm_start.json",
        )


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--first", nargs="+", required=True)
    parser.add_argument("--pair", type=Path, nargs=2, required=True, metavar=("HR", "LR"))
    parser.add_argument("--no-write", action="store_true")
    return parser.parse_args()


def fit_in_sequence(options: argparse.Namespace) -> Weights | None:
    """Return the weights after all of the first pictures, 900 iterations each."""
    folder = scale_folder(options.data, 2)
    weights = None
    for name in options.first:
        pair = Pair(folder / "HR" / f"{name}.png", folder / "LR" / f"{name}.png")
        config = ZSSRConfig.from_preset("fast", start="none", warm_num_epochs=900)
        row, weights = measure(pair, config, weights)
        show(row)
    return weights


def add(
    rows: list[dict[str, Any]], pair: Pair, config: ZSSRConfig, name: str, weights: Weights | None
) -> None:
    """Measure and show one way to fit the last picture."""
    row, _ = measure(pair, config, weights)
    rows.append(row | {"image": name})
    show(rows[-1])


if __name__ == "__main__":
    main()
