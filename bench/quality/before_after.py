"""Draw the README's picture: a source, bicubic, and the output of the program, side by side.

zssr-daemon upscale tests/data/butterfly_lr.png -o /tmp/butterfly_x2.png
python -m bench.quality.before_after tests/data/butterfly_lr.png /tmp/butterfly_x2.png \
    --truth tests/data/butterfly_hr.png -o docs/before_after.png
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from bench.quality.metrics import psnr_y_db

PANEL_PIXELS = 384
CAPTION_PIXELS = 34
GAP_PIXELS = 8


def main() -> None:
    """Read the command line, draw, save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("result", type=Path)
    parser.add_argument("--truth", type=Path, help="adds PSNR-Y to the captions")
    parser.add_argument("-o", "--output", type=Path, required=True)
    # The detail that is shown: left, top and side, as fractions of the width.
    parser.add_argument("--zoom", type=float, nargs=3, default=(0.12, 0.3, 0.45))
    options = parser.parse_args()
    source = Image.open(options.source).convert("RGB")
    result = Image.open(options.result).convert("RGB")
    bicubic = source.resize(result.size, Image.Resampling.BICUBIC)
    truth = Image.open(options.truth).convert("RGB") if options.truth else None
    scale = round(result.width / source.width)
    panels = [
        (f"input, {source.width}x{source.height}", source),
        (f"bicubic{_psnr(bicubic, truth, scale)}", bicubic),
        (f"zssr_daemon{_psnr(result, truth, scale)}", result),
    ]
    _draw(panels, tuple(options.zoom)).save(options.output, optimize=True)


def _psnr(picture: Image.Image, truth: Image.Image | None, scale: int) -> str:
    if truth is None:
        return ""
    value = psnr_y_db(np.asarray(picture), np.asarray(truth), crop_border=scale)
    return f", {value:.2f} dB"


def _draw(panels: list[tuple[str, Image.Image]], zoom: tuple[float, float, float]) -> Image.Image:
    width = len(panels) * (PANEL_PIXELS + GAP_PIXELS) - GAP_PIXELS
    sheet = Image.new("RGB", (width, PANEL_PIXELS + CAPTION_PIXELS), "white")
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=18)
    for index, (caption, picture) in enumerate(panels):
        left = index * (PANEL_PIXELS + GAP_PIXELS)
        sheet.paste(_close_up(picture, zoom), (left, 0))
        pen.text((left + 4, PANEL_PIXELS + 6), caption, fill="black", font=font)
    return sheet


def _close_up(picture: Image.Image, zoom: tuple[float, float, float]) -> Image.Image:
    left, top, side = (round(part * picture.width) for part in zoom)
    detail = picture.crop((left, top, left + side, top + side))
    return detail.resize((PANEL_PIXELS, PANEL_PIXELS), Image.Resampling.NEAREST)


if __name__ == "__main__":
    main()
