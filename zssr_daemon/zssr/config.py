"""Parameters: every number of the algorithm, its range, and the presets.

Standard library only: the supervisor reads it to predict sizes and never loads torch.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal, Self

from zssr_daemon.zssr.scale import Scale, at_most, is_isotropic, label, per_axis, power, scaled_size

# Where the small image's pixels lie: centred: in the middle of the square of large pixels that
# each stands for, as every resize has it; topleft: on its first pixel, as plain slicing has it.
KernelPhase = Literal["centred", "topleft"]

Preset = Literal["fast", "balanced", "best", "paper"]

# Differences from the defaults below, which are `balanced`.
PRESETS: dict[str, dict[str, object]] = {
    "fast": {"num_epochs": 900, "warm_num_epochs": 200, "rounds": 2},
    "balanced": {},
    "best": {"num_epochs": 11000, "warm_num_epochs": 4700, "rounds": 4},
    # The published algorithm (arXiv 1712.06087) with one jump to the scale, for comparison.
    "paper": {
        "max_pass_scale": 8.0,
        "alias_guard": False,
        "faint_residual": 0.0,
        "augmentation": "affine",
        "son_rounding": False,
        "model_variant": "paper",
        "model_width": 64,
        "model_depth": 8,
        "lr": 1e-3,
        "lr_schedule": "plateau",
        "adam_beta2": 0.999,
        "max_gradient_norm": 0.0,
        "num_epochs": 3000,
        "warm_num_epochs": 900,
        "crop_size": 128,
        "batch_size": 1,
        "rounds": 1,
        "ensemble_reduce": "median",
        "ensemble_back_projections": 10,
        "back_projections": 10,
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ZSSRConfig:
    """Hold the parameters of one `super_resolve`; names are the article's (arXiv 1712.06087)."""

    # Which row of PRESETS the other values came from; `from_preset` is what applies the row.
    preset: Preset = "balanced"

    # Enlargement of one step, (1, 8]. Integers are fastest; 1.5 or 2.5 work. A pair is (x, y),
    # width before height, each [1, 8] and not both 1.
    scale_factor: Scale = 2.0
    # Steps, 1..8: the fitted network is applied again to its own output, so the
    # total is scale_factor ** scale_times.
    scale_times: int = 1
    # Most that one pass of the network enlarges, (1, 8]. A larger scale_factor takes several:
    # at 3 the source is enlarged by 2, shrunk to 1.5 and enlarged by 2 again.
    max_pass_scale: float = 2.0

    # Channels the network sees; auto = as many as the image has. 1 on RGB runs each channel
    # as a grey image; 3 on grey repeats it and averages the result.
    in_channels: Literal["auto", 1, 3] = "auto"
    # compact: works on the source's grid, centred input, biases, leaky ReLU.
    # paper: works on the output's grid, as it stands in the article; 4 times slower at scale 2.
    model_variant: Literal["compact", "paper"] = "compact"
    # Channels of the hidden layers, 1..512. 64 pays only with far more iterations.
    model_width: int = 48
    # Convolutions, 2..32.
    model_depth: int = 6
    # Side of each convolution, odd, 1..9, in pixels of the network's grid.
    model_kernel_size: int = 3

    # Peak learning rate of Adam, (0, 10]. Halve it if fits restart often.
    lr: float = 4e-3
    # cosine: warm up, then fall to lr_stop over the whole budget.
    # plateau: the paper's rule, which divides the rate when the reconstruction stalls.
    lr_schedule: Literal["cosine", "plateau"] = "cosine"
    # Learning rate where the cosine ends and below which the plateau rule stops.
    lr_stop: float = 9e-6
    # plateau: divisor of the rate at a drop, above 1.
    lr_decay: float = 10.0
    # plateau: drop when -lr_decay_ratio * slope is below the slope's standard error.
    lr_decay_ratio: float = 1.5
    # plateau: iterations the line is fitted over, which is also the least distance of two drops;
    # at least 3 reconstruct_step.
    lr_decay_range: int = 256
    # plateau: iterations between two decisions.
    lr_decay_step: int = 60
    # plateau: iterations between two reconstruction errors, the points of the line.
    reconstruct_step: int = 50
    # Adam's memory of squared gradients, [0, 1).
    adam_beta2: float = 0.95
    # Gradients longer than this are shortened to it, [0, 1000]; 0 leaves them alone.
    max_gradient_norm: float = 0.05

    # What ends a fit. iterations: num_epochs. seconds: fit_budget_s, so that the result depends
    # on the machine and its load; the same file then never again gives the same bytes.
    budget: Literal["iterations", "seconds"] = "iterations"
    # Most iterations of one fit, all rounds together. The knob between speed and quality.
    num_epochs: int = 4200
    # seconds: wall seconds of one fit, all rounds together; the cosine follows the clock.
    fit_budget_s: float = 10.0
    # Most iterations of a fit that starts from given weights, all rounds together; where seconds
    # are the budget, it has as many of them as any other.
    warm_num_epochs: int = 1800

    # pyramid: fathers at six sizes under the 8 rotations and flips, computed once.
    # affine: the paper's, drawn anew for each crop; black where a warp leaves the image.
    augmentation: Literal["pyramid", "affine"] = "pyramid"
    # Round sons to 8 bits, as real sources are.
    son_rounding: bool = True
    # Side of a training crop, pixels of the father; cut to the image if that is smaller.
    crop_size: int = 32
    # Crops per iteration.
    batch_size: int = 4
    # Fit, infer, let the result shrunk to three sizes be fathers too, fit on: 1..16 times.
    rounds: int = 3

    # Side of an inference tile without its halo, source pixels. Smaller = less memory.
    patch_size: int = 128
    # Rotations and flips averaged at inference: false = 1, true = 8.
    self_ensemble: bool | Literal[1, 4, 8] = True
    # How the ensemble is reduced; median is the paper's, mean measured 0.01 dB better.
    ensemble_reduce: Literal["mean", "median"] = "mean"
    # Corrections of each of the ensemble's images before they are reduced, 0..100. The paper's
    # way, worth nothing measurable; needs memory for as many whole results.
    ensemble_back_projections: int = 0
    # Withhold the residual amid fine stripes that are false, folded from finer ones.
    alias_guard: bool = True
    # Withhold half of a residual this weak, more of weaker ones: noise, sharpened. Levels of 255
    # for a source with both black and white, in proportion less with less contrast, 0..255;
    # 0 adds all.
    faint_residual: float = 1.5
    # Corrections after inference that make the result shrink back to the source, 0..100.
    back_projections: int = 8

    # Arithmetic of the convolutions; auto = bf16 where the device is fast at it.
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    # Seed of every random choice.
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse values outside their ranges with a ValueError that names the key."""
        self._check_choice("preset", tuple(PRESETS))
        self._check_choice("in_channels", ("auto", 1, 3))
        self._check_choice("model_variant", ("compact", "paper"))
        self._check_choice("augmentation", ("pyramid", "affine"))
        self._check_choice("son_rounding", (False, True))
        self._check_choice("lr_schedule", ("cosine", "plateau"))
        self._check_choice("budget", ("iterations", "seconds"))
        self._check_choice("self_ensemble", (False, True, 1, 4, 8))
        self._check_choice("ensemble_reduce", ("mean", "median"))
        self._check_choice("precision", ("auto", "bf16", "fp32"))
        self._check_choice("alias_guard", (False, True))
        self._check_scale()
        self._check_above("max_pass_scale", 1, 8)
        self._check_above("fit_budget_s", 0, 1_000_000)
        self._check_above("lr", 0, 10)
        self._check_above("lr_stop", 0, 10)
        self._check_above("lr_decay", 1, 1000)
        self._check_above("lr_decay_ratio", 0, 1000)
        self._check_whole("scale_times", 1, 8)
        self._check_whole("model_width", 1, 512)
        self._check_whole("model_depth", 2, 32)
        self._check_whole("model_kernel_size", 1, 9)
        self._check_from("adam_beta2", 0, 0.999_999)
        self._check_from("max_gradient_norm", 0, 1000)
        self._check_from("faint_residual", 0, 255)
        self._check_whole("reconstruct_step", 1, 100_000)
        self._check_whole("lr_decay_range", 3 * self.reconstruct_step, 1_000_000)
        self._check_whole("lr_decay_step", 1, 100_000)
        self._check_whole("num_epochs", 1, 1_000_000)
        self._check_whole("warm_num_epochs", 1, 1_000_000)
        self._check_whole("crop_size", 8, 1024)
        self._check_whole("batch_size", 1, 1024)
        self._check_whole("rounds", 1, 16)
        self._check_whole("patch_size", 8, 4096)
        self._check_whole("ensemble_back_projections", 0, 100)
        self._check_whole("back_projections", 0, 100)
        self._check_whole("seed", 0, 2**31 - 1)
        if self.model_kernel_size % 2 == 0:
            raise ValueError(f"model_kernel_size = {self.model_kernel_size}: must be odd")

    @classmethod
    def from_preset(cls, preset: str = "balanced", **overrides: Any) -> Self:
        """Build the configuration of `preset`, each of `overrides` replacing one of its values."""
        if preset not in PRESETS:
            raise ValueError(f"preset = {preset!r}: must be one of {', '.join(PRESETS)}")
        values: dict[str, Any] = {"preset": preset, **PRESETS[preset], **overrides}
        return cls(**values)

    @property
    def total_scale(self) -> Scale:
        """Enlargement of the whole schedule: one number, or (x, y) where they differ."""
        return power(self.scale_factor, self.scale_times)

    @property
    def network_scale(self) -> Scale:
        """Enlargement of one pass of the network, the scale it is fitted for."""
        return at_most(self.scale_factor, self.max_pass_scale)

    def in_one_pass(self) -> Self:
        """Return the same enlargement by one step of one pass, as a kernel needs it.

        Raises:
            ValueError: it is more than 8.
        """
        if max(per_axis(self.total_scale)) > 8:
            raise ValueError(f"a total scale of {self.scale_label}: with a kernel at most 8")
        return replace(self, scale_factor=self.total_scale, scale_times=1, max_pass_scale=8.0)

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

    def output_size(self, width: int, height: int) -> tuple[int, int]:
        """Return (width, height) in pixels of the result for a source of that size."""
        out_height, out_width = scaled_size((height, width), self.total_scale)
        return out_width, out_height

    def _check_choice(self, key: str, allowed: tuple[object, ...]) -> None:
        value = getattr(self, key)
        if value not in allowed:
            raise ValueError(f"{key} = {value!r}: must be one of {', '.join(map(str, allowed))}")

    def _check_scale(self) -> None:
        pair: Any = self.scale_factor
        if not isinstance(pair, (list, tuple)):
            self._check_above("scale_factor", 1, 8)
            return
        object.__setattr__(self, "scale_factor", tuple(pair))  # JSON knows lists only
        if len(pair) != 2 or not all(1 <= factor <= 8 for factor in pair) or max(pair) <= 1:
            raise ValueError(
                f"scale_factor = {pair!r}: a pair must be (x, y), each from 1 to 8, not both 1"
            )

    def _check_from(self, key: str, low: float, high: float) -> None:
        value = getattr(self, key)
        if not low <= value <= high:
            raise ValueError(f"{key} = {value!r}: must be from {low} to {high}")

    def _check_above(self, key: str, low: float, high: float) -> None:
        value = getattr(self, key)
        if not low < value <= high:  # also refuses NaN
            raise ValueError(f"{key} = {value!r}: must be above {low} and at most {high}")

    def _check_whole(self, key: str, low: int, high: int) -> None:
        value = getattr(self, key)
        if int(value) != value or not low <= value <= high:
            raise ValueError(f"{key} = {value!r}: must be a whole number from {low} to {high}")
