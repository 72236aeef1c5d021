"""Parameters: every number of the algorithm, its range, and the presets.

Standard library only: the supervisor reads it to predict sizes and never loads torch.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal, Self

Preset = Literal["fast", "balanced", "best"]

# Differences from the defaults below, which are `balanced`.
PRESETS: dict[str, dict[str, object]] = {
    "fast": {"num_epochs": 900, "rounds": 1},
    "balanced": {},
    "best": {"num_epochs": 11000, "rounds": 4},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ZSSRConfig:
    """Hold the parameters of one `super_resolve`; names are the article's (arXiv 1712.06087)."""

    # Which row of PRESETS the other values came from; `from_preset` is what applies the row.
    preset: Preset = "balanced"

    # Enlargement of one step, (1, 8]. Integers are fastest; 1.5 or 2.5 work.
    scale_factor: float = 2.0
    # Steps, 1..8: the fitted network is applied again to its own output, so the
    # total is scale_factor ** scale_times. 2 steps of 2 beat 1 step of 4.
    scale_times: int = 1

    # Channels the network sees; auto = as many as the image has. 1 on RGB runs each channel
    # as a grey image; 3 on grey repeats it and averages the result.
    in_channels: Literal["auto", 1, 3] = "auto"
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
    # plateau: reconstruction errors the line is fitted through, at least 3.
    lr_decay_range: int = 5
    # plateau: iterations between two reconstruction errors.
    lr_decay_step: int = 50

    # Most iterations of one fit, all rounds together. The knob between speed and quality.
    num_epochs: int = 4200
    # Side of a training crop, pixels of the father; cut to the image if that is smaller.
    crop_size: int = 32
    # Crops per iteration.
    batch_size: int = 4
    # Fit, infer, let the result shrunk to half-way be a father too, fit on: 1..16 times.
    rounds: int = 3

    # Side of an inference tile without its halo, source pixels. Smaller = less memory.
    patch_size: int = 128
    # Rotations and flips averaged at inference: false = 1, true = 8.
    self_ensemble: bool | Literal[1, 4, 8] = True
    # How the ensemble is reduced; median is the paper's, mean measured 0.01 dB better.
    ensemble_reduce: Literal["mean", "median"] = "mean"
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
        self._check_choice("lr_schedule", ("cosine", "plateau"))
        self._check_choice("self_ensemble", (False, True, 1, 4, 8))
        self._check_choice("ensemble_reduce", ("mean", "median"))
        self._check_choice("precision", ("auto", "bf16", "fp32"))
        self._check_above("scale_factor", 1, 8)
        self._check_above("lr", 0, 10)
        self._check_above("lr_stop", 0, 10)
        self._check_above("lr_decay", 1, 1000)
        self._check_above("lr_decay_ratio", 0, 1000)
        self._check_whole("scale_times", 1, 8)
        self._check_whole("model_width", 1, 512)
        self._check_whole("model_depth", 2, 32)
        self._check_whole("model_kernel_size", 1, 9)
        self._check_whole("lr_decay_range", 3, 1000)
        self._check_whole("lr_decay_step", 1, 100_000)
        self._check_whole("num_epochs", 1, 1_000_000)
        self._check_whole("crop_size", 8, 1024)
        self._check_whole("batch_size", 1, 1024)
        self._check_whole("rounds", 1, 16)
        self._check_whole("patch_size", 8, 4096)
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
    def total_scale(self) -> float:
        """Enlargement of the whole schedule."""
        return self.scale_factor**self.scale_times

    @property
    def ensemble_size(self) -> int:
        """Forward passes per tile: 1, 4 or 8."""
        return 8 if self.self_ensemble is True else max(1, int(self.self_ensemble))

    def output_size(self, width: int, height: int) -> tuple[int, int]:
        """Return (width, height) in pixels of the result for a source of that size."""
        return (
            scaled_length(width, self.total_scale),
            scaled_length(height, self.total_scale),
        )

    def _check_choice(self, key: str, allowed: tuple[object, ...]) -> None:
        value = getattr(self, key)
        if value not in allowed:
            raise ValueError(f"{key} = {value!r}: must be one of {', '.join(map(str, allowed))}")

    def _check_above(self, key: str, low: float, high: float) -> None:
        value = getattr(self, key)
        if not low < value <= high:  # also refuses NaN
            raise ValueError(f"{key} = {value!r}: must be above {low} and at most {high}")

    def _check_whole(self, key: str, low: int, high: int) -> None:
        value = getattr(self, key)
        if int(value) != value or not low <= value <= high:
            raise ValueError(f"{key} = {value!r}: must be a whole number from {low} to {high}")


def scaled_length(length: int, scale: float) -> int:
    """Return a side of `length` pixels times `scale`, rounded half up, at least 1 pixel."""
    return max(1, math.floor(length * scale + 0.5))
