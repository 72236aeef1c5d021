"""The network: a few convolutions that predict what bicubic upscaling lost.

It works on the unshuffled image (u * u pixels become channels), a quarter of the area at
scale 2: four times cheaper a step than the paper's full-size one, at the same quality.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

LEAK = 0.1  # a plain ReLU let whole fits die: the residual went to zero and stayed there


class ResidualNet(nn.Module):
    """Map an enlarged, centred image to the residual that sharpens it."""

    def __init__(
        self,
        *,
        channels: int,
        unshuffle: int,
        width: int,
        depth: int,
        kernel_size: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.unshuffle = unshuffle
        outer = channels * unshuffle**2
        widths = [outer, *[width] * (depth - 1), outer]
        # Built without storage: the default initialisation would draw from the global generator.
        layers = [
            nn.Conv2d(before, after, kernel_size, padding=kernel_size // 2, device="meta")
            for before, after in pairwise(widths)
        ]
        self.layers = nn.ModuleList(layers).to_empty(device="cpu")
        self._initialise(generator)

    def _initialise(self, generator: torch.Generator) -> None:
        weights = [parameter for parameter in self.parameters() if parameter.dim() > 1]
        for parameter in self.parameters():
            nn.init.zeros_(parameter)  # the biases keep it
        for weight in weights[:-1]:
            nn.init.kaiming_normal_(weight, a=LEAK, generator=generator)
        # A tiny last layer starts the fit at plain bicubic instead of at noise.
        nn.init.normal_(weights[-1], std=1e-3, generator=generator)

    def forward(self, centred: Tensor) -> Tensor:
        """Return the residual of `centred`.

        centred: (N, C, H, W), about [-0.5, 0.5]; H and W multiples of the unshuffle factor u.
        Returns (N, C, H, W), in the dtype the convolutions ran in.
        """
        x = functional.pixel_unshuffle(centred, self.unshuffle)  # (N, C * u * u, H / u, W / u)
        x = x.contiguous(memory_format=torch.channels_last)
        for layer in self.layers[:-1]:
            x = functional.leaky_relu(layer(x), LEAK, inplace=True)
        return functional.pixel_shuffle(self.layers[-1](x), self.unshuffle)


def unshuffle_factor(scale: float) -> int:
    """Return u: the scale itself if whole, else the nearest whole number of at least 2."""
    return max(2, round(scale))


def receptive_radius(*, depth: int, kernel_size: int, unshuffle: int) -> int:
    """Return how far, in output pixels, one input pixel can reach: the halo of a tile."""
    return depth * (kernel_size // 2) * unshuffle
