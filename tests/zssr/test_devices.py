"""Devices: what holds on the CPU holds on a card too; `python -m bench.gpu` runs these there."""

from dataclasses import replace

import pytest
import torch

from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.pipeline import super_resolve

CARD = pytest.param(
    "cuda:0",
    marks=[
        pytest.mark.gpu,
        pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA card"),
    ],
)

CONFIG = ZSSRConfig.from_preset("instant", num_epochs=10, warm_num_epochs=10)


def source() -> torch.Tensor:
    """Return a smooth picture with an edge, (3, 40, 48)."""
    across, down = torch.arange(48) / 48, torch.arange(40)[:, None] / 40
    plane = 0.5 + 0.3 * torch.sin(9 * across * down) + 0.2 * (across > down)
    return plane.clamp(0, 1).expand(3, -1, -1).contiguous()


@pytest.mark.parametrize("device", ["cpu", CARD])
def test_same_seed_same_bytes(device: str) -> None:
    """On one device two runs give the same result, bit by bit."""
    first, second = (super_resolve(source(), CONFIG, device=torch.device(device)) for _ in range(2))
    assert torch.equal(first.image, second.image)


@pytest.mark.parametrize("device", ["cpu", CARD])
def test_result_is_that_of_the_cpu(device: str) -> None:
    """Kinds of devices add in another order, which moves no result by more than a few levels."""
    ours = super_resolve(source(), CONFIG, device=torch.device(device))
    cpu = super_resolve(source(), CONFIG, device=torch.device("cpu"))
    assert ours.image.device.type == "cpu"
    assert not ours.is_fallback
    assert (ours.image - cpu.image).abs().mean() < 1 / 255


@pytest.mark.parametrize("device", ["cpu", CARD])
def test_tiles_do_not_show(device: str) -> None:
    """A result put together from tiles is that of the whole, but for rounding."""
    whole, tiled = (
        super_resolve(source(), replace(CONFIG, patch_size=size), device=torch.device(device))
        for size in (256, 16)
    )
    assert (whole.image - tiled.image).abs().max() < 2 / 255
