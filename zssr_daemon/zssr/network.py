"""The network: a few convolutions that predict what bicubic upscaling lost.

It works on the unshuffled image (u * u pixels become channels), which at scale 2 has a quarter of
the area: a step is four times cheaper than with the paper's full-size network, and as good.
"""

import math
from functools import partial
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.scale import unshuffle_factor

Variant = Literal["compact", "paper"]

LEAK = 0.1  # with a plain ReLU whole fits died: the residual went to zero and stayed there


class Pair(nn.Module):
    """Two convolutions with a leaky ReLU between, whose result is added to what they get."""

    def __init__(self, first: nn.Conv2d, second: nn.Conv2d, leak: float) -> None:
        super().__init__()
        self.first = first
        self.second = second
        self._leak = leak

    def forward(self, x: Tensor) -> Tensor:
        """Return `x`, (N, width, h, w), and what the pair adds to it."""
        between = functional.leaky_relu(self.first(x), self._leak, inplace=True)
        added: Tensor = self.second(between)
        return x + added


class ResidualNet(nn.Module):
    """Maps an enlarged, centred image to the residual that sharpens it.

    Its pairs stand evenly spread behind the hidden layers, and make it deeper by two convolutions
    each. The variant "paper" has no biases, a plain ReLU, the published initialisation, and no
    centring.
    """

    def __init__(self, config: ZSSRConfig, *, channels: int, generator: torch.Generator) -> None:
        """Draw the weights of an unfitted network of the `model_` keys for one pass of `config`.

        channels: of the image that it sees, 1 or 3.
        """
        super().__init__()
        is_paper = config.model_variant == "paper"
        width, kernel_size = config.model_width, config.model_kernel_size
        self.unshuffle = unshuffle_factor(config.network_scale, config.model_variant)
        self.centre = input_centre(config.model_variant)
        self._leak = 0.0 if is_paper else LEAK
        outer = channels * self.unshuffle**2
        widths = [outer, *[width] * (config.model_depth - 1), outer]
        # Built without storage: the default initialisation would draw from the global generator.
        convolution = partial(
            nn.Conv2d,
            kernel_size=kernel_size,
            padding=kernel_size // 2,
            bias=not is_paper,
            device="meta",
        )
        layers = [convolution(before, after) for before, after in pairwise(widths)]
        between = [
            Pair(convolution(width, width), convolution(width, width), self._leak)
            for _ in range(config.model_pairs)
        ]
        self.layers = nn.ModuleList(layers).to_empty(device="cpu")
        self.pairs = nn.ModuleList(between).to_empty(device="cpu")
        if is_paper:
            self._initialise_as_published(generator)
        else:
            self._initialise(generator)

    def _initialise_as_published(self, generator: torch.Generator) -> None:
        """Draw normal weights of variance 0.1 / fan-in."""
        for weight in self.parameters():
            fan_in = weight[0].numel()
            nn.init.normal_(weight, std=math.sqrt(0.1 / fan_in), generator=generator)

    def _initialise(self, generator: torch.Generator) -> None:
        """Draw Kaiming weights (arXiv 1502.01852), a last layer near zero, pairs that add zero."""
        for parameter in self.parameters():
            nn.init.zeros_(parameter)  # biases and the second of each pair stay zero
        last = f"layers.{len(self.layers) - 1}.weight"
        for name, weight in self.named_parameters():
            if weight.dim() > 1 and name != last and ".second." not in name:
                nn.init.kaiming_normal_(weight, a=LEAK, generator=generator)
        # A tiny last layer starts the fit at plain bicubic instead of at noise.
        nn.init.normal_(self.get_parameter(last), std=1e-3, generator=generator)

    def forward(self, centred: Tensor) -> Tensor:
        """Return the residual of `centred`.

        centred: (N, C, H, W), [0, 1] minus `centre`; H and W multiples of the unshuffle factor u.
        Returns (N, C, H, W), in the dtype the convolutions ran in.
        """
        x = functional.pixel_unshuffle(centred, self.unshuffle)  # (N, C * u * u, H / u, W / u)
        x = x.contiguous(memory_format=torch.channels_last)
        for number, layer in enumerate(self.layers[:-1]):
            x = functional.leaky_relu(layer(x), self._leak, inplace=True)
            for pair in self._pairs_behind(number):
                x = pair(x)
        return functional.pixel_shuffle(self.layers[-1](x), self.unshuffle)

    @property
    def receptive_radius(self) -> int:
        """How far, in output pixels, one input pixel can reach: the halo of a tile."""
        convolutions = [each for each in self.modules() if isinstance(each, nn.Conv2d)]
        return sum(each.kernel_size[0] // 2 for each in convolutions) * self.unshuffle

    def _pairs_behind(self, number: int) -> list[nn.Module]:
        """Return the pairs behind a hidden layer."""
        hidden, pairs = len(self.layers) - 1, len(self.pairs)
        return [pair for i, pair in enumerate(self.pairs) if i * hidden // pairs == number]


def input_centre(variant: Variant = "compact") -> float:
    """Return what is subtracted from an image in [0, 1] before the network sees it.

    The paper's network sees images as they are.
    """
    return 0.0 if variant == "paper" else 0.5
