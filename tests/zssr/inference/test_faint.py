"""Faintness: a residual as weak as noise is withheld, a strong one is added."""

import pytest
import torch

from tests.parts.zssr_pictures import load, quick
from zssr_daemon.zssr.inference.residual_trust import contrast, credit
from zssr_daemon.zssr.pipeline import super_resolve

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
