"""Report: one HTML file about a finished job. It is built from what it is given, and opens nothing.

Source and output are shown pixel by pixel of the output, so that one sees what the network did.
"""

import base64
import dataclasses
import html
import io
from collections.abc import Iterable, Sequence
from importlib import resources
from string import Template
from typing import Any

from PIL import Image

from zssr_daemon import __version__
from zssr_daemon.imaging.comparison import MAX_SIDE, Comparison
from zssr_daemon.protocol.messages import SHORT_SHA256, WorkOrder, WorkReport
from zssr_daemon.system.file_names import printable
from zssr_daemon.worker.loss_curve import Point, curve

#: Small pictures are shown larger: each pixel as a square of up to so many.
_MAX_ZOOM = 4


def report_html(
    order: WorkOrder,
    report: WorkReport,
    losses: Sequence[Point],
    *,
    comparison: Comparison,
    kernel: Image.Image | None,
) -> str:
    """Return the page, which needs no other file.

    kernel: a picture of the kernel that was estimated, if any.
    """
    page = Template(resources.files("zssr_daemon.worker").joinpath("report.html").read_text())
    return page.substitute(
        title=html.escape(printable(order.src_rel)),
        pictures=_pictures(comparison),
        curve=curve(losses),
        result=_table(_result(report)),
        kernel="" if kernel is None else _kernel(kernel),
        seconds=_table((name, f"{value:.2f}") for name, value in report.seconds.items()),
        parameters=_table(dataclasses.asdict(order.config).items()),
    )


def _pictures(comparison: Comparison) -> str:
    """Lay the output over the source, with a slider that moves the line between them."""
    width, height = comparison.after.size
    zoom = max(1, min(_MAX_ZOOM, MAX_SIDE // max(width, height)))
    whole = f"{comparison.width} × {comparison.height}"
    shown = f"{width} × {height} pixels from the middle of {whole}, ×{zoom}"
    return (
        f'<div class="compare" style="width:{width * zoom}px">'
        f'<div class="pair"><img class="before" alt="bicubic" src="{_data(comparison.before)}">'
        f'<img class="after" alt="result" src="{_data(comparison.after)}">'
        '<div class="divider"></div></div>'
        '<input type="range" min="0" max="100" value="50" aria-label="where the two meet">'
        f'<div class="ends"><span>source, bicubic</span><span>{shown}</span>'
        "<span>result</span></div></div>"
    )


def _kernel(kernel: Image.Image) -> str:
    return f'<h2>Estimated kernel</h2><img class="kernel" alt="kernel" src="{_data(kernel)}">'


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
        ("in the image", report.found),
        ("noise", f"{report.noise_std:g} of 255"),
        ("JPEG undone", report.jpeg_quality or "no"),
        ("repeats in", "neither axis" if report.tileable == "no" else report.tileable),
        ("kernel", report.kernel),
        ("kernel, why", report.kernel_why or "as the settings say"),
        ("fit began with", _start(report)),
        ("iterations", report.iterations),
        ("restarts", report.restarts),
        ("peak memory", f"{report.peak_memory_bytes / 1e9:.2f} GB"),
        ("program", f"zssr_daemon {__version__}"),
    ]


def _start(report: WorkReport) -> str:
    if report.start is None or report.start_sha256 is None:
        return "chance"
    return f"{report.start}, sha256 {report.start_sha256[:SHORT_SHA256]}"


def _decibels(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f} dB"


def _table(rows: Iterable[tuple[str, Any]]) -> str:
    cells = (
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(str(value))}</td></tr>"
        for name, value in rows
    )
    return f"<table>{''.join(cells)}</table>"
