"""Pictures and settings that the algorithm's tests share."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.degradation.noise_shape import NoiseShape
from zssr_daemon.zssr.inference.back_projection import back_project
from zssr_daemon.zssr.ops.resize import resize
from zssr_daemon.zssr.pipeline import Step, SuperResolved, super_resolve

# As the workers do: two threads spin for each other, ten times slower on a busy machine.
torch.set_num_threads(1)

DATA = Path(__file__).resolve().parents[1] / "data"


# The paper's algorithm, for `quick`.
PAPER: dict[str, Any] = {
    "model_variant": "paper",
    "augmentation": "affine",
    "son_rounding": False,
    "lr_schedule": "plateau",
    "ensemble_reduce": "median",
    "ensemble_back_projections": 2,
    "self_ensemble": True,
    "max_gradient_norm": 0.0,
    "batch_size": 1,
}


# Noise as a camera makes it: coarse, coarser in colour, and stronger where it is dark.
CAMERA = NoiseShape(
    spectra=(
        (2.09, 1.97, 1.74, 1.51, 0.87),
        (1.28, 0.75, 0.46, 0.46, 0.44),
        (1.16, 0.7, 0.41, 0.23, 0.23),
    ),
    by_brightness=(2.0, 1.4, 1.0, 0.8, 0.7),
)


def load(name: str) -> Tensor:
    """Return a bundled picture as (3, H, W) float32 in [0, 1]."""
    with Image.open(DATA / name) as image:
        return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1).float().div(255)


def texture(height: int, width: int, channels: int = 3, seed: int = 0) -> Tensor:
    """Return sharp-edged random blobs, (channels, height, width) float32 in [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(channels, height // 4 + 2, width // 4 + 2, generator=generator)
    fine = coarse.repeat_interleave(4, dim=1).repeat_interleave(4, dim=2)
    return fine[:, :height, :width].mul(255).round().div(255).contiguous()


def quick(**overrides: Any) -> ZSSRConfig:
    """Return real settings that take a fraction of a second: fp32, few iterations, from chance."""
    values: dict[str, Any] = {
        "num_epochs": 40,
        "rounds": 1,
        "model_width": 16,
        "model_depth": 4,
        "model_pairs": 0,
        "crop_size": 16,
        "self_ensemble": 1,
        "precision": "fp32",
        "start": "none",
    }
    return ZSSRConfig.from_preset("balanced", **(values | overrides))


def psnr_db(a: Tensor, b: Tensor) -> float:
    """Return the PSNR (dB) of two tensors in [0, 1]."""
    return float(-10 * torch.log10((a - b).square().mean()))


def noised(picture: Tensor, std: float) -> Tensor:
    """Return a picture with white noise of `std` levels of 255, rounded to 8 bits."""
    noise = torch.randn(picture.shape, generator=torch.Generator().manual_seed(1))
    return (picture + noise * (std / 255)).clamp(0, 1).mul(255).round().div(255)


def grainy(picture: Tensor, std: float, shape: NoiseShape) -> Tensor:
    """Return a picture with noise of that shape, rounded to 8 bits."""
    noise = shape.drawn(picture, torch.Generator().manual_seed(1))
    return (picture + noise * (std / 255)).clamp(0, 1).mul(255).round().div(255)


def jpeg(picture: Tensor, quality: int | None, **options: Any) -> Tensor:
    """Return what Pillow makes of (C, H, W), C 1 or 3, as a JPEG."""
    pixels = picture.mul(255).round().byte().permute(1, 2, 0).numpy()
    stream = io.BytesIO()
    image = Image.fromarray(pixels[..., 0] if len(picture) == 1 else pixels)
    image.save(stream, "JPEG", **({} if quality is None else {"quality": quality}), **options)
    with Image.open(stream) as decoded:
        levels = torch.from_numpy(np.array(decoded)).float().div(255)
    return levels[None] if levels.dim() == 2 else levels.permute(2, 0, 1).contiguous()


def run(image: Tensor, config: ZSSRConfig) -> tuple[SuperResolved, list[Step]]:
    """Return the result and every step reported."""
    steps: list[Step] = []
    return super_resolve(image, config, device="cpu", on_step=steps.append), steps


def floor_of(image: Tensor, config: ZSSRConfig) -> Tensor:
    """Return bicubic with back-projection: what a fallback delivers."""
    width, height = config.output_size(image.shape[2], image.shape[1])
    enlarged = resize(image[None], (height, width), config.total_scale)
    return back_project(enlarged, image[None], config.total_scale, config.back_projections)[0]
