"""Parameters: every number of the algorithm, its range, and the presets.

Standard library only: the supervisor reads it to predict sizes and never loads torch. Each range
and each list of choices stands once, in the type of its field; `LIMITS` is the table of them.
"""

from dataclasses import dataclass, fields, replace
from typing import Annotated, Any, Literal, Self

from zssr_daemon.zssr.limits import Range, above, limit_of, one_of, whole
from zssr_daemon.zssr.presets import PRESETS
from zssr_daemon.zssr.scale import (
    Scale,
    at_most,
    is_isotropic,
    label,
    per_axis,
    power,
    scaled_size,
    unshuffle_factor,
)
from zssr_daemon.zssr.target import TARGET_FORMS, Target

# Where a pixel of the small image lies in the square of large pixels that it stands for.
# centred: in its middle, as every resize has it; topleft: on its first pixel, as slicing has it.
KernelPhase = Literal["centred", "topleft"]

Preset = Literal["instant", "fast", "balanced", "best", "paper"]


SCALE_RANGE = above(1, 8)

#: Width, depth, kernel size and factor of unshuffling of the network whose start has pairs.
PAIRED_NETWORK = (64, 8, 3, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class ZSSRConfig:
    """Hold the parameters of one `super_resolve`; names are the article's (arXiv 1712.06087)."""

    # Which row of PRESETS the other values came from; `from_preset` is what applies the row.
    preset: Preset = "balanced"

    # Enlargement of one step. Integers are fastest; 1.5 or 2.5 work. A pair is (x, y), width
    # before height; one of the two may be 1.
    scale_factor: Annotated[Scale, SCALE_RANGE] = 2.0
    # Steps: the fitted network is applied again to its own output, so the total is
    # scale_factor ** scale_times.
    scale_times: Annotated[int, whole(1, 8)] = 1
    # A size in place of a factor: "3840x2160" to fit within, "long:3000", "short:2000" for a side,
    # "300dpi@20x30cm" for a print, turned as the picture is. `for_size` makes a factor of it.
    target: Annotated[str, TARGET_FORMS] = ""
    # Axes along which the picture repeats, as a texture that tiles does: its sides are continued by
    # the opposite ones wherever something looks beyond them. auto: those along which the picture
    # itself seems to repeat.
    tileable: Literal["no", "x", "y", "xy", "auto"] = "no"
    # Largest scale of one pass of the network. A larger scale_factor takes several passes: at 3
    # the source is enlarged by 2, shrunk to 1.5 and enlarged by 2 again.
    max_pass_scale: Annotated[float, SCALE_RANGE] = 2.0

    # Channels the network sees; auto = as many as the image has. 1 on RGB runs each channel
    # as a grey image; 3 on grey repeats it and averages the result.
    in_channels: Literal["auto", 1, 3] = "auto"
    # compact: works on the source's grid, centred input, biases, leaky ReLU.
    # paper: works on the output's grid, as it stands in the article; 4 times slower at scale 2.
    model_variant: Literal["compact", "paper"] = "compact"
    # Channels of the hidden layers. A fit from chance is as good with 48, and faster.
    model_width: Annotated[int, whole(1, 512)] = 64
    # Convolutions.
    model_depth: Annotated[int, whole(2, 32)] = 8
    # Pairs of further convolutions between them, each adding to what it gets; see `for_source`.
    model_pairs: Annotated[int, whole(0, 32)] = 4
    # Largest source, in pixels, that has these pairs: they double the time of inference, which for
    # larger ones is nearly all the time. 0: sources of any size have them; see `for_size`.
    pairs_max_pixels: Annotated[int, whole(0, 2**31 - 1)] = 0
    # Side of each convolution, odd, in pixels of the network's grid.
    model_kernel_size: Annotated[int, whole(1, 9)] = 3

    # Peak learning rate of Adam from chance; from weights a quarter of it, with pairs an eighth.
    # Halve it if fits restart often.
    lr: Annotated[float, above(0, 10)] = 4e-3
    # cosine: warm up, then fall to lr_stop over the whole budget.
    # plateau: the paper's rule, which divides the rate when the reconstruction stalls.
    lr_schedule: Literal["cosine", "plateau"] = "cosine"
    # Learning rate where the cosine ends and below which the plateau rule stops.
    lr_stop: Annotated[float, above(0, 10)] = 9e-6
    # plateau: divisor of the rate at a drop.
    lr_decay: Annotated[float, above(1, 1000)] = 10.0
    # plateau: drop when -lr_decay_ratio * slope is below the slope's standard error.
    lr_decay_ratio: Annotated[float, above(0, 1000)] = 1.5
    # plateau: iterations the line is fitted over, which is also the least distance of two drops;
    # at least 3 times reconstruct_step, for a line needs three points.
    lr_decay_range: Annotated[int, whole(3, 1_000_000)] = 256
    # plateau: iterations between two decisions.
    lr_decay_step: Annotated[int, whole(1, 100_000)] = 60
    # plateau: iterations between two reconstruction errors, the points of the line.
    reconstruct_step: Annotated[int, whole(1, 100_000)] = 50
    # Adam's memory of squared gradients.
    adam_beta2: Annotated[float, Range(0, 0.999_999)] = 0.95
    # Gradients longer than this are shortened to it; 0 leaves them alone.
    max_gradient_norm: Annotated[float, Range(0, 1000)] = 0.05

    # What a fit begins with. drawn: the weights that come with the program for such a network,
    # trained on drawn pictures; chance, where there are none. folder: in the daemon, the weights
    # of earlier images of the same folder, and before there are any as drawn. none: chance.
    start: Literal["drawn", "folder", "none"] = "drawn"
    # What ends a fit. iterations: num_epochs. seconds: fit_budget_s, so that the result depends
    # on the machine and its load; the same file then never again gives the same bytes.
    budget: Literal["iterations", "seconds"] = "iterations"
    # Most iterations of one fit, all rounds together. The knob between speed and quality.
    num_epochs: Annotated[int, whole(1, 1_000_000)] = 4200
    # seconds: wall seconds of one fit, all rounds together; the cosine follows the clock.
    fit_budget_s: Annotated[float, above(0, 1_000_000)] = 10.0
    # Most iterations of a fit that starts from weights, all rounds together, and never more than
    # num_epochs; where seconds are the budget, it has as many of them as any other.
    warm_num_epochs: Annotated[int, whole(1, 1_000_000)] = 300

    # pyramid: fathers at six sizes under the 8 rotations and flips, computed once.
    # affine: the paper's, drawn anew for each crop; black where a warp leaves the image.
    augmentation: Literal["pyramid", "affine"] = "pyramid"
    # Round sons to the levels of the source, 255 for 8 bits.
    son_rounding: bool = True
    # Side of a training crop, pixels of the father; cut to the image if that is smaller.
    crop_size: Annotated[int, whole(8, 1024)] = 32
    # Crops per iteration.
    batch_size: Annotated[int, whole(1, 1024)] = 4
    # How many times to fit. Before each further time the result, shrunk to three sizes, joins the
    # fathers.
    rounds: Annotated[int, whole(1, 16)] = 3

    # Side of an inference tile without its halo, source pixels. Smaller = less memory.
    patch_size: Annotated[int, whole(8, 4096)] = 256
    # Rotations and flips averaged at inference: false = 1, true = 8.
    self_ensemble: bool | Literal[1, 4, 8] = 4
    # How the ensemble is reduced; median is the paper's, mean measured 0.01 dB better.
    ensemble_reduce: Literal["mean", "median"] = "mean"
    # Corrections of each of the ensemble's images before they are reduced. The paper's way, worth
    # nothing measurable; needs memory for as many whole results.
    ensemble_back_projections: Annotated[int, whole(0, 100)] = 0
    # Withhold the residual amid fine stripes that are false, folded from finer ones.
    alias_guard: bool = True
    # Withhold half of a residual this weak, and more of weaker ones, which are sharpened noise.
    # Levels of 255 for a source with both black and white, in proportion less with less contrast;
    # 0 adds all.
    faint_residual: Annotated[float, Range(0, 255)] = 1.5
    # Corrections after inference that make the result shrink back to the source.
    back_projections: Annotated[int, whole(0, 100)] = 8

    # Arithmetic of the convolutions; auto = bf16 where the device is fast at it.
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    # Seed of every random choice.
    seed: Annotated[int, whole(0, 2**31 - 1)] = 0

    def __post_init__(self) -> None:
        """Refuse values outside their ranges with a ValueError that names the key."""
        if isinstance(self.scale_factor, list | tuple):
            self._check_pair()
        for key, limit in LIMITS.items():
            value = getattr(self, key)
            is_checked = key == "scale_factor" and isinstance(value, tuple)
            if not is_checked and value not in limit:
                wanted = one_of(limit) if isinstance(limit, tuple) else limit
                raise ValueError(f"{key} = {value!r}: must be {wanted}")
        least = 3 * self.reconstruct_step
        if self.lr_decay_range < least:
            raise ValueError(
                f"lr_decay_range = {self.lr_decay_range!r}: must be at least {least}, which is "
                "3 times reconstruct_step"
            )
        if self.model_kernel_size % 2 == 0:
            raise ValueError(f"model_kernel_size = {self.model_kernel_size}: must be odd")

    def _check_pair(self) -> None:
        """Turn a scale_factor that is a list into a tuple; refuse one that is no pair of scales."""
        pair: Any = self.scale_factor
        object.__setattr__(self, "scale_factor", tuple(pair))  # JSON knows lists only
        low, high = SCALE_RANGE.low, SCALE_RANGE.high
        if len(pair) != 2 or not all(low <= factor <= high for factor in pair) or max(pair) <= low:
            raise ValueError(
                f"scale_factor = {pair!r}: a pair must be (x, y), each from {low} to {high}, "
                f"not both {low}"
            )

    @classmethod
    def from_preset(cls, preset: str = "balanced", **overrides: Any) -> Self:
        """Build the configuration of `preset`, each of `overrides` replacing one of its values."""
        if preset not in PRESETS:
            raise ValueError(f"preset = {preset!r}: must be {one_of(tuple(PRESETS))}")
        values: dict[str, Any] = {"preset": preset, **PRESETS[preset], **overrides}
        return cls(**values)

    @property
    def total_scale(self) -> Scale:
        """Enlargement of the whole schedule: one number, or (x, y) where they differ."""
        return power(self.scale_factor, self.scale_times)

    @property
    def print_dpi(self) -> float | None:
        """Dots an inch of the print that a target asks for; None without such a target."""
        return Target.parse(self.target).dpi if self.target else None

    @property
    def network_scale(self) -> Scale:
        """Enlargement of one pass of the network, the scale it is fitted for."""
        return at_most(self.scale_factor, self.max_pass_scale)

    @property
    def warm_iterations(self) -> int:
        """Most iterations of a fit that starts from weights: num_epochs limits it too."""
        return min(self.num_epochs, self.warm_num_epochs)

    def in_one_pass(self) -> Self:
        """Return the same enlargement by one step of one pass, as a kernel needs it.

        Raises:
            ValueError: it is more than one step may be.
        """
        most = SCALE_RANGE.high
        if max(per_axis(self.total_scale)) > most:
            raise ValueError(f"a total scale of {self.scale_label}: with a kernel at most {most}")
        return replace(
            self, scale_factor=self.total_scale, scale_times=1, max_pass_scale=float(most)
        )

    def for_source(self, *, has_kernel: bool) -> Self:
        """Return the same, `in_one_pass` with a kernel, without pairs unless a start has them."""
        own = self.in_one_pass() if has_kernel else self
        unshuffle = unshuffle_factor(own.network_scale, own.model_variant)
        network = (own.model_width, own.model_depth, own.model_kernel_size, unshuffle)
        has_start = own.start != "none" and network == PAIRED_NETWORK
        return own if has_start or not own.model_pairs else replace(own, model_pairs=0)

    @property
    def scale_label(self) -> str:
        """The total scale as text: 2, 1.5, or 2x3 for twice as wide and three times as high."""
        return label(self.total_scale)

    @property
    def ensemble_size(self) -> int:
        """Passes through the network: 1, 4 or 8; 4 at most where x and y scales differ.

        A picture turned on its side has the two scales exchanged: not what was learnt.
        """
        wanted = 8 if self.self_ensemble is True else max(1, int(self.self_ensemble))
        return wanted if is_isotropic(self.network_scale) else min(wanted, 4)

    def for_size(self, width: int, height: int) -> Self:
        """Return the parameters for a source of that size, in pixels.

        A target gives them their factor; a source above `pairs_max_pixels` has no pairs. Done
        twice, this changes nothing more. Raises ValueError where that factor cannot be.
        """
        is_large = 0 < self.pairs_max_pixels < width * height
        own = replace(self, model_pairs=0) if is_large else self
        if not own.target:
            return own
        factor = Target.parse(own.target).factor(width, height)
        if factor not in SCALE_RANGE:
            size = f"a source of {width} x {height} pixels"
            raise ValueError(
                f"target = {self.target!r}: {size} needs a factor of {factor:.3g}: must be "
                f"{SCALE_RANGE}"
            )
        return replace(own, scale_factor=factor, scale_times=1)

    def output_size(self, width: int, height: int) -> tuple[int, int]:
        """Return (width, height) in pixels of the result for a source of that size.

        Raises as `for_size`.
        """
        scale = self.for_size(width, height).total_scale
        out_height, out_width = scaled_size((height, width), scale)
        return out_width, out_height


#: What each parameter may be, by its name. A pair for scale_factor is checked by itself.
LIMITS = {field.name: limit_of(field.type) for field in fields(ZSSRConfig)}
