"""GPU: everything worth knowing of a card, in one command of at most ten minutes.

python -m bench.gpu                 on the first CUDA card; without one it says so and ends with 0
python -m bench.gpu --device cpu    the same on the CPU, small: no line of it is new on the day

Pictures are drawn from a seed, so no data is needed. Seconds are wall time: a card is not shared.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from bench.provenance import provenance, save
from bench.speed.run import in_child, peak_memory_bytes, shown, together
from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.ops.resize import resize
from zssr_daemon.zssr.pipeline import SuperResolved, super_resolve
from zssr_daemon.zssr.start.drawing import draw
from zssr_daemon.zssr.training.guard import psnr_db

#: The tests that are the same on every device.
TESTS = Path(__file__).parents[1] / "tests" / "zssr" / "test_devices.py"

#: A device may add in another order, so no two kinds give the same bytes. The results count as
#: equal where they are equally near to the truth, in dB.
TOLERANCE_DB = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured."""

    pictures: int  # that are compared with the CPU
    side: int  # of a source, pixels
    presets: tuple[str, ...]
    processes: tuple[int, ...]  # at a time on the device
    images: int  # of each process
    num_epochs: int | None  # iterations of each fit; None: those of the preset


WHOLE = Plan(
    pictures=10,
    side=256,
    presets=("instant", "fast", "balanced", "best"),
    processes=(1, 2, 4, 8),
    images=10,
    num_epochs=None,
)
SMALL = Plan(pictures=1, side=24, presets=("instant",), processes=(2,), images=1, num_epochs=2)


def main() -> None:
    """Measure, print, write to bench/results/."""
    options = parse()
    if options.device != "cpu" and not torch.cuda.is_available():
        print("no CUDA card is here, so nothing was measured")
        return
    plan = SMALL if options.device == "cpu" else WHOLE
    report = {**provenance(), "device": device_name(options.device), "plan": asdict(plan)}
    report |= measured(options.device, plan)
    if not options.no_write:
        save(report, f"gpu_{report['device'].replace(' ', '_')}.json")


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--no-write", action="store_true", help="print only")
    return parser.parse_args()


def measured(device: str, plan: Plan) -> dict[str, Any]:
    """Return all figures; each part runs in a process of its own."""
    return {
        "tests": shown("tests", tests_on_device()),
        "equality": shown("beside the CPU", in_child(equality, device, plan)),
        "presets": {
            preset: shown(preset, in_child(one_picture, device, preset, plan))
            for preset in plan.presets
        },
        "images_per_minute": [
            shown(f"{count} processes", throughput(device, count, plan)) for count in plan.processes
        ],
        "where_time_goes": in_child(where_time_goes, device, plan)["rows"],
    }


def device_name(device: str) -> str:
    """Return the card's name, or "cpu"."""
    return device if device == "cpu" else torch.cuda.get_device_name(device)


def tests_on_device() -> dict[str, Any]:
    """Run the tests of devices; return what pytest says of them."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(TESTS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return {"exit_code": done.returncode, "summary": done.stdout.strip().splitlines()[-1]}


def drawn_pair(number: int, side: int) -> tuple[Tensor, Tensor]:
    """Return a drawn picture (3, 2·side, 2·side), and its half (3, side, side), in levels."""
    truth = torch.from_numpy(draw(np.random.default_rng(number), 2 * side))
    return rounded(truth), rounded(resize(truth, (side, side), scale=0.5))


def rounded(image: Tensor) -> Tensor:
    """Round to 256 levels."""
    return image.mul(255).round().div(255).clamp(0, 1)


def fitted(source: Tensor, device: str, preset: str, plan: Plan) -> SuperResolved:
    """Enlarge a source twice on a device."""
    config = ZSSRConfig.from_preset(preset)
    if plan.num_epochs is not None:
        config = replace(config, num_epochs=plan.num_epochs, warm_num_epochs=plan.num_epochs)
    return super_resolve(source, config, device=torch.device(device))


def mse(image: Tensor, truth: Tensor) -> float:
    """Return the mean squared error over all channels, of a range of 1."""
    return float((rounded(image) - truth).square().mean())


def equality(device: str, plan: Plan) -> dict[str, Any]:
    """Compare the results of a device with those of the CPU, by their distance from the truth."""
    differences_db = []
    for number in range(plan.pictures):
        truth, source = drawn_pair(number, plan.side)
        ours, cpu = (
            psnr_db(mse(fitted(source, each, plan.presets[0], plan).image, truth))
            for each in (device, "cpu")
        )
        differences_db.append(ours - cpu)
    worst_db = max(map(abs, differences_db))
    return {
        "preset": plan.presets[0],
        "pictures": plan.pictures,
        "worst_difference_db": worst_db,
        "mean_difference_db": sum(differences_db) / plan.pictures,
        "tolerance_db": TOLERANCE_DB,
        "is_equal": worst_db <= TOLERANCE_DB,
    }


def one_picture(device: str, preset: str, plan: Plan) -> dict[str, Any]:
    """Return seconds by stage, milliseconds a step and peak memory of one picture, warmed up."""
    _, source = drawn_pair(0, plan.side)
    fitted(source, device, plan.presets[0], plan)
    started_s = time.perf_counter()
    result = fitted(source, device, preset, plan)
    is_card = device != "cpu"
    return {
        "wall_s": time.perf_counter() - started_s,
        **{f"{stage}_s": seconds for stage, seconds in result.seconds.items()},
        "step_ms": 1000 * result.seconds["fit"] / max(1, result.iterations),
        "iterations": result.iterations,
        "peak_memory_bytes": peak_memory_bytes(),
        "peak_device_bytes": torch.cuda.max_memory_allocated(device) if is_card else 0,
    }


def throughput(device: str, processes: int, plan: Plan) -> dict[str, Any]:
    """Return images a minute of so many warm processes that share the device."""
    spent_s = together(processes, _work, device, plan)
    return {
        "processes": processes,
        "preset": plan.presets[0],
        "images_per_minute": 60 * processes * plan.images / max(spent_s),
    }


def _work(barrier: Barrier, device: str, plan: Plan) -> float:
    torch.set_num_threads(1)
    _, source = drawn_pair(0, plan.side)
    fitted(source, device, plan.presets[0], plan)
    barrier.wait()
    started_s = time.perf_counter()
    for _ in range(plan.images):
        fitted(source, device, plan.presets[0], plan)
    return time.perf_counter() - started_s


def where_time_goes(device: str, plan: Plan) -> dict[str, Any]:
    """Return the operations that take longest in one picture, the longest first."""
    _, source = drawn_pair(0, plan.side)
    fitted(source, device, plan.presets[0], plan)
    is_card = device != "cpu"
    kinds = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * is_card
    with profile(activities=kinds) as profiler:
        fitted(source, device, plan.presets[0], plan)
    rows = profiler.key_averages()
    own: Callable[[Any], float] = lambda row: (  # noqa: E731
        row.self_device_time_total if is_card else row.self_cpu_time_total
    )
    longest = sorted(rows, key=own, reverse=True)[:15]
    figures = [{"calls": row.count, "own_ms": own(row) / 1000} for row in longest]
    named = zip(longest, figures, strict=True)
    return {"rows": [{"name": row.key} | shown(row.key, each) for row, each in named]}


if __name__ == "__main__":
    main()
