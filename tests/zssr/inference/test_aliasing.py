"""Aliasing: false stripes are told from edges and letters."""

import math

import pytest
import torch
from torch import Tensor

from tests.parts.zssr_pictures import load, quick, texture
from zssr_daemon.zssr.inference.residual_trust import trust
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
