"""Frontier: a drawing of PSNR over seconds, one point a preset, beside other methods.

python -m bench.quality.frontier     # writes docs/frontier.svg from bench/results/
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path

from bench.provenance import RESULTS

DOCS = Path(__file__).parents[2] / "docs"

PRESETS = ("instant", "fast", "balanced", "best")

# What others need, and this program before it had a start: seconds of one core, dB on Set5 ×2.
# The first line was measured with version 0.1.0, the second with the authors' code, the third
# is the figure that the authors of SPAN publish, and its seconds on one core.
CHANCE = ((9, 37.26), (33, 37.56), (88, 37.67))
OFFICIAL = (731, 37.00)
PRETRAINED = (0.3, 38.02)

# The drawing, in units of the SVG, and what its axes span.
WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 900, 420, 60, 50, 20
SECONDS = (0.2, 3000)
DECIBELS = (36.8, 38.2)

STYLE = (
    "text{font:14px sans-serif;fill:#333}.grid{stroke:#ddd}polyline{fill:none;stroke-width:2}"
    "polyline.ours{stroke:#c33}polyline.chance{stroke:#888;stroke-dasharray:5 4}"
    "circle.ours{fill:#c33}circle.chance,circle.other{fill:#888}"
)


@dataclass(frozen=True, slots=True)
class Point:
    """A method's place in the drawing."""

    seconds: float  # of one core, for one picture of Set5
    psnr_db: float
    label: str

    @property
    def x(self) -> float:
        """The place along the logarithmic axis of seconds."""
        low, high = map(math.log, SECONDS)
        return LEFT + (WIDTH - LEFT - 20) * (math.log(self.seconds) - low) / (high - low)

    @property
    def y(self) -> float:
        """The place along the axis of decibels."""
        low, high = DECIBELS
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - self.psnr_db) / (high - low)

    def svg(self, name: str) -> str:
        """Return a dot with the label above it."""
        return (
            f'<circle class="{name}" cx="{self.x:.1f}" cy="{self.y:.1f}" r="5"/>'
            f'<text x="{self.x:.1f}" y="{self.y - 10:.1f}" text-anchor="middle">{self.label}</text>'
        )


def main() -> None:
    """Draw."""
    ours = [measured(preset) for preset in PRESETS]
    chance = [Point(*each, "") for each in CHANCE]
    others = [Point(*OFFICIAL, "ZSSR, authors' code"), Point(*PRETRAINED, "SPAN, pretrained")]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">',
        f'<style>{STYLE}</style><rect width="100%" height="100%" fill="#fff"/>',
        *axes(),
        line(chance, "chance"),
        *(point.svg("chance") for point in chance),
        f'<text x="{chance[-1].x + 12:.1f}" y="{chance[-1].y + 5:.1f}">from chance</text>',
        line(ours, "ours"),
        *(point.svg("ours") for point in ours),
        *(point.svg("other") for point in others),
        "</svg>\n",
    ]
    (DOCS / "frontier.svg").write_text("\n".join(parts))


def measured(preset: str) -> Point:
    """Return the point of a preset, from its result."""
    result = json.loads((RESULTS / f"quality_Set5_x2_{preset}_s0.json").read_text())
    mean = result["mean"]
    return Point(mean["cpu_seconds"], mean["psnr_db"], preset)


def line(points: list[Point], name: str) -> str:
    """Return a line through the points."""
    places = " ".join(f"{point.x:.1f},{point.y:.1f}" for point in points)
    return f'<polyline class="{name}" points="{places}"/>'


def axes() -> list[str]:
    """Return the grid, its numbers, and what the axes mean."""
    parts = []
    for seconds in (0.3, 1, 3, 10, 30, 100, 300, 1000):
        x = Point(seconds, DECIBELS[0], "").x
        parts.append(
            f'<line class="grid" x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{HEIGHT - 50}"/>'
        )
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - 30}" text-anchor="middle">{seconds:g}</text>')
    for tenth in range(368, 383, 2):
        y = Point(1, tenth / 10, "").y
        parts.append(
            f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - 20}" y2="{y:.1f}"/>'
        )
        parts.append(f'<text x="{LEFT - 8}" y="{y + 5:.1f}" text-anchor="end">{tenth / 10}</text>')
    title = "seconds of one core for a picture of Set5, ×2 (logarithmic); upwards PSNR-Y in dB"
    parts.append(f'<text x="{WIDTH / 2}" y="{HEIGHT - 8}" text-anchor="middle">{title}</text>')
    return parts


if __name__ == "__main__":
    main()
