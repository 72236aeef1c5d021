"""Strokes: lines, curves, fur, fences, and letters of invented alphabets, all made of segments."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zssr_daemon.zssr.start.stamps import Array, Labels, Numbers, Reals, topmost
from zssr_daemon.zssr.start.textures import noise

# Points on which the strokes of a letter begin and end: rows and columns of its square.
GRID = np.array([(row / 3, column / 2) for row in range(4) for column in range(3)])
LETTERS = 24  # of one alphabet


@dataclass(frozen=True, slots=True)
class Strokes:
    """Straight segments with round ends, from the lowest to the topmost, in pixels of a canvas."""

    starts: Array  # (K, 2), row and column
    ends: Array  # (K, 2)
    widths: Array  # (K,)
    owners: Numbers  # (K,), which stroke, line or word each belongs to, and so its colour

    def top(self, side: int) -> Labels:
        """Return (side, side): 1 + the owner of the topmost segment, 0 where there is none."""
        middle = (self.starts + self.ends) / 2
        half = (self.ends - self.starts) / 2
        square = np.maximum((half * half).sum(axis=1), 1e-6)
        radius = self.widths / 2

        def is_inside(chosen: Numbers, down: Array, right: Array) -> NDArray[np.bool]:
            half_down, half_right = half[chosen, 0], half[chosen, 1]
            along = (down * half_down + right * half_right) / square[chosen]
            along = np.clip(along, -1, 1)
            apart = np.square(down - along * half_down) + np.square(right - along * half_right)
            return np.asarray(apart <= np.square(radius[chosen]))

        labels = topmost(side, middle, np.sqrt(square) + radius, is_inside)
        return np.concatenate([[0], self.owners + 1]).astype(np.int32)[labels]


def joined(paths: Array, widths: Reals, owners: Numbers) -> Strokes:
    """Return the segments of paths (K, points, 2), of one width (K,) and owner (K,) each."""
    pieces = paths.shape[1] - 1
    return Strokes(
        paths[:, :-1].reshape(-1, 2),
        paths[:, 1:].reshape(-1, 2),
        np.repeat(widths, pieces).astype(np.float32),
        np.repeat(owners, pieces),
    )


def curves(rng: np.random.Generator, side: int, pixel: float) -> Strokes:
    """Draw lines that bend a little or much, as branches, cables and contours do.

    pixel: how many pixels of the canvas become one of the picture.
    """
    count = int(rng.integers(20, 200))
    bend = np.exp(rng.uniform(math.log(0.02), math.log(0.4), (count, 1)))
    turn = rng.uniform(0, 2 * math.pi, (count, 1)) + np.cumsum(
        rng.normal(0, 1, (count, 12)) * bend, axis=1
    )
    length = rng.uniform(3, 10, (count, 1)) * pixel
    paths = _walked(rng.uniform(-0.1, 1.1, (count, 2)) * side, turn, length)
    widths = np.exp(rng.uniform(math.log(0.7), math.log(4), count)) * pixel
    return joined(paths, widths, np.arange(count))


def fur(rng: np.random.Generator, side: int, pixel: float) -> Strokes:
    """Draw hairs, grass or needles that lie along a smooth flow, each a little astray."""
    flow = noise(rng, side, 2.0) + np.float32(rng.uniform(0, 2 * math.pi))  # radians
    count = int(rng.integers(600, 2000))
    at = rng.uniform(0, 1, (count, 2)) * side
    row, column = at.astype(int).T
    astray = rng.normal(0, rng.uniform(0.05, 0.5), (count, 1))
    curl = np.cumsum(rng.normal(0, 0.15, (count, 5)), axis=1)
    length = rng.uniform(1.5, 5, (count, 1)) * pixel
    paths = _walked(at, flow[row, column][:, None] + astray + curl, length)
    widths = rng.uniform(0.5, rng.uniform(0.8, 2.2), count) * pixel
    return joined(paths, widths, np.arange(count))


def gratings(rng: np.random.Generator, side: int, pixel: float) -> Strokes:
    """Draw groups of parallel bars: fences, blinds, windows, cloth."""
    found = []
    for owner in range(int(rng.integers(3, 16))):
        period = math.exp(rng.uniform(math.log(2.2), math.log(12))) * pixel
        extent = rng.uniform(15, 80) * pixel
        angle = rng.uniform(0, math.pi)
        across = np.array([math.sin(angle), math.cos(angle)])
        along = np.array([across[1], -across[0]]) * extent * rng.uniform(0.3, 1)
        steps = np.arange(int(extent / period) + 1)[:, None] * period
        starts = rng.uniform(-0.1, 1, 2) * side + steps * across
        paths = np.stack([starts, starts + along], axis=1).astype(np.float32)
        widths = np.full(len(paths), period * rng.uniform(0.25, 0.6))
        found.append(joined(paths, widths, np.full(len(paths), owner)))
    return _together(found)


def text(rng: np.random.Generator, side: int, pixel: float) -> Strokes:
    """Draw lines of letters from a few invented alphabets, straight or slanted."""
    alphabets = [_alphabet(rng) for _ in range(2)]
    found = []
    for owner in range(int(rng.integers(8, 30))):
        height = math.exp(rng.uniform(math.log(6), math.log(28))) * pixel
        glyphs = alphabets[int(rng.integers(len(alphabets)))]
        letters = rng.integers(0, LETTERS, int(rng.integers(6, 24)))
        slant, aspect = rng.normal(0, 0.15), rng.uniform(0.45, 0.8)
        corner = rng.uniform(-0.2, 1, 2) * side
        turn = 0.0 if rng.random() < 0.7 else rng.normal(0, 0.5)
        letter_paths = [glyphs[letter] for letter in letters]
        places = np.repeat(np.arange(len(letters)) * 1.35, [len(path) for path in letter_paths])
        square = np.concatenate(letter_paths)  # (K, points, 2), 0 to 1 in the letter's square
        down = square[..., 0] * height
        right = (square[..., 1] + places[:, None]) * height * aspect - slant * down
        row = corner[0] + down * math.cos(turn) + right * math.sin(turn)
        column = corner[1] + right * math.cos(turn) - down * math.sin(turn)
        width = max(0.8 * pixel, height * rng.uniform(0.07, 0.2))
        paths = np.stack([row, column], axis=-1).astype(np.float32)
        found.append(joined(paths, np.full(len(paths), width), np.full(len(paths), owner)))
    return _together(found)


def _alphabet(rng: np.random.Generator) -> list[Array]:
    """Return the letters of one alphabet: each some strokes (K, 5, 2), straight or arcs."""
    roundness = rng.uniform(0, 1)  # share of strokes that are arcs
    letters = []
    for _ in range(LETTERS):
        ends = rng.integers(0, len(GRID), (int(rng.integers(2, 5)), 2))
        ends[0] = rng.choice([[0, 9], [2, 11], [1, 10]])  # most scripts have a stem
        start, end = GRID[ends[:, 0]][:, None], GRID[ends[:, 1]][:, None]
        share = np.linspace(0, 1, 5)[None, :, None]
        normal = (end - start)[..., ::-1] * np.array([1.0, -1.0])
        is_arc = rng.random((len(ends), 1, 1)) < roundness
        is_arc[0] = False
        bulge = np.where(is_arc, rng.choice([-0.45, 0.45], (len(ends), 1, 1)), 0)
        path = start + share * (end - start) + 4 * share * (1 - share) * bulge * normal
        letters.append(path.astype(np.float32))
    return letters


def _walked(start: Reals, turn: Reals, length: Reals) -> Array:
    """Return (K, steps + 1, 2): steps of `length` in the directions `turn` (K, steps), radians."""
    steps = np.stack([np.sin(turn), np.cos(turn)], axis=-1) * length[..., None]
    paths = start[:, None] + np.concatenate([np.zeros_like(steps[:, :1]), steps], 1).cumsum(axis=1)
    return np.asarray(paths, np.float32)


def _together(found: list[Strokes]) -> Strokes:
    return Strokes(
        np.concatenate([each.starts for each in found]),
        np.concatenate([each.ends for each in found]),
        np.concatenate([each.widths for each in found]),
        np.concatenate([each.owners for each in found]),
    )
