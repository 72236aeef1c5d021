"""ResidualTrust: nothing is added amid false stripes, nor a residual as weak as noise."""

import math

import pytest
import torch
from torch import Tensor

from tests.parts.zssr_pictures import load, quick, texture
from zssr_daemon.zssr.inference.residual_trust import (
    WINDOW,
    contrast,
    credit,
    local_mean,
    trust,
)
from zssr_daemon.zssr.ops.wrap import OPEN, Wrap
from zssr_daemon.zssr.pipeline import super_resolve


def stripes(size: int, cycles_per_px: float) -> Tensor:
    """Return slanted waves of the left half beside a plain right half, (3, size, size)."""
    along = torch.arange(size) * 0.8
    phase = 2 * math.pi * cycles_per_px * (along + 0.6 / 0.8 * along[:, None])
    wave = 0.5 + 0.2 * torch.sin(phase)
    wave[:, size // 2 :] = 0.5
    return wave.expand(3, -1, -1).contiguous()


def test_stripes_near_the_finest_are_not_trusted() -> None:
    """Amid them nothing is added; far from them everything may be."""
    trusted = trust(stripes(96, 0.45)[None])
    assert tuple(trusted.shape) == (1, 1, 96, 96)
    assert float(trusted[..., 16:-16, 16:32].max()) == 0
    assert float(trusted[..., -16:].min()) == 1


@pytest.mark.parametrize(
    "image",
    [
        load("butterfly_lr.png"),
        texture(64, 80),
        stripes(96, 0.12),
        torch.full((3, 20, 20), 0.3),
    ],
    ids=["photograph", "edges", "coarse stripes", "flat"],
)
def test_everything_else_is_trusted(image: Tensor) -> None:
    """At most a trace of the residual is lost."""
    assert float(trust(image[None]).mean()) > 0.995


@pytest.mark.parametrize("size", [(1, 1), (1, 30), (2, 3), (17, 40)])
def test_any_size_has_a_trust_for_each_pixel(size: tuple[int, int]) -> None:
    """Finite and in [0, 1]."""
    trusted = trust(texture(*size)[None])
    assert (1, 1, *size) == tuple(trusted.shape)
    assert bool(((trusted >= 0) & (trusted <= 1)).all())


def test_alias_guard_changes_only_the_stripes() -> None:
    """Switched off, the residual amid them is added too."""
    image = stripes(96, 0.45)
    guarded, plain = (
        super_resolve(image, quick(alias_guard=is_on, back_projections=0), device="cpu").image
        for is_on in (True, False)
    )
    difference = (guarded - plain).abs()
    assert float(difference[..., :64].max()) > 1e-3
    assert float(difference[..., -32:].max()) == 0


LEVEL = 1 / 255


def source(span: float = 1.0) -> torch.Tensor:
    """Return a ramp from black to `span`, (1, 3, 40, 40)."""
    return torch.linspace(0, span, 40).expand(1, 3, 40, 40)


@pytest.mark.parametrize(("levels", "expected"), [(0.15, 0.01), (1.5, 0.5), (15.0, 0.99)])
def test_credit_grows_with_strength(levels: float, expected: float) -> None:
    """Half is added of a residual of the given strength, nearly all or nothing far from it."""
    residual = torch.full((1, 3, 80, 80), levels * LEVEL)
    share = credit(residual, contrast(source()), 1.5)
    assert tuple(share.shape) == (1, 1, 80, 80)
    torch.testing.assert_close(share, torch.full_like(share, expected), atol=1e-3, rtol=0)


def test_strength_is_relative_to_the_contrast() -> None:
    """A picture that uses a fiftieth of its range is judged as if it used all of it."""
    residual = torch.randn(1, 3, 80, 80, generator=torch.Generator().manual_seed(0)) * LEVEL
    full, dim = (
        credit(residual, contrast(source()), 1.5),
        credit(residual / 50, contrast(source(0.02)), 1.5),
    )
    torch.testing.assert_close(full, dim, atol=1e-3, rtol=0)


@pytest.mark.parametrize("size", [(1, 1), (1, 30), (17, 40)])
def test_nothing_added_is_nothing_credited(size: tuple[int, int]) -> None:
    """A zero residual on a picture of one colour gives a number, not NaN."""
    share = credit(torch.zeros(1, 3, *size), contrast(torch.full((1, 3, *size), 0.3)), 1.5)
    assert torch.equal(share, torch.zeros(1, 1, *size))


def test_setting_reaches_the_result() -> None:
    """A larger `faint_residual` brings the result nearer to what an infinite one gives."""
    image = load("butterfly_lr.png")[:, :40, :40]
    weak, some, full = (
        super_resolve(image, quick(faint_residual=levels), device="cpu").image
        for levels in (255.0, 4.0, 0.0)
    )
    assert float((weak - some).abs().mean()) < float((weak - full).abs().mean())


@pytest.mark.parametrize("size", [(1, 1), (24, 25), (7, 30), (60, 3)])
@pytest.mark.parametrize("wrap", [OPEN, Wrap(x=True, y=False), Wrap(x=True, y=True)])
def test_local_mean_is_that_of_the_pixels_around(size: tuple[int, int], wrap: Wrap) -> None:
    """At the border of fewer, unless the image goes on there; weak values beside strong count."""
    generator = torch.Generator().manual_seed(0)
    image = 10 ** (-8 * torch.rand(2, 1, *size, generator=generator))
    means = local_mean(image, wrap)
    reach = WINDOW // 2
    offsets = range(-reach, reach + 1)
    height, width = size
    for y, x in {(0, 0), (height // 2, width // 2), (height - 1, width - 1)}:
        rows = [y + i for i in offsets if wrap.y or 0 <= y + i < height]
        columns = [x + i for i in offsets if wrap.x or 0 <= x + i < width]
        around = image[..., [row % height for row in rows], :]
        around = around[..., [column % width for column in columns]]
        expected = around.double().mean(dim=(-2, -1))
        torch.testing.assert_close(means[..., y, x].double(), expected, rtol=1e-6, atol=0.0)
