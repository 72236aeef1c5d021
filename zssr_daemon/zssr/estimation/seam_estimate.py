"""SeamEstimate: along which axes an image repeats, as a texture that tiles does.

Where the last line of pixels meets the first one, a texture goes on as it does everywhere, and the
opposite edges of any other picture have nothing in common. Edges of one colour say nothing: there
wrapping would change nothing either.
"""

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.ops.wrap import Wrap

# The step across the seam may be so many times as large as steps inside usually are, both as a
# whole and in its detail alone.
MAX_STEP = 1.75

# The detail of the step across the seam, relative to that of lines with nothing in common (1). The
# least measured on 570 edges of photographs, crops of them, pages and noise was 0.648.
MAX_STRANGENESS = 0.6

# A seam on a sharp edge, as between two bricks, is a step that occurs inside as well: one of these
# differs from it by at most so much of its strength. Photographs have 0.53 and more.
MAX_DIFFERENCE = 0.4

# Detail of both edge lines, or a step, that is weaker than this says nothing; root mean square.
MIN_DETAIL = 1.5 / 255

# Detail is what is left of a line without the mean over so many pixels.
WINDOW = 9

# At most so many steps inside are looked at; those next to the seam count by themselves.
MAX_STEPS, NEAREST = 512, 6

# A shorter side says nothing.
MIN_SIDE = 16

_ALMOST_NOTHING = 1e-6


def tiling_found(config: ZSSRConfig, image: Tensor) -> ZSSRConfig:
    """Return `config` with a `tileable` of "auto" replaced by what (C, H, W) in [0, 1] shows."""
    if config.tileable != "auto":
        return config
    return replace(config, tileable=estimate_wrap(image).name)


def estimate_wrap(image: Tensor) -> Wrap:
    """Return the axes along which (C, H, W) float32 in [0, 1] repeats; the same image, the same."""
    if min(image.shape[-2:]) < MIN_SIDE:
        return Wrap()
    return Wrap(x=_repeats(image.movedim(-1, 0)), y=_repeats(image.movedim(-2, 0)))


def _repeats(lines: Tensor) -> bool:
    """Tell whether the last of the lines (length, C, n) goes on with the first one."""
    seam = lines[0] - lines[-1]
    places = torch.linspace(0, len(lines) - 2, min(len(lines) - 1, MAX_STEPS)).long()
    steps = lines[places + 1] - lines[places]
    return _is_step_inside(seam, steps) or _is_smooth(seam, steps, lines)


def _is_step_inside(seam: Tensor, steps: Tensor) -> bool:
    """Tell whether the step across the seam (C, n) is also one of the `steps`, (count, C, n)."""
    strength = _rms(seam)
    return bool(strength >= MIN_DETAIL and _rms(steps - seam).min() <= MAX_DIFFERENCE * strength)


def _is_smooth(seam: Tensor, steps: Tensor, lines: Tensor) -> bool:
    """Tell whether lines that have detail differ across the seam as little as elsewhere."""
    detail = torch.hypot(_rms(_detail(lines[0])), _rms(_detail(lines[-1])))
    fine = _rms(_detail(seam))
    if detail < MIN_DETAIL or fine > MAX_STRANGENESS * detail:
        return False
    each = _rms(steps)
    nearest = torch.cat([each[:NEAREST], each[-NEAREST:]])
    usual = torch.maximum(each.median(), nearest.median()) + _ALMOST_NOTHING
    usual_fine = _rms(_detail(steps)).median() + _ALMOST_NOTHING
    return bool(_rms(seam) <= MAX_STEP * usual and fine <= MAX_STEP * usual_fine)


def _detail(line: Tensor) -> Tensor:
    """Return (..., C, n) without its mean over WINDOW pixels."""
    reach = WINDOW // 2
    flat = line.reshape(-1, 1, line.shape[-1])
    mean = functional.avg_pool1d(functional.pad(flat, (reach, reach), "replicate"), WINDOW, 1)
    return line - mean.reshape(line.shape)


def _rms(lines: Tensor) -> Tensor:
    """Return the root mean square of (..., C, n) over its last two axes."""
    return lines.square().mean(dim=(-2, -1)).sqrt()
