"""NoiseShape: noise is drawn with the spectrum, the colours and the dependence asked for."""

import pytest
import torch

from tests.parts.zssr_pictures import CAMERA
from zssr_daemon.zssr.degradation.noise_shape import (
    BRIGHTNESS,
    WHITE,
    NoiseShape,
    joined,
    separated,
)
from zssr_daemon.zssr.ops.dct import blocks, transform


def generator() -> torch.Generator:
    """Return a new one, always with the same seed."""
    return torch.Generator().manual_seed(3)


def test_white_noise_is_what_the_generator_draws() -> None:
    """No number of it is changed, for one picture and for several."""
    for size in ((3, 20, 30), (2, 1, 7, 5)):
        expected = torch.randn(size, generator=generator())
        assert torch.equal(WHITE.drawn(torch.full(size, 0.3), generator()), expected)


@pytest.mark.parametrize("channels", [1, 3])
def test_noise_has_its_spectrum(channels: int) -> None:
    """Each plane is as strong in each wave as it shall be; one channel has the mean of three."""
    noise = NoiseShape(CAMERA.spectra).drawn(torch.full((channels, 512, 512), 0.5), generator())
    planes = separated(noise)
    found = torch.stack([transform(blocks(each, 8)).square().mean(dim=0).sqrt() for each in planes])
    expected = NoiseShape(CAMERA.spectra).stds(channels).reshape(-1, 8, 8)
    torch.testing.assert_close(found[:, 1:, 1:], expected[:, 1:, 1:], rtol=0.2, atol=0.03)
    assert float(noise.std()) == pytest.approx(1, rel=0.05)


def test_noise_depends_on_brightness() -> None:
    """The variance is the one given, and interpolated between."""
    shape = NoiseShape(by_brightness=CAMERA.by_brightness)
    for level, variance in (*zip(BRIGHTNESS, CAMERA.by_brightness, strict=True), (0.2, 1.7)):
        noise = shape.drawn(torch.full((3, 200, 200), level), generator())
        assert float(noise.var()) == pytest.approx(variance, rel=0.05)
    ends = shape.strength(torch.tensor([0.0, 1.0]))
    assert ends.square().tolist() == pytest.approx([2.0, 0.7])


def test_planes_are_put_together_again() -> None:
    """Nothing is lost, in grey and in colour."""
    for channels in (1, 3):
        image = torch.rand(2, channels, 6, 5)
        torch.testing.assert_close(joined(separated(image)), image)
