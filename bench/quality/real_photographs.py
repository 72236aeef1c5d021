"""Draw the pictures of docs/real-photographs.md, and write its table.

python -m bench.quality.real_photographs

The picture of the tests is spoilt as photographs are, and enlarged by the program twice: with
`auto = false`, and with `auto` as it is shipped.
"""

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from bench.quality.blur_kernels import blurred
from bench.quality.metrics import psnr_y_db
from bench.quality.run import to_tensor, to_uint8
from bench.quality.spoil import Spoil
from zssr_daemon.daemon.work_order import Attempt, work_order
from zssr_daemon.settings.image_settings import Resolver
from zssr_daemon.settings.schema import Degradation, Settings
from zssr_daemon.system.file_identity import FileIdentity
from zssr_daemon.worker.enlarger import Enlarger
from zssr_daemon.worker.frames import enlarge_file
from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.presets import PRESETS

TRUTH, SHRUNK = Path("tests/data/butterfly_hr.png"), Path("tests/data/butterfly_lr.png")
PAGE = Path("docs/real-photographs.md")
BEGIN, END = "<!-- the bench writes from here -->", "<!-- to here -->"

SCALE = 2
# The detail that is shown, in pixels of the result, and how often each of these is repeated.
LEFT, TOP, SIDE, ZOOM = 28, 72, 112, 3
GAP_PIXELS, LINE_PIXELS = 8, 26


@dataclass(frozen=True, slots=True)
class Case:
    """A way to spoil the picture."""

    name: str
    told: str  # what was done to the picture, in words
    spoilt: Callable[[], Image.Image]
    ending: str = ".png"


@dataclass(frozen=True, slots=True)
class Shown:
    """A result, and what the program said of it."""

    title: str
    picture: Image.Image
    found: str = ""

    @property
    def psnr_db(self) -> float:
        """PSNR-Y against the truth."""
        return psnr_y_db(np.asarray(self.picture), np.asarray(_read(TRUTH)), crop_border=SCALE)


def main() -> None:
    """Spoil, enlarge, draw; print the table, and put it into the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", choices=list(PRESETS), default="balanced")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = [
        "| the picture was | found | bicubic | `auto = false` | as shipped |",
        "|---|---|---|---|---|",
    ]
    for case in CASES:
        shown = _shown(case, options.preset)
        _sheet(shown).save(PAGE.with_name(f"real-{case.name}.png"), optimize=True)
        decibels = " | ".join(f"{each.psnr_db:.2f}" for each in shown)
        rows.append(f"| {case.told} | {shown[-1].found} | {decibels} |")
        print(rows[-1], flush=True)
    _write_table(rows)


def _read(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")


def _noisy() -> Image.Image:
    return Spoil(noise_std=10)(_read(SHRUNK))


def _blurred(family: str, number: int) -> Image.Image:
    small = blurred(to_tensor(_read(TRUTH)), family, number, SCALE)[1]
    return Image.fromarray(to_uint8(small, is_grey=False))


CASES = (
    Case("jpeg", "a JPEG of quality 60", partial(_read, SHRUNK), ".jpg"),
    Case("noisy", "noisy, 10 levels of 255", _noisy),
    Case("blurred", "blurred by a Gaussian", partial(_blurred, "gaussian", 3)),
    Case("shaken", "shaken by a hand, not straight", partial(_blurred, "shake", 0)),
)


def _shown(case: Case, preset: str) -> list[Shown]:
    """Return the source enlarged by bicubic, without looking at it, and as the program does it."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"{case.name}{case.ending}"
        case.spoilt().save(path, quality=60)
        source = _read(path)
        large = source.resize(_read(TRUTH).size, Image.Resampling.BICUBIC)
        return [
            Shown("source, bicubic", large),
            _enlarged(path, "auto = false", preset, auto=False),
            _enlarged(path, "as shipped", preset, auto=None),
        ]


def _enlarged(source: Path, title: str, preset: str, *, auto: bool | None) -> Shown:
    """Enlarge a file as the daemon does."""
    settings = Settings(zssr=ZSSRConfig.from_preset(preset), degradation=Degradation(auto=auto))
    attempt = Attempt(
        job_id=source.stem,
        inbox=source.parent,
        src_rel=source.name,
        identity=FileIdentity.from_stat(os.lstat(source)),
        part=source.with_name("part"),
    )
    own = Resolver(settings, source.parent, None, {}).resolve(source.name)
    order = work_order(attempt, own, settings.limits)
    done = enlarge_file(Enlarger("cpu", 1), order, lambda _: None)
    return Shown(title, _read(attempt.part), done.report.found)


def _sheet(shown: list[Shown]) -> Image.Image:
    """Draw a detail of each picture with its PSNR, side by side, and below what was found."""
    panel = SIDE * ZOOM
    width = len(shown) * (panel + GAP_PIXELS) - GAP_PIXELS
    sheet = Image.new("RGB", (width, panel + 2 * LINE_PIXELS), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=17)
    for index, each in enumerate(shown):
        left = index * (panel + GAP_PIXELS)
        detail = each.picture.crop((LEFT, TOP, LEFT + SIDE, TOP + SIDE))
        sheet.paste(detail.resize((panel, panel), Image.Resampling.NEAREST), (left, 0))
        title = f"{each.title}, {each.psnr_db:.2f} dB"
        pen.text((left + 4, panel + 4), title, fill="black", font=font)
    told = f"found: {shown[-1].found}".replace("×", "x")  # which the font lacks
    pen.text((4, panel + LINE_PIXELS + 2), told, fill="black", font=font)
    return sheet


def _write_table(rows: list[str]) -> None:
    before, _, rest = PAGE.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text("\n".join([f"{before}{BEGIN}", *rows, f"{END}{after}"]))


if __name__ == "__main__":
    main()
