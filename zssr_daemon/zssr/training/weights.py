"""Weights: what a fit learnt, to keep or to start the next fit from."""

import hashlib
import io
import json
import pickle
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.degradation.degradation import IDEAL, Degradation
from zssr_daemon.zssr.network import ResidualNet
from zssr_daemon.zssr.training.network_key import network_values

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Weights:
    """The parameters of a fitted network, float32 on the CPU, and the key of fits they suit."""

    key: str  # `compatibility_key` of the fit
    state: dict[str, Tensor]

    @classmethod
    def of(cls, network: ResidualNet, key: str) -> Self:
        """Copy the parameters of `network`."""
        state = network.state_dict()
        return cls(
            key, {name: value.detach().float().cpu().clone() for name, value in state.items()}
        )

    def apply(self, network: ResidualNet) -> None:
        """Set the parameters of `network`, whose architecture must be that of the key."""
        network.load_state_dict(self.state)

    @property
    def sha256(self) -> str:
        """Hash of key and values, hexadecimal; equal weights have equal hashes in any file."""
        digest = hashlib.sha256(self.key.encode())
        for name in sorted(self.state):
            value = self.state[name].contiguous()
            digest.update(f"{name} {tuple(value.shape)} ".encode())
            digest.update(value.numpy().astype("<f4").tobytes())
        return digest.hexdigest()

    def to_bytes(self) -> bytes:
        """Return the content of a file of weights, as `from_bytes` reads it."""
        stream = io.BytesIO()
        content = {
            "format_version": FORMAT_VERSION,
            "key": self.key,
            "sha256": self.sha256,
            "state": self.state,
        }
        torch.save(content, stream)
        return stream.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read weights. Bytes of any origin are safe: tensors are read, no code is run.

        Raises:
            ValueError: these are no weights, have another format, or are damaged.
        """
        try:
            read = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
            raise ValueError(f"weights cannot be read: {error}") from error
        version = read.get("format_version") if isinstance(read, dict) else None
        if version != FORMAT_VERSION:
            raise ValueError(f"weights format {version!r}: only {FORMAT_VERSION} is known")
        weights = cls(str(read.get("key")), checked_state(read.get("state")))
        if weights.sha256 != read.get("sha256"):
            raise ValueError("weights are damaged: their hash is not the one recorded")
        return weights


def compatibility_key(config: ZSSRConfig, channels: int, degradation: Degradation = IDEAL) -> str:
    """Return what weights that a fit made must have in common with another fit, as text.

    This is the architecture, the scale, the channels, and what degraded the source beyond
    shrinking. channels: of the image, 1 or 3.
    """
    pairs = degradation.adapted(config).model_pairs
    values = network_values(replace(config, model_pairs=pairs), channels)
    if degradation.blur.sha256 is not None:
        values |= {"scale": config.total_scale, "kernel": degradation.blur.sha256}
    if not degradation.is_clean:
        noise_std = round(degradation.noise_std)  # a start need not be exact
        values |= {"noise_std": noise_std, "jpeg_quality": degradation.jpeg_quality}
    return json.dumps(values, sort_keys=True)


def checked_state(state: object) -> dict[str, Tensor]:
    """Return parameters that were read, or refuse them with a ValueError."""
    if not isinstance(state, dict) or not all(
        isinstance(name, str)
        and isinstance(value, Tensor)
        and value.dtype == torch.float32
        and bool(value.isfinite().all())
        for name, value in state.items()
    ):
        raise ValueError("weights are damaged: not a table of finite float32 numbers")
    return state
