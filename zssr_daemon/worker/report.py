"""Report: one HTML file about a finished job, which needs nothing beside itself.

The two pictures are cut from the middle of source and output, pixel by pixel of the output, so that
what the network did can be seen; the source is enlarged by bicubic for that.
"""

import base64
import dataclasses
import html
import io
import math
import os
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from PIL import Image, ImageOps

from zssr_daemon import __version__
from zssr_daemon.protocol.attempt_files import KERNEL_PICTURE, companion_part
from zssr_daemon.protocol.messages import WorkDone, WorkOrder, WorkReport
from zssr_daemon.system.file_names import printable
from zssr_daemon.system.safe_open import open_source

#: Longest side of the pictures shown, in output pixels.
_SHOWN = 1024

#: Beyond so many output pixels none are shown: to cut some out, all would have to be read.
_MAX_PIXELS = 50_000_000

#: Small pictures are shown larger, pixel by pixel.
_MAX_ZOOM = 4

#: What can go wrong with a report; none of it touches the output.
FAULTS = (OSError, ValueError, MemoryError, SyntaxError, Image.DecompressionBombError)

_WIDTH, _HEIGHT, _MARGIN = 900, 240, 44

_SAMPLES_8_BIT = frozenset({"L", "LA", "RGB", "RGBA"})


def write_report(order: WorkOrder, done: WorkDone, losses: Sequence[tuple[int, float]]) -> None:
    """Write the report of a job whose part is written, to `order.report_path`.

    Raises:
        One of FAULTS.
    """
    assert order.report_path is not None
    report = done.report
    page = Template(resources.files("zssr_daemon.worker").joinpath("report.html").read_text())
    text = page.substitute(
        title=html.escape(printable(order.src_rel)),
        pictures=_pictures(order, done.frames),
        curve=curve(losses),
        result=_table(_result(report)),
        kernel=_kernel(Path(order.part)),
        seconds=_table((name, f"{value:.2f}") for name, value in report.seconds.items()),
        parameters=_table(dataclasses.asdict(order.config).items()),
    )
    Path(order.report_path).write_text(text, encoding="utf-8")


def curve(losses: Sequence[tuple[int, float]]) -> str:
    """Draw the loss over the steps, on a logarithmic scale, as SVG."""
    points = [(step, math.log10(loss)) for step, loss in losses if 0 < loss < math.inf]
    if len(points) < 2:
        return "<p>The fit was too short for a curve.</p>"
    last = points[-1][0]
    low, high = min(y for _, y in points), max(y for _, y in points)
    span = max(high - low, 1e-9)

    def at(step: float, level: float) -> str:
        x = _MARGIN + (_WIDTH - _MARGIN) * step / last
        y = 10 + (_HEIGHT - 40) * (high - level) / span
        return f"{x:.1f},{y:.1f}"

    line = " ".join(at(step, level) for step, level in points)
    bottom = _HEIGHT - 30
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="Loss over steps">'
        f'<line x1="{_MARGIN}" y1="10" x2="{_WIDTH}" y2="10"/>'
        f'<line x1="{_MARGIN}" y1="{bottom}" x2="{_WIDTH}" y2="{bottom}"/>'
        f'<text x="0" y="15">{10**high:.4f}</text><text x="0" y="{bottom + 4}">{10**low:.4f}</text>'
        f'<text x="{_MARGIN}" y="{_HEIGHT - 8}">0</text>'
        f'<text x="{_WIDTH}" y="{_HEIGHT - 8}" text-anchor="end">{last} steps</text>'
        f'<polyline points="{line}"/></svg>'
    )


def _pictures(order: WorkOrder, frames: int) -> str:
    """Show source and output; of several frames the last, which `order.part` holds."""
    with Image.open(order.part) as opened:
        width, height = opened.size
        if width * height > _MAX_PIXELS:
            return f"<p>{width} × {height} pixels are too many to be shown here.</p>"
        box = _middle(width, height)
        after = _for_screens(opened.crop(box))
    fd = open_source(order.inbox, order.src_rel)
    with os.fdopen(fd, "rb") as stream, Image.open(stream) as opened:
        opened.seek(frames - 1)
        upright = _for_screens(ImageOps.exif_transpose(opened))
        x, y = upright.width / width, upright.height / height
        part = (box[0] * x, box[1] * y, box[2] * x, box[3] * y)
        before = upright.resize(after.size, Image.Resampling.BICUBIC, box=part)
    zoom = max(1, min(_MAX_ZOOM, _SHOWN // max(after.size)))
    shown = f"{after.width} × {after.height} pixels from the middle of {width} × {height}, ×{zoom}"
    return (
        f'<div class="compare" style="width:{after.width * zoom}px">'
        f'<div class="pair"><img class="before" alt="bicubic" src="{_data(before)}">'
        f'<img class="after" alt="result" src="{_data(after)}"></div>'
        '<input type="range" min="0" max="100" value="50" aria-label="where the two meet">'
        f'<div class="ends"><span>source, bicubic</span><span>{shown}</span>'
        "<span>result</span></div></div>"
    )


def _kernel(part: Path) -> str:
    """Show the kernel that was estimated, if there was one."""
    picture = companion_part(part, KERNEL_PICTURE)
    if not picture.is_file():
        return ""
    with Image.open(picture) as kernel:
        return f'<h2>Estimated kernel</h2><img class="kernel" alt="kernel" src="{_data(kernel)}">'


def _middle(width: int, height: int) -> tuple[int, int, int, int]:
    shown_w, shown_h = min(width, _SHOWN), min(height, _SHOWN)
    left, top = (width - shown_w) // 2, (height - shown_h) // 2
    return left, top, left + shown_w, top + shown_h


def _for_screens(image: Image.Image) -> Image.Image:
    """Return 8 bits a sample, of the kinds that PNG has."""
    if image.mode.startswith("I"):
        deep = image.convert("I").point(lambda level: level / 257)
        return deep.convert("L")
    if image.mode in _SAMPLES_8_BIT:
        return image
    return image.convert("RGBA" if image.mode in {"P", "PA"} else "RGB")


def _data(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", icc_profile=image.info.get("icc_profile"))
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _result(report: WorkReport) -> list[tuple[str, Any]]:
    return [
        ("size", f"{report.out_width} × {report.out_height}"),
        ("reconstruction, network", _decibels(report.psnr_network_db)),
        ("reconstruction, bicubic", _decibels(report.psnr_bicubic_db)),
        ("fell back to bicubic", "yes" if report.is_fallback else "no"),
        ("noise taken out", f"{report.noise_std:g} of 255"),
        ("JPEG undone", report.jpeg_quality or "no"),
        ("kernel", report.kernel),
        ("kernel, why", report.kernel_why or "as the settings say"),
        ("iterations", report.iterations),
        ("restarts", report.restarts),
        ("peak memory", f"{report.peak_memory_bytes / 1e9:.2f} GB"),
        ("program", f"zssr_daemon {__version__}"),
    ]


def _decibels(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f} dB"


def _table(rows: Iterable[tuple[str, Any]]) -> str:
    cells = (
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(str(value))}</td></tr>"
        for name, value in rows
    )
    return f"<table>{''.join(cells)}</table>"
