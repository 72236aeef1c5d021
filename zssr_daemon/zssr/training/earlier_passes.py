"""EarlierPasses: what a later pass begins with, made from a source as inference makes it."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from zssr_daemon.zssr.degradation.blur import Blur
from zssr_daemon.zssr.inference.fitted_network import FittedNetwork
from zssr_daemon.zssr.inference.passes import Pass
from zssr_daemon.zssr.inference.strips import whole_pass
from zssr_daemon.zssr.scale import Scale


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierPasses:
    """The passes before a later one, each with its network."""

    steps: tuple[Pass, ...]
    networks: tuple[FittedNetwork, ...]
    total: Scale  # from the source to what the later pass reaches

    @torch.no_grad()
    def run(self, source: Tensor, blur: Blur) -> Tensor:
        """Return (..., C, h, w) of sources (..., C, H, W), both float32 in [0, 1].

        One view is enough: an average of more costs several times as much, and differs little.
        Aliasing is not judged: these sources are smaller than the image, and alias more than it.
        blur: of these sources, whose wrap may be another than that of the image.
        """
        planes = source.reshape(-1, *source.shape[-3:])
        previous = planes
        for step, network in zip(self.steps, self.networks, strict=True):
            single = replace(
                network,
                blur=blur,
                config=replace(network.config, self_ensemble=False, alias_guard=False),
            )
            previous = whole_pass(previous, planes, step, single)
        return previous.reshape(*source.shape[:-2], *previous.shape[-2:])
