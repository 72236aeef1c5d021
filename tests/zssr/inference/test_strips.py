"""Strips: nothing shows of them in the result, and they bound what is held."""

from typing import Any

import numpy as np
import pytest
import torch

from tests.parts.kernels import gaussian, hook
from tests.parts.zssr_pictures import quick, texture
from zssr_daemon.zssr.config import KernelPhase, ZSSRConfig
from zssr_daemon.zssr.degradation.blur import Kernel
from zssr_daemon.zssr.degradation.degradation import Degradation
from zssr_daemon.zssr.inference import strips
from zssr_daemon.zssr.inference.passes import Pass
from zssr_daemon.zssr.inference.strips import Plan
from zssr_daemon.zssr.pipeline import super_resolve


def enlarged(
    monkeypatch: pytest.MonkeyPatch, config: ZSSRConfig, image: torch.Tensor, strip_pixels: int
) -> tuple[torch.Tensor, list[Any]]:
    """Return the result with strips of about that many output pixels, and the steps told."""
    monkeypatch.setattr(strips, "STRIP_PIXELS", strip_pixels)
    steps: list[Any] = []
    result = super_resolve(image, config, device="cpu", on_step=steps.append)
    return result.image, steps


SETTINGS: dict[str, dict[str, Any]] = {
    "default": {},
    "x3": {"scale_factor": 3.0},
    "x1.5": {"scale_factor": 1.5},
    "x2.5": {"scale_factor": 2.5},
    "x1.37": {"scale_factor": 1.37},
    "two steps": {"scale_factor": 1.5, "scale_times": 2},
    "x and y": {"scale_factor": (1.5, 2.0)},
    "each of the ensemble back-projected": {"ensemble_back_projections": 2, "self_ensemble": 4},
    "one channel": {"in_channels": 1},
    "no guards": {"alias_guard": False, "faint_residual": 0.0},
    "paper's network": {"model_variant": "paper", "num_epochs": 150},
}


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("size", [(301, 83), (83, 301)])
def test_strips_equal_the_whole(
    monkeypatch: pytest.MonkeyPatch, name: str, size: tuple[int, int]
) -> None:
    """With surroundings as wide as a pass looks, strips change nothing beyond rounding."""
    config = quick(**{"num_epochs": 12, "back_projections": 3} | SETTINGS[name])
    image = texture(*size)
    whole, _ = enlarged(monkeypatch, config, image, 2**30)
    parts, steps = enlarged(monkeypatch, config, image, 100)
    torch.testing.assert_close(parts, whole, rtol=0, atol=2e-5)
    assert [step.step for step in steps if step.stage == "infer"][-1] == steps[-1].steps
    assert steps[-1].fraction <= 1


@pytest.mark.parametrize("phase", ["centred", "topleft"])
@pytest.mark.parametrize(
    ("scale", "weights"),
    [
        (2.0, gaussian(21, 20, (6.0, 6.0))),
        (3.0, gaussian(21, 20, (6.0, 6.0))),
        (1.5, gaussian(21, 20, (6.0, 6.0))),
        (2.0, hook()),
    ],
)
def test_strips_equal_the_whole_with_a_kernel(
    monkeypatch: pytest.MonkeyPatch,
    scale: float,
    weights: np.ndarray[Any, np.dtype[np.float64]],
    phase: KernelPhase,
) -> None:
    """Surroundings are as wide as the kernel asks, and tiles turn about the same pixels."""
    kernel = Kernel.of(weights, phase)
    config = quick(
        num_epochs=12, back_projections=2, scale_factor=scale, self_ensemble=8, patch_size=32
    )
    image = texture(401, 50)
    whole, parts = (
        _with_kernel(monkeypatch, config, image, kernel, pixels) for pixels in (2**30, 100)
    )
    # Rounding alone: doubling the surroundings leaves the difference as it is.
    torch.testing.assert_close(parts, whole, rtol=0, atol=1e-4)


def _with_kernel(
    monkeypatch: pytest.MonkeyPatch,
    config: ZSSRConfig,
    image: torch.Tensor,
    kernel: Kernel,
    strip_pixels: int,
) -> torch.Tensor:
    monkeypatch.setattr(strips, "STRIP_PIXELS", strip_pixels)
    corners: list[int] = []
    result = torch.zeros(3, *config.output_size(image.shape[2], image.shape[1])[::-1])

    def put(part: torch.Tensor, top: int, left: int) -> None:
        corners.append(top)
        result[:, top : top + part.shape[1], left : left + part.shape[2]] = part

    super_resolve(image, config, device="cpu", put=put, degradation=Degradation(blur=kernel))
    assert (len(corners) > 2) == (strip_pixels == 100)
    return result


def test_flat_image_in_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a network, resizing and back-projection go by strips too."""
    image = torch.linspace(0.4, 0.42, 300)[None, :, None].expand(3, 300, 40).contiguous()
    config = quick(num_epochs=12)
    whole, _ = enlarged(monkeypatch, config, image, 2**30)
    parts, _ = enlarged(monkeypatch, config, image, 100)
    torch.testing.assert_close(parts, whole, rtol=0, atol=2e-5)


@pytest.mark.parametrize("scale", [2.0, 3.0, 1.5])
def test_parts_are_handed_over_in_place_of_the_whole(
    monkeypatch: pytest.MonkeyPatch, scale: float
) -> None:
    """`put` gets every pixel once, and the result holds none."""
    config = quick(num_epochs=12, scale_factor=scale)
    image = texture(301, 83)
    whole, _ = enlarged(monkeypatch, config, image, 100)
    put_together = torch.full_like(whole, -1.0)
    corners = []

    def put(part: torch.Tensor, top: int, left: int) -> None:
        corners.append((top, left))
        place = put_together[:, top : top + part.shape[1], left : left + part.shape[2]]
        assert (place == -1).all()
        place[:] = part

    result = super_resolve(image, config, device="cpu", put=put)
    torch.testing.assert_close(put_together, whole, rtol=0, atol=0)
    assert result.image.numel() == 0
    assert len(corners) > 2


def test_strips_lie_across_the_longer_side() -> None:
    """What is held follows the shorter side: a long, narrow picture is as cheap as a small one."""
    config = ZSSRConfig()
    step = Pass(start=1.0, reached=2.0, kept=2.0)
    wide, high = (Plan.of(size, step, config, 2) for size in ((1000, 99_000), (99_000, 1000)))
    assert (wide.axis, high.axis) == (-1, -2)
    assert wide.edges == high.edges
    thickest = max(b - a for a, b in zip(wide.edges, wide.edges[1:], strict=False))
    assert 1000 * thickest * 4 <= strips.STRIP_PIXELS * 1.1


def test_small_images_are_one_strip() -> None:
    """Below the bound nothing is cut."""
    step = Pass(start=1.0, reached=2.0, kept=2.0)
    assert Plan.of((1000, 1000), step, ZSSRConfig(), 2).edges == [0, 1000]


def test_scale_without_a_common_grid_is_one_strip() -> None:
    """Where the grids never meet, strips would shift the picture: there are none."""
    step = Pass(start=1.0, reached=2**0.5, kept=2**0.5)
    assert Plan.of((9000, 9000), step, ZSSRConfig(), 2).edges == [0, 9000]
