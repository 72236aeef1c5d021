"""Unseen: a data folder of pictures that no parameter was tuned on: scans, textures, photographs.

pip install --no-deps --target /tmp/pictures scikit-image
python -m bench.quality.unseen /tmp/pictures/skimage/data /tmp/Unseen
python -m bench.quality.run /tmp/Unseen --scale 2 --preset fast
"""

import argparse
from pathlib import Path

from PIL import Image

# Those of scikit-image's sample pictures that are like pictures of this program's users.
NAMES = (
    "astronaut.png",
    "brick.png",
    "cell.png",
    "chelsea.png",
    "coffee.png",
    "coins.png",
    "grass.png",
    "gravel.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "microaneurysms.png",
    "moon.png",
    "page.png",
    "retina.jpg",
)
SIDE_PIXELS = 256


def main() -> None:
    """Cut out the middle of each picture, and shrink it by 2 with antialiased bicubic."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pictures", type=Path, help="scikit-image's data folder")
    parser.add_argument("output", type=Path, help="the data folder to make")
    options = parser.parse_args()
    folders = {kind: options.output / "x2" / kind for kind in ("HR", "LR")}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        truth = _middle(Image.open(options.pictures / name).convert("RGB"))
        source = truth.resize((truth.width // 2, truth.height // 2), Image.Resampling.BICUBIC)
        truth.save((folders["HR"] / name).with_suffix(".png"))
        source.save((folders["LR"] / name).with_suffix(".png"))


def _middle(picture: Image.Image) -> Image.Image:
    """Return the middle, at most SIDE_PIXELS each way, with even sides."""
    width, height = (min(SIDE_PIXELS, side) // 2 * 2 for side in picture.size)
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    return picture.crop((left, top, left + width, top + height))


if __name__ == "__main__":
    main()
