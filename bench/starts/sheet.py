"""Sheet: drawn pictures side by side, to look at.

python -m bench.starts.sheet docs/drawn.png
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zssr_daemon.zssr.start.drawing import draw

SEED = 16


def main() -> None:
    """Draw pictures of the row that recipes train on, and write them as one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--rows", type=int, default=2)
    parser.add_argument("--columns", type=int, default=6)
    parser.add_argument("--side", type=int, default=128, help="of each, pixels")
    options = parser.parse_args()
    count = options.rows * options.columns
    pictures = np.stack([_pixels(number, options.side) for number in range(count)])
    grid = pictures.reshape(options.rows, options.columns, options.side, options.side, 3)
    rows = grid.transpose(0, 2, 1, 3, 4)
    Image.fromarray(rows.reshape(options.rows * options.side, -1, 3)).save(options.output)


def _pixels(number: int, side: int) -> NDArray[np.uint8]:
    picture = draw(np.random.default_rng([SEED, number]), side)
    return np.rint(picture.transpose(1, 2, 0) * 255).astype(np.uint8)


if __name__ == "__main__":
    main()
