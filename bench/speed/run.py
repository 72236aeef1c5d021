"""Speed: milliseconds a step by part, seconds and memory by stage, images a minute.

python -m bench.speed.run          about ten minutes of two cores
python -m bench.speed.run --short  about one

Times of single parts are processor seconds of one thread, which a busy machine changes little;
images a minute are wall time, so the machine should be idle.
"""

import argparse
import multiprocessing
import os
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch.nn import functional

from bench.provenance import provenance, save
from bench.quality.run import to_tensor
from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.device import Memory, is_bf16_wanted
from zssr_daemon.zssr.inference.fitted_network import FittedNetwork
from zssr_daemon.zssr.ops.regions import regions
from zssr_daemon.zssr.pipeline import super_resolve
from zssr_daemon.zssr.presets import PRESETS
from zssr_daemon.zssr.progress import Progress
from zssr_daemon.zssr.training.fit import clip_gradients, new_optimiser
from zssr_daemon.zssr.training.guard import Guard
from zssr_daemon.zssr.training.pair_rule import PairRule
from zssr_daemon.zssr.training.rounds import new_network, new_pool

PICTURE = Path(__file__).resolve().parents[2] / "tests" / "data" / "butterfly_lr.png"
CPU = torch.device("cpu")
SPAWN = multiprocessing.get_context("spawn")  # a fork of a process with torch's threads hangs


def main() -> None:
    """Measure, print, write to bench/results/."""
    options = parse()
    steps = 30 if options.short else 200
    megapixels = (0.1, 1.0) if options.short else (0.1, 1.0, 16.0, 64.0)
    tables = ((1, 1), (2, 1)) if options.short else ((1, 1), (1, 2), (2, 1))
    report = {
        **provenance(),
        "is_short": options.short,
        "cores": os.cpu_count(),
        "load_before": os.getloadavg()[0],  # above about 0.5: others use the machine
        "steps": {
            preset: shown(
                f"step of {preset}",
                in_child(step_parts, preset, steps // 10 if preset == "paper" else steps),
            )
            for preset in PRESETS
        },
        "stages": {
            preset: shown(f"stages of {preset}", in_child(stages, preset))
            for preset in (("fast",) if options.short else ("fast", "balanced"))
        },
        "sources": [
            shown(f"source of {size} megapixels", in_child(large_source, size, steps // 3))
            for size in megapixels
        ],
        "images_per_minute": [
            shown(f"{count} processes of {threads} threads", throughput(count, threads))
            for count, threads in tables
        ],
    }
    against_paper(report["steps"])
    if not options.no_write:
        save(report, f"speed{'_short' if options.short else ''}.json")


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Milliseconds a step, seconds, images a minute.")
    parser.add_argument("--short", action="store_true", help="about a minute")
    parser.add_argument("--no-write", action="store_true", help="print only")
    return parser.parse_args()


def shown(what: str, numbers: dict[str, Any]) -> dict[str, Any]:
    """Print the numbers, and return them."""
    text = ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in numbers.items()
    )
    print(f"{what}: {text}", flush=True)
    return numbers


def in_child(measure: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """Measure in a new process, so that its peak memory is of this measurement alone."""
    with ProcessPoolExecutor(1, mp_context=SPAWN) as pool:
        return pool.submit(measure, *arguments).result()


def peak_memory_bytes() -> int:
    """Return the peak memory of this process, libraries included."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def picture() -> torch.Tensor:
    """Return the bundled source, (3, 128, 128)."""
    with Image.open(PICTURE) as image:
        return to_tensor(image)


def step_parts(preset: str, steps: int) -> dict[str, Any]:
    """Return the milliseconds of each part of a training step, as `zssr.training.fit` does it."""
    torch.set_num_threads(1)
    config = ZSSRConfig.from_preset(preset)
    parts = [picture()]
    is_bf16 = is_bf16_wanted(config.precision, CPU)
    generator = torch.Generator().manual_seed(0)
    network = new_network(parts[0], config, generator)
    pool = new_pool(parts, PairRule.of(config), config, is_bf16=is_bf16)
    optimiser = new_optimiser(network, config)
    seconds = dict.fromkeys(("sampling", "forward", "backward", "optimiser"), 0.0)
    warm_up = 3
    for step in range(warm_up + steps):
        marks = [time.process_time()]
        inputs, residual = pool.sample(config.batch_size, generator)
        marks.append(time.process_time())
        with torch.autocast("cpu", torch.bfloat16, enabled=is_bf16):
            predicted = network(inputs)
        loss = functional.l1_loss(predicted.float(), residual.float())
        marks.append(time.process_time())
        optimiser.zero_grad()
        torch.autograd.backward([loss])
        marks.append(time.process_time())
        clip_gradients(network, config)
        optimiser.step()
        marks.append(time.process_time())
        if step >= warm_up:
            for part, before, after in zip(seconds, marks, marks[1:], strict=False):
                seconds[part] += after - before
    step_ms = {f"{part}_ms": 1000 * spent / steps for part, spent in seconds.items()}
    total_ms = sum(step_ms.values())
    return {
        **step_ms,
        "step_ms": total_ms,
        "num_epochs": config.num_epochs,
        "fit_s": total_ms * config.num_epochs / 1000,
        "is_bf16": is_bf16,
    }


def against_paper(steps: dict[str, dict[str, Any]]) -> None:
    """Add how many times faster than `paper` each preset fits, as measured in this run."""
    for preset, row in steps.items():
        row["times_faster_than_paper"] = steps["paper"]["fit_s"] / row["fit_s"]
        print(
            f"{preset}: {row['times_faster_than_paper']:.1f} times faster than paper with all "
            f"its {steps['paper']['num_epochs']} iterations",
            flush=True,
        )


def stages(preset: str) -> dict[str, Any]:
    """Return seconds and peak memory of one picture, 128² to 256²."""
    torch.set_num_threads(1)
    idle_bytes = peak_memory_bytes()
    image = picture()
    started_s = time.process_time()
    result = super_resolve(image, ZSSRConfig.from_preset(preset), device=CPU)
    return {
        "cpu_s": time.process_time() - started_s,
        "fit_wall_s": result.seconds["fit"],
        "infer_wall_s": result.seconds["infer"],
        "peak_memory_bytes": peak_memory_bytes(),
        "of_which_libraries_bytes": idle_bytes,
    }


def large_source(megapixels: float, steps: int) -> dict[str, Any]:
    """Return the seconds before the first step of a fit, and of a step, for that source size."""
    torch.set_num_threads(1)
    config = ZSSRConfig.from_preset("fast")
    side = round((megapixels * 1e6) ** 0.5)
    across = torch.arange(side).float()
    plane = torch.sin(across * across[:, None] / side).mul_(0.5).add_(0.5)
    image = plane.expand(1, 3, -1, -1)
    is_bf16 = is_bf16_wanted(config.precision, CPU)
    started_s = time.process_time()
    generator = torch.Generator().manual_seed(0)
    parts = regions(image, generator)
    guard = Guard(parts, PairRule.of(config), back_projections=config.back_projections)
    guarded_s = time.process_time()
    network = new_network(parts[0], config, generator)
    pool = new_pool(parts, PairRule.of(config), config, is_bf16=is_bf16)
    pooled_s = time.process_time()
    guard.network_mse(
        FittedNetwork(
            network=network,
            config=config,
            is_bf16=is_bf16,
            memory=Memory(config),
            progress=Progress(None, total_work=1.0),
        )
    )
    judged_s = time.process_time()
    for _ in range(steps):
        inputs, _ = pool.sample(config.batch_size, generator)
        with torch.autocast("cpu", torch.bfloat16, enabled=is_bf16):
            torch.autograd.backward([network(inputs).float().abs().mean()])
    return {
        "megapixels": megapixels,
        "guard_set_up_s": guarded_s - started_s,
        "pairs_set_up_s": pooled_s - guarded_s,
        "guard_s": judged_s - pooled_s,
        "step_ms": 1000 * (time.process_time() - judged_s) / steps,
        "peak_memory_bytes": peak_memory_bytes(),
    }


def together(processes: int, work: Callable[..., Any], *arguments: Any) -> list[Any]:
    """Return what `work(barrier, *arguments)` does in so many processes at a time.

    barrier: is passed when all of them are warm.
    """
    barrier = SPAWN.Barrier(processes)
    answers: Any = SPAWN.Queue()
    workers = [
        SPAWN.Process(target=_answer, args=(answers, work, barrier, *arguments))
        for _ in range(processes)
    ]
    for worker in workers:
        worker.start()
    found = [answers.get() for _ in workers]
    for worker in workers:
        worker.join()
    return found


def _answer(answers: Any, work: Callable[..., Any], *arguments: Any) -> None:
    answers.put(work(*arguments))


def throughput(processes: int, threads: int) -> dict[str, Any]:
    """Return images a minute of warm workers with `fast`, 128² to 256²."""
    spent = together(processes, _work, threads)
    return {
        "processes": processes,
        "threads": threads,
        "images_per_minute": 60 * processes / max(wall_s for wall_s, _ in spent),
        "cpu_s_per_image": sum(cpu_s for _, cpu_s in spent) / processes,
    }


def _work(barrier: Barrier, threads: int) -> tuple[float, float]:
    torch.set_num_threads(threads)
    config, image = ZSSRConfig.from_preset("fast"), picture()
    super_resolve(image, ZSSRConfig.from_preset("fast", num_epochs=5), device=CPU)
    barrier.wait()
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    super_resolve(image, config, device=CPU)
    return time.perf_counter() - wall_s, time.process_time() - cpu_s


if __name__ == "__main__":
    main()
