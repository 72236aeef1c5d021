"""ShippedStart: the starts that come with the program, found by the network that they fit."""

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Self

import safetensors.torch
from safetensors import SafetensorError

from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.training.weights import Weights, checked_state, network_key

#: Names the files of all starts: {name of the file: its sha256, hexadecimal}.
INDEX = "index.json"

# The one entry of a file's metadata; several would be written in random order.
ENTRY = "zssr_start"


class StartError(Exception):
    """A start that should be there is missing or damaged: the installation is at fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippedStart:
    """One start: the weights, and how they were made."""

    name: str  # of the file, without its ending
    sha256: str  # of the file, hexadecimal
    weights: Weights
    made: dict[str, Any]  # recipe, seconds, scores

    @classmethod
    def of_bytes(cls, name: str, content: bytes, sha256: str) -> Self:
        """Read the file of a start.

        Raises:
            StartError: the bytes are not those with that hash, or no start.
        """
        if hashlib.sha256(content).hexdigest() != sha256:
            raise StartError(f"start {name} is damaged: its sha256 is not {sha256}")
        try:
            length = int.from_bytes(content[:8], "little")
            told = json.loads(json.loads(content[8 : 8 + length])["__metadata__"][ENTRY])
            state = checked_state(safetensors.torch.load(content))
            return cls(
                name=name, sha256=sha256, weights=Weights(told["key"], state), made=told["made"]
            )
        except (ValueError, KeyError, TypeError, SafetensorError) as error:
            raise StartError(f"start {name} cannot be read: {error}") from error


def start_bytes(weights: Weights, made: dict[str, Any]) -> bytes:
    """Return weights as the file of a start; the same weights and recipe, the same bytes."""
    told = json.dumps({"key": weights.key, "made": made}, sort_keys=True)
    state = {name: value.contiguous() for name, value in sorted(weights.state.items())}
    return safetensors.torch.save(state, {ENTRY: told})


def shipped_starts(folder: Traversable | None = None) -> tuple[ShippedStart, ...]:
    """Return all starts of a folder, by default those that come with the program.

    Raises:
        StartError: the index, or a file that it names, is missing or damaged.
    """
    return _own_starts() if folder is None else _starts_of(folder)


def find_start(
    config: ZSSRConfig, channels: int, folder: Traversable | None = None
) -> ShippedStart | None:
    """Return the start that fits, None where there is none for such a network.

    It must have the same architecture, channels and scale of one pass. What degraded the source
    does not matter. config: as `Degradation.adapted` returns it; channels: of the image, 1 or 3.

    Raises:
        StartError: as of `shipped_starts`.
    """
    key = network_key(config, channels)
    fitting = [start for start in shipped_starts(folder) if start.weights.key == key]
    return fitting[0] if fitting else None


@cache
def _own_starts() -> tuple[ShippedStart, ...]:
    return _starts_of(resources.files("zssr_daemon.zssr.start") / "weights")


def _starts_of(folder: Traversable) -> tuple[ShippedStart, ...]:
    try:
        index: dict[str, str] = json.loads((folder / INDEX).read_bytes())
        files = {name: (folder / name).read_bytes() for name in index}
    except (OSError, ValueError) as error:
        raise StartError(f"the starts cannot be read: {error}") from error
    return tuple(
        ShippedStart.of_bytes(name.removesuffix(".safetensors"), files[name], sha256)
        for name, sha256 in index.items()
    )
