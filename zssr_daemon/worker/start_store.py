"""WeightsStore: the weights of a folder's fits, for the next fits of that folder to start from."""

import hashlib
from pathlib import Path

from zssr_daemon.system import durable
from zssr_daemon.zssr.pipeline import SuperResolved
from zssr_daemon.zssr.training.weights import Weights

#: After so many images the weights suit the folder; then they stay as they are, so that all later
#: results start from the same ones.
MAX_GENERATIONS = 8


class WeightsStore:
    """The weights in one folder, each generation in a file of its own that never changes.

    A file's name is `generation-compatibility-sha256`. A result names the hash that it started
    from, so it can be made again.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def newest(self, key: str) -> Weights | None:
        """Return the newest readable weights that fit `key` (see `compatibility_key`)."""
        for path in sorted(self._paths(key), reverse=True):
            try:
                weights = Weights.from_bytes(path.read_bytes())
            except ValueError:  # damaged: take an older generation
                continue
            if weights.key == key:
                return weights
        return None

    def keep(self, weights: Weights) -> None:
        """Add the next generation, unless there are enough."""
        generation = 1 + max((int(path.name[:2]) for path in self._paths(weights.key)), default=0)
        if generation > MAX_GENERATIONS:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        name = f"{generation:02}-{_short(weights.key)}-{weights.sha256}"
        durable.write_new(self._folder / name, weights.to_bytes())

    def _paths(self, key: str) -> list[Path]:
        return list(self._folder.glob(f"[0-9][0-9]-{_short(key)}-*"))


def start_told(result: SuperResolved) -> dict[str, str | None]:
    """Return what a fit began with, under the keys of log and metadata.

    A worker gives weights to `super_resolve` only from a folder.
    """
    start = "folder" if result.start == "given" else result.start
    return {"start": start, "start_sha256": result.start_sha256}


def _short(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:16]
