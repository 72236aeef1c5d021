"""Make the drawn starts: draw pictures, train networks on them, score and write the weights.

python -m bench.starts.make --resume                       # all of them, as `make starts` does
python -m bench.starts.make --name rgb-48x6 --minutes 20   # one, in about that time
python -m bench.starts.make --name rgb-48x6 --export       # write what the state holds so far

SIGINT and SIGTERM stop after the current iteration; `--resume` goes on from there.
"""

import argparse
import hashlib
import json
import math
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from torch import Tensor

from bench.starts.recipes import RECIPES
from bench.starts.score import drawn_pictures, pictures_of, score_db
from zssr_daemon.zssr.start.recipe import Recipe
from zssr_daemon.zssr.start.shipped import start_bytes
from zssr_daemon.zssr.start.start_file import INDEX
from zssr_daemon.zssr.start.trainer import Trainer
from zssr_daemon.zssr.training.weights import Weights

ROOT = Path(__file__).parents[2]
WEIGHTS = ROOT / "zssr_daemon" / "zssr" / "start" / "weights"
STATES = ROOT / "state" / "starts"

SAVE_EVERY_S = 120.0
MEASURED = 30  # iterations from which --minutes tells how many there will be


class Making:
    """One start in the making: its trainer, its state file, the seconds spent."""

    def __init__(self, name: str, recipe: Recipe, state: Path) -> None:
        self.name = name
        self.trainer = Trainer(recipe)
        self.seconds = 0.0  # of training, wall clock
        self.is_stopped = False
        self._state = state

    def resume(self) -> None:
        """Go on from the state file, by its recipe."""
        state = torch.load(self._state, weights_only=True)
        self.trainer = Trainer(Recipe.of(state["trainer"]["recipe"]))
        self.trainer.load_state_dict(state["trainer"])
        self.seconds = state["seconds"]

    def save(self) -> None:
        """Write the state file, whole or not at all."""
        self._state.parent.mkdir(parents=True, exist_ok=True)
        part = self._state.with_suffix(".part")
        torch.save({"trainer": self.trainer.state_dict(), "seconds": self.seconds}, part)
        part.replace(self._state)

    def stop(self, _signal: int, _frame: FrameType | None) -> None:
        """Stop after the current iteration."""
        self.is_stopped = True

    def limit(self, minutes: float) -> None:
        """Let the recipe end after about so many minutes more, by the speed of a few iterations."""
        self.train(1)  # draws the first pictures too
        begun_s, before = time.perf_counter(), self.trainer.iteration
        self.train(MEASURED)
        done = max(1, self.trainer.iteration - before)
        each_s = (time.perf_counter() - begun_s) / done
        more = math.ceil(minutes * 60 / each_s)
        recipe = replace(self.trainer.recipe, iterations=self.trainer.iteration + more)
        self.trainer.recipe = recipe

    def train(self, most: int) -> None:
        """Train for at most so many iterations, until the end or a signal; save now and then."""
        trainer, saved_s = self.trainer, time.perf_counter()
        last = min(trainer.iteration + most, trainer.recipe.iterations)
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
        with Progress(*columns, TimeRemainingColumn()) as progress:
            task = progress.add_task(self.name, total=last, completed=trainer.iteration)
            losses: list[Tensor] = []
            while trainer.iteration < last and not self.is_stopped:
                begun_s = time.perf_counter()
                losses.append(trainer.step())
                self.seconds += time.perf_counter() - begun_s
                progress.update(task, completed=trainer.iteration)
                if time.perf_counter() - saved_s > SAVE_EVERY_S:
                    saved_s = time.perf_counter()
                    self.save()
                    self._tell(losses)
                    losses = []

    def _tell(self, losses: list[Tensor]) -> None:
        trainer = self.trainer
        loss = torch.stack(losses).mean().item()
        print(
            f"{self.name}: {trainer.iteration} of {trainer.recipe.iterations} iterations, "
            f"{trainer.pictures_drawn} pictures, loss {loss:.6f}, {self.seconds:.0f} s",
            flush=True,
        )

    def write(self, folder: Path, pictures: Path | None) -> None:
        """Score the start, write it, and put it into the index of its folder."""
        trainer, weights = self.trainer, self.trainer.weights()
        scores = {"drawn": score_db(weights, trainer.recipe, drawn_pictures(trainer.recipe))}
        if pictures is not None:
            found = pictures_of(pictures, trainer.recipe)
            scores[pictures.name] = score_db(weights, trainer.recipe, found)
        made: dict[str, Any] = {
            "recipe": trainer.recipe.values,
            "iterations": trainer.iteration,
            "pictures": trainer.pictures_drawn,
            "seconds": round(self.seconds),
            "threads": torch.get_num_threads(),
            "scores": scores,
        }
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder, self.name, weights, made)


def main() -> None:
    """Make what the command line names."""
    options = _parse()
    torch.set_num_threads(options.threads)
    for name in [options.name] if options.name else RECIPES:
        making = Making(name, RECIPES[name], options.state / f"{name}.pt")
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, making.stop)
        _make(making, options)
        if making.is_stopped:
            sys.exit("stopped; --resume goes on")


def _make(making: Making, options: argparse.Namespace) -> None:
    """Train, unless only the weights are asked for; then write them."""
    has_state = (options.state / f"{making.name}.pt").exists()
    if has_state and not (options.resume or options.export):
        sys.exit(f"{making.name} has a state in {options.state}: give --resume, or delete it")
    if options.export and not has_state:
        sys.exit(f"{making.name} has no state in {options.state}: there is nothing to write")
    if has_state:
        making.resume()
    if not options.export:
        if options.minutes is not None:
            making.limit(options.minutes)
        making.train(making.trainer.recipe.iterations)
        making.save()
    if making.trainer.is_done or options.export:
        making.write(options.output, options.pictures)


def _write(folder: Path, name: str, weights: Weights, made: dict[str, Any]) -> None:
    content = start_bytes(weights, made)
    path = folder / f"{name}.safetensors"
    path.write_bytes(content)
    _add_to_index(folder, path.name, hashlib.sha256(content).hexdigest())
    print(f"wrote {path}: {json.dumps(made)}")


def _add_to_index(folder: Path, name: str, sha256: str) -> None:
    path = folder / INDEX
    index: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(dict(sorted((index | {name: sha256}).items())), indent=1) + "\n")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--name", choices=list(RECIPES), help="of the start; default all")
    parser.add_argument("--minutes", type=float, help="train for about so long from now on")
    parser.add_argument("--resume", action="store_true", help="go on from the state, if any")
    parser.add_argument("--export", action="store_true", help="write the weights as they are")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--pictures", type=Path, help="folder of PNGs to score on too")
    parser.add_argument("--state", type=Path, default=STATES, help="folder of the states")
    parser.add_argument("--output", type=Path, default=WEIGHTS, help="folder of the weights")
    return parser.parse_args()


if __name__ == "__main__":
    main()
