"""Starts of a test's own, in place of those that come with the program."""

import hashlib
import json
from pathlib import Path

import pytest
import torch

from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.start import shipped, start_file
from zssr_daemon.zssr.start.shipped import shipped_starts, start_bytes
from zssr_daemon.zssr.start.start_file import INDEX, SUFFIX
from zssr_daemon.zssr.training.network_key import network_key
from zssr_daemon.zssr.training.rounds import new_network
from zssr_daemon.zssr.training.weights import Weights


def unfitted(config: ZSSRConfig, channels: int = 3, seed: int = 0) -> Weights:
    """Return the weights of a network as chance makes it."""
    generator = torch.Generator().manual_seed(seed)
    network = new_network(torch.zeros(channels, 1, 1), config, generator)
    return Weights.of(network, network_key(config, channels))


def add_start(folder: Path, weights: Weights, name: str = "tiny") -> str:
    """Add the file of a start to a folder and its index; return its sha256."""
    folder.mkdir(exist_ok=True)
    content = start_bytes(weights, {"recipe": {}})
    (folder / (name + SUFFIX)).write_bytes(content)
    index = folder / INDEX
    names = json.loads(index.read_text()) if index.exists() else {}
    sha256 = hashlib.sha256(content).hexdigest()
    index.write_text(json.dumps(names | {name + SUFFIX: sha256}))
    return sha256


def ship(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let the program come with the starts of a folder, which may change during the test."""
    monkeypatch.setattr(start_file, "shipped_folder", lambda: folder)
    monkeypatch.setattr(shipped, "_own_starts", lambda: shipped_starts(folder))
