"""Score: how well a start alone, without any fit, enlarges pictures that it has not seen."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from bench.quality.metrics import luma
from zssr_daemon.zssr.degradation.degradation import IDEAL, Degradation
from zssr_daemon.zssr.start.picture_pool import drawn_picture
from zssr_daemon.zssr.start.recipe import Recipe
from zssr_daemon.zssr.start.start_file import Family, family_of
from zssr_daemon.zssr.training.pair_rule import PairRule
from zssr_daemon.zssr.training.rounds import new_network
from zssr_daemon.zssr.training.weights import Weights

# Drawn pictures are held out by their seed, which no recipe has.
HELD_OUT_SEED = 1
HELD_OUT = 16

CROP_BORDER = 8  # pixels not compared at each side


def drawn_pictures(recipe: Recipe) -> list[Tensor]:
    """Return held-out drawn pictures, (C, H, W) float32 in [0, 1]."""
    held_out = Recipe.of(recipe.values | {"seed": HELD_OUT_SEED})
    return [_whole(drawn_picture(held_out, number), recipe) for number in range(HELD_OUT)]


def pictures_of(folder: Path, recipe: Recipe) -> list[Tensor]:
    """Return the pictures of a folder, (C, H, W) float32 in [0, 1]; sides as `_whole` cuts them."""
    mode = "RGB" if recipe.channels == 3 else "L"
    found = []
    for path in sorted(folder.glob("*.png")):
        samples = np.asarray(Image.open(path).convert(mode), dtype=np.float32) / 255
        picture = torch.from_numpy(samples.reshape(*samples.shape[:2], -1)).permute(2, 0, 1)
        found.append(_whole(picture, recipe).contiguous())
    return found


def _whole(picture: Tensor, recipe: Recipe) -> Tensor:
    """Cut sides to multiples of the scale, so that the son's pixels lie on whole ones."""
    height, width = (int(side // recipe.scale * recipe.scale) for side in picture.shape[-2:])
    return picture[:, :height, :width]


# What a start is scored on, by the sources that it is for.
SCORED: dict[Family, Degradation] = {
    "clean": IDEAL,
    "jpeg": Degradation(jpeg_quality=75),
    "noise": Degradation(noise_std=5.0),
}


@torch.no_grad()
def score_db(weights: Weights, recipe: Recipe, pictures: list[Tensor]) -> dict[str, float]:
    """Return the mean PSNR-Y (dB) of bicubic and of the start alone, without back-projection."""
    network = new_network(pictures[0], recipe.config, torch.Generator().manual_seed(0))
    weights.apply(network)
    rule = PairRule.of(recipe.config, SCORED[family_of({"recipe": recipe.values})])
    scores = []
    for picture in pictures:
        inputs, residual = rule.pair(picture, rule.noise_generator())[None].chunk(2, dim=1)
        scores.append([_psnr_y_db(residual), _psnr_y_db(residual - network(inputs))])
    bicubic, start = np.mean(scores, axis=0)
    return {"bicubic_db": round(float(bicubic), 3), "start_db": round(float(start), 3)}


def _psnr_y_db(error: Tensor) -> float:
    """Return the PSNR of the luma for an error (1, C, H, W), in [0, 1]."""
    inner = error[0, :, CROP_BORDER:-CROP_BORDER, CROP_BORDER:-CROP_BORDER] * 255
    plane = luma(inner.permute(1, 2, 0).numpy()) - 16 if len(inner) == 3 else inner[0].numpy()
    return float(10 * np.log10(255**2 / np.mean(np.square(plane))))
