"""Drawing: one picture from a seed: layers of leaves, strokes over some, a lens, and the shrinking.

Dead leaves with textures, shading and depth of field follow Achddou et al. 2021 and 2025
(arXiv 2504.10201); all that is drawn here is described by these modules alone.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from zssr_daemon.zssr.start.palette import Palette
from zssr_daemon.zssr.start.shapes import Leaves, covering
from zssr_daemon.zssr.start.stamps import Array
from zssr_daemon.zssr.start.strokes import Strokes, curves, fur, gratings, text
from zssr_daemon.zssr.start.textures import noise, paint

# Pixels of the canvas for each pixel of the picture, along a side.
OVERSAMPLING = 2

# Radius of the largest leaves, pixels of the canvas.
LARGEST = 128.0 * OVERSAMPLING

# What lies over the ground, and how often: lines, bars and letters are a quarter of all.
KINDS = {
    "leaves": 0.39,
    "fine": 0.12,  # leaves too
    "plain": 0.14,  # nothing
    "fur": 0.11,
    "curves": 0.09,
    "gratings": 0.07,
    "text": 0.08,
}

# What draws the strokes of a kind.
STROKES = {"fur": fur, "curves": curves, "gratings": gratings, "text": text}


def draw(rng: np.random.Generator, side: int) -> Array:
    """Return a picture (3, side, side) float32 in [0, 1].

    The same state of the generator gives the same picture. side: pixels, 16 at least.
    """
    canvas = side * OVERSAMPLING
    palette = Palette.drawn(rng)
    picture = _ground(rng, canvas, palette)
    kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
    picture = _with_objects(rng, picture, palette, kind)
    if rng.random() < 0.35:
        picture = _with_foreground(rng, picture, palette)
    light = np.float32(1) + np.float32(0.12) * noise(rng, canvas, 1.6)
    picture = _through_lens(rng, np.clip(picture * np.clip(light, 0.6, 1.4), 0, 1))
    return _finished(rng, _shrunk(picture))


def _ground(rng: np.random.Generator, canvas: int, palette: Palette) -> Array:
    """Return (3, canvas, canvas): leaves that hide the ground, out of focus in half of all."""
    radii = (OVERSAMPLING * math.exp(rng.uniform(math.log(3), math.log(40))), LARGEST)
    leaves, labels = covering(rng, canvas, radii)
    picture = paint(rng, labels, leaves, palette, OVERSAMPLING)
    if rng.random() < 0.5:
        picture = _blurred(picture, OVERSAMPLING * 2.5 * rng.random() ** 2)
    return picture


def _with_objects(rng: np.random.Generator, picture: Array, palette: Palette, kind: str) -> Array:
    """Lay sharp leaves over part of the picture, and fine leaves or strokes over these."""
    canvas = picture.shape[-1]
    if kind != "plain":
        low = math.exp(rng.uniform(math.log(2), math.log(14)))
        most = 0.3 if kind == "text" else 0.7
        radii = (low * OVERSAMPLING, LARGEST / 2)
        picture = _with_leaves(rng, picture, palette, radii, rng.uniform(0.1, most))
    if kind == "fine":
        radii = (0.5 * OVERSAMPLING * math.exp(rng.uniform(0, 1)), 8.0 * OVERSAMPLING)
        picture = _with_leaves(rng, picture, palette, radii, rng.uniform(0.1, 0.6))
    elif kind in STROKES:
        drawn = STROKES[kind](rng, canvas, OVERSAMPLING)
        picture = _with_strokes(rng, picture, palette, drawn)
    return picture


def _with_leaves(
    rng: np.random.Generator,
    picture: Array,
    palette: Palette,
    radii: tuple[float, float],
    cover: float,
) -> Array:
    """Lay leaves over about the share `cover` of the picture; some let the ground shine through."""
    canvas = picture.shape[-1]
    area = 2 * math.pi * radii[0] ** 2 * math.log(radii[1] / radii[0])
    count = math.ceil(-math.log(1 - cover) * canvas**2 / area)
    leaves = Leaves.drawn(rng, canvas, count, radii)
    labels = leaves.top(canvas)
    if not labels.any():
        return picture
    front = paint(rng, np.maximum(labels, 1), leaves, palette, OVERSAMPLING)
    opacity = 1.0 if rng.random() < 0.7 else rng.uniform(0.3, 1)
    return _over(picture, front, labels > 0, OVERSAMPLING * rng.uniform(0, 0.5), opacity)


def _with_strokes(
    rng: np.random.Generator, picture: Array, palette: Palette, drawn: Strokes
) -> Array:
    """Lay strokes over the picture, at less than its full contrast."""
    labels = drawn.top(picture.shape[-1])
    colours = palette.colours(rng, int(drawn.owners.max()) + 1)
    front = np.ascontiguousarray(colours[np.maximum(labels, 1) - 1].transpose(2, 0, 1))
    blur = OVERSAMPLING * rng.uniform(0.1, 0.6)
    return _over(picture, front, labels > 0, blur, rng.uniform(0.4, 0.95))


def _with_foreground(rng: np.random.Generator, picture: Array, palette: Palette) -> Array:
    """Lay a few large leaves over the picture, nearer than where the lens is focused."""
    canvas = picture.shape[-1]
    leaves = Leaves.drawn(rng, canvas, int(rng.integers(2, 9)), (LARGEST / 8, LARGEST / 1.5))
    labels = leaves.top(canvas)
    front = paint(rng, np.maximum(labels, 1), leaves, palette, OVERSAMPLING)
    return _over(picture, front, labels > 0, OVERSAMPLING * rng.uniform(0.3, 3), 1.0)


def _over(
    picture: Array, front: Array, mask: NDArray[np.bool], blur: float, opacity: float
) -> Array:
    """Lay `front` over the picture where `mask` is, its rim blurred by `blur` canvas pixels."""
    weight = _blurred(mask.astype(np.float32)[None], blur)
    inner = _blurred(front * mask, blur) if blur > 1 else front * weight
    return np.asarray(picture * (1 - opacity * weight) + opacity * inner)


def _through_lens(rng: np.random.Generator, picture: Array) -> Array:
    """Blur a picture in [0, 1] as a lens does: here more and there less, light and not values.

    Light is taken for the square of the value, which is near enough to sRGB.
    """
    sharp = OVERSAMPLING * rng.uniform(0.1, 0.65)
    soft = sharp + OVERSAMPLING * 1.3 * rng.random() ** 1.5
    light = np.square(picture)
    focus = noise(rng, picture.shape[-1], 1.8) + np.float32(rng.normal(-0.3, 0.6))
    share = np.clip(focus + np.float32(0.5), 0, 1)
    light = _blurred(light, sharp)
    further = math.sqrt(soft**2 - sharp**2)
    return np.asarray(np.sqrt(light + share * (_blurred(light, further) - light)))


def _shrunk(picture: Array) -> Array:
    """Return the mean of each square of canvas pixels."""
    channels, canvas, _ = picture.shape
    side = canvas // OVERSAMPLING
    squares = picture.reshape(channels, side, OVERSAMPLING, side, OVERSAMPLING)
    return np.asarray(squares.mean(axis=(2, 4)))


def _finished(rng: np.random.Generator, picture: Array) -> Array:
    """Sharpen a third of all pictures, as cameras do, which leaves halos; cut to [0, 1]."""
    if rng.random() < 1 / 3:
        amount = np.float32(rng.uniform(0, 0.6))
        picture = picture + amount * (picture - _blurred(picture, rng.uniform(0.7, 1.4)))
    return np.asarray(np.clip(picture, 0, 1), np.float32)


def _blurred(picture: Array, deviation: float) -> Array:
    """Return (C, H, W) under a Gaussian of that standard deviation, pixels."""
    if deviation < 0.05:
        return picture
    return np.asarray(gaussian_filter(picture, (0, deviation, deviation), truncate=3.0))
