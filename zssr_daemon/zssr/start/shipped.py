"""ShippedStart: the weights that come with the program, for fits to begin with."""

import json
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources.abc import Traversable
from typing import Any, Self

import safetensors.torch
from safetensors import SafetensorError

from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.start.grey import folded_to_grey
from zssr_daemon.zssr.start.start_file import (
    ENTRY,
    Family,
    StartError,
    StartFile,
    family_of,
    fitting,
    shipped_folder,
    start_files,
)
from zssr_daemon.zssr.training.network_key import network_key
from zssr_daemon.zssr.training.weights import Weights, checked_state


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippedStart:
    """One start: the weights, and how they were made."""

    name: str  # of the file, without its ending
    sha256: str  # of the file, hexadecimal
    weights: Weights
    made: dict[str, Any]  # recipe, seconds, scores

    @property
    def key(self) -> str:
        """`network_key` of the fits that it is for."""
        return self.weights.key

    @property
    def family(self) -> Family:
        """The sources that it was trained on."""
        return family_of(self.made)

    @classmethod
    def of_file(cls, file: StartFile) -> Self:
        """Read the weights of a file.

        Raises:
            StartError: it holds none.
        """
        try:
            state = safetensors.torch.load(file.content)
            single = {name: value.float() for name, value in state.items()}
            weights = Weights(file.key, checked_state(single))
        except (ValueError, KeyError, SafetensorError) as error:
            raise StartError(f"start {file.name} cannot be read: {error}") from error
        return cls(name=file.name, sha256=file.sha256, weights=weights, made=file.made)


def start_bytes(weights: Weights, made: dict[str, Any]) -> bytes:
    """Return weights as the file of a start; the same weights and recipe, the same bytes.

    They are rounded to half precision, which is finer than the convolutions' bf16.
    """
    told = json.dumps({"key": weights.key, "made": made}, sort_keys=True)
    state = {name: value.half().contiguous() for name, value in sorted(weights.state.items())}
    return safetensors.torch.save(state, {ENTRY: told})


def shipped_starts(folder: Traversable | None = None) -> tuple[ShippedStart, ...]:
    """Return all starts of a folder, by default those that come with the program.

    Raises:
        StartError: the index, or a file that it names, is missing or damaged.
    """
    return _own_starts() if folder is None else _starts_of(folder)


def find_start(
    config: ZSSRConfig,
    channels: int,
    folder: Traversable | None = None,
    *,
    family: Family = "clean",
) -> ShippedStart | None:
    """Return the start that fits, as `fitting` chooses it; for grey images folded from colour.

    channels: of the image, 1 or 3.

    Raises:
        StartError: as of `shipped_starts`.
    """
    start = fitting(shipped_starts(folder), config, family)
    key = network_key(config, channels)
    if start is None or start.key == key:
        return start
    return replace(start, weights=Weights(key, folded_to_grey(start.weights.state)))


@cache
def _own_starts() -> tuple[ShippedStart, ...]:
    return _starts_of(shipped_folder())


def _starts_of(folder: Traversable) -> tuple[ShippedStart, ...]:
    return tuple(map(ShippedStart.of_file, start_files(folder)))
