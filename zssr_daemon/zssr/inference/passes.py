"""Pass: one application of the network; several of them reach the total scale."""

from dataclasses import dataclass

from torch import Tensor

from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.degradation.blur import Blur
from zssr_daemon.zssr.inference.fitted_network import ensemble_members
from zssr_daemon.zssr.scale import Scale, area_ratio, passes, power, product


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One pass over an image; scales are relative to the source."""

    start: Scale  # of the image that the pass begins with
    reached: Scale  # after the network
    kept: Scale  # what the result is shrunk to in the end


def all_passes(config: ZSSRConfig) -> list[Pass]:
    """Return the passes of the network that lead to config.total_scale, in order."""
    reached_and_kept = [
        (product(step, reached), product(step, kept))
        for step in (power(config.scale_factor, number) for number in range(config.scale_times))
        for reached, kept in passes(config.scale_factor, config.network_scale)
    ]
    starts: list[Scale] = [1.0, *(kept for _, kept in reached_and_kept)]
    return [
        Pass(start=start, reached=reached, kept=kept)
        for start, (reached, kept) in zip(starts, reached_and_kept, strict=False)
    ]


def inference_work(planes: Tensor, config: ZSSRConfig, blur: Blur) -> float:
    """Return the arithmetic of all passes over (N, C, H, W), in output pixels passed forward."""
    growth = sum(area_ratio(each.reached) for each in all_passes(config))
    count, _, height, width = planes.shape
    return float(count * height * width * growth * len(ensemble_members(config, blur)))
