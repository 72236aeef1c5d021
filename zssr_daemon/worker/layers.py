"""Layers: the channels of a source that are enlarged together, and where their output goes."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zssr_daemon.imaging.samples.content import Content
from zssr_daemon.imaging.samples.decoded import DecodedImage
from zssr_daemon.imaging.samples.sample_range import SampleRange
from zssr_daemon.worker.write_output import put_levels
from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.degradation.blur import Blur
from zssr_daemon.zssr.inference.strips import enlarge_plainly
from zssr_daemon.zssr.scale import per_axis


@dataclass(slots=True, kw_only=True)
class Layer:
    """Content of a source, and the channels of the output that it is enlarged into."""

    content: Content
    samples: NDArray[Any]  # (H', W', C), a view
    factor: float  # from samples of the source to those of the output

    @property
    def sample_range(self) -> SampleRange:
        """The range in samples of the output."""
        scale = self.content.sample_range
        return scale if self.factor == 1 else scale.times(self.factor)

    @property
    def levels(self) -> int | None:
        """As in Degradation."""
        return self.content.sample_range.levels

    def taken_picture(self) -> Tensor:
        """Return the pixels, (C, H, W) float32, CPU, [0, 1]; the layer has them no longer."""
        picture = torch.from_numpy(self.content.pixels).permute(2, 0, 1).contiguous()
        self.content = self.content.without_pixels()
        return picture

    @property
    def void(self) -> Tensor | None:
        """Where the pixels are no content, (C, H, W) bool; None for nowhere."""
        void = self.content.void
        return None if void is None else torch.from_numpy(~void.is_content).permute(2, 0, 1)

    def visible(self, alpha: NDArray[np.float32] | None) -> Tensor | None:
        """Tell where the pixels are content that alpha, (H, W), does not hide; None for everywhere.

        (C or 1, H, W) bool.
        """
        void = self.void
        shown = None if alpha is None else torch.from_numpy(alpha > 0)[None]
        if void is None or shown is None:
            return shown if void is None else ~void
        return shown & ~void

    def put(self, part: Tensor, top: int, left: int) -> None:
        """Round (C, h, w) float32 on the CPU to samples, from a corner on. Raises `not_finite`."""
        height, width = part.shape[-2:]
        place = self.samples[top : top + height, left : left + width]
        put_levels(part.permute(1, 2, 0).numpy(), place, self.sample_range)

    def finish(self, config: ZSSRConfig, blur: Blur) -> None:
        """Add what lies outside the range, and write the void; config: as the fit had it."""
        if self.content.excess is not None:
            for sign in (1.0, -1.0):
                self._add_excess(sign, config, blur)
        if self.content.void is not None:
            nodata = self.content.void.nodata * self.factor
            self.content.void.put(
                self.samples,
                per_axis(config.total_scale),
                nodata=nodata if self.samples.dtype.kind == "f" else np.rint(nodata),
                is_about_corner=blur.is_about_corner,
            )

    def _add_excess(self, sign: float, config: ZSSRConfig, blur: Blur) -> None:
        """Enlarge what lies above the range, or below it, by resizing; it has no detail."""
        assert self.content.excess is not None
        excess = (self.content.excess * np.float32(sign)).clip(0)
        highest = float(excess.max())
        if highest > 0:
            planes = torch.from_numpy(excess / np.float32(highest)).permute(2, 0, 1)[None]
            by = sign * highest * self.sample_range.span
            times = config.back_projections
            enlarge_plainly(planes, config, partial(self._add, by), blur, back_projections=times)

    def _add(self, by: float, part: Tensor, top: int, left: int) -> None:
        """Add (1, C, h, w) times `by` to the samples, from a corner on."""
        height, width = part.shape[-2:]
        place = self.samples[top : top + height, left : left + width]
        whole = place + part[0].permute(1, 2, 0).double().numpy() * by
        if place.dtype.kind != "f":
            limits = np.iinfo(place.dtype)
            whole = np.rint(whole).clip(limits.min, limits.max)
        place[...] = whole


def layers_of(source: DecodedImage, samples: NDArray[Any]) -> list[Layer]:
    """Return the layers of a source: colours first, then each further sample.

    samples: of the whole output, (H', W', C').
    """
    info = source.info
    places = list(range(info.channels, samples.shape[2]))
    if info.has_alpha:
        del places[info.alpha_place]
    views = [samples[:, :, : info.channels], *(samples[:, :, at : at + 1] for at in places)]
    contents = [source.colour, *source.extras]
    return [
        Layer(content=content, samples=view, factor=_factor(source, samples))
        for content, view in zip(contents, views, strict=True)
    ]


def alpha_layer(source: DecodedImage, samples: NDArray[Any]) -> Layer:
    """Return the layer of a source's alpha; samples: of the whole output."""
    assert source.alpha is not None and source.alpha_range is not None
    place = source.info.channels + source.info.alpha_place
    return Layer(
        content=Content(pixels=source.alpha[:, :, None], sample_range=source.alpha_range),
        samples=samples[:, :, place : place + 1],
        factor=_factor(source, samples),
    )


def _factor(source: DecodedImage, samples: NDArray[Any]) -> float:
    """Return by what levels are multiplied where the output has fewer bits than the source."""
    depth = source.info.bit_depth
    if 8 * samples.dtype.itemsize >= depth:
        return 1.0
    return float(np.iinfo(samples.dtype).max) / ((1 << depth) - 1)
