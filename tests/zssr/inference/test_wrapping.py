"""Wrapping: the enlargement of a picture that repeats has no place where it begins."""

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.parts.kernels import gaussian, hook
from tests.parts.zssr_pictures import quick, texture
from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.degradation.blur import BICUBIC, Blur, Kernel
from zssr_daemon.zssr.degradation.denoise import denoise
from zssr_daemon.zssr.device import Memory
from zssr_daemon.zssr.inference import strips
from zssr_daemon.zssr.inference.fitted_network import FittedNetwork
from zssr_daemon.zssr.inference.infer import enlarged_size
from zssr_daemon.zssr.inference.passes import all_passes
from zssr_daemon.zssr.inference.strips import PassRunner, enlarge_plainly
from zssr_daemon.zssr.ops.wrap import Wrap
from zssr_daemon.zssr.progress import Progress
from zssr_daemon.zssr.training.rounds import new_network

XY = Wrap(x=True, y=True)
AXES = (-2, -1)


def enlarged(image: Tensor, config: ZSSRConfig, blur: Blur) -> Tensor:
    """Return (C, H, W) after all passes of a network of chance, whose residual is strong."""
    network = new_network(image, config, torch.Generator().manual_seed(0))
    with torch.no_grad():
        list(network.parameters())[-2].mul_(100)  # the weights of the last layer
    fitted = FittedNetwork(
        network=network,
        config=config,
        is_bf16=False,
        blur=blur,
        memory=Memory(config),
        progress=Progress(None, total_work=1.0),
    )
    source = previous = image[None]
    for step in all_passes(config):
        result = torch.full((1, len(image), *enlarged_size(source, step.kept)), torch.nan)

        def place(part: Tensor, top: int, left: int, result: Tensor = result) -> None:
            height, width = part.shape[-2:]
            result[..., top : top + height, left : left + width] = part

        PassRunner(previous, source, step, fitted).run(place)
        previous = result
    return previous[0]


def settings(**overrides: Any) -> ZSSRConfig:
    """Return settings with every stage of inference, and tiles smaller than the pictures."""
    values = {"self_ensemble": True, "back_projections": 3, "patch_size": 16, "model_depth": 4}
    return quick(**values | overrides)


#: Settings, the blur, and a shift (y, x) of the source that all grids of the passes share.
CASES: dict[str, tuple[dict[str, Any], Blur, tuple[int, int]]] = {
    "x2": ({"alias_guard": False}, BICUBIC, (7, 3)),
    "guarded": ({}, BICUBIC, (20, 20)),
    "x3": ({"scale_factor": 3.0, "alias_guard": False}, BICUBIC, (4, 8)),
    "x1.5": ({"scale_factor": 1.5, "alias_guard": False}, BICUBIC, (4, 8)),
    "x4": ({"scale_times": 2, "alias_guard": False}, BICUBIC, (7, 3)),
    "x and y": ({"scale_factor": (1.5, 3.0), "alias_guard": False}, BICUBIC, (4, 8)),
    "paper": ({"model_variant": "paper", "alias_guard": False}, BICUBIC, (7, 3)),
    "views": ({"ensemble_back_projections": 2, "alias_guard": False}, BICUBIC, (7, 3)),
    "gaussian": ({"alias_guard": False}, Kernel.of(gaussian(9, 9, (1.4, 1.4))), (7, 3)),
    "hook": ({"alias_guard": False}, Kernel.of(hook(), "topleft"), (7, 3)),
    "hook x2.5": ({"scale_factor": 2.5, "alias_guard": False}, Kernel.of(hook()), (4, 8)),
}


@pytest.mark.parametrize("name", CASES)
def test_a_shift_of_the_source_shifts_the_result(name: str) -> None:
    """Nothing else changes: no stage sees a border, in x, in y, or at the corners of tiles."""
    overrides, blur, shift = CASES[name]
    config = settings(**overrides)
    config = config.in_one_pass() if isinstance(blur, Kernel) else config
    image = texture(40, 60)
    result = enlarged(image, config, blur.wrapping(XY))
    size = zip(result.shape[-2:], image.shape[-2:], shift, strict=True)
    moved = tuple(round(by * to / of) for to, of, by in size)
    again = enlarged(image.roll(shift, AXES), config, blur.wrapping(XY))
    torch.testing.assert_close(again, result.roll(moved, AXES), rtol=0, atol=5e-5)
    border_before = enlarged(image, config, blur)[..., 0, :]
    assert not torch.allclose(result[..., 0, :], border_before, atol=0.01)


@pytest.mark.parametrize("scale", [2.0, 1.5])
def test_sides_off_the_unshuffle_grid_wrap(scale: float) -> None:
    """The network sees around the seam what it sees in copies side by side, whatever the side."""
    config = settings(
        scale_factor=scale,
        alias_guard=False,
        faint_residual=0.0,
        self_ensemble=False,
        back_projections=0,
    )
    image = texture(22, 26)  # times 1.5 is 33 and 39: no multiples of 2
    height, width = enlarged_size(image, scale)
    result = enlarged(image, config, BICUBIC.wrapping(XY))
    # Two copies lie before the one that is looked at, so that it begins on the grid.
    copies = enlarged(image.repeat(1, 5, 5), config, BICUBIC)
    middle = copies[:, 2 * height : 3 * height, 2 * width : 3 * width]
    torch.testing.assert_close(result, middle, rtol=0, atol=5e-5)


@pytest.mark.parametrize(
    ("name", "size", "wrap"),
    [
        ("x2", (300, 24), XY),
        ("x2", (24, 301), Wrap(x=True)),
        ("x2", (24, 300), Wrap(y=True)),
        ("guarded", (24, 300), XY),
        ("x1.5", (300, 24), XY),
        ("x4", (300, 24), Wrap(y=True)),
        ("views", (24, 303), XY),
        ("hook", (300, 24), XY),
    ],
)
def test_strips_wrap_as_the_whole_does(
    monkeypatch: pytest.MonkeyPatch, name: str, size: tuple[int, int], wrap: Wrap
) -> None:
    """The first and the last strip are neighbours, and every strip wraps across."""
    overrides, blur, _ = CASES[name]
    config = settings(**overrides)
    config = config.in_one_pass() if isinstance(blur, Kernel) else config
    image = texture(*size)
    whole = enlarged(image, config, blur.wrapping(wrap))
    monkeypatch.setattr(strips, "STRIP_PIXELS", 100)
    parts = enlarged(image, config, blur.wrapping(wrap))
    torch.testing.assert_close(parts, whole, rtol=0, atol=5e-5)


def test_a_side_that_is_not_whole_on_the_grids_is_one_strip(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """301 × 1.5 is 451.5: the result is stretched, and so tiles."""
    monkeypatch.setattr(strips, "STRIP_PIXELS", 100)
    config = settings(scale_factor=1.5, alias_guard=False)
    result = enlarged(texture(301, 40), config, BICUBIC.wrapping(XY))
    assert result.shape[-2:] == (452, 60)
    assert result.isfinite().all()


def test_alpha_wraps() -> None:
    """What is enlarged without a network wraps as `tileable` says."""
    plane = texture(20, 30, channels=1)[None]
    results = []
    for source in (plane, plane.roll((3, 5), AXES)):
        result = torch.empty(1, 1, 40, 60)
        enlarge_plainly(source, quick(tileable="xy"), lambda part, *_, to=result: to.copy_(part))
        results.append(result)
    torch.testing.assert_close(results[0].roll((6, 10), AXES), results[1], rtol=0, atol=1e-5)


def test_noise_is_removed_around_the_seam() -> None:
    """Windows lie across it; a shift by their step shifts the result."""
    noise = torch.randn(3, 40, 48, generator=torch.Generator().manual_seed(1)) * 0.05
    noisy = (texture(40, 48) + noise).clamp(0, 1)
    clean = denoise(noisy, 12.0, wrap=XY)
    shifted = denoise(noisy.roll((6, 10), AXES), 12.0, wrap=XY)
    torch.testing.assert_close(shifted, clean.roll((6, 10), AXES), rtol=0, atol=1e-5)
    assert not torch.allclose(clean, denoise(noisy, 12.0), atol=0.01)
