"""Recipes: the starts that are trained, by name; those of grey images are folded from them."""

from functools import partial

from zssr_daemon.zssr.start.recipe import Recipe

#: All have the network of the presets.
_shipped = partial(Recipe, width=64, depth=8, channels=3)

#: A short training, which goes on from another start with spoilt sources.
_spoilt = partial(_shipped, lr=1e-3, memory=0.998)

RECIPES = {
    "rgb-64x8": _shipped(iterations=30_000),
    # Twice as deep, for presets that give a picture more time.
    "rgb-64x8-deep": _shipped(
        pairs=4,
        begins_with="rgb-64x8",
        seed=31,
        renewal=24,
        iterations=40_000,
        batch_size=8,
        crop_size=72,
        lr=1.5e-3,
    ),
    # For sources that were compressed; it learns what is left to learn after the one above.
    "rgb-64x8-jpeg": _spoilt(
        begins_with="rgb-64x8",
        qualities=(30, 95),
        seed=18,
        renewal=12,
        iterations=2_400,
    ),
    # For noisy sources, which are cleaned before the network sees them.
    "rgb-64x8-noise": _spoilt(
        begins_with="rgb-64x8",
        noises=(1.5, 18.0),
        seed=20,
        renewal=24,
        iterations=2_400,
        crop_size=32,
    ),
    # The deeper ones of both.
    "rgb-64x8-deep-jpeg": _spoilt(
        pairs=4,
        begins_with="rgb-64x8-deep",
        qualities=(30, 95),
        seed=18,
        iterations=5_000,
        batch_size=10,
        crop_size=64,
    ),
    "rgb-64x8-deep-noise": _spoilt(
        pairs=4,
        begins_with="rgb-64x8-deep",
        noises=(1.5, 18.0),
        seed=20,
        renewal=24,
        iterations=3_000,
    ),
    # For one pass of 3 or 4, which a kernel needs: a blur is undone at once.
    "rgb-64x8-x4": _shipped(
        scale=4.0,
        begins_with="rgb-64x8",
        seed=44,
        iterations=12_000,
        crop_size=96,
    ),
    "rgb-64x8-x3": _shipped(
        scale=3.0,
        begins_with="rgb-64x8-x4",
        seed=43,
        iterations=4_000,
        crop_size=72,
    ),
}
