"""Tiles: nothing shows of them in the result."""

from dataclasses import replace

import pytest
import torch

from tests.parts.zssr_pictures import quick, texture
from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.device import Memory
from zssr_daemon.zssr.inference import tiles
from zssr_daemon.zssr.inference.fitted_network import FittedNetwork
from zssr_daemon.zssr.inference.infer import apply_network, enlarged_size
from zssr_daemon.zssr.network import ResidualNet
from zssr_daemon.zssr.progress import Progress, Step
from zssr_daemon.zssr.training.rounds import new_network


def loud_network(config: ZSSRConfig, channels: int = 3) -> ResidualNet:
    """Return an unfitted network whose residual is as large as an image."""
    network = new_network(torch.zeros(channels, 1, 1), config, torch.Generator().manual_seed(0))
    with torch.no_grad():
        for parameter in network.layers[-1].parameters():
            parameter.normal_(std=0.1, generator=torch.Generator().manual_seed(1))
    return network


def apply_to(config: ZSSRConfig, source: torch.Tensor) -> tuple[torch.Tensor, int, float]:
    """Return the result, how many tiles were reported, and their areas added up."""
    steps: list[Step] = []
    progress = Progress(steps.append, total_work=1.0)
    fitted = FittedNetwork(
        network=loud_network(config, source.shape[0]),
        config=config,
        is_bf16=False,
        memory=Memory(config),
        progress=progress,
    )
    size = enlarged_size(source, config.network_scale)
    result = apply_network(fitted, source[None], size=size)
    count = len({step.step for step in steps if step.step > 0})
    assert fitted.tile_count(tiles.whole(size)) == steps[-1].steps == count
    return result, count, progress.done / config.ensemble_size


@pytest.mark.parametrize("scale", [2.0, 3.0, 1.5, 2.5])
@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (1, 50), (3, 5), (16, 16), (17, 31), (40, 33), (64, 7)]
)
@pytest.mark.parametrize("ensemble", [1, 8])
def test_tiled_equals_whole(scale: float, height: int, width: int, ensemble: int) -> None:
    """With a halo of the receptive radius, tiles change nothing, at edges and seams alike."""
    source = texture(height, width)
    config = quick(scale_factor=scale, max_pass_scale=scale, self_ensemble=ensemble)
    whole, _, _ = apply_to(replace(config, patch_size=512), source)
    tiled, _, area = apply_to(replace(config, patch_size=8), source)
    torch.testing.assert_close(tiled, whole, rtol=0, atol=1e-5)
    assert config.output_size(width, height) == (whole.shape[-1], whole.shape[-2])
    assert area >= height * width * scale


def test_tiled_equals_whole_on_a_photograph_sized_source() -> None:
    """1600 x 1200, doubled."""
    source = texture(1200, 1600)
    sizes = {"model_width": 4, "model_depth": 2}
    whole, _, _ = apply_to(quick(patch_size=4096, **sizes), source)
    tiled, count, _ = apply_to(quick(patch_size=300, **sizes), source)
    torch.testing.assert_close(tiled, whole, rtol=0, atol=1e-5)
    assert count == 4 * 6
