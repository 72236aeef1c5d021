"""NoiseShape: how noise is spread over frequencies, colours and brightness.

White noise is equally strong everywhere. What cameras make is not: light arrives in grains, so the
noise depends on brightness (Foi et al. 2008, doi 10.1109/TIP.2008.2001399), and demosaicking,
shrinking and compression take its fine waves away, in colour more than in brightness.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from zssr_daemon.zssr.ops.dct import SIDE

# The sums of both frequencies of a DCT coefficient at which a spectrum is given. Between them it
# is interpolated, beyond them it goes on as it is.
KNOTS = (2.5, 4.5, 6.5, 8.5, 11.0)

# Brightness at which the variance is given.
BRIGHTNESS = (0.1, 0.3, 0.5, 0.7, 0.9)

# Brightness and two differences of colours, orthonormal once normalised: white noise is equally
# strong in all three.
_COLOURS = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [1.0, -2.0, 1.0]])

_FREQUENCY = np.add.outer(np.arange(SIDE), np.arange(SIDE))


@dataclass(frozen=True, slots=True)
class NoiseShape:
    """Noise relative to white noise of the same standard deviation.

    spectra: for each plane of `separated`, one or three, the standard deviation at KNOTS; empty if
    it is white. by_brightness: the variance at BRIGHTNESS; empty if it is the same everywhere.
    """

    spectra: tuple[tuple[float, ...], ...] = ()
    by_brightness: tuple[float, ...] = ()

    @property
    def is_white(self) -> bool:
        """Whether nothing distinguishes the noise from white noise."""
        return not self.spectra and not self.by_brightness

    def stds(self, channels: int) -> Tensor:
        """Return (channels, 64): the relative standard deviation of each DCT coefficient."""
        frequency = torch.from_numpy(_FREQUENCY.reshape(-1))
        return torch.stack([self._at(frequency, each) for each in self._of_planes(channels)])

    def strength(self, brightness: Tensor) -> Tensor:
        """Return the relative standard deviation at a brightness from 0 to 1, in any shape."""
        if not self.by_brightness:
            return torch.ones_like(brightness)
        variance = torch.tensor(self.by_brightness, device=brightness.device).to(brightness)
        step = BRIGHTNESS[1] - BRIGHTNESS[0]
        at = ((brightness - BRIGHTNESS[0]) / step).clamp(0, len(BRIGHTNESS) - 1)
        left = at.floor().clamp(max=len(BRIGHTNESS) - 2).long()
        return torch.lerp(variance[left], variance[left + 1], at - left).sqrt()

    def drawn(self, image: Tensor, generator: torch.Generator) -> Tensor:
        """Return noise of standard deviation 1 for an image (..., C, H, W) in [0, 1].

        The generator is one of the CPU; the noise lies on the image's device.
        """
        noise = torch.randn(image.shape, generator=generator).to(image)
        if self.is_white:
            return noise
        if self.spectra:
            noise = joined(self._filtered(noise))
        return noise * self.strength(image.mean(dim=-3, keepdim=True))

    def _filtered(self, planes: Tensor) -> Tensor:
        """Return white noise (..., C, H, W) with the spectrum of each plane."""
        height, width = planes.shape[-2:]
        rows, columns = torch.fft.fftfreq(height).abs(), torch.fft.rfftfreq(width)
        frequency = 2 * SIDE * (rows[:, None] + columns)  # a wave of the DCT is half as long
        channels = planes.shape[-3]
        gains = torch.stack([self._at(frequency, each) for each in self._of_planes(channels)])
        waves = torch.fft.rfft2(planes) * gains.to(planes)
        return torch.as_tensor(torch.fft.irfft2(waves, s=(height, width)))

    def _of_planes(self, channels: int) -> tuple[tuple[float, ...], ...]:
        """Return the spectra for that many planes; one channel of three has their mean."""
        spectra = self.spectra or ((1.0,) * len(KNOTS),)
        if len(spectra) == channels:
            return spectra
        mean = np.sqrt(np.mean(np.square(spectra), axis=0))
        return (tuple(mean.tolist()),) * channels

    @staticmethod
    def _at(frequency: Tensor, spectrum: tuple[float, ...]) -> Tensor:
        return torch.from_numpy(np.interp(frequency.numpy(), KNOTS, spectrum)).float()


WHITE = NoiseShape()


def separated(image: Tensor) -> Tensor:
    """Return brightness and two differences of colours of (..., 3, H, W); grey as it is."""
    if image.shape[-3] == 3:
        return torch.einsum("dc,...chw->...dhw", _colours(image), image)
    return image


def joined(planes: Tensor) -> Tensor:
    """Undo `separated` on (..., C, H, W)."""
    if planes.shape[-3] == 3:
        return torch.einsum("dc,...dhw->...chw", _colours(planes), planes)
    return planes


def _colours(image: Tensor) -> Tensor:
    return functional.normalize(_COLOURS, dim=1).to(image)
