"""Turn: which of two kernels blurred an image, where one is the other turned by 180 degrees.

Both leave the same of every frequency, so that no spectrum tells them apart. The picture does:
sharpened by the wrong one, its edges have echoes. So the image is sharpened by both, as a picture
with few and strong edges (a hyper-Laplacian prior, Krishnan and Fergus 2009), and the one whose
picture and error are the likelier is right.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float64]

# The large grid has this many pixels for each source pixel, along each axis.
GRID = 2

# The largest side of a window, source pixels, and of the border that joins its edges; the windows
# that are looked at.
_SIDE, _BORDER, _WINDOWS = 192, 12, 3

# Strength and power of the prior on differences of neighbours, and the smallest difference.
_STRENGTH, _POWER, _SMALLEST = 3e-4, 0.8, 2e-3

# How much the differences are held to sparse ones, from step to step.
_COUPLINGS = tuple(float(each) for each in np.geomspace(1e-3, 0.5, 10))
_FIRST_COUPLING = 1e-3

# The parts along each side of a window whose answers are compared.
_PARTS = 3


def turn_evidence(planes: list[Tensor], weights: Array) -> float:
    """Return how clearly an image was blurred by `weights` and not by them turned.

    planes: (h, w) in [0, 1], what is looked at of the image; weights: (a, b), odd sides, pixels of
    a grid that is twice as fine. Below 0: they were turned. From about 2 on, either way, the parts
    of the image agree.
    """
    windows = [_most_detailed(plane) for plane in planes]
    windows.sort(key=_detail, reverse=True)
    answers = torch.cat([_answers(window, weights) for window in windows[:_WINDOWS]])
    return float(answers.mean() / (answers.std() / len(answers) ** 0.5 + 1e-12))


def _answers(window: Tensor, weights: Array) -> Tensor:
    """Return (n,): how much less likely the turned weights are, in each part of a window."""
    sharpening = _Sharpening(window)
    upright = sharpening.unlikeliness(weights)
    turned = sharpening.unlikeliness(weights[::-1, ::-1])
    rows = (turned - upright).tensor_split(_PARTS, dim=0)
    return torch.stack([part.sum() for row in rows for part in row.tensor_split(_PARTS, dim=1)])


def _detail(window: Tensor) -> float:
    """Return how much neighbours differ in a window, (h, w)."""
    return float(window.diff(dim=0).abs().sum() + window.diff(dim=1).abs().sum())


def _most_detailed(image: Tensor) -> Tensor:
    """Return the window of an image (h, w) with the most differences of neighbours."""
    height, width = (min(side, _SIDE) for side in image.shape)
    across, down = image.diff(dim=1).abs()[:-1], image.diff(dim=0).abs()[:, :-1]
    detail = (across + down).double()
    sums = torch.nn.functional.pad(detail.cumsum(0).cumsum(1), (1, 0, 1, 0))
    h, w = height - 1, width - 1
    windows = sums[h:, w:] - sums[:-h, w:] - sums[h:, :-w] + sums[:-h, :-w]
    top, left = divmod(int(windows.argmax()), windows.shape[1])
    return image[top : top + height, left : left + width]


class _Sharpening:
    """Sharpens one window (h, w) by several kernels, on a grid twice as fine."""

    def __init__(self, window: Tensor) -> None:
        joined = _joined(_joined(window.float()).T).T
        self._height, self._width = joined.shape
        self._source = torch.fft.fft2(joined)
        down, across = (torch.fft.fftfreq(GRID * side) for side in joined.shape)
        self._down = torch.exp(2j * torch.pi * down)[:, None] - 1
        self._across = torch.exp(2j * torch.pi * across)[None] - 1
        self._squared = self._down.abs() ** 2 + self._across.abs() ** 2

    def unlikeliness(self, weights: Array) -> Tensor:
        """Return (h, w): how unlikely each pixel is, of the sharpened picture and of its error."""
        kernel = self._spectrum(weights)
        picture = self._solved(kernel, _FIRST_COUPLING, 0.0)
        for coupling in _COUPLINGS:
            picture = self._solved(kernel, coupling, self._sparse(picture, coupling))
        error = torch.fft.ifft2(self._source - self._folded(kernel * picture)).real
        strengths = self._differences(picture)[2] ** _POWER
        fine = strengths.reshape(self._height, GRID, self._width, GRID).sum(dim=(1, 3))
        inner = slice(_BORDER, -_BORDER)
        unlikeliness: Tensor = _STRENGTH * fine + error.square() / 2
        return unlikeliness[inner, inner]

    def _spectrum(self, weights: Array) -> Tensor:
        """Return what a kernel, correlated, leaves of each frequency of the fine grid."""
        height, width = weights.shape
        plane = torch.zeros(GRID * self._height, GRID * self._width)
        plane[:height, :width] = torch.from_numpy(weights.copy()).float()
        centred = plane.roll((-(height // 2), -(width // 2)), (0, 1))
        spectrum: Tensor = torch.fft.fft2(centred).conj()
        return spectrum

    def _solved(self, kernel: Tensor, coupling: float, sparse: Tensor | float) -> Tensor:
        """Return the picture (a spectrum) that gives the source and has sparse differences.

        Least squares, exactly: sub-sampling folds frequencies onto each other, so that each group
        of them is a system of rank one (Zhao and others 2016).
        """
        prior = coupling * self._squared + 1e-6
        wanted = (kernel.conj() * self._source.repeat(GRID, GRID) + coupling * sparse) / prior
        share = 1 + self._folded(kernel.abs() ** 2 / prior)
        excess = (self._folded(kernel * wanted) / share).repeat(GRID, GRID)
        solved: Tensor = wanted - kernel.conj() / prior * excess
        return solved

    def _sparse(self, picture: Tensor, coupling: float) -> Tensor:
        """Return the differences of a picture made sparse, as the spectrum of a picture."""
        down, across, strengths = self._differences(picture)
        less = _STRENGTH / coupling * _POWER * (strengths + _SMALLEST) ** (_POWER - 1)
        kept = (strengths - less).clamp(min=0) / strengths
        spectra = torch.fft.fft2(torch.stack([down * kept, across * kept]))
        sparse: Tensor = self._down.conj() * spectra[0] + self._across.conj() * spectra[1]
        return sparse

    def _differences(self, picture: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the differences of neighbours, down and across, and how strong they are."""
        down = torch.fft.ifft2(self._down * picture).real
        across = torch.fft.ifft2(self._across * picture).real
        return down, across, (down.square() + across.square()).sqrt() + 1e-8

    def _folded(self, spectrum: Tensor) -> Tensor:
        """Return the spectrum of what is left of a plane after sub-sampling."""
        return spectrum.reshape(GRID, self._height, GRID, self._width).mean(dim=(0, 2))


def _joined(plane: Tensor) -> Tensor:
    """Return (h, w) with a border above and below, in which its mirrored ends pass into another."""
    over = plane[-2 * _BORDER :].flip(0), plane[: 2 * _BORDER].flip(0)
    share = torch.linspace(1, 0, 2 * _BORDER + 2)[1:-1, None]
    between = over[0] * share + over[1] * (1 - share)
    return torch.cat([between[_BORDER:], plane, between[:_BORDER]])
